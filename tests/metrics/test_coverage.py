"""Precision, recall, density, coverage: scikit-learn and limits. Modes: by hand."""

import math
import tracemalloc

import numpy as np
import pytest
import scipy.stats
import sklearn.neighbors

from tfgen import metrics

RNG = np.random.default_rng(0)


def independent(real, generated, k_precision=3, k_density=5):
    """All four figures by scikit-learn's neighbours and direct differences."""

    def inside(centers, samples, k):
        trees = sklearn.neighbors.NearestNeighbors(n_neighbors=k).fit(centers)
        radii = trees.kneighbors()[0][:, -1]  # without arguments: others only
        gaps = np.linalg.norm(centers[:, np.newaxis] - samples[np.newaxis], axis=-1)
        return gaps <= radii[:, np.newaxis]

    around_real = inside(real, generated, k_precision)
    around_generated = inside(generated, real, k_precision)
    balls = inside(real, generated, k_density)
    return [
        np.mean([column.any() for column in around_real.T]),
        np.mean([column.any() for column in around_generated.T]),
        balls.sum() / (k_density * len(generated)),
        np.mean([row.any() for row in balls]),
    ]


def measure(real, generated, **arguments):
    return [
        *metrics.precision_recall(real, generated, **arguments),
        *metrics.density_coverage(real, generated, **arguments),
    ]


@pytest.mark.parametrize(
    ("n", "m", "width"),
    # The last are more distances than are held at a time.
    [(60, 80, 2), (90, 40, 7), (30, 30, 1), (2200, 2100, 1)],
)
def test_against_scikit_learn(n, m, width):
    real = RNG.normal(size=(n, width))
    generated = 1.3 * RNG.normal(size=(m, width)) + 0.7
    expected = independent(real, generated)
    assert measure(real, generated) == pytest.approx(expected)
    assert 0.0 < min(expected) < 1.0
    expected = independent(real, generated, 2, 2)
    assert measure(real, generated, num_neighbors=2) == pytest.approx(expected)


def test_memory_is_bounded():
    """All distances at once would be 128 MB, and as many again to compare them."""
    real, generated = RNG.normal(size=(2, 4000, 2))
    tracemalloc.start()
    metrics.density_coverage(real, generated)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120e6


def test_far_from_the_origin_is_the_same():
    """Squares of 1e6 leave no digits for distances of 1e-3."""
    real, generated = RNG.normal(size=(2, 100, 4))
    figures = measure(1e6 + 1e-3 * real, 1e6 + 1e-3 * generated)
    assert figures == pytest.approx(measure(real, generated), abs=0.02)


def test_equal_distributions_have_the_expected_values():
    """Density 1; a ball is missed if its k samples are nearer than all generated."""
    draws = RNG.normal(size=(20, 2, 200, 3))
    figures = np.array([metrics.density_coverage(x, y) for x, y in draws])
    density, coverage = figures.mean(axis=0)
    assert density == pytest.approx(1.0, abs=0.05)
    # None of the 200 generated among the 5 nearest of all 399 others.
    none_near = scipy.stats.hypergeom(399, 200, 5).pmf(0)
    assert coverage == pytest.approx(1.0 - none_near, abs=0.01)


def test_distributions_apart_score_0():
    real, generated = RNG.normal(size=(2, 100, 3))
    assert measure(real, generated + 100.0) == [0.0, 0.0, 0.0, 0.0]


def test_dropped_modes_lower_recall_and_coverage_only():
    centers = 100.0 * np.eye(4)
    real = np.concatenate([c + RNG.normal(size=(100, 4)) for c in centers])
    generated = np.concatenate([c + RNG.normal(size=(400, 4)) for c in centers[:1]])
    precision, recall, density, coverage = measure(real, generated)
    assert precision > 0.85
    assert density == pytest.approx(1.0, abs=0.2)
    assert recall <= 0.25
    assert 0.2 < coverage <= 0.25


def test_an_outlier_forgives_in_precision_but_not_in_density_and_coverage():
    """One real sample far off, whose ball holds all that a bad generator makes."""
    real = np.concatenate([RNG.normal(size=(200, 2)), [[100.0, 0.0]]])
    generated = RNG.normal(loc=(50.0, 0.0), size=(200, 2))
    precision, _, density, coverage = measure(real, generated)
    assert precision == 1.0
    assert density == pytest.approx(1 / 5)  # one ball of k
    assert coverage == pytest.approx(1 / 201)


def test_copies_lie_on_the_edge_of_balls():
    """A generator that has learned by heart: each ball holds itself and k others."""
    real = RNG.normal(size=(300, 40)) * 10.0 ** RNG.uniform(-3, 3, (300, 1))
    generated = np.concatenate([RNG.permutation(real), real[:7] + 1e6])
    precision, recall, density, coverage = measure(real, generated, num_neighbors=4)
    assert (precision, recall, coverage) == (300 / 307, 1.0, 1.0)
    assert density == pytest.approx(5 * 300 / (4 * 307), rel=1e-12)


def test_real_duplicates_have_balls_of_radius_0():
    """Blank images in numbers: copies of them are inside, all else is not."""
    real = np.tile(RNG.normal(size=(1, 16)), (20, 1))
    generated = np.concatenate([real[:5], real[:5] + 1e-3])
    precision, _, density, coverage = measure(real, generated)
    assert precision == 0.5
    assert density == pytest.approx(5 * 20 / (5 * 10))
    assert coverage == 1.0


@pytest.mark.parametrize("metric", [metrics.precision_recall, metrics.density_coverage])
def test_arguments_are_checked(metric):
    x = np.zeros((5, 2))
    with pytest.raises(ValueError, match="same number of features"):
        metric(x, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="Received: 5, 5"):
        metric(x, x, num_neighbors=5)
    with pytest.raises(ValueError, match="Received: 0, 5"):
        metric(x, x, num_neighbors=0)
    with pytest.raises(ValueError, match="0 samples"):
        metric(np.zeros((9, 2)), x[:0])


def test_recall_needs_more_generated_samples_than_neighbours():
    with pytest.raises(ValueError, match="Received: 3, 3 and 9"):
        metrics.precision_recall(np.zeros((9, 2)), np.zeros((3, 2)))
    metrics.density_coverage(np.zeros((9, 2)), np.zeros((1, 2)))


# ---- Modes -------------------------------------------------------------------------


@pytest.mark.parametrize("num_classes", [1, 2, 10])
def test_even_samples_reach_all_modes(num_classes):
    coverage = metrics.mode_coverage(
        np.arange(100 * num_classes) % num_classes, num_classes
    )
    assert coverage.modes == num_classes
    assert coverage.entropy == pytest.approx(math.log(num_classes))
    np.testing.assert_allclose(coverage.shares, np.full(num_classes, 1 / num_classes))


def test_collapse_is_one_mode_of_entropy_0():
    coverage = metrics.mode_coverage(np.full(50, 3), 10)
    assert coverage.modes == 1
    assert coverage.entropy == 0.0
    assert math.copysign(1.0, coverage.entropy) == 1.0  # not "-0.0" in a report
    assert coverage.shares.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_hand_values():
    """Shares 1/2, 1/4, 1/4, 0: 1.5 bits."""
    coverage = metrics.mode_coverage([0, 2, 0, 1], 4)
    assert coverage.modes == 3
    assert coverage.entropy == pytest.approx(1.5 * math.log(2.0))
    assert coverage.shares.tolist() == [0.5, 0.25, 0.25, 0.0]


def test_entropy_against_scipy():
    rng = np.random.default_rng(0)
    classes = rng.choice(6, size=1000, p=[0.4, 0.3, 0.2, 0.05, 0.05, 0.0])
    coverage = metrics.mode_coverage(classes, 6)
    expected = scipy.stats.entropy(np.bincount(classes, minlength=6))
    assert coverage.entropy == pytest.approx(expected, rel=1e-12)
    assert coverage.shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("count", "min_share", "modes"),
    [(9, 0.01, 1), (10, 0.01, 2), (1, 1e-9, 2), (0, 1e-9, 1), (500, 0.5, 2)],
)
def test_a_mode_needs_its_share(count, min_share, modes):
    """Of 1,000 samples, `count` are of the second class."""
    classes = np.arange(1000) < count
    coverage = metrics.mode_coverage(classes.astype(int), 2, min_share)
    assert coverage.modes == modes


def test_no_samples_are_no_modes():
    coverage = metrics.mode_coverage([], 3)
    assert coverage.modes == 0
    assert coverage.entropy == 0.0
    assert coverage.shares.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 3], 3), r"\[0, 3\).*0 to 3"),
        (([-1, 2], 3), r"\[0, 3\).*-1 to 2"),
        (([[0, 1]], 3), r"integers \(num_samples,\).*\(1, 2\)"),
        (([0.2, 0.8], 3), r"integers.*float64"),
        (([0], 3, 0.0), r"`min_share`.*0.0"),
        (([0], 3, 1.1), r"`min_share`.*1.1"),
    ],
)
def test_arguments_of_modes_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics.mode_coverage(*arguments)
