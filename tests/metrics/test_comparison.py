"""Scores and floors: the metrics of equal halves, by hand."""

import keras
import numpy as np
import pytest

from tfgen import metrics

RNG = np.random.default_rng(0)


def as_they_are(features):
    return features


def test_scores_and_floors_are_of_equal_halves():
    real, generated = RNG.normal(size=(81, 3)), RNG.normal(size=(60, 3)) + 0.5
    comparison = metrics.compare_samples(real, generated, as_they_are, seed=3)
    assert comparison.feature_network == "as_they_are"
    assert comparison.num_samples == 40
    rng = np.random.default_rng(3)
    real, generated = rng.permutation(real), rng.permutation(generated)
    reference = real[:40]
    for figures, samples in (
        (comparison.scores, generated[:40]),
        (comparison.floors, real[40:80]),
    ):
        pair = reference, samples
        frechet = metrics.frechet_distance(*pair)
        kernel = metrics.kernel_distance(*pair)
        assert figures == {
            "frechet_distance": frechet.value,
            "frechet_distance_error": frechet.standard_error,
            "frechet_distance_infinity": metrics.extrapolate_frechet_distance(*pair),
            "kernel_distance": kernel.value,
            "kernel_distance_error": kernel.standard_error,
            **metrics.precision_recall(*pair)._asdict(),
            **metrics.density_coverage(*pair)._asdict(),
        }


def test_error_of_the_distance_is_its_scatter_over_draws():
    draws = [
        metrics.compare_samples(
            RNG.normal(size=(200, 3)), 0.3 + RNG.normal(size=(100, 3)), as_they_are
        ).scores
        for _ in range(20)
    ]
    values = [scores["frechet_distance"] for scores in draws]
    errors = [scores["frechet_distance_error"] for scores in draws]
    assert 0.6 < np.mean(errors) / np.std(values, ddof=1) < 1.7


def test_fewer_generated_than_real_are_compared_with_as_many():
    real, generated = RNG.normal(size=(100, 3)), RNG.normal(size=(20, 3))
    comparison = metrics.compare_samples(real, generated, as_they_are)
    assert comparison.num_samples == 20
    assert comparison == metrics.compare_samples(real, generated, as_they_are)
    assert comparison != metrics.compare_samples(real, generated, as_they_are, seed=1)


def test_a_perfect_generator_scores_as_the_floor_and_a_bad_one_does_not():
    draws = [
        metrics.compare_samples(
            RNG.normal(size=(400, 4)), shift + RNG.normal(size=(200, 4)), as_they_are
        )
        for shift in (0.0, 2.0)
        for _ in range(8)
    ]

    def ratios(comparisons):
        names = ["frechet_distance", "precision", "density", "coverage"]
        means = lambda part: np.mean([[part(c)[n] for n in names] for c in comparisons])
        return means(lambda c: c.scores) / means(lambda c: c.floors)

    assert ratios(draws[:8]) == pytest.approx(1.0, abs=0.1)
    assert ratios(draws[8:]) > 3.0
    assert all(c.floors["coverage"] > 0.9 > c.scores["coverage"] for c in draws[8:])


def test_sets_sorted_by_class_are_divided_at_random():
    """Else the floor would compare one class with another."""
    real = np.repeat([[0.0, 0.0], [50.0, 0.0]], 100, axis=0)
    real += RNG.normal(size=real.shape)
    comparison = metrics.compare_samples(real, real, as_they_are)
    assert comparison.floors["coverage"] > 0.9
    assert comparison.scores["coverage"] > 0.9


def test_images_go_through_the_network():
    layers = [keras.Input((2, 2, 1)), keras.layers.Flatten()]
    network = keras.Sequential(layers, name="pixels")
    real, generated = RNG.uniform(size=(2, 60, 2, 2, 1)).astype(np.float32)
    batches = (generated[start : start + 25] for start in range(0, 60, 25))
    comparison = metrics.compare_samples(real, batches, network, batch_size=20)
    assert comparison.feature_network == "pixels"
    pixels = real.reshape(60, 4), generated.reshape(60, 4)
    expected = metrics.compare_samples(*pixels, as_they_are)
    assert comparison.scores == expected.scores
    assert comparison.floors == expected.floors


def test_few_samples_are_noted_and_have_no_extrapolation():
    real, generated = RNG.normal(size=(2, 40, 20))
    with pytest.warns(UserWarning, match="20 samples of 20 features"):
        comparison = metrics.compare_samples(real, generated, as_they_are)
    assert "frechet_distance_infinity" not in comparison.scores
    assert "frechet_distance_error" not in comparison.floors


def test_objects_that_are_called_are_named_by_their_class():
    class Network:
        def __call__(self, images):
            return images

    x = RNG.normal(size=(40, 2))
    assert metrics.compare_samples(x, x, Network()).feature_network == "Network"
