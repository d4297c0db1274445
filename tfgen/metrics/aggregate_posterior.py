"""What the KL term of a VAE is spent on: telling images apart, or missing the prior.

With the aggregate posterior of N images, `q(z) = 1/N sum_n q(z | x_n)`:

    1/N sum_n KL(q(z | x_n) || p(z))  =  I(n; z)  +  KL(q(z) || p(z))

`I(n; z)`, from 0 to log N, is how much latents tell about which image they are of:
nearly the mutual information I(x; z) of all images where that is well below log N, and
less than it where it is not. `KL(q(z) || p(z))` is what samples from the prior suffer.

References:
- [Hoffman and Johnson, 2016](http://approximateinference.org/accepted/
  HoffmanJohnson2016.pdf), eq. 8.
- [Chen et al., 2018](https://arxiv.org/abs/1802.04942), appendix C: estimates of q(z).
  Here all images are summed over, so none is weighted.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_CHUNK_NUMBERS = 2**22  # densities at a time: 32 MB


class KLDecomposition(NamedTuple):
    """What `decompose_kl` returns, in nats per image.

    Attributes:
        kl: Mean of `KL(q(z | x_n) || p(z))`, exact.
        mutual_information: `I(n; z)`, a Monte Carlo estimate.
        aggregate_kl: `KL(q(z) || p(z))`, another: with `mutual_information` it makes
            `kl` up to the error of both.
    """

    kl: float
    mutual_information: float
    aggregate_kl: float


def decompose_kl(
    posterior_means: npt.ArrayLike,
    posterior_scales: npt.ArrayLike,
    num_samples: int = 1,
    seed: int = 0,
) -> KLDecomposition:
    """Splits the mean KL of normal posteriors from the prior `Normal(0, I)`.

    The work grows with `num_images ** 2 * num_samples`, the memory with `num_images`.

    Args:
        posterior_means: `(num_images, latent_dim)`.
        posterior_scales: Standard deviations, likewise.
        num_samples: Integer, latents of each image: one is enough for thousands of
            images.
        seed: Integer, of the latents.
    """
    means, scales = _checked(posterior_means, posterior_scales)
    if num_samples < 1:
        raise ValueError(f"`num_samples` must be at least 1. Received: {num_samples}")
    # A stream of its own: latents that the images were made from may be of this seed.
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    information, divergence = 0.0, 0.0
    for _ in range(num_samples):
        noise = rng.standard_normal(means.shape)
        latents = means + scales * noise
        log_posterior = _log_normal(noise) - np.log(scales).sum(axis=1)
        log_aggregate = _log_aggregate(latents, means, scales)
        information += np.mean(log_posterior - log_aggregate)
        divergence += np.mean(log_aggregate - _log_normal(latents))
    kl = (np.square(means) + np.square(scales) - 1.0) / 2.0 - np.log(scales)
    return KLDecomposition(
        float(kl.sum(axis=1).mean()),
        float(information / num_samples),
        float(divergence / num_samples),
    )


def _log_aggregate(
    latents: np.ndarray, means: np.ndarray, scales: np.ndarray
) -> np.ndarray:
    """Returns log q(z) of each latent under all posteriors: `(num_latents,)`."""
    # The exponent -(z - m)^2 / 2 s^2, multiplied out, is two products of matrices.
    precisions = scales**-2.0
    constants = _log_normal(means / scales) - np.log(scales).sum(axis=1)
    size = max(1, _CHUNK_NUMBERS // len(means))
    log_sums = []
    for start in range(0, len(latents), size):
        z = latents[start : start + size]
        terms = z @ (means * precisions).T - 0.5 * np.square(z) @ precisions.T
        log_sums.append(np.logaddexp.reduce(terms + constants, axis=1))
    return np.concatenate(log_sums) - math.log(len(means))


def _log_normal(values: np.ndarray) -> np.ndarray:
    """Returns the log-density of `Normal(0, I)`: `(num_values,)`."""
    squares = np.square(values).sum(axis=1)
    return -0.5 * (squares + values.shape[1] * math.log(2.0 * math.pi))


def _checked(
    posterior_means: npt.ArrayLike, posterior_scales: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    means = np.asarray(posterior_means, np.float64)
    scales = np.asarray(posterior_scales, np.float64)
    if means.ndim != 2 or means.shape != scales.shape or not len(means):
        raise ValueError(
            "`posterior_means` and `posterior_scales` must be (num_images, latent_dim)."
            f" Received: {means.shape} and {scales.shape}"
        )
    is_finite = np.isfinite(means).all() and np.isfinite(scales).all()
    if not is_finite or scales.min() <= 0.0:
        raise ValueError("Means must be finite, scales finite and above 0.")
    return means, scales
