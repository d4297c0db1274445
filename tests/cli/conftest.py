"""The runs that the commands are tested on: see tests/runs.py."""

from tests.runs import *  # noqa: F403
from tests.runs import run_tfgen as tfgen  # noqa: F401
