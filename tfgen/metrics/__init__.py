"""Functions on arrays that measure a model: they know no model class."""

from tfgen.metrics.likelihood import (
    LikelihoodEstimate,
    active_units,
    bits_per_dim,
    elbo,
    estimate_log_likelihood,
    importance_weighted_log_likelihood,
)

__all__ = [
    "LikelihoodEstimate",
    "active_units",
    "bits_per_dim",
    "elbo",
    "estimate_log_likelihood",
    "importance_weighted_log_likelihood",
]
