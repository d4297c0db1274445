"""Normalisation by name."""

from typing import Any

import keras

from tfgen.layers.spectral import SpectralNormalization

_NORMALIZATIONS = ("batch", "layer", "spectral", None)


def normalize(features: keras.KerasTensor, normalization: str | None) -> Any:
    """Returns features normalised over the batch, over each image, or as they are.

    Args:
        features: `(batch, height, width, channels)`.
        normalization: `"batch"`, `"layer"`, or what is not of features: `"spectral"`
            and `None`.
    """
    if normalization not in _NORMALIZATIONS:
        raise ValueError(
            f"`normalization` must be one of {_NORMALIZATIONS}. "
            f"Received: {normalization!r}"
        )
    if normalization == "batch":
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features)
    if normalization == "layer":
        return keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-5)(features)
    return features


def spectral(layer: keras.layers.Layer, normalization: str | None) -> Any:
    """Returns the layer, its kernel's largest singular value held at 1 if asked."""
    if normalization == "spectral":
        return SpectralNormalization(layer)
    return layer
