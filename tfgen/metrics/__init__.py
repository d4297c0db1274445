"""Functions of arrays that measure a model. They know no model class."""

from tfgen.metrics.comparison import Comparison, compare_samples
from tfgen.metrics.coverage import (
    DensityCoverage,
    ModeCoverage,
    PrecisionRecall,
    density_coverage,
    mode_coverage,
    precision_recall,
)
from tfgen.metrics.disentanglement import (
    Dci,
    dci,
    factors_followed,
    mig,
    modularity,
    mutual_information,
    sap,
    score_importances,
)
from tfgen.metrics.feature_network import build_feature_network
from tfgen.metrics.features import (
    build_random_features,
    compile_network,
    extract_features,
    inception_v3,
    mobilenet_v2,
)
from tfgen.metrics.fidelity import (
    FrechetDistance,
    KernelDistance,
    extrapolate_frechet_distance,
    frechet_distance,
    kernel_distance,
)
from tfgen.metrics.fixed_factor import beta_vae_score, factor_vae_score
from tfgen.metrics.latent_space import (
    Completeness,
    Continuity,
    KLDecomposition,
    active_units,
    completeness,
    continuity,
    decompose_kl,
)
from tfgen.metrics.likelihood import (
    LikelihoodEstimate,
    Roc,
    anomaly_roc,
    bits_per_dim,
    complexity,
    elbo,
    estimate_log_likelihood,
    importance_weighted_log_likelihood,
    likelihood_ratio,
)
from tfgen.metrics.probing import Probe, probe
from tfgen.metrics.translation import (
    mean_absolute_error,
    pairwise_distance,
    psnr,
    ssim,
)

__all__ = [
    "Comparison",
    "Completeness",
    "Continuity",
    "Dci",
    "DensityCoverage",
    "FrechetDistance",
    "KLDecomposition",
    "KernelDistance",
    "LikelihoodEstimate",
    "ModeCoverage",
    "PrecisionRecall",
    "Probe",
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
    "pairwise_distance",
    "precision_recall",
    "probe",
    "psnr",
    "sap",
    "score_importances",
    "ssim",
]
