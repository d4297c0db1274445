"""Precision, recall, density and coverage against scikit-learn, loops and limits."""

import numpy as np
import pytest
import scipy.stats
import sklearn.neighbors

from tfgen import metrics
from tfgen.metrics import nearest

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


@pytest.mark.parametrize("chunk", [1, 100, 2**22])
@pytest.mark.parametrize(("n", "m", "width"), [(60, 80, 2), (90, 40, 7), (30, 30, 1)])
def test_against_scikit_learn(monkeypatch, n, m, width, chunk):
    monkeypatch.setattr(nearest, "_CHUNK_NUMBERS", chunk)
    real = RNG.normal(size=(n, width))
    generated = 1.3 * RNG.normal(size=(m, width)) + 0.7
    expected = independent(real, generated)
    assert measure(real, generated) == pytest.approx(expected)
    assert 0.0 < min(expected) < 1.0
    expected = independent(real, generated, 2, 2)
    assert measure(real, generated, num_neighbors=2) == pytest.approx(expected)


def test_chunks_bound_the_memory(monkeypatch):
    monkeypatch.setattr(nearest, "_CHUNK_NUMBERS", 100)
    shapes = [
        squares.shape
        for _, squares in nearest._squared_distances(
            RNG.normal(size=(50, 2)), RNG.normal(size=(30, 2))
        )
    ]
    assert {rows * columns for rows, columns in shapes} == {90, 60}
    assert sum(rows for rows, _ in shapes) == 50


def test_far_from_the_origin_is_the_same():
    """Squares of 1e6 leave no digits for distances of 1e-3."""
    real, generated = RNG.normal(size=(2, 100, 4))
    found = measure(1e6 + 1e-3 * real, 1e6 + 1e-3 * generated)
    assert found == pytest.approx(measure(real, generated), abs=0.02)


def test_equal_distributions_have_the_expected_values():
    """Density 1; a ball is missed if its k samples are nearer than all generated."""
    draws = RNG.normal(size=(20, 2, 200, 3))
    found = np.array([metrics.density_coverage(x, y) for x, y in draws])
    density, coverage = found.mean(axis=0)
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
    assert precision > 0.9
    assert density == pytest.approx(1.0, abs=0.15)
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


def test_copies_lie_on_the_edge_of_balls(monkeypatch):
    """A generator that has learned by heart: each ball holds itself and k others."""
    real = RNG.normal(size=(300, 40)) * 10.0 ** RNG.uniform(-3, 3, (300, 1))
    # Two rows at a time for the radii, one for the samples: their products of matrices
    # do not round alike.
    monkeypatch.setattr(nearest, "_CHUNK_NUMBERS", 600)
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
