"""Self-attention over a grid: each place gathers what all others hold.

    outputs = features + W_o softmax(q k^T) v,   q, k, v: 1x1 convolutions of features

`W_o` starts at 0, and so does what attention adds: the paper's gain that starts at 0.

Reference: [Zhang et al., 2019](https://arxiv.org/abs/1805.08318), sec. 3.
"""

from typing import Any

import keras

from tfgen.networks.grids import convolution
from tfgen.networks.normalization import spectral


def is_grid_of_16(features: keras.KerasTensor) -> bool:
    """Returns whether the shorter side is 9 to 16: one grid of those that double."""
    return 8 < min(features.shape[1:3]) <= 16


def self_attention(features: keras.KerasTensor, normalization: str | None) -> Any:
    """Returns features `(batch, height, width, channels)` with what they gathered."""
    height, width, channels = features.shape[1:]

    def project(count: int) -> Any:
        layer = spectral(convolution(count, 1, use_bias=False), normalization)
        return keras.layers.Reshape((height * width, count))(layer(features))

    depth = max(channels // 8, 1)
    scores = keras.layers.Dot(axes=2)([project(depth), project(depth)])
    weights = keras.layers.Softmax(dtype="float32")(scores)
    values = project(max(channels // 2, 1))
    gathered = keras.layers.Dot(axes=(2, 1))([weights, values])
    gathered = keras.layers.Reshape((height, width, values.shape[-1]))(gathered)
    gathered = convolution(channels, 1, kernel_initializer="zeros")(gathered)
    return keras.layers.Add()([features, gathered])
