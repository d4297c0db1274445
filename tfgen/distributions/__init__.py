"""What a VAE is made of: a string names a row of a table, an object is one's own."""

from tfgen.distributions.adversaries import Adversarial, Factor
from tfgen.distributions.batch_divergences import DIP, MMD, BetaTC
from tfgen.distributions.combinations import (
    DIVERGENCES,
    PRIORS,
    check_combination,
    divergence,
    likelihood,
    posterior,
    prior,
)
from tfgen.distributions.divergences import (
    KL,
    Capacity,
    Divergence,
    FreeBits,
    Inferred,
    kl_divergence,
    kl_per_dim,
)
from tfgen.distributions.flow_priors import MaskedAutoregressive, RealNVP
from tfgen.distributions.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Beta,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    Gaussian,
    Laplace,
    Likelihood,
    LogisticMixture,
    PixelGaussian,
)
from tfgen.distributions.part import Part
from tfgen.distributions.perceptual import MultiScaleSimilarity, Perceptual
from tfgen.distributions.posteriors import (
    POSTERIORS,
    Diagonal,
    FullCovariance,
    InverseAutoregressiveFlow,
    Posterior,
    raw_triangles,
)
from tfgen.distributions.priors import (
    GaussianMixture,
    LearnedNormal,
    Prior,
    StandardNormal,
    VampPrior,
)
from tfgen.distributions.reparameterization import moments, noise_dim, of_noise

__all__ = [
    "DIP",
    "DIVERGENCES",
    "KL",
    "LIKELIHOODS",
    "MMD",
    "POSTERIORS",
    "PRIORS",
    "Adversarial",
    "Bernoulli",
    "Beta",
    "BetaTC",
    "Capacity",
    "Categorical",
    "ContinuousBernoulli",
    "Diagonal",
    "DiscretizedLogistic",
    "Divergence",
    "Factor",
    "FreeBits",
    "FullCovariance",
    "Gaussian",
    "GaussianMixture",
    "Inferred",
    "InverseAutoregressiveFlow",
    "Laplace",
    "LearnedNormal",
    "Likelihood",
    "LogisticMixture",
    "MaskedAutoregressive",
    "MultiScaleSimilarity",
    "Part",
    "Perceptual",
    "PixelGaussian",
    "Posterior",
    "Prior",
    "RealNVP",
    "StandardNormal",
    "VampPrior",
    "check_combination",
    "divergence",
    "kl_divergence",
    "kl_per_dim",
    "likelihood",
    "moments",
    "noise_dim",
    "of_noise",
    "posterior",
    "prior",
    "raw_triangles",
]
