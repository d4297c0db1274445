"""Whether samples are good, and whether they reach all that there is, apart.

By balls around samples: with `NND_k(x)` the distance of `x` to the k-th nearest other
sample of its set, real samples `r_1 .. r_N` and generated ones `g_1 .. g_M`:

    precision = 1/M #{ j : some i with |g_j - r_i| <= NND_k(r_i) }    generated is real
    recall    = 1/N #{ i : some j with |r_i - g_j| <= NND_k(g_j) }    real is generated
    density   = 1/(k M) #{ (i, j) : |g_j - r_i| <= NND_k(r_i) }
    coverage  = 1/N #{ i : some j with |g_j - r_i| <= NND_k(r_i) }

An outlier among the real samples has a large ball that makes precision forgiving;
density counts it once of k N times, and coverage uses no generated sample's ball. For
equal distributions density is 1 on average and coverage near 1 - 2^-k; precision and
recall have no such value. All depend on the numbers of samples.

By classes: a generator that has collapsed makes a few kinds of image only, however
good. With `h_c` the share of samples that a classifier finds to be of class `c`,

    modes   = #{ c : h_c >= min_share }
    entropy = -sum_c h_c log h_c          0 (one class) to log(num_classes) (all equal)

References:
- [Kynkaanniemi et al., 2019](https://arxiv.org/abs/1904.06991), eqs. 1 and 2.
- [Naeem et al., 2020](https://arxiv.org/abs/2002.09797), eqs. 3 and 4, and lemma 2.
- [Metz et al., 2017](https://arxiv.org/abs/1611.02163), sec. 3.3: modes counted by a
  classifier of MNIST digits.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.metrics.fidelity import check_pair

_CHUNK_NUMBERS = 2**22  # distances at a time: 32 MB


class PrecisionRecall(NamedTuple):
    """What `precision_recall` returns, both in [0, 1].

    Attributes:
        precision: Share of the generated samples that lie among the real ones.
        recall: Share of the real samples that lie among the generated ones.
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """What `density_coverage` returns.

    Attributes:
        density: How densely real samples lie around generated ones: 1 for equal
            distributions, more where generated samples keep to the densest places.
        coverage: Share of the real samples that have a generated one near, in [0, 1].
    """

    density: float
    coverage: float


class ModeCoverage(NamedTuple):
    """What `mode_coverage` returns.

    Attributes:
        modes: Number of classes with enough samples.
        entropy: Of the shares, in nats.
        shares: Share of the samples of each class, float64 `(num_classes,)`.
    """

    modes: int
    entropy: float
    shares: np.ndarray


def precision_recall(
    real: npt.ArrayLike, generated: npt.ArrayLike, num_neighbors: int = 3
) -> PrecisionRecall:
    """Measures how many samples of each set lie among those of the other.

    Args:
        real: Features `(num_real, d)`, more than `num_neighbors` samples.
        generated: Features `(num_generated, d)`, likewise.
        num_neighbors: Integer k.
    """
    real, generated = check_pair(real, generated)
    precise, _ = _count_in_balls(real, generated, num_neighbors)
    recalled, _ = _count_in_balls(generated, real, num_neighbors)
    return PrecisionRecall(float(np.mean(precise > 0)), float(np.mean(recalled > 0)))


def density_coverage(
    real: npt.ArrayLike, generated: npt.ArrayLike, num_neighbors: int = 5
) -> DensityCoverage:
    """Measures how densely real samples surround generated ones, and how many do.

    Args:
        real: Features `(num_real, d)`, more than `num_neighbors` samples.
        generated: Features `(num_generated, d)`, one sample or more.
        num_neighbors: Integer k.
    """
    real, generated = check_pair(real, generated)
    balls_of_sample, samples_in_ball = _count_in_balls(real, generated, num_neighbors)
    density = balls_of_sample.mean() / num_neighbors
    return DensityCoverage(float(density), float(np.mean(samples_in_ball > 0)))


def mode_coverage(
    classes: npt.ArrayLike, num_classes: int, min_share: float = 0.01
) -> ModeCoverage:
    """Counts the classes among samples.

    Args:
        classes: Integers `(num_samples,)` in `[0, num_classes)`, the class that a
            classifier gives each sample. Without samples, modes and entropy are 0.
        num_classes: Integer.
        min_share: Float in (0, 1], the least share of the samples that counts as a
            mode, so that a few mistakes of the classifier do not.
    """
    classes = np.asarray(classes)
    integral = np.issubdtype(classes.dtype, np.integer) or not classes.size
    if classes.ndim != 1 or not integral:
        raise ValueError(
            "`classes` must be integers (num_samples,). Received: "
            f"{classes.dtype} {classes.shape}"
        )
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ValueError(
            f"`classes` must be in [0, {num_classes}). Received: {classes.min()} to "
            f"{classes.max()}"
        )
    if not 0.0 < min_share <= 1.0:
        raise ValueError(f"`min_share` must be in (0, 1]. Received: {min_share}")
    counts = np.bincount(classes.astype(np.int64), minlength=num_classes)
    shares = counts / max(classes.size, 1)
    present = shares[shares > 0]
    entropy = float(np.sum(present * -np.log(present)))
    return ModeCoverage(int(np.sum(shares >= min_share)), entropy, shares)


def _count_in_balls(
    centers: np.ndarray, samples: np.ndarray, num_neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of balls around each sample, and of samples in each ball."""
    if not 1 <= num_neighbors < len(centers) or not len(samples):
        raise ValueError(
            "`num_neighbors` must be at least 1 and below the number of samples. "
            f"Received: {num_neighbors}, {len(centers)} and {len(samples)} samples"
        )
    # Squares of features far from 0 would lose the digits of their differences.
    shift = centers.mean(axis=0)
    centers, samples = centers - shift, samples - shift
    radii = _squared_radii(centers, num_neighbors)
    balls = np.zeros(len(samples), np.int64)
    counts = np.zeros(len(centers), np.int64)
    for rows, squares in _squared_distances(centers, samples):
        inside = squares <= radii[rows, np.newaxis]
        balls += inside.sum(axis=0)
        counts[rows] = inside.sum(axis=1)
    return balls, counts


def _squared_radii(centers: np.ndarray, num_neighbors: int) -> np.ndarray:
    """Returns the squared distance to the k-th nearest other: `(num_centers,)`."""
    radii = np.empty(len(centers))
    for rows, squares in _squared_distances(centers, centers):
        # The nearest of all is the sample itself, or a copy of it.
        nearest = np.partition(squares, num_neighbors, axis=1)
        radii[rows] = nearest[:, num_neighbors]
    # More than rounding: a copy of the k-th neighbour, at the same distance, is inside.
    return radii + 1e-12 * (radii + np.square(centers).sum(axis=1))


def _squared_distances(
    x: np.ndarray, y: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields rows of `x` and their squared distances to all `y`: `(num_rows, len(y))`.

    Rounding may leave those of equal samples a little below 0.
    """
    norms = np.square(y).sum(axis=1)
    size = max(1, _CHUNK_NUMBERS // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        squares = -2.0 * x[rows] @ y.T
        squares += norms
        squares += np.square(x[rows]).sum(axis=1, keepdims=True)
        yield rows, squares
