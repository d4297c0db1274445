"""Distances of distributions against naive sums, SciPy and closed forms."""

import time

import numpy as np
import pytest
import scipy.linalg

from tfgen import metrics

RNG = np.random.default_rng(0)


def naive_mmd(x, y):
    def kernel(a, b):
        return (np.dot(a, b) / len(a) + 1.0) ** 3

    def within(samples):
        pairs = [(i, j) for i in range(len(samples)) for j in range(len(samples))]
        values = [kernel(samples[i], samples[j]) for i, j in pairs if i != j]
        return np.mean(values)

    between = np.mean([kernel(a, b) for a in x for b in y])
    return within(x) + within(y) - 2.0 * between


@pytest.mark.parametrize(("n", "m", "width"), [(3, 3, 1), (9, 6, 4), (5, 12, 7)])
def test_kernel_distance_against_a_double_loop(n, m, width):
    x, y = RNG.normal(size=(n, width)), RNG.normal(size=(m, width), scale=2.0)
    estimate = metrics.kernel_distance(x, y)
    assert estimate.value == pytest.approx(naive_mmd(x, y), rel=1e-10)
    assert metrics.kernel_distance(y, x) == pytest.approx(estimate)


def test_standard_error_against_a_naive_jackknife():
    x, y = RNG.normal(size=(8, 3)), RNG.normal(size=(6, 3)) + 1.0
    variance = 0.0
    without_x = [naive_mmd(np.delete(x, i, 0), y) for i in range(len(x))]
    without_y = [naive_mmd(x, np.delete(y, i, 0)) for i in range(len(y))]
    for values in (without_x, without_y):
        variance += (len(values) - 1) * np.var(values)
    estimate = metrics.kernel_distance(x, y)
    assert estimate.standard_error == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_subsets_by_hand():
    x, y = RNG.normal(size=(9, 3)), RNG.normal(size=(4, 3))
    estimate = metrics.kernel_distance(x, y, subset_size=5, num_subsets=3, seed=7)
    rng = np.random.default_rng(7)
    values = []
    for _ in range(3):
        rows, others = (rng.choice(n, k, replace=False) for n, k in ((9, 5), (4, 4)))
        values.append(naive_mmd(x[rows], y[others]))
    assert estimate.value == pytest.approx(np.mean(values), rel=1e-10)
    again = metrics.kernel_distance(x, y, subset_size=5, num_subsets=3, seed=7)
    assert again == estimate
    assert metrics.kernel_distance(x, y, 5, 3, seed=8).value != estimate.value


@pytest.mark.parametrize("arguments", [{}, {"subset_size": 20, "num_subsets": 10}])
def test_kernel_distance_is_unbiased(arguments):
    """Its mean over draws of equal distributions is 0, which a biased one's is not."""
    values = [
        metrics.kernel_distance(*RNG.normal(size=(2, 40, 5)), **arguments).value
        for _ in range(400)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3.0 * error
    assert min(values) < 0.0 < max(values)  # not clipped
    assert error < 0.01  # the diagonal would add 2 E[k(x, x)] / 40 = 0.5


@pytest.mark.parametrize("arguments", [{}, {"subset_size": 60, "num_subsets": 20}])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_standard_error_is_the_scatter(shift, arguments):
    draws = [
        metrics.kernel_distance(x, y + shift, **arguments)
        for x, y in RNG.normal(size=(150, 2, 120, 5))
    ]
    scatter = np.std([draw.value for draw in draws])
    reported = np.mean([draw.standard_error for draw in draws])
    if shift:
        assert reported == pytest.approx(scatter, rel=0.25)
    else:
        assert scatter < reported < 2.5 * scatter


def test_distances_grow_with_shift_and_noise():
    x, y = RNG.normal(size=(2, 300, 6))
    noise = RNG.normal(size=y.shape)
    for distance in (metrics.kernel_distance, metrics.frechet_distance):
        shifts = [distance(x, y + shift).value for shift in (0.0, 0.2, 0.5, 1.0)]
        noises = [distance(x, y + s * noise).value for s in (0.0, 0.5, 1.0, 2.0)]
        assert sorted(shifts) == shifts
        assert sorted(noises) == noises


# ---- Frechet -------------------------------------------------------------------------


def distance_by_sqrtm(x, y):
    cov_x, cov_y = (np.atleast_2d(np.cov(s, rowvar=False)) for s in (x, y))
    root = np.real(scipy.linalg.sqrtm(cov_x @ cov_y))
    shift = np.sum((x.mean(0) - y.mean(0)) ** 2)
    return shift + np.trace(cov_x + cov_y - 2.0 * root)


def mixed(count, width):
    return RNG.normal(size=(count, width)) @ RNG.normal(size=(width, width))


@pytest.mark.parametrize("width", [1, 3, 20])
def test_frechet_distance_against_sqrtm(width):
    x, y = mixed(50, width), mixed(40, width) + 1.0
    distance = metrics.frechet_distance(x, y).value
    assert distance == pytest.approx(distance_by_sqrtm(x, y), rel=1e-8)
    assert metrics.frechet_distance(y, x).value == pytest.approx(distance)


def with_moments(mean, deviations, count=100):
    """Samples whose mean and covariance are exactly these."""
    samples = RNG.normal(size=(count, len(mean)))
    samples -= samples.mean(0)
    samples = samples @ np.linalg.inv(np.linalg.cholesky(np.cov(samples.T))).T
    return samples * deviations + mean


def test_frechet_distance_of_two_gaussians():
    """Axes along the features: |m_x - m_y|^2 + sum (s_x - s_y)^2."""
    x = with_moments([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    y = with_moments([1.0, 0.0, 2.0], [2.0, 2.0, 0.5])
    assert metrics.frechet_distance(x, y).value == pytest.approx(5.0 + 1.0 + 6.25)


def test_frechet_distance_of_equal_sets_is_0_even_without_full_rank():
    x = RNG.normal(size=(100, 4)) @ RNG.normal(size=(4, 30))
    for same in (x, np.concatenate([x, np.zeros((100, 2))], axis=1)):
        value, error = metrics.frechet_distance(same, same)
        assert 0.0 <= value < 1e-10
        assert error == pytest.approx(0.0, abs=1e-6)
    far = metrics.frechet_distance(x, np.zeros_like(x)).value
    trace = np.trace(np.cov(x.T))
    assert far == pytest.approx(trace + np.sum(x.mean(0) ** 2))


def test_constant_features_count_by_their_variance_and_shift():
    """A unit that is never active, in both sets or in one."""
    x, y = mixed(60, 3), mixed(50, 3) + 0.5
    constant = [np.concatenate([s, np.full((len(s), 2), 7.0)], axis=1) for s in (x, y)]
    estimate = metrics.frechet_distance(*constant)
    assert estimate == pytest.approx(metrics.frechet_distance(x, y), rel=1e-6)
    x = with_moments([0.0, 2.0, 0.0], [1.0, 2.0, 3.0])
    y = with_moments([1.0, 7.0, 0.0], [2.0, 0.0, 3.0])
    assert metrics.frechet_distance(x, y).value == pytest.approx(1.0 + 25.0 + 1.0 + 4.0)


def test_frechet_distance_warns_of_few_samples():
    x, y = RNG.normal(size=(40, 20)), RNG.normal(size=(20, 20))
    with pytest.warns(UserWarning, match="20 samples of 20 features"):
        metrics.frechet_distance(x, y)


def test_error_of_one_feature_is_that_of_its_moments():
    """FD = (m_x - m_y)^2 + (s_x - s_y)^2; Var m = s^2 / n, Var s = s^2 / 2n."""
    x, y = 1.0 + 2.0 * RNG.normal(size=(40000, 1)), 0.5 * RNG.normal(size=(20000, 1))
    variances = np.array([2.0**2 / 40000, 0.5**2 / 20000])
    variance = 4.0 * 1.0**2 * variances.sum() + 4.0 * 1.5**2 * (variances / 2.0).sum()
    estimate = metrics.frechet_distance(x, y)
    assert estimate.standard_error == pytest.approx(np.sqrt(variance), rel=0.05)


def test_error_against_leaving_samples_out():
    """The jackknife recomputes the distance without each sample; these are skewed."""
    x = RNG.exponential(size=(70, 3)) @ np.diag([1.0, 2.0, 0.5])
    y = 3.0 * RNG.exponential(size=(60, 3))
    variance = 0.0
    for a, b in ((x, y), (y, x)):
        without = [distance_by_sqrtm(np.delete(a, i, 0), b) for i in range(len(a))]
        variance += (len(a) - 1) * np.var(without)
    error = metrics.frechet_distance(x, y).standard_error
    assert error == pytest.approx(np.sqrt(variance), rel=0.1)


# ---- Extrapolation -------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_extrapolation_has_no_bias_of_few_samples(shift):
    """Two sets of 20 features: |m_x - m_y|^2 is the distance of infinitely many."""
    pairs = [(x, y + shift) for x, y in RNG.normal(size=(30, 2, 250, 20))]
    plain = [metrics.frechet_distance(x, y).value for x, y in pairs]
    infinite = [metrics.extrapolate_frechet_distance(x, y) for x, y in pairs]
    error = np.std(infinite) / np.sqrt(len(infinite))
    bias = np.mean(plain) - 20 * shift**2
    assert bias > 0.8
    assert abs(np.mean(infinite) - 20 * shift**2) < max(3.0 * error, 0.1 * bias)
    assert error < 0.1 * bias


def test_extrapolation_repeats_for_a_seed_only():
    x, y = RNG.normal(size=(2, 50, 3))
    run = lambda seed: metrics.extrapolate_frechet_distance(x, y, seed)
    assert run(1) == run(1)
    assert run(1) != run(2)


def test_extrapolation_needs_halves_of_full_rank():
    """A half with too few samples for its covariance would only warn."""
    x = RNG.normal(size=(22, 10))
    metrics.extrapolate_frechet_distance(x, x[::-1] + 1.0)
    for pair in ((x, x[:21]), (x[:21], x)):
        with pytest.raises(ValueError, match="21 samples, d = 10"):
            metrics.extrapolate_frechet_distance(*pair)


@pytest.mark.large
def test_2048_features_take_seconds():
    """As many as Inception has: three distances and an error, of 5,000 samples each."""
    x, y = RNG.normal(size=(2, 5000, 2048))
    start = time.process_time()
    value, _ = metrics.frechet_distance(x, y + 0.01)
    infinite = metrics.extrapolate_frechet_distance(x, y + 0.01)
    assert time.process_time() - start < 300.0  # of one core; 35 resamples took 2,000
    assert value > 100.0
    assert abs(infinite) < 0.2 * value


# ---- Refusals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "distance", [metrics.kernel_distance, metrics.frechet_distance]
)
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((5, 2)), "same number of features"),
        (np.zeros((5,)), "num_samples, d"),
        (np.zeros((1, 3)), "samples"),
        (np.full((5, 3), np.nan), "finite"),
    ],
)
def test_bad_features(distance, features, message):
    for pair in ((features, np.zeros((5, 3))), (np.zeros((5, 3)), features)):
        with pytest.raises(ValueError, match=message):
            distance(*pair)


@pytest.mark.parametrize("arguments", [{"subset_size": 2}, {"num_subsets": 0}])
def test_bad_subsets(arguments):
    with pytest.raises(ValueError, match="subset"):
        metrics.kernel_distance(np.zeros((5, 3)), np.zeros((5, 3)), **arguments)
