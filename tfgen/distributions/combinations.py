"""Parts by name, and which of them go together."""

from typing import Any

from tfgen.distributions.adversaries import Adversarial, Factor
from tfgen.distributions.batch_divergences import DIP, MMD, BetaTC
from tfgen.distributions.divergences import KL, Capacity, Divergence, FreeBits
from tfgen.distributions.flow_priors import MaskedAutoregressive, RealNVP
from tfgen.distributions.likelihoods import (
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
from tfgen.distributions.perceptual import MultiScaleSimilarity, Perceptual
from tfgen.distributions.posteriors import POSTERIORS, Posterior
from tfgen.distributions.priors import (
    GaussianMixture,
    LearnedNormal,
    Prior,
    StandardNormal,
    VampPrior,
)
from tfgen.losses import get

LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "pixel_gaussian": PixelGaussian,
    "laplace": Laplace,
    "beta": Beta,
    "continuous_bernoulli": ContinuousBernoulli,
    "categorical": Categorical,
    "discretized_logistic": DiscretizedLogistic,
    "logistic_mixture": LogisticMixture,
    "ms_ssim": MultiScaleSimilarity,
    "perceptual": Perceptual,
}
PRIORS = {
    "standard_normal": StandardNormal,
    "learned_normal": LearnedNormal,
    "gaussian_mixture": GaussianMixture,
    "vamp": VampPrior,
    "realnvp": RealNVP,
    "masked_autoregressive": MaskedAutoregressive,
}
DIVERGENCES = {
    "kl": KL,
    "free_bits": FreeBits,
    "capacity": Capacity,
    "beta_tc": BetaTC,
    "dip": DIP,
    "mmd": MMD,
    "factor": Factor,
    "adversarial": Adversarial,
}


def likelihood(identifier: str | Likelihood) -> Likelihood:
    """Returns the likelihood of a name, or an object as it is."""
    return get("likelihood", identifier, LIKELIHOODS, Likelihood)


def posterior(identifier: str | Posterior) -> Posterior:
    """Returns the posterior of a name, or an object as it is."""
    return get("posterior", identifier, POSTERIORS, Posterior)


def prior(identifier: str | Prior) -> Prior:
    """Returns the prior of a name, or an object as it is."""
    return get("prior", identifier, PRIORS, Prior)


def divergence(identifier: str | Divergence) -> Divergence:
    """Returns the divergence of a name, or an object as it is."""
    return get("divergence", identifier, DIVERGENCES, Divergence)


def check_combination(
    posterior: Any, prior: Any, divergence: Any, num_importance_samples: int
) -> None:
    """Raises a `ValueError` of one line if parts do not go together."""
    parts = {"posterior": posterior, "prior": prior}
    for name in divergence.needs_factorized:
        if not parts[name].is_factorized:
            raise ValueError(
                f"divergence {divergence.name!r} needs a {name} of independent "
                f"normals. Received: {parts[name].name!r}"
            )
    if not (prior.is_standard or divergence.trains_prior):
        raise ValueError(
            f"divergence {divergence.name!r} trains no prior: it goes with "
            f"'standard_normal'. Received: {prior.name!r}"
        )
    if prior.uses_posterior and not posterior.has_density:
        raise ValueError(
            f"prior {prior.name!r} needs a posterior whose density is known at any "
            f"latent: 'diagonal' or 'full_covariance'. Received: {posterior.name!r}"
        )
    if num_importance_samples > 1 and not divergence.has_bound:
        raise ValueError(
            "num_importance_samples above 1 is a bound of its own, with divergence="
            f"'kl'. Received: {num_importance_samples} and {divergence.name!r}"
        )
