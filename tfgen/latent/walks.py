"""Walks through a latent space, decoded.

`decode` is any function from float32 latents `(n, latent_dim)` to images
`(n, height, width, channels)`: the `decode` of an autoencoder or of a VAE, a GAN's
generator, an exported endpoint.

References:
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), fig. 1: traversals.
- [White, 2016](https://arxiv.org/abs/1609.04468), sec. 2: spherical interpolation.
- [Shoemake, 1985](https://doi.org/10.1145/325334.325242): `slerp` itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Decode = Callable[[np.ndarray], Any]

_MIN_SIN = 1e-7  # below it the arc is a point, or (opposite vectors) any of many arcs


def traverse(
    decode: Decode, latent: npt.ArrayLike, dims: Sequence[int], values: npt.ArrayLike
) -> np.ndarray:
    """Decodes `latent` with one dimension at a time set to each of `values`.

    Args:
        decode: Function from latents `(n, latent_dim)` to images.
        latent: `(latent_dim,)`, where the other dimensions stay: of an image, or 0.
        dims: Integers, the dimensions to move.
        values: `(num_values,)`, such as `np.linspace(-3, 3, 7)` for a standard normal
            prior.

    Returns:
        Images `(len(dims), num_values, height, width, channels)`.
    """
    latent, values = np.asarray(latent, np.float32), np.asarray(values, np.float32)
    if latent.ndim != 1:
        raise ValueError(f"`latent` must be (latent_dim,). Received: {latent.shape}")
    latents = np.tile(latent, (len(dims), len(values), 1))
    for row, dim in enumerate(dims):
        latents[row, :, dim] = values
    return _decode_grid(decode, latents)


def interpolate(
    decode: Decode,
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    num_steps: int,
    spherical: bool = False,
) -> np.ndarray:
    """Decodes `num_steps` latents from each start to its end, both included exactly.

    Args:
        decode: Function from latents `(n, latent_dim)` to images.
        starts: `(num_pairs, latent_dim)`.
        ends: `(num_pairs, latent_dim)`.
        num_steps: Integer, at least 2.
        spherical: Whether to go along an arc: a straight line between draws from a
            normal prior of many dimensions passes nearer to 0 than any draw lies.

    Returns:
        Images `(num_pairs, num_steps, height, width, channels)`.
    """
    if num_steps < 2:
        raise ValueError(f"`num_steps` must be at least 2. Received: {num_steps}")
    path = slerp if spherical else lerp
    return _decode_grid(decode, path(starts, ends, np.linspace(0.0, 1.0, num_steps)))


def lerp(
    starts: npt.ArrayLike, ends: npt.ArrayLike, fractions: npt.ArrayLike
) -> np.ndarray:
    """Linear interpolation: float32 `(num_pairs, num_steps, latent_dim)`.

    Args:
        starts: `(num_pairs, latent_dim)`, where fraction 0 is.
        ends: `(num_pairs, latent_dim)`, where fraction 1 is.
        fractions: `(num_steps,)` in [0, 1].
    """
    starts, ends, fractions = _paths(starts, ends, fractions)
    return ((1.0 - fractions) * starts + fractions * ends).astype(np.float32)


def slerp(
    starts: npt.ArrayLike, ends: npt.ArrayLike, fractions: npt.ArrayLike
) -> np.ndarray:
    """Spherical linear interpolation: float32 `(num_pairs, num_steps, latent_dim)`.

    Between latents of equal length, that length is kept, at a constant angular speed.
    Where there is no single arc (a zero, parallel or opposite vectors), the path is
    that of `lerp`.

    Args:
        starts: `(num_pairs, latent_dim)`, where fraction 0 is.
        ends: `(num_pairs, latent_dim)`, where fraction 1 is.
        fractions: `(num_steps,)` in [0, 1].
    """
    straight = lerp(starts, ends, fractions)
    starts, ends, fractions = _paths(starts, ends, fractions)
    unit_starts, unit_ends = _unit(starts), _unit(ends)
    # Exact for small angles, where the arc cosine of a dot product loses all digits.
    angle = 2.0 * np.arctan2(
        np.linalg.norm(unit_starts - unit_ends, axis=-1, keepdims=True),
        np.linalg.norm(unit_starts + unit_ends, axis=-1, keepdims=True),
    )
    is_arc = np.sin(angle) > _MIN_SIN
    is_arc &= np.any(starts, axis=-1, keepdims=True)
    is_arc &= np.any(ends, axis=-1, keepdims=True)
    sin = np.where(is_arc, np.sin(angle), 1.0)
    arc = np.sin((1.0 - fractions) * angle) / sin * starts
    arc += np.sin(fractions * angle) / sin * ends
    return np.where(is_arc, arc.astype(np.float32), straight)


def loop(points: npt.ArrayLike, num_steps: int) -> np.ndarray:
    """A smooth closed way through points: float32 `(num_steps, dim)`.

    It is the trigonometric polynomial of least degree through them, which has no first
    point and no corner. Through an odd number of draws from a standard normal prior,
    all of the way is as likely as the draws: its weights have the length 1.

    Args:
        points: `(num_points, dim)`, at least 2, passed at equal times.
        num_steps: Integer; the first is the first point, and would follow the last.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or len(points) < 2:
        raise ValueError(
            f"`points` must be (num_points >= 2, dim). Received: {points.shape}"
        )
    count = len(points)
    times = np.arange(num_steps) / num_steps
    offsets = 2.0 * np.pi * (times[:, np.newaxis] - np.arange(count) / count)
    weights = 1.0 + 2.0 * sum(np.cos(k * offsets) for k in range(1, (count + 1) // 2))
    if count % 2 == 0:
        weights = weights + np.cos(count // 2 * offsets)
    return (weights / count @ points).astype(np.float32)


def _paths(
    starts: npt.ArrayLike, ends: npt.ArrayLike, fractions: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns float64 `(pairs, 1, dim)` twice and fractions `(steps, 1)`."""
    starts, ends = np.asarray(starts, np.float64), np.asarray(ends, np.float64)
    if starts.ndim != 2 or starts.shape != ends.shape:
        raise ValueError(
            "`starts` and `ends` must both be (num_pairs, latent_dim). Received: "
            f"{starts.shape} and {ends.shape}"
        )
    fractions = np.asarray(fractions, np.float64)
    return starts[:, np.newaxis], ends[:, np.newaxis], fractions[:, np.newaxis]


def code_walks(
    codes: Any, latent: npt.ArrayLike, steps: int, span: float
) -> dict[str, np.ndarray]:
    """Returns for each code of a GAN, by its name, latents that differ in it alone.

    Args:
        codes: A `tfgen.auxiliary.Codes`.
        latent: `(latent_dim,)`, whose other numbers are kept.
        steps: Integer, latents of a code that is a number; a category has as many as
            it has values.
        span: Float: numbers go from -span to +span standard deviations of
            Uniform(-1, 1).

    Returns:
        Name -> `(num_latents, latent_dim)` float32.
    """
    walks = {}
    reach = span / math.sqrt(3.0)
    for name, columns in zip(codes.names, codes.columns(), strict=True):
        width = columns.stop - columns.start
        is_number = name.startswith("number")
        values = np.linspace(-reach, reach, steps)[:, np.newaxis]
        values = values if is_number else np.eye(width)
        moved = np.repeat(np.asarray(latent, np.float32)[np.newaxis], len(values), 0)
        moved[:, columns] = values
        walks[name] = moved
    return walks


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0.0, norms, 1.0)


def _decode_grid(decode: Decode, latents: np.ndarray) -> np.ndarray:
    """Decodes latents `(rows, columns, latent_dim)` in one batch, keeping the grid."""
    rows, columns, latent_dim = latents.shape
    images = np.asarray(decode(latents.reshape(-1, latent_dim)))
    return images.reshape(rows, columns, *images.shape[1:])
