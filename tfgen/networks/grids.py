"""Stages of stride 2, and the grids that they lead from and to."""

from collections.abc import Sequence

# The kernel is a multiple of the stride: transposed convolutions leave no checkerboard.
STAGE = {
    "kernel_size": 4,
    "strides": 2,
    "padding": "same",
    "data_format": "channels_last",
}


def smallest_grid(image_shape: Sequence[int], least_doublings: int) -> tuple[int, int]:
    """Returns the size of a generator's first grid, 4 or 7, and how often it doubles.

    Raises:
        ValueError: The image is not square, or not of such a size.
    """
    height, width, _ = image_shape
    for start in (4, 7):
        doublings = (height // start).bit_length() - 1
        if height == width == start * 2**doublings and doublings >= least_doublings:
            return start, doublings
    raise ValueError(
        "The image must be square, its size 4 or 7 times a power of 2 and at least "
        f"{4 * 2**least_doublings} (28, 32, 64, ...). "
        f"Received: image_shape={tuple(image_shape)}"
    )
