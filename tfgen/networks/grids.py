"""Stages that halve or double a grid, and the grids that they lead from and to."""

from collections.abc import Sequence
from typing import Any

import keras

from tfgen.sizes import nearest_size

# The kernel is a multiple of the stride: transposed convolutions leave no checkerboard.
STAGE = {
    "kernel_size": 4,
    "strides": 2,
    "padding": "same",
    "data_format": "channels_last",
}
_UPSAMPLINGS = ("transposed", "bilinear")


def smallest_grid(
    image_shape: Sequence[int], least_doublings: int
) -> tuple[tuple[int, int], int]:
    """Returns a generator's first grid, its shorter side 4 to 7, and its doublings.

    Raises:
        ValueError: The image is not a power of 2 times such a grid.
    """
    height, width, _ = image_shape

    def takes(height: int, width: int) -> bool:
        doublings = _doublings(height, width)
        scale = 2 ** max(doublings, 0)
        return height % scale == width % scale == 0 and doublings >= least_doublings

    if not takes(height, width):
        raise ValueError(
            "The image's height and width must be a power of 2 times a grid whose "
            f"shorter side is 4 to 7, and at least {4 * 2**least_doublings} (28, 32, "
            f"48 x 64, 64, ...). Received: image_shape={tuple(image_shape)}. The "
            f"nearest size is {nearest_size(image_shape, takes)}."
        )
    scale = 2 ** _doublings(height, width)
    return (height // scale, width // scale), _doublings(height, width)


def _doublings(height: int, width: int) -> int:
    return (min(height, width) // 4).bit_length() - 1


def upsample(
    features: keras.KerasTensor, filters: int, upsampling: str, **kwargs: Any
) -> Any:
    """Returns features of twice the height and width, after one convolution.

    Args:
        features: `(batch, height, width, channels)`.
        filters: Channels of the result.
        upsampling: `"transposed"`, a 4x4 convolution of stride 2; or `"bilinear"`,
            interpolation and a 3x3 convolution: it costs twice as much, and a texture
            can't repeat with the stride.
        kwargs: Those of the convolution.
    """
    if upsampling not in _UPSAMPLINGS:
        raise ValueError(
            f"`upsampling` must be one of {_UPSAMPLINGS}. Received: {upsampling!r}"
        )
    if upsampling == "transposed":
        return keras.layers.Conv2DTranspose(filters, **STAGE, **kwargs)(features)
    return convolution(filters, **kwargs)(grow(features))


def convolution(filters: int, kernel_size: int = 3, **kwargs: Any) -> Any:
    """Returns a convolution layer that keeps the grid."""
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", data_format="channels_last", **kwargs
    )


def grow(features: keras.KerasTensor) -> Any:
    """Returns features of twice the height and width, interpolated."""
    return keras.layers.UpSampling2D(
        interpolation="bilinear", data_format="channels_last"
    )(features)


def shrink(features: keras.KerasTensor) -> Any:
    """Returns means over 2x2 places."""
    return keras.layers.AveragePooling2D(2, data_format="channels_last")(features)
