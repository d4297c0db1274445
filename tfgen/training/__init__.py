"""Training into a run directory, and what is read from one."""

import importlib
from typing import Any

_HOME = {
    "Config": "tfgen.training.config",
    "Run": "tfgen.training.run",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tfgen.training' has no attribute {name!r}")
