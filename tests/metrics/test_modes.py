"""Mode counts and entropy against values by hand."""

import math

import numpy as np
import pytest
import scipy.stats

from tfgen.metrics.modes import mode_coverage


@pytest.mark.parametrize("num_classes", [1, 2, 10])
def test_even_samples_reach_all_modes(num_classes):
    coverage = mode_coverage(np.arange(100 * num_classes) % num_classes, num_classes)
    assert coverage.modes == num_classes
    assert coverage.entropy == pytest.approx(math.log(num_classes))
    np.testing.assert_allclose(coverage.shares, np.full(num_classes, 1 / num_classes))


def test_collapse_is_one_mode_of_entropy_0():
    coverage = mode_coverage(np.full(50, 3), 10)
    assert coverage.modes == 1
    assert coverage.entropy == 0.0
    assert math.copysign(1.0, coverage.entropy) == 1.0  # not "-0.0" in a report
    assert coverage.shares.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_hand_values():
    """Shares 1/2, 1/4, 1/4, 0: 1.5 bits."""
    coverage = mode_coverage([0, 2, 0, 1], 4)
    assert coverage.modes == 3
    assert coverage.entropy == pytest.approx(1.5 * math.log(2.0))
    assert coverage.shares.tolist() == [0.5, 0.25, 0.25, 0.0]


def test_entropy_against_scipy():
    rng = np.random.default_rng(0)
    classes = rng.choice(6, size=1000, p=[0.4, 0.3, 0.2, 0.05, 0.05, 0.0])
    coverage = mode_coverage(classes, 6)
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
    coverage = mode_coverage(classes.astype(int), 2, min_share)
    assert coverage.modes == modes


def test_no_samples_are_no_modes():
    coverage = mode_coverage([], 3)
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
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        mode_coverage(*arguments)
