"""Pictures of any size and aspect through a function of one size, never distorted."""

from collections.abc import Callable

import numpy as np

from tfgen.data.deep import fit_levels
from tfgen.data.pixels import WHOLE, Fit, contain, fit_array
from tfgen.inference.tiling import map_tiles

Function = Callable[[np.ndarray], np.ndarray]


def map_picture(
    function: Function,
    image: np.ndarray,
    size: tuple[int, int],
    resize: str = "crop",
    in_tiles: bool = True,
) -> np.ndarray:
    """Returns a picture of the same size, which the function sees at its own scale.

    Args:
        function: From `(n, *size, channels)` in [0, 1] to as many of the same size.
        image: `(height, width, channels)` uint8 or uint16.
        size: `(height, width)` that the function takes.
        resize: One of `tfgen.sizes.RESIZES`.
        in_tiles: Whether the function may see a part at a time.

    Returns:
        `(height, width, channels)` of the image's own size and type.
    """
    own = image.shape[:2]
    seen = resize_array(image, seen_size(own, size, resize, in_tiles))
    return resize_array(map_seen(function, seen, size, resize), own)


def seen_size(
    own: tuple[int, int], size: tuple[int, int], resize: str, in_tiles: bool
) -> tuple[int, int]:
    """Returns the size at which the function sees a picture of a size.

    The function was trained on pictures that were brought to its size by `resize`, and
    sees this one as it saw those:

    - `"crop"`: the shorter side, for the aspect of `size`, is brought to the size, and
      the longer one lies under tiles that overlap; or, for a function that must see the
      whole, it is fitted into the size, and mirrored at its borders.
    - `"pad"`: it is fitted into the size, in the middle of zeros.
    - `"stretch"`: it is stretched to the size; the result is stretched back.
    """
    if own == size or resize == "stretch":
        return size
    if resize == "crop" and in_tiles:
        return _cover(own, size)
    return contain(own, size)


def map_seen(
    function: Function, image: np.ndarray, size: tuple[int, int], resize: str
) -> np.ndarray:
    """Returns what a function makes of a picture of `seen_size`, in the same size."""
    inner = image.shape[:2]
    if min(inner[i] - size[i] for i in (0, 1)) >= 0:
        return map_tiles(function, image, size, dtype=image.dtype)
    before = [(size[i] - inner[i]) // 2 for i in (0, 1)]
    margins = [(before[i], size[i] - inner[i] - before[i]) for i in (0, 1)]
    mode = "constant" if resize == "pad" else "symmetric"
    padded = np.pad(image, [*margins, (0, 0)], mode)
    output = map_tiles(function, padded, size, dtype=image.dtype)
    rows, columns = (slice(start, start + inner[i]) for i, start in enumerate(before))
    return output[rows, columns]


def _cover(size: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int]:
    """Returns the smallest size of the same aspect that is at least both limits."""
    scale = max(limits[i] / size[i] for i in (0, 1))
    height, width = (max(limits[i], round(scale * size[i])) for i in (0, 1))
    return height, width


def resize_array(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image `(height, width, channels)` that is resized to a size."""
    if image.dtype == np.uint8 and image.shape[-1] in (1, 3, 4):
        return fit_array(image, Fit(size, resize="stretch"))
    depth = 8 * image.dtype.itemsize
    return fit_levels(image, WHOLE, Fit(size, resize="stretch", depth=depth))
