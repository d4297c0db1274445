"""The runs that evaluation is tested on: see tests/runs.py."""

from tests.runs import *  # noqa: F403
