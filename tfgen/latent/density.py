"""The density of latents, and how often to draw images by it.

References:
- [Amini et al., 2019](https://doi.org/10.1145/3306618.3314243), alg. 1: resampling by
  the density of latents.
- [Loftsgaarden & Quesenberry, 1965](https://doi.org/10.1214/aoms/1177700079): density
  by the distance of the k-th nearest neighbour.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn


class LatentDensity(NamedTuple):
    """What `latent_density` returns: a histogram of each latent variable.

    Attributes:
        edges: Of the bins, float64 `(latent_dim, num_bins + 1)`.
        densities: In each bin, float64 `(latent_dim, num_bins)`; 1 over a variable's
            range.
    """

    edges: np.ndarray
    densities: np.ndarray


def latent_density(latents: npt.ArrayLike, num_bins: int = 20) -> LatentDensity:
    """Estimates the density of each latent variable, from its least to largest value.

    Args:
        latents: `(num_images, latent_dim)`: posterior means show where images lie,
            posterior samples what the prior is compared with.
        num_bins: Integer, bins of equal width.
    """
    histograms = [
        np.histogram(column, num_bins, density=True)
        for column in check_latents(latents).T
    ]
    densities, edges = zip(*histograms, strict=True)
    return LatentDensity(np.stack(edges), np.stack(densities))


def resampling_weights(
    latent_means: npt.ArrayLike, alpha: float = 0.1, num_bins: int = 20
) -> np.ndarray:
    """Returns how often to draw each image, so that rare ones are drawn more often.

        w(x)  ~  prod_i 1 / (q_i(z_i(x)) + alpha)

    with `q_i` the histogram of latent variable i, whose mean over the variable's range
    is 1. An image counts as rare that lies far out along some variable. Rare images in
    between others are drawn less often than before; with many variables, nearly all
    that is drawn are a few images far out in most of them.
    `neighbor_resampling_weights` has neither fault. Pass the variables that the
    posterior uses: others spread by chance.

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
    means = check_latents(latent_means)
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
        num_neighbors: Integer k, above the number of copies of an image. A kind of
            image is rare if there are fewer than k of it.

    Returns:
        Probabilities, float64 `(num_images,)`: their sum is 1.
    """
    means = check_latents(latent_means)
    if not 1 <= num_neighbors < len(means) or strength < 0.0:
        raise ValueError(
            "`num_neighbors` must be from 1 and below the number of images, `strength` "
            f"at least 0. Received: {num_neighbors} of {len(means)}, {strength}"
        )
    neighbors = import_sklearn("neighbors").NearestNeighbors(n_neighbors=num_neighbors)
    radii = neighbors.fit(means).kneighbors()[0][:, -1]
    if not radii.any():
        return np.full(len(means), 1.0 / len(means))
    # Where k copies lie on one another, the radius is 0: take the least above it.
    log_radii = np.log(np.maximum(radii, radii[radii > 0.0].min()))
    log_weights = strength * means.shape[1] * log_radii
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def check_latents(latents: npt.ArrayLike) -> np.ndarray:
    """Returns float64 `(num_images, latent_dim)`.

    Raises:
        ValueError: They are not finite, there are none, or they have other axes.
    """
    array = np.asarray(latents, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            "Latents must be finite and (num_images, latent_dim). "
            f"Received: {array.shape}"
        )
    return array
