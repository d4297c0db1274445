"""How good a model is, on images that it has not seen.

`evaluate(model_or_run, data)` returns an `Evaluation`: groups of figures, each beside
its floor, as a dict, or as a report in one HTML file. One group is one file here, with
a function of a `Subject` that returns None where its group does not suit the model or
the data.

Names load on first use: `tfgen evaluate --help` needs no TensorFlow.
"""

import importlib
from typing import Any

# Each is a module of this package, with a function `measure_<name>`.
METRICS = (
    *("losses", "likelihood", "latents", "samples", "latent_space", "factors"),
    *("anomalies", "translation", "codes", "probe"),
)
ON_REQUEST = ("probe",)  # the others are measured by default
_HOME = {
    "Evaluation": "tfgen.evaluation.evaluation",
    "FEATURES": "tfgen.evaluation.features",
    "Figure": "tfgen.evaluation.figure",
    "Subject": "tfgen.evaluation.subject",
    "compare": "tfgen.evaluation.comparing",
    "evaluate": "tfgen.evaluation.evaluation",
    "measure": "tfgen.evaluation.evaluation",
}

__all__ = ["METRICS", "ON_REQUEST", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tfgen.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
