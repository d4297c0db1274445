"""Functions on arrays that measure a model: they know no model class."""

from tfgen.metrics.fidelity import (
    KernelDistance,
    frechet_distance,
    kernel_distance,
)
from tfgen.metrics.likelihood import (
    LikelihoodEstimate,
    active_units,
    bits_per_dim,
    elbo,
    estimate_log_likelihood,
    importance_weighted_log_likelihood,
)
from tfgen.metrics.modes import ModeCoverage, mode_coverage
from tfgen.metrics.random_features import build_random_features
from tfgen.metrics.translation import mean_absolute_error, psnr, ssim

__all__ = [
    "KernelDistance",
    "LikelihoodEstimate",
    "ModeCoverage",
    "active_units",
    "bits_per_dim",
    "build_random_features",
    "elbo",
    "estimate_log_likelihood",
    "frechet_distance",
    "importance_weighted_log_likelihood",
    "kernel_distance",
    "mean_absolute_error",
    "mode_coverage",
    "psnr",
    "ssim",
]
