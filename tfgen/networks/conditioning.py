"""How a label enters a network: beside its features, or as a projection of them."""

from typing import Any

import keras

from tfgen.networks.normalization import spectral


def add_labels(
    features: keras.KerasTensor, inputs: keras.KerasTensor, num_classes: int | None
) -> tuple[keras.KerasTensor, Any]:
    """Returns features `(batch, units [+ num_classes])` and the network's inputs.

    Args:
        features: `(batch, units)`.
        inputs: The network's first input.
        num_classes: Integer, or `None` for features and inputs as they are.
    """
    if num_classes is None:
        return features, inputs
    labels = keras.Input((), dtype="int32", name="labels")
    codes = keras.ops.one_hot(labels, num_classes, dtype=features.dtype)
    return keras.layers.Concatenate()([features, codes]), [inputs, labels]


def project_labels(
    logits: keras.KerasTensor,
    features: keras.KerasTensor,
    inputs: keras.KerasTensor,
    num_classes: int | None,
    normalization: str | None = None,
) -> tuple[keras.KerasTensor, Any]:
    """Returns logits `+ <embedding(label), features>` and the network's inputs.

    Args:
        logits: `(batch, 1)`.
        features: `(batch, units)`.
        inputs: The network's first input.
        num_classes: Integer, or `None` for logits and inputs as they are.
        normalization: `"spectral"` normalises the embedding too.

    Reference: [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637), eq. 3.
    """
    if num_classes is None:
        return logits, inputs
    labels = keras.Input((), dtype="int32", name="labels")
    codes = keras.ops.one_hot(labels, num_classes, dtype=features.dtype)
    embedding = keras.layers.Dense(features.shape[-1], use_bias=False)
    codes = spectral(embedding, normalization)(codes)
    projection = keras.layers.Dot(axes=1)([codes, features])
    return keras.layers.Add()([logits, projection]), [inputs, labels]
