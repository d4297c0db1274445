"""Probes against scikit-learn's own classifiers, and on features known to know."""

import numpy as np
import pytest
import sklearn.discriminant_analysis

from tfgen import metrics

RNG = np.random.default_rng(0)


def clusters(count, spread=1.0):
    """Three normals of one covariance, whose best classifier is linear."""
    labels = RNG.integers(3, size=count)
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    return centres[labels] + spread * RNG.normal(size=(count, 2)), labels


def test_a_linear_probe_is_as_good_as_the_best_classifier():
    known, told = clusters(600), clusters(2000)
    best = sklearn.discriminant_analysis.LinearDiscriminantAnalysis().fit(*known)
    found = metrics.probe(*known, *told)
    assert found.linear == pytest.approx(best.score(*told), abs=0.02)
    assert found.neighbors == pytest.approx(found.linear, abs=0.04)
    most = np.bincount(known[1]).argmax()
    assert found.chance == np.mean(told[1] == most)


def test_neighbors_see_scale_and_a_linear_probe_does_not():
    """A small direction knows the label, a large one is noise."""
    (x, y), (other_x, other_y) = clusters(300, 0.3), clusters(300, 0.3)
    plain = metrics.probe(x, y, other_x, other_y)
    hidden = [
        np.concatenate([1e-3 * z, RNG.normal(size=(300, 2))], axis=1)
        for z in (x, other_x)
    ]
    found = metrics.probe(hidden[0], y, hidden[1], other_y)
    assert plain.linear > 0.98
    assert plain.neighbors > 0.98
    assert found.linear > 0.95
    assert found.neighbors < 0.5


def test_noise_knows_as_much_as_chance_though_there_is_much_of_it():
    labels = np.repeat([0, 1], [60, 40])
    noise = RNG.normal(size=(200, 20, 5))
    found = metrics.probe(noise[:100], labels, noise[100:], labels)
    assert abs(found.linear - 0.5) < 0.15
    assert found.chance == 0.6


def test_mistakes():
    x, y = clusters(10)
    for features, labels in ((x, y[:9]), (x, y + 0.5), (x[:0], y[:0])):
        with pytest.raises(ValueError, match=r"labels integers \(n,\)"):
            metrics.probe(x, y, features, labels)
    for features, labels in ((x, 0 * y), (x[:, :1], y)):
        with pytest.raises(ValueError, match="the labels two values"):
            metrics.probe(features, labels, x, y)
    with pytest.raises(ValueError, match="finite"):
        metrics.probe(x * np.nan, y, x, y)
