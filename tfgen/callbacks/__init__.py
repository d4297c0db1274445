"""Callbacks for `fit`. They call methods of a model and import no model class."""

from tfgen.callbacks.beta_warmup import BetaWarmup
from tfgen.callbacks.feature_distance import FeatureDistance
from tfgen.callbacks.finite_guard import FiniteGuard, NotFiniteError
from tfgen.callbacks.history_file import HistoryFile
from tfgen.callbacks.latent_diagnostics import LatentDiagnostics
from tfgen.callbacks.mode_coverage import ModeCoverage
from tfgen.callbacks.resample_by_latents import ResampleByLatents
from tfgen.callbacks.sample_grid import SampleGrid
from tfgen.callbacks.save_model import SaveModel

__all__ = [
    "BetaWarmup",
    "FeatureDistance",
    "FiniteGuard",
    "HistoryFile",
    "LatentDiagnostics",
    "ModeCoverage",
    "NotFiniteError",
    "ResampleByLatents",
    "SampleGrid",
    "SaveModel",
]
