"""The latent space: walks and directions, functions of a decoder and of arrays."""

from tfgen.latent.walks import (
    LatentDensity,
    attribute_direction,
    interpolate,
    latent_density,
    lerp,
    neighbor_resampling_weights,
    principal_components,
    resampling_weights,
    slerp,
    traverse,
)

__all__ = [
    "LatentDensity",
    "attribute_direction",
    "interpolate",
    "latent_density",
    "lerp",
    "neighbor_resampling_weights",
    "principal_components",
    "resampling_weights",
    "slerp",
    "traverse",
]
