"""Images of any size through a function of one size, tile by tile."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

_MOST_PIXELS = 2**20  # of the tiles that are in memory at once


def map_tiles(
    function: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    size: tuple[int, int],
    overlap: float = 0.25,
    dtype: npt.DTypeLike = "float32",
) -> np.ndarray:
    """Returns an image that is put together of overlapping tiles.

    Where tiles overlap they are blended linearly, so that no seam shows. An image that
    is smaller than a tile is mirrored to its size. Besides the result, only one row of
    tiles is in memory.

    Args:
        function: From tiles `(n, *size, channels)` to as many of the same size. It gets
            some tiles at a time, row by row, from left to right.
        image: `(height, width, channels)`.
        size: `(height, width)` of a tile.
        overlap: Float in [0, 0.5], the share of a tile that it has in common with the
            next.
        dtype: Of the result: "float32"; or "uint8" or "uint16" for outputs in [0, 1] as
            levels from 0.

    Returns:
        `(height, width, channels)`; the channels are those of the function.
    """
    as_levels = np.dtype(dtype) in (np.uint8, np.uint16)
    most = np.iinfo(dtype).max if as_levels else 1.0
    result, top = None, 0
    for band in iterate_bands(function, image, size, overlap):
        if result is None:
            result = np.empty((len(image), *band.shape[1:]), dtype)
        rows = slice(top, top + len(band))
        result[rows] = np.round(most * np.clip(band, 0.0, 1.0)) if as_levels else band
        top = rows.stop
    return result


def iterate_bands(
    function: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    size: tuple[int, int],
    overlap: float = 0.25,
) -> Iterator[np.ndarray]:
    """Yields the image that `map_tiles` returns, from top to bottom, in bands of rows.

    Args:
        function, image, size, overlap: As in `map_tiles`.

    Yields:
        Bands `(rows, width, channels)` float32.
    """
    height, width = image.shape[:2]
    missing = max(0, size[0] - height), max(0, size[1] - width)
    if any(missing):
        image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], "symmetric")
    tops, row_weights = _place(image.shape[0], size[0], overlap)
    lefts, column_weights = _place(image.shape[1], size[1], overlap)
    unfinished: np.ndarray | None = None  # rows that the next band adds to
    for index, (top, next_top) in enumerate(zip(tops, [*tops[1:], None], strict=True)):
        rows = image[top : top + size[0]]
        band = _blend_row(function, rows, lefts, column_weights)
        band *= row_weights[index][:, np.newaxis, np.newaxis]
        if unfinished is not None:
            band[: len(unfinished)] += unfinished
        num_finished = size[0] if next_top is None else next_top - top
        yield band[: min(num_finished, height - top), :width]
        unfinished = band[num_finished:]


def _blend_row(
    function: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    lefts: list[int],
    weights: np.ndarray,
) -> np.ndarray:
    """Returns one row of tiles, blended along it: `(tile height, width, channels)`."""
    (height, width), tile_width = rows.shape[:2], weights.shape[1]
    batch_size = max(1, _MOST_PIXELS // (height * tile_width))
    band = None
    for start in range(0, len(lefts), batch_size):
        places = [slice(x, x + tile_width) for x in lefts[start : start + batch_size]]
        outputs = function(np.stack([rows[:, place] for place in places]))
        if band is None:
            band = np.zeros((height, width, outputs.shape[-1]), np.float32)
        batch_weights = weights[start : start + batch_size, :, np.newaxis]
        for place, output, weight in zip(places, outputs, batch_weights, strict=True):
            band[:, place] += weight * output
    return band


def _place(length: int, tile: int, overlap: float) -> tuple[list[int], np.ndarray]:
    """Returns evenly spread starts of tiles along a side, and the weights of each.

    Weights `(num_tiles, tile)` rise within the overlap and fall again; those of a pixel
    sum to 1 over the tiles that it is in.
    """
    shared = int(tile * overlap)
    count = max(1, math.ceil((length - shared) / (tile - shared)))
    starts = np.linspace(0, length - tile, count).round().astype(int).tolist()
    from_edge = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 1.0
    ramp = np.minimum(from_edge / max(1, shared), 1.0)
    total = np.zeros(length)
    for start in starts:
        total[start : start + tile] += ramp
    weights = [ramp / total[start : start + tile] for start in starts]
    return starts, np.array(weights, np.float32)
