"""Normalisation by name."""

from collections.abc import Sequence
from typing import Any

import keras

from tfgen.layers.instance_norm import InstanceNormalization
from tfgen.layers.spectral import SpectralNormalization

_NORMALIZATIONS = ("batch", "instance", "layer", "spectral", None)


def normalize(
    features: keras.KerasTensor, normalization: str | None, affine: bool = True
) -> Any:
    """Returns features normalised over the batch, over each image, or as they are.

    Args:
        features: `(batch, height, width, channels)`.
        normalization: `"batch"`, `"instance"`, `"layer"`, or what is not of features:
            `"spectral"` and `None`.
        affine: Whether a batch normalisation scales and shifts its results.
    """
    check_normalization(normalization, _NORMALIZATIONS)
    if normalization == "batch":
        return keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, center=affine, scale=affine
        )(features)
    if normalization == "instance":
        return InstanceNormalization()(features)
    if normalization == "layer":
        return keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-5)(features)
    return features


def check_normalization(
    normalization: str | None, choices: Sequence[str | None]
) -> None:
    """Raises `ValueError` unless the normalisation is one of the choices."""
    if normalization not in choices:
        raise ValueError(
            f"`normalization` must be one of {choices}. Received: {normalization!r}"
        )


def spectral(layer: keras.layers.Layer, normalization: str | None) -> Any:
    """Returns the layer, its kernel's largest singular value held at 1 if asked."""
    if normalization == "spectral":
        return SpectralNormalization(layer)
    return layer
