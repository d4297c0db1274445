"""Functions on arrays that measure a model: they know no model class."""

from tfgen.metrics.aggregate_posterior import KLDecomposition, decompose_kl
from tfgen.metrics.anomaly import (
    Roc,
    anomaly_roc,
    complexity,
    likelihood_ratio,
    negative_elbo,
)
from tfgen.metrics.comparison import Comparison, compare_samples
from tfgen.metrics.disentanglement import (
    Dci,
    dci,
    factors_followed,
    mig,
    modularity,
    mutual_information,
    sap,
)
from tfgen.metrics.feature_network import build_feature_network
from tfgen.metrics.features import (
    compile_network,
    extract_features,
    inception_v3,
    mobilenet_v2,
)
from tfgen.metrics.fidelity import (
    KernelDistance,
    extrapolate_frechet_distance,
    frechet_distance,
    kernel_distance,
)
from tfgen.metrics.fixed_factor import beta_vae_score, factor_vae_score
from tfgen.metrics.latent_space import (
    Completeness,
    Continuity,
    completeness,
    continuity,
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
from tfgen.metrics.nearest import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from tfgen.metrics.random_features import build_random_features
from tfgen.metrics.translation import mean_absolute_error, psnr, ssim

__all__ = [
    "Comparison",
    "Completeness",
    "Continuity",
    "Dci",
    "DensityCoverage",
    "KLDecomposition",
    "KernelDistance",
    "LikelihoodEstimate",
    "ModeCoverage",
    "PrecisionRecall",
    "Roc",
    "active_units",
    "anomaly_roc",
    "beta_vae_score",
    "bits_per_dim",
    "build_feature_network",
    "build_random_features",
    "compare_samples",
    "compile_network",
    "completeness",
    "complexity",
    "continuity",
    "dci",
    "decompose_kl",
    "density_coverage",
    "elbo",
    "estimate_log_likelihood",
    "extract_features",
    "extrapolate_frechet_distance",
    "factor_vae_score",
    "factors_followed",
    "frechet_distance",
    "importance_weighted_log_likelihood",
    "inception_v3",
    "kernel_distance",
    "likelihood_ratio",
    "mean_absolute_error",
    "mig",
    "mobilenet_v2",
    "mode_coverage",
    "modularity",
    "mutual_information",
    "negative_elbo",
    "precision_recall",
    "psnr",
    "sap",
    "ssim",
]
