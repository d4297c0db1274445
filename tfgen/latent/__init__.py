"""The latent space: walks and directions, functions of a decoder and of arrays."""

from tfgen.latent.density import (
    LatentDensity,
    latent_density,
    neighbor_resampling_weights,
    resampling_weights,
)
from tfgen.latent.directions import attribute_direction, principal_components
from tfgen.latent.fitting import fit_prior
from tfgen.latent.walks import interpolate, lerp, slerp, traverse

__all__ = [
    "LatentDensity",
    "attribute_direction",
    "fit_prior",
    "interpolate",
    "latent_density",
    "lerp",
    "neighbor_resampling_weights",
    "principal_components",
    "resampling_weights",
    "slerp",
    "traverse",
]
