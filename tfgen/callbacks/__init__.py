"""Callbacks for `fit`. They know no model class, only the methods that they call."""

from typing import TYPE_CHECKING, Any

from tfgen.callbacks.beta_warmup import BetaWarmup
from tfgen.callbacks.feature_distance import FeatureDistance
from tfgen.callbacks.finite_guard import FiniteGuard, NotFiniteError
from tfgen.callbacks.history_file import HistoryFile
from tfgen.callbacks.latent_diagnostics import LatentDiagnostics
from tfgen.callbacks.mode_coverage import ModeCoverage
from tfgen.callbacks.resample_by_latents import ResampleByLatents
from tfgen.callbacks.sample_grid import SampleGrid
from tfgen.callbacks.save_model import SaveModel

if TYPE_CHECKING:
    from tfgen.training.exact_backup import ExactBackup
    from tfgen.training.stop_signals import TrainingStopped

__all__ = [
    "BetaWarmup",
    "ExactBackup",
    "FeatureDistance",
    "FiniteGuard",
    "HistoryFile",
    "LatentDiagnostics",
    "ModeCoverage",
    "NotFiniteError",
    "ResampleByLatents",
    "SampleGrid",
    "SaveModel",
    "TrainingStopped",
]


def __getattr__(name: str) -> Any:
    if name in ("ExactBackup", "TrainingStopped"):  # which import this package
        from tfgen import training

        return getattr(training, name)
    raise AttributeError(f"module 'tfgen.callbacks' has no attribute {name!r}")
