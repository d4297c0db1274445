"""Images of any size through a function of one size, tile by tile."""

import math
from collections.abc import Callable

import numpy as np


def map_tiles(
    function: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    size: tuple[int, int],
    overlap: float = 0.25,
) -> np.ndarray:
    """Returns an image that is put together of overlapping tiles.

    Where tiles overlap they are blended linearly, so that no seam shows. An image that
    is smaller than a tile is mirrored to its size.

    Args:
        function: From tiles `(n, *size, channels)` to as many of the same size.
        image: `(height, width, channels)`.
        size: `(height, width)` of a tile.
        overlap: Float in [0, 0.5], the part of a tile that it shares with the next.

    Returns:
        `(height, width, channels)` float32; the channels are those of the function.
    """
    height, width = image.shape[:2]
    missing = max(0, size[0] - height), max(0, size[1] - width)
    image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], "symmetric")
    corners = [
        (top, left)
        for top in _starts(image.shape[0], size[0], overlap)
        for left in _starts(image.shape[1], size[1], overlap)
    ]
    places = [
        (slice(top, top + size[0]), slice(left, left + size[1]))
        for top, left in corners
    ]
    outputs = function(np.stack([image[place] for place in places]))
    weights = np.outer(_ramp(size[0], overlap), _ramp(size[1], overlap))
    weights = weights[..., np.newaxis]
    total = np.zeros((*image.shape[:2], outputs.shape[-1]))
    weight = np.zeros((*image.shape[:2], 1))
    for place, output in zip(places, outputs, strict=True):
        total[place] += weights * output
        weight[place] += weights
    return (total / weight)[:height, :width].astype("float32")


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    """Returns evenly spread starts of tiles that cover the length."""
    shared = int(tile * overlap)
    count = max(1, math.ceil((length - shared) / (tile - shared)))
    return np.linspace(0, length - tile, count).round().astype(int).tolist()


def _ramp(tile: int, overlap: float) -> np.ndarray:
    """Returns weights `(tile,)` that rise to 1 within the overlap, and fall again."""
    from_edge = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 1.0
    return np.minimum(from_edge / max(1, int(tile * overlap)), 1.0)
