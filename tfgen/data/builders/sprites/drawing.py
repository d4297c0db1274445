"""Sprites from their factors: one white shape on black, with soft edges.

A shape is a signed distance: below 0 inside, above 0 outside, in units of the sprite's
scale. A pixel's grey is how much of it the shape covers, taken from the distance at its
centre, so that a step of any factor changes the image, also one of less than a pixel.

None of the shapes looks the same after a turn, so that each factor can be told from the
image: a square's rotation could not.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_SCALES = (0.10, 0.20)  # of the image's side: from the first value to the last
_CENTERS = (0.25, 0.75)  # likewise; the largest sprite leaves a black border
_CHUNK_PIXELS = 2**20


def _half_disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    y = y + 0.4  # its middle, not its straight side, is the centre it turns about
    return np.maximum(np.hypot(x, y) - 1.0, -y)


def _arrow(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A triangle of base 1.2 and height 1.8."""
    side = np.hypot(1.8, 0.6)
    slope = (1.8 * np.abs(x) + 0.6 * (y - 1.0)) / side
    return np.maximum(slope, -0.8 - y)


def _corner(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two bars that meet, one longer than the other."""
    upright = np.maximum(np.abs(x + 0.25) - 0.25, np.abs(y) - 0.8)
    foot = np.maximum(np.abs(x - 0.05) - 0.55, np.abs(y + 0.55) - 0.25)
    return np.minimum(upright, foot)


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "half_disc": _half_disc,
    "arrow": _arrow,
    "corner": _corner,
}

# The factors and how many values each has.
FACTORS = {"shape": len(SHAPES), "scale": 6, "rotation": 36, "x": 32, "y": 32}
NUM_SPRITES = math.prod(FACTORS.values())


def choose_factors(start: int, stop: int, seed: int = 0) -> np.ndarray:
    """Returns combinations of factors in an order drawn at random: `(n, 5)` int64.

    No combination comes twice, and the whole order of all of them is fixed by the seed:
    rows from 100 to 200 are the same whatever is asked for besides.

    Args:
        start: Integer, the first.
        stop: Integer up to `NUM_SPRITES`, after the last.
        seed: Integer.
    """
    if not 0 <= start <= stop <= NUM_SPRITES:
        raise ValueError(
            f"Sprites are numbered from 0 to {NUM_SPRITES}. Received: {start}, {stop}"
        )
    order = np.random.default_rng(seed).permutation(NUM_SPRITES)[start:stop]
    return np.stack(np.unravel_index(order, tuple(FACTORS.values())), axis=1)


def draw_sprites(factors: npt.ArrayLike, size: int) -> np.ndarray:
    """Draws sprites: `(n, size, size, 1)` uint8.

    Args:
        factors: Integers `(n, 5)`, the values of `FACTORS`, each from 0. Rotation is in
            turns of 10 degrees, counterclockwise; x goes right and y down.
        size: Integer, pixels a side.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"`factors` must be (n, {len(FACTORS)}): {factors.shape}")
    if (factors < 0).any() or (factors >= list(FACTORS.values())).any():
        raise ValueError(f"`factors` must be from 0 and below {FACTORS}.")
    images = np.empty((len(factors), size, size, 1), np.uint8)
    chunk = max(1, _CHUNK_PIXELS // size**2)
    for number, shape in enumerate(SHAPES.values()):
        rows = np.flatnonzero(factors[:, 0] == number)
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            images[part, ..., 0] = _draw(shape, factors[part, 1:], size)
    return images


def _draw(
    shape: Callable[[np.ndarray, np.ndarray], np.ndarray],
    factors: np.ndarray,
    size: int,
) -> np.ndarray:
    """Draws one shape with each scale, rotation, x and y: `(n, size, size)` uint8."""
    scale, rotation, x, y = factors.T[..., np.newaxis, np.newaxis]
    scale = _between(*_SCALES, scale, "scale")
    angle = 2.0 * np.pi * rotation / FACTORS["rotation"]
    pixels = (np.arange(size) + 0.5) / size
    right = (pixels - _between(*_CENTERS, x, "x")) / scale
    up = (_between(*_CENTERS, y, "y") - pixels[:, np.newaxis]) / scale
    cos, sin = np.cos(angle), np.sin(angle)
    distance = shape(cos * right + sin * up, cos * up - sin * right) * scale * size
    return np.round(255.0 * np.clip(0.5 - distance, 0.0, 1.0)).astype(np.uint8)


def _between(low: float, high: float, value: np.ndarray, factor: str) -> np.ndarray:
    return low + (high - low) * value / (FACTORS[factor] - 1)
