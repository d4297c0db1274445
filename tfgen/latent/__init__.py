"""The latent space: walks, directions and inversion, of a decoder and of arrays."""

from typing import Any

from tfgen.latent.codes import Region, read_region, swap_region, vary_region
from tfgen.latent.density import (
    LatentDensity,
    latent_density,
    neighbor_resampling_weights,
    resampling_weights,
)
from tfgen.latent.directions import attribute_direction, principal_components
from tfgen.latent.fitting import fit_prior
from tfgen.latent.unsupervised import (
    explained_variance,
    first_affine_map,
    ganspace,
    random_directions,
    sefa,
)
from tfgen.latent.walks import interpolate, lerp, loop, slerp, traverse

_OF_TENSORFLOW = ("Inversion", "feature_distance", "invert", "train_encoder")

__all__ = [
    "Inversion",
    "LatentDensity",
    "Region",
    "attribute_direction",
    "explained_variance",
    "feature_distance",
    "first_affine_map",
    "fit_prior",
    "ganspace",
    "interpolate",
    "invert",
    "latent_density",
    "lerp",
    "loop",
    "neighbor_resampling_weights",
    "principal_components",
    "random_directions",
    "read_region",
    "resampling_weights",
    "sefa",
    "slerp",
    "swap_region",
    "train_encoder",
    "traverse",
    "vary_region",
]


def __getattr__(name: str) -> Any:
    if name in _OF_TENSORFLOW:
        from tfgen.latent import inversion

        return getattr(inversion, name)
    raise AttributeError(f"module 'tfgen.latent' has no attribute {name!r}")
