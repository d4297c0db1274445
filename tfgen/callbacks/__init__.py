"""Callbacks for `fit`. They know no model class, only the methods that they call."""

from tfgen.callbacks.beta_warmup import BetaWarmup
from tfgen.callbacks.latent_diagnostics import LatentDiagnostics
from tfgen.callbacks.mode_coverage import ModeCoverage
from tfgen.callbacks.sample_grid import SampleGrid
from tfgen.callbacks.save_model import SaveModel

__all__ = [
    "BetaWarmup",
    "LatentDiagnostics",
    "ModeCoverage",
    "SampleGrid",
    "SaveModel",
]
