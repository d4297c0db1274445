"""Sizes of images: one integer for both sides, or height and width."""

import numbers
import re
from collections.abc import Callable, Sequence
from typing import Any

from tfgen.errors import UserError

Size = int | tuple[int, int]
# How an image of another aspect is brought to a size: its centre is cropped, it is
# fitted whole and padded with black (clear, if it has alpha), or it is stretched.
RESIZES = ("crop", "pad", "stretch")

_FARTHEST = 4096  # pixels that both sides together are changed by, to find a size
EXPECTED = "an integer of at least 1, or HEIGHTxWIDTH, such as 96x64"


def read_size(name: str, value: Any) -> Size:
    """Returns a size as a plain integer, or as `(height, width)` if they differ.

    Args:
        name: What it is called, for the message.
        value: An integer, two of them, or such as `"64"` or `"96x64"`.

    Raises:
        UserError: It is none of these, or a side is below 1.
    """
    sides = value
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}(x\d{1,6})?", value):
        sides = [int(side) for side in value.split("x")]
    if not isinstance(sides, tuple | list):
        sides = [sides]
    if len(sides) not in (1, 2) or not all(map(_is_side, sides)):
        raise UserError(f"{name} must be {EXPECTED}. Received: {value!r}")
    height, width = int(sides[0]), int(sides[-1])
    return height if height == width else (height, width)


def both_sides(size: Size | Sequence[int]) -> tuple[int, int]:
    """Returns `(height, width)` of a size."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def scale_size(size: Size, factor: float) -> Size:
    """Returns a size whose sides are `factor` times as long, rounded."""
    return read_size("size", [round(factor * side) for side in both_sides(size)])


def show_size(size: Size | Sequence[int]) -> str:
    """Returns the word of the command line that means a size: "64", "96x64"."""
    return str(size) if isinstance(size, int) else "x".join(map(str, size))


def nearest_size(shape: Sequence[int], takes: Callable[[int, int], bool]) -> str:
    """Returns the size nearest to an image's that a network takes, as a word.

    The sum of the changes of both sides is the least; then the aspect is the nearest,
    and then the size is the largest.

    Args:
        shape: `(height, width, ...)`.
        takes: Whether the network takes a height and a width.
    """
    height, width = shape[:2]

    def rank(size: tuple[int, int]) -> tuple[int, int]:
        return abs(size[0] * width - size[1] * height), -size[0] * size[1]

    for change in range(_FARTHEST):
        sizes = {
            (height + sign * rows, width + other * (change - rows))
            for rows in range(change + 1)
            for sign in (-1, 1)
            for other in (-1, 1)
        }
        if fitting := [size for size in sizes if min(size) > 0 and takes(*size)]:
            return "x".join(map(str, min(fitting, key=rank)))
    raise ValueError(f"No size near {height}x{width} will do.")


def _is_side(value: Any) -> bool:
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_integer and value >= 1
