"""Walks through a latent space, decoded; directions and densities in it.

`decode` is any function from float32 latents `(n, latent_dim)` to images
`(n, height, width, channels)`: `lambda latents: model.decode(latents).mean()` of a VAE,
`model.decode` of an autoencoder, a GAN's generator, an exported endpoint.

References:
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), fig. 1: traversals.
- [White, 2016](https://arxiv.org/abs/1609.04468), sec. 2: spherical interpolation.
- [Shoemake, 1985](https://doi.org/10.1145/325334.325242): `slerp` itself.
- [Larsen et al., 2016](https://arxiv.org/abs/1512.09300): attribute vectors as
  differences of means.
- [Amini et al., 2019](https://doi.org/10.1145/3306618.3314243), alg. 1: resampling by
  the density of latents.
- [Loftsgaarden & Quesenberry, 1965](https://doi.org/10.1214/aoms/1177700079): density
  by the distance of the k-th nearest neighbour.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn

Decode = Callable[[np.ndarray], Any]

_MIN_SIN = 1e-7  # below it the arc is a point, or (opposite vectors) any of many arcs


class LatentDensity(NamedTuple):
    """What `latent_density` returns: a histogram of each latent variable.

    Attributes:
        edges: Of the bins, float64 `(latent_dim, num_bins + 1)`.
        densities: In each bin, float64 `(latent_dim, num_bins)`; 1 over a variable's
            range.
    """

    edges: np.ndarray
    densities: np.ndarray


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
        spherical: Whether to go along an arc: a straight line between draws of a normal
            prior of many dimensions passes nearer to 0 than any draw of it lies.

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

    Latents of equal length keep it on the way, at a constant angular speed. Where no
    one arc exists (a zero, parallel or exactly opposite vectors) the path is `lerp`'s.

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


def attribute_direction(
    latents: npt.ArrayLike, has_attribute: npt.ArrayLike
) -> np.ndarray:
    """Returns the way from images without an attribute to images with it.

    Added to the latent of an image, it gives the image the attribute; subtracted, it
    takes it away. What goes along with the attribute in the data is part of it.

    Args:
        latents: `(num_images, latent_dim)`, such as posterior means.
        has_attribute: Booleans `(num_images,)`, of which some are true, some not.

    Returns:
        The difference of the two mean latents, float32 `(latent_dim,)`.
    """
    latents, has_attribute = _table(latents), np.asarray(has_attribute)
    if has_attribute.shape != latents.shape[:1] or has_attribute.dtype != bool:
        raise ValueError(
            "`has_attribute` must be a boolean for each of the latents "
            f"{latents.shape}. Received: {has_attribute.dtype} {has_attribute.shape}"
        )
    if has_attribute.all() or not has_attribute.any():
        raise ValueError("`has_attribute` must be true of some images, not of all.")
    way = latents[has_attribute].mean(axis=0) - latents[~has_attribute].mean(axis=0)
    return way.astype(np.float32)


def principal_components(
    latents: npt.ArrayLike, num_components: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Projects latents onto the directions along which they vary most (PCA).

    Args:
        latents: `(num_images, latent_dim)`.
        num_components: Integer; those that there are not are 0.

    Returns:
        Coordinates, float64 `(num_images, num_components)`, around the mean, each
        direction such that its largest part is positive; and the share of the variance
        along each, `(num_components,)` in [0, 1].
    """
    centred = _table(latents)
    centred = centred - centred.mean(axis=0)
    _, scales, directions = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    points = centred @ (directions * signs[:, np.newaxis])[:num_components].T
    variances = np.square(scales)
    shares = variances[:num_components] / max(variances.sum(), np.finfo(float).tiny)
    missing = num_components - len(shares)
    return np.pad(points, ((0, 0), (0, max(missing, 0)))), np.pad(
        shares, (0, max(missing, 0))
    )


def latent_density(latents: npt.ArrayLike, num_bins: int = 20) -> LatentDensity:
    """Estimates the density of each latent variable, from its least to largest value.

    Args:
        latents: `(num_images, latent_dim)`: posterior means show where images lie,
            posterior samples what the prior is compared with.
        num_bins: Integer, bins of equal width.
    """
    histograms = [
        np.histogram(column, num_bins, density=True) for column in _table(latents).T
    ]
    densities, edges = zip(*histograms, strict=True)
    return LatentDensity(np.stack(edges), np.stack(densities))


def resampling_weights(
    latent_means: npt.ArrayLike, alpha: float = 0.1, num_bins: int = 20
) -> np.ndarray:
    """Returns how often to draw each image, so that rare ones are drawn more often.

        w(x)  ~  prod_i 1 / (q_i(z_i(x)) + alpha)

    with `q_i` the histogram of latent variable i, whose mean over the variable's range
    is 1. Rare is what lies far out along some variable: what is rare but between
    others is drawn less often than before, and with many variables a few images far
    out in most of them are nearly all that is drawn. `neighbor_resampling_weights` has
    neither fault. Pass the variables that the posterior uses: others spread by chance.

    Args:
        latent_means: Posterior means `(num_images, latent_dim)`, of the training data.
        alpha: Float above 0: towards 0, drawn images are spread evenly over the values
            of each variable; much above 1, they are drawn as they are in the data.
        num_bins: Integer, bins of the histograms.

    Returns:
        Probabilities, float64 `(num_images,)`: their sum is 1.
    """
    if not alpha > 0.0:
        raise ValueError(f"`alpha` must be above 0. Received: {alpha}")
    means = _table(latent_means)
    log_weights = np.zeros(len(means))
    for column, edges, densities in zip(
        means.T, *latent_density(means, num_bins), strict=True
    ):
        bins = np.searchsorted(edges[1:-1], column, side="right")
        relative = densities * (edges[-1] - edges[0])
        log_weights -= np.log(relative[bins] + alpha)
    weights = np.exp(log_weights - log_weights.max())  # a product of many overflows
    return weights / weights.sum()


def neighbor_resampling_weights(
    latent_means: npt.ArrayLike, strength: float = 0.5, num_neighbors: int = 20
) -> np.ndarray:
    """Returns how often to draw each image, by how near its neighbours' latents are.

        w(x)  ~  q(z(x))^-strength,      q(z)  ~  r_k(z)^-latent_dim

    with `r_k` the distance to the k-th nearest other latent: the density of all
    variables together, which `resampling_weights` takes for a product.

    Args:
        latent_means: Posterior means `(num_images, latent_dim)`, of the training data.
        strength: Float: 0 draws images as they are in the data, 1 spreads them evenly
            over the space that they fill, and far fewer images make up what is drawn.
        num_neighbors: Integer k, at least as many as one image has copies: a kind of
            image of fewer than k is rare.

    Returns:
        Probabilities, float64 `(num_images,)`: their sum is 1.
    """
    means = _table(latent_means)
    if not 1 <= num_neighbors < len(means) or strength < 0.0:
        raise ValueError(
            "`num_neighbors` must be from 1 and below the number of images, `strength` "
            f"at least 0. Received: {num_neighbors} of {len(means)}, {strength}"
        )
    neighbors = import_sklearn("neighbors").NearestNeighbors(n_neighbors=num_neighbors)
    radii = neighbors.fit(means).kneighbors()[0][:, -1]
    if not radii.any():
        return np.full(len(means), 1.0 / len(means))
    # Where k copies lie on one another, density has no bound: as dense as any other.
    log_radii = np.log(np.maximum(radii, radii[radii > 0.0].min()))
    log_weights = strength * means.shape[1] * log_radii
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def _table(latents: npt.ArrayLike) -> np.ndarray:
    """Returns float64 `(num_images, latent_dim)`."""
    array = np.asarray(latents, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            "Latents must be finite and (num_images, latent_dim). "
            f"Received: {array.shape}"
        )
    return array


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


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0.0, norms, 1.0)


def _decode_grid(decode: Decode, latents: np.ndarray) -> np.ndarray:
    """Decodes latents `(rows, columns, latent_dim)` in one batch, keeping the grid."""
    rows, columns, latent_dim = latents.shape
    images = np.asarray(decode(latents.reshape(-1, latent_dim)))
    return images.reshape(rows, columns, *images.shape[1:])
