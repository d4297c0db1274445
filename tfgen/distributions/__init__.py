"""What a VAE is made of: a string names a row of a table, an object is one's own.

The public names load on first use. `tfgen` tells Keras of the classes that a `.keras`
file may hold by the table below, without TensorFlow being imported.
"""

import importlib
from typing import Any

SAVED_CLASSES = {
    "adversaries": ("Adversarial", "Factor"),
    "batch_divergences": ("BetaTC", "DIP", "MMD"),
    "divergences": ("Capacity", "FreeBits", "KL"),
    "flow_priors": ("MaskedAutoregressive", "RealNVP"),
    "likelihoods": (
        "Bernoulli",
        "Beta",
        "Categorical",
        "ContinuousBernoulli",
        "DiscretizedLogistic",
        "Gaussian",
        "Laplace",
        "LogisticMixture",
        "PixelGaussian",
    ),
    "perceptual": ("MultiScaleSimilarity", "Perceptual"),
    "posteriors": ("Diagonal", "FullCovariance", "InverseAutoregressiveFlow"),
    "priors": ("GaussianMixture", "LearnedNormal", "StandardNormal", "VampPrior"),
}
_OTHER_NAMES = {
    "combinations": (
        *("DIVERGENCES", "LIKELIHOODS", "PRIORS", "check_combination"),
        *("divergence", "likelihood", "posterior", "prior"),
    ),
    "divergences": ("Divergence", "Inferred", "kl_divergence", "kl_per_dim"),
    "likelihoods": ("Likelihood",),
    "part": ("Part",),
    "posteriors": ("POSTERIORS", "Posterior", "raw_triangles"),
    "priors": ("Prior",),
    "reparameterization": ("moments", "noise_dim", "of_noise"),
}
_HOMES = {
    name: f"tfgen.distributions.{module}"
    for table in (SAVED_CLASSES, _OTHER_NAMES)
    for module, names in table.items()
    for name in names
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tfgen.distributions' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
