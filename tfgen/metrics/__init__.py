"""Functions on arrays that measure a model: they know no model class."""

from tfgen.metrics.likelihood import (
    LikelihoodEstimate,
    active_units,
    bits_per_dim,
    elbo,
    estimate_log_likelihood,
    importance_weighted_log_likelihood,
)
from tfgen.metrics.modes import ModeCoverage, mode_coverage

__all__ = [
    "LikelihoodEstimate",
    "ModeCoverage",
    "active_units",
    "bits_per_dim",
    "elbo",
    "estimate_log_likelihood",
    "importance_weighted_log_likelihood",
    "mode_coverage",
]
