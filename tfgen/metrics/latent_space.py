"""What a latent space is like: to walk in, to draw from, and what its KL is spent on.

Continuity: near latents decode to near images. Along a path z_0 .. z_T, with x_t the
decoded image of z_t and m the median distance of an image to the nearest other one,

    step_t = |x_t+1 - x_t| / m           jump   = max_t step_t
                                         detour = sum_t |x_t+1 - x_t| / |x_T - x_0|

Completeness: what is drawn from the prior decodes to images like those of the data,

    on_manifold = share of decoded samples inside some ball of the data
    density     = mean number of balls that one lies in, over k
    coverage    = share of the balls that hold a decoded sample

where a ball reaches from an image to its k-th nearest other one, in the features of a
network. Pixels are poor features for it: blurred images lie near the middle of the
data, inside many balls. They are also near each other, which makes steps small;
`detour`, which has no unit, does not reward that.

The KL of a VAE: with the aggregate posterior `q(z) = 1/N sum_n q(z | x_n)`,

    1/N sum_n KL(q(z | x_n) || p(z))  =  I(n; z)  +  KL(q(z) || p(z))

`I(n; z)`, from 0 to log N, is how much latents tell about which image they are of. It
is near the mutual information I(x; z) only where that is well below log N.
`KL(q(z) || p(z))` is what samples from the prior suffer from.

References:
- [Naeem et al., 2020](https://arxiv.org/abs/2002.09797), eqs. 3 and 4: density and
  coverage.
- [Kynkaanniemi et al., 2019](https://arxiv.org/abs/1904.06991), eq. 1: the share.
  Steps in units of m are this package's own.
- [Hoffman and Johnson, 2016](http://approximateinference.org/accepted/
  HoffmanJohnson2016.pdf), eq. 8: the two terms of the KL.
- [Chen et al., 2018](https://arxiv.org/abs/1802.04942), appendix C: estimates of q(z).
  Here all images are summed over, so none is weighted.
- [Burda et al., 2016](https://arxiv.org/abs/1509.00519), sec. 5.2: active units.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn
from tfgen.metrics.coverage import density_coverage, precision_recall
from tfgen.metrics.features import extract_features

_CHUNK_NUMBERS = 2**22  # densities at a time: 32 MB


class Continuity(NamedTuple):
    """What `continuity` returns.

    Attributes:
        step: Mean step, over all steps of all paths, in units of the median distance of
            an image to the nearest other one.
        jump: Largest step of a path, a mean over the paths, likewise.
        detour: Length of the decoded path over the distance of its ends, a mean over
            the paths whose ends differ: 1 is straight.
        steps: Every step, float64 `(num_paths, num_steps)`.
        jump_at: Where along each path its largest step is, from 0 to 1: `(num_paths,)`.
    """

    step: float
    jump: float
    detour: float
    steps: np.ndarray
    jump_at: np.ndarray


class Completeness(NamedTuple):
    """What `completeness` returns.

    Attributes:
        on_manifold: Share of the decoded samples that lie among the images, in [0, 1].
        density: How densely images lie around decoded samples; about 1 around images.
        coverage: Share of the images that have a decoded sample near, in [0, 1].
    """

    on_manifold: float
    density: float
    coverage: float


class KLDecomposition(NamedTuple):
    """What `decompose_kl` returns, in nats per image.

    Attributes:
        kl: Mean of `KL(q(z | x_n) || p(z))`, exact.
        mutual_information: `I(n; z)`, a Monte Carlo estimate.
        aggregate_kl: `KL(q(z) || p(z))`, another estimate. The two sum to `kl`, but for
            their errors.
    """

    kl: float
    mutual_information: float
    aggregate_kl: float


def continuity(
    decode: Callable[[np.ndarray], Any], paths: npt.ArrayLike, images: npt.ArrayLike
) -> Continuity:
    """Measures how evenly decoded images move along paths of latents.

    With paths between the latents of images, by `tfgen.latent.lerp`, figures are
    comparable among models if the images and the number of steps are the same.

    Args:
        decode: Function from float32 latents `(n, latent_dim)` to images; it is called
            once a path.
        paths: `(num_paths, num_steps + 1, latent_dim)`.
        images: `(num_images, height, width, channels)` of the data, two or more.
    """
    paths = np.asarray(paths, np.float32)
    if paths.ndim != 3 or paths.shape[1] < 2 or not len(paths):
        raise ValueError(
            "`paths` must be (num_paths, 2 or more, latent_dim). "
            f"Received: {paths.shape}"
        )
    unit = _median_nearest(_flat(images))
    steps, ends = [], []
    for path in paths:
        decoded = _flat(decode(path))
        steps.append(np.linalg.norm(np.diff(decoded, axis=0), axis=1) / unit)
        ends.append(np.linalg.norm(decoded[-1] - decoded[0]) / unit)
    steps, ends = np.array(steps), np.array(ends)
    moved = ends > 0.0
    detours = steps.sum(axis=1)[moved] / ends[moved]
    return Continuity(
        step=float(steps.mean()),
        jump=float(steps.max(axis=1).mean()),
        detour=float(detours.mean()) if moved.any() else float("nan"),
        steps=steps,
        jump_at=(steps.argmax(axis=1) + 0.5) / steps.shape[1],
    )


def completeness(
    decoded: npt.ArrayLike | Iterable[Any],
    images: npt.ArrayLike | Iterable[Any],
    feature_network: Callable[[Any], Any],
    num_neighbors: int = 5,
) -> Completeness:
    """Measures whether decoded draws from a prior lie among images, and reach them all.

    The figures depend on both numbers of images. Those of as many real images in place
    of `decoded` are what a perfect model would get.

    Args:
        decoded: Images `(num_samples, height, width, channels)` in [0, 1] decoded from
            latents drawn from the prior, or batches of them. For a model without a
            prior, name the distribution beside the figures: a normal fitted to its
            latents gives better ones than the standard normal.
        images: Images of the data, likewise, that the model was not trained on.
        feature_network: As in `extract_features`.
        num_neighbors: Integer k, below the number of images and of samples.
    """
    real = extract_features(images, feature_network)
    generated = extract_features(decoded, feature_network)
    on_manifold = precision_recall(real, generated, num_neighbors).precision
    return Completeness(on_manifold, *density_coverage(real, generated, num_neighbors))


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
        posterior_scales: Standard deviations `(num_images, latent_dim)`.
        num_samples: Integer, latents of each image. One is enough for thousands of
            images.
        seed: Integer, of the latents.
    """
    means, scales = _check_posteriors(posterior_means, posterior_scales)
    if num_samples < 1:
        raise ValueError(f"`num_samples` must be at least 1. Received: {num_samples}")
    # A stream of its own: the images may be made from latents of this very seed.
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


def active_units(posterior_means: npt.ArrayLike, threshold: float = 0.01) -> int:
    """Returns the number of latent dimensions that the posterior uses.

    A dimension is active if its posterior mean varies over the images: its variance is
    above `threshold`. The others stay at the prior whatever the image (collapse).

    Args:
        posterior_means: `(num_images, latent_dim)`.
        threshold: Float, variance of a latent; the prior's is 1.
    """
    means = np.asarray(posterior_means, np.float64)
    if means.ndim != 2:
        raise ValueError(
            "`posterior_means` must be (num_images, latent_dim). "
            f"Received: {means.shape}"
        )
    return int(np.sum(means.var(axis=0) > threshold))


def _flat(images: Any) -> np.ndarray:
    images = np.asarray(images, np.float64)
    return images.reshape(len(images), -1)


def _median_nearest(images: np.ndarray) -> float:
    """Returns the median distance of an image to the nearest other one."""
    if len(images) < 2:
        raise ValueError(f"Distances need 2 images. Received: {len(images)}")
    neighbors = import_sklearn("neighbors").NearestNeighbors(n_neighbors=1).fit(images)
    median = float(np.median(neighbors.kneighbors()[0]))  # of each but itself
    if not median > 0.0:
        raise ValueError("Half of the images are copies: pass images that differ.")
    return median


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


def _check_posteriors(
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
