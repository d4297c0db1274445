"""How far two sets of features are from each other as distributions.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y),         k(a, b) = (a.b / d + 1)^3
    FD    = |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2))

With Inception's features these are KID and FID, with others they are not. `MMD^2` is
estimated without bias, so it is comparable across numbers of samples; `FD` is biased
upwards, the more so the fewer the samples, by about a / num_samples, and the
extrapolation to 1 / num_samples = 0 takes that away.

References:
- [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401), eq. 4: MMD and its kernel.
- [Heusel et al., 2017](https://arxiv.org/abs/1706.08500), eq. 6: Frechet distance.
- [Chong and Forsyth, 2020](https://arxiv.org/abs/1911.07023), sec. 3: the bias of the
  Frechet distance and its extrapolation.
- [Efron and Stein, 1981](https://doi.org/10.1214/aos/1176345462): the jackknife's
  variance, which in expectation is not below the variance of the estimate.
"""

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class KernelDistance(NamedTuple):
    """What `kernel_distance` returns.

    Attributes:
        value: MMD^2; around 0, and so below it at times, for equal distributions.
        standard_error: Of `value`, over draws of both sets of samples.
    """

    value: float
    standard_error: float


def kernel_distance(
    features: npt.ArrayLike,
    other_features: npt.ArrayLike,
    subset_size: int = 1000,
    num_subsets: int = 100,
    seed: int = 0,
) -> KernelDistance:
    """Estimates MMD^2 of two sets of samples, without bias.

    Sets of up to `subset_size` samples are compared as a whole. Of a larger one,
    subsets are drawn, each without replacement, and the mean over them is returned. The
    standard error counts the samples that there are: more subsets do not make it 0.
    Where the distributions are equal it is too large rather than too small.

    Args:
        features: `(num_samples, d)`, three samples or more.
        other_features: `(num_others, d)`, likewise.
        subset_size: Integer of at least 3.
        num_subsets: Integer.
        seed: Integer, of the subsets.
    """
    sets = check_pair(features, other_features)
    shortest = min(len(samples) for samples in sets)
    if min(shortest, subset_size) < 3 or num_subsets < 1:
        raise ValueError(
            "MMD needs 3 samples a set, `subset_size` of at least 3 and `num_subsets` "
            f"of at least 1. Received: {shortest}, {subset_size}, {num_subsets}"
        )
    sizes = [min(len(samples), subset_size) for samples in sets]
    is_whole = sizes == [len(samples) for samples in sets]
    rng = np.random.default_rng(seed)
    values, variances = [], []
    for _ in range(1 if is_whole else num_subsets):
        pairs = zip(sets, sizes, strict=True)
        x, y = (s[rng.choice(len(s), size, replace=False)] for s, size in pairs)
        value, variance = _squared_mmd(x, y)
        values.append(value)
        variances.append(variance)
    shares = [size / len(samples) for size, samples in zip(sizes, sets, strict=True)]
    # A subset's variance falls with the samples that all subsets together are drawn
    # from; to that comes the scatter of the mean over these subsets.
    variance = float(np.mean(variances, axis=0) @ shares)
    if len(values) > 1:
        variance += np.var(values, ddof=1) / len(values)
    return KernelDistance(float(np.mean(values)), float(np.sqrt(variance)))


def frechet_distance(features: npt.ArrayLike, other_features: npt.ArrayLike) -> float:
    """Returns the Frechet distance of the Gaussians fitted to two sets of samples.

    Args:
        features: `(num_samples, d)`, more samples than features: with fewer, a
            covariance has no full rank, and a warning says so.
        other_features: `(num_others, d)`, likewise.
    """
    x, y = check_pair(features, other_features)
    shortest, width = min(len(x), len(y)), x.shape[1]
    if shortest < 2:
        raise ValueError(f"A covariance needs 2 samples. Received: {shortest}")
    if shortest <= width:
        warnings.warn(
            f"{shortest} samples of {width} features: the covariance has no full rank, "
            "and the Frechet distance is far too large or too small.",
            stacklevel=2,
        )
    root_x, root_y = _covariance_root(x), _covariance_root(y)
    # The eigenvalues of S_x S_y are those of root_x S_y root_x, which is symmetric;
    # their roots, the singular values of root_x root_y, keep twice the digits.
    cross = np.linalg.svd(root_x @ root_y, compute_uv=False).sum()
    spread = np.square(root_x).sum() + np.square(root_y).sum() - 2.0 * cross
    shift = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return float(shift + max(spread, 0.0))


def extrapolate_frechet_distance(
    features: npt.ArrayLike,
    other_features: npt.ArrayLike,
    num_sizes: int = 15,
    seed: int = 0,
) -> float:
    """Estimates the Frechet distance of infinitely many samples.

    The distances of subsets, from all samples down to half of each set, lie about on a
    line over 1 / size: its value at 0 is returned, around 0, and so below it at times,
    for equal distributions. It scatters more than the distance itself. The reference
    takes subsets of the generated samples only and so keeps the bias of the real ones;
    here both sets shrink by the same factor.

    Args:
        features: `(num_samples, d)`, `2 (d + 1)` samples or more.
        other_features: `(num_others, d)`, likewise.
        num_sizes: Integer of at least 2, the points of the line.
        seed: Integer, of the subsets.
    """
    x, y = check_pair(features, other_features)
    shortest = min(len(x), len(y))
    if num_sizes < 2 or shortest < 2 * (x.shape[1] + 1):
        raise ValueError(
            "The extrapolation needs `num_sizes` of at least 2, and 2 (d + 1) samples. "
            f"Received: {num_sizes}, {shortest} samples, d = {x.shape[1]}"
        )
    rng = np.random.default_rng(seed)
    factors = np.linspace(1.0, 2.0, num_sizes)
    distances = []
    for factor in factors:
        subsets = [rng.permutation(s)[: int(len(s) / factor)] for s in (x, y)]
        distances.append(frechet_distance(*subsets))
    return float(np.polynomial.polynomial.polyfit(factors, distances, 1)[0])


def check_pair(
    features: npt.ArrayLike, other_features: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns both sets as float64 `(num_samples, d)` of one `d`.

    Raises:
        ValueError: They are not finite, have other axes, or differ in `d`.
    """
    x, y = _checked(features), _checked(other_features)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            "Both sets must have the same number of features. Received: "
            f"{x.shape} and {y.shape}"
        )
    return x, y


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> tuple[float, list[float]]:
    """Returns the unbiased MMD^2 and its jackknife variance due to `x` and to `y`."""
    kernel_xy = _kernel(x, y)
    cross = kernel_xy.mean()
    value, variances = -2.0 * cross, []
    for samples, cross_sums in ((x, kernel_xy.mean(1)), (y, kernel_xy.mean(0))):
        size = len(samples)
        kernel = _kernel(samples, samples)
        np.fill_diagonal(kernel, 0.0)
        row_sums = kernel.sum(axis=1)
        value += row_sums.sum() / (size * (size - 1))
        # What the parts of MMD^2 with this set are without each of its samples.
        within = (row_sums.sum() - 2.0 * row_sums) / ((size - 1) * (size - 2))
        without = within - 2.0 * (size * cross - cross_sums) / (size - 1)
        variances.append((size - 1) * without.var())
    return float(value), variances


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x @ y.T / x.shape[1] + 1.0
    return base * base * base  # a power takes five times as long or more


def _covariance_root(samples: np.ndarray) -> np.ndarray:
    """Returns the symmetric square root of the samples' covariance: `(d, d)`."""
    covariance = np.atleast_2d(np.cov(samples, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    # Rounding makes eigenvalues of 0 negative.
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _checked(features: npt.ArrayLike) -> np.ndarray:
    """Returns float64 `(num_samples, d)`: differences of sums need its digits."""
    array = np.asarray(features, np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(
            f"Features must be finite and (num_samples, d). Received: {array.shape}"
        )
    return array
