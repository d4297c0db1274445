"""Arguments that the loading functions share: checked, each in one line."""

from typing import Any

import numpy as np

from tfgen.data.images import Fit
from tfgen.errors import UserError

_READ_BATCH = 256


def check_order(
    value_range: tuple[float, float], batch_size: int, seed: int, initial_epoch: int
) -> None:
    """Refuses what no dataset can be made with."""
    _check_range(value_range)
    check_integer("batch_size", batch_size, 1)
    check_integer("seed", seed, 0)
    check_integer("initial_epoch", initial_epoch, 0)


def check_split(split: str) -> None:
    """Refuses what is no name."""
    if not isinstance(split, str):
        raise UserError(f"split must be a name such as 'train'. Received: {split!r}")


def small_batch(num_images: int | None) -> int:
    """Returns a batch size for reading so many images at most."""
    if num_images is None:
        return _READ_BATCH
    check_integer("num_images", num_images, 1)
    return min(_READ_BATCH, num_images)


def make_fit(image_size: int | tuple[int, int] | None, channels: int | None) -> Fit:
    """Returns what every image is made to be."""
    if channels not in (None, 1, 3, 4):
        raise UserError(f"channels must be 1, 3, 4 or None. Received: {channels!r}")
    return Fit(
        None if image_size is None else make_size("image_size", image_size), channels
    )


def make_size(name: str, value: Any) -> tuple[int, int]:
    """Returns `(height, width)` of an integer or of two."""
    size = value if isinstance(value, tuple | list) else [value] * 2
    if len(size) != 2:
        raise UserError(
            f"{name} must be one integer or (height, width). Received: {size!r}"
        )
    for length in size:
        check_integer(name, length, 1)
    return tuple(size)


def check_integer(name: str, value: Any, least: int) -> None:
    """Refuses what is no integer, or too small a one."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < least:
        raise UserError(
            f"{name} must be an integer of at least {least}. Received: {value!r}"
        )


def _check_range(value_range: tuple[float, float]) -> None:
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high or not np.isfinite([low, high]).all():
        raise UserError(
            "value_range must be two numbers, the lower first, such as (0.0, 1.0) or "
            f"(-1.0, 1.0). Received: {value_range!r}"
        )
