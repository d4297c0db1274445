"""How far two sets of features are from each other as distributions.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y),         k(a, b) = (a.b / d + 1)^3
    FD    = |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2))

With Inception's features these are KID and FID, with others they are not. `MMD^2` is
estimated without bias, so it is comparable across numbers of samples. `FD` is biased
upwards by about a / num_samples, which the extrapolation takes away.

References:
- [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401), eq. 4: MMD and its kernel.
- [Heusel et al., 2017](https://arxiv.org/abs/1706.08500), eq. 6: Frechet distance.
- [Chong and Forsyth, 2020](https://arxiv.org/abs/1911.07023), sec. 3: the bias of the
  Frechet distance and its extrapolation over 1 / num_samples.
- [Quenouille, 1956](https://doi.org/10.1093/biomet/43.3-4.353): the bias from halves.
- [Efron and Stein, 1981](https://doi.org/10.1214/aos/1176345462): the jackknife's
  variance, which in expectation is not below the variance of the estimate.
- [Efron, 1982](https://doi.org/10.1137/1.9781611970319), ch. 6: the infinitesimal
  jackknife, which is the delta method.
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


class FrechetDistance(NamedTuple):
    """What `frechet_distance` returns.

    Attributes:
        value: FD, never below 0.
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


def frechet_distance(
    features: npt.ArrayLike, other_features: npt.ArrayLike
) -> FrechetDistance:
    """Returns the Frechet distance of the Gaussians fitted to two sets of samples.

    It takes one singular value decomposition of a matrix `(d, d)`. The standard error
    is that of the first-order change of the distance with each sample; it does not
    cover the bias of few samples.

    Args:
        features: `(num_samples, d)`, more samples than features: with fewer, a
            covariance does not have full rank, and a warning says so.
        other_features: `(num_others, d)`, likewise.
    """
    x, y = check_pair(features, other_features)
    _check_rank(x, y)
    mean_x, root_x = _fit_gaussian(x)
    mean_y, root_y = _fit_gaussian(y)
    u, cross, vt = np.linalg.svd(root_x.T @ root_y)
    shift = mean_x - mean_y
    variance = 0.0
    for samples, mean, shift_from, map_root in (
        (x, mean_x, shift, root_y @ vt.T),
        (y, mean_y, -shift, root_x @ u),
    ):
        influence = _influence(samples - mean, shift_from, map_root, cross)
        variance += influence.var(ddof=1) / len(samples)
    value = _distance(shift, root_x, root_y, cross)
    return FrechetDistance(value, float(np.sqrt(variance)))


def extrapolate_frechet_distance(
    features: npt.ArrayLike, other_features: npt.ArrayLike, seed: int = 0
) -> float:
    """Estimates the Frechet distance of infinitely many samples.

    The distance is about linear in 1 / num_samples: its value at 0 is twice the
    distance of all samples less the mean distance of their two halves. It is around 0,
    and so below it at times, for equal distributions, and it scatters more than the
    distance itself. The reference takes subsets of the generated samples only and so
    keeps the bias of the real ones; here both sets are halved.

    Args:
        features: `(num_samples, d)`, `2 (d + 1)` samples or more.
        other_features: `(num_others, d)`, likewise.
        seed: Integer, of the halves.
    """
    x, y = check_pair(features, other_features)
    shortest, width = min(len(x), len(y)), x.shape[1]
    if shortest < 2 * (width + 1):
        raise ValueError(
            f"The extrapolation needs 2 (d + 1) samples. Received: {shortest} samples, "
            f"d = {width}"
        )
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(samples), 2) for samples in (x, y)]
    distances = [_plain_distance(*pair) for pair in zip(*halves, strict=True)]
    return float(2.0 * _plain_distance(x, y) - np.mean(distances))


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


def _check_rank(x: np.ndarray, y: np.ndarray) -> None:
    shortest, width = min(len(x), len(y)), x.shape[1]
    if shortest < 2:
        raise ValueError(f"A covariance needs 2 samples. Received: {shortest}")
    if shortest <= width:
        warnings.warn(
            f"{shortest} samples of {width} features: their covariance does not have "
            "full rank, and the Frechet distance is far too large or too small.",
            stacklevel=3,
        )


def _fit_gaussian(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean `(d,)`, and a matrix R `(d, d)` with R R^T the covariance."""
    covariance = np.atleast_2d(np.cov(samples, rowvar=False))
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # without full rank
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))  # rounding makes 0 negative
    return samples.mean(axis=0), root


def _plain_distance(x: np.ndarray, y: np.ndarray) -> float:
    (mean_x, root_x), (mean_y, root_y) = _fit_gaussian(x), _fit_gaussian(y)
    cross = np.linalg.svd(root_x.T @ root_y, compute_uv=False)
    return _distance(mean_x - mean_y, root_x, root_y, cross)


def _distance(
    shift: np.ndarray, root_x: np.ndarray, root_y: np.ndarray, cross: np.ndarray
) -> float:
    """Returns FD; `cross` are the singular values of R_x^T R_y.

    They are the roots of the eigenvalues of S_x S_y, with twice the digits.
    """
    spread = np.square(root_x).sum() + np.square(root_y).sum() - 2.0 * cross.sum()
    return float(np.square(shift).sum() + max(spread, 0.0))


def _influence(
    centred: np.ndarray, shift: np.ndarray, map_root: np.ndarray, cross: np.ndarray
) -> np.ndarray:
    """Returns how FD changes with the weight of each sample, but for a constant.

        2 (m_x - m_y) . c  +  |c|^2  -  c^T T c,         c = x - m_x

    T is the linear map that takes the one Gaussian to the other, S_y = T S_x T. With
    R_x^T R_y = U C V^T it is R_y V C^-1 V^T R_y^T; `map_root` is R_y V.
    """
    is_present = cross > 1e-10 * cross.max(initial=0.0)
    along = centred @ map_root[:, is_present]
    quadratic = np.square(along) @ (1.0 / cross[is_present])
    return 2.0 * centred @ shift + np.square(centred).sum(axis=1) - quadratic


def _checked(features: npt.ArrayLike) -> np.ndarray:
    """Returns float64 `(num_samples, d)`: differences of sums need its digits."""
    array = np.asarray(features, np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(
            f"Features must be finite and (num_samples, d). Received: {array.shape}"
        )
    return array
