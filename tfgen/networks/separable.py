"""Convolutions for phones: one of each channel alone, and one across channels.

A k x k convolution of n to m channels multiplies k^2 n m times a place. Separated, it
multiplies k^2 n + n m times: of 3x3 and 256 channels 8.7 times less.

Between the two there is no activation, as in the second reference.

References: [Howard et al., 2017](https://arxiv.org/abs/1704.04861), sec. 3.1;
[Chollet, 2017](https://arxiv.org/abs/1610.02357), sec. 4.7.
"""

from typing import Any

import keras

_CONVOLUTIONS = ("plain", "separable")


def check_convolution(convolution: str) -> None:
    """Raises a ValueError unless `convolution` is the name of one."""
    if convolution not in _CONVOLUTIONS:
        raise ValueError(
            f"`convolution` must be one of {_CONVOLUTIONS}. Received: {convolution!r}"
        )


def separable(
    filters: int, kernel_size: int, initial_stddev: float, **kwargs: Any
) -> keras.layers.SeparableConv2D:
    """Returns a depthwise-separable layer in place of a `Conv2D`.

    Args:
        filters: Integer, channels of the result.
        kernel_size: Integer.
        initial_stddev: Float, of the 1x1 kernels. Those of single channels begin with
            1 / `kernel_size`, which keeps the variance of noise.
        kwargs: Those of the layer.
    """
    normal = keras.initializers.RandomNormal
    return keras.layers.SeparableConv2D(
        filters,
        kernel_size,
        data_format="channels_last",
        depthwise_initializer=normal(stddev=1 / kernel_size),
        pointwise_initializer=normal(stddev=initial_stddev),
        **kwargs,
    )
