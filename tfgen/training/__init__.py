"""Training into a run directory, and what is read from one."""

import importlib
from typing import Any

_HOME = {
    "Config": "tfgen.training.config",
    "Estimate": "tfgen.training.estimate",
    "ExactBackup": "tfgen.training.exact_backup",
    "Run": "tfgen.training.run",
    "TrainingStopped": "tfgen.training.stop_signals",
    "push": "tfgen.training.pushing",
    "train": "tfgen.training.trainer",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tfgen.training' has no attribute {name!r}")
