"""MS-SSIM against TensorFlow's; charged likelihoods by hand; gradients, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small
from tfgen.distributions import Gaussian, MultiScaleSimilarity, Perceptual
from tfgen.distributions.perceptual import random_features
from tfgen.distributions.similarity import _SCALE_WEIGHTS, ms_ssim

RNG = np.random.default_rng(0)


def pairs(shape, count=4):
    images = RNG.uniform(size=(count, *shape)).astype("float32")
    images = tf.nn.avg_pool2d(images, 3, 1, "SAME").numpy()
    noise = np.array([0.0, 0.05, 0.2, 1.0], "float32").reshape(-1, 1, 1, 1)
    others = images + noise * RNG.normal(size=images.shape)
    return images, np.clip(others, 0, 1).astype("float32")


@pytest.mark.parametrize(
    ("shape", "num_scales"), [((28, 28, 1), 2), ((64, 48, 3), 3), ((176, 176, 1), 5)]
)
def test_ms_ssim_is_that_of_tensorflow(shape, num_scales):
    images, others = pairs(shape)
    weights = _SCALE_WEIGHTS[:num_scales]
    powers = [weight / sum(weights) for weight in weights]
    expected = tf.image.ssim_multiscale(images, others, 1.0, powers)
    values = ms_ssim(tf.constant(images), tf.constant(others))
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-3)
    assert float(values[0]) == pytest.approx(1.0, abs=1e-5)


def features():
    keras.utils.set_random_seed(0)
    images = keras.Input((16, 16, 1))
    first = keras.layers.Conv2D(3, 3, activation="relu")(images)
    return keras.Model(images, [first, keras.layers.Conv2D(2, 3)(first)])


@pytest.mark.parametrize("kind", ["structure", "features"])
def test_log_prob_is_that_of_pixels_less_the_distance(kind):
    network = features()
    likelihoods = {
        "structure": MultiScaleSimilarity(weight=2.0, scale=0.5),
        "features": Perceptual(network, weight=2.0, scale=0.5),
    }
    likelihood = likelihoods[kind]
    assert not likelihood.trainable_variables
    images = small.images(3, (16, 16, 1))
    outputs = tf.constant(RNG.uniform(size=(2, 3, 16, 16, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        values = likelihood.distribution(outputs).log_prob(images)
    pixels = Gaussian(0.5).distribution(outputs)
    for sample in range(2):
        if kind == "structure":
            distance = 1.0 - ms_ssim(tf.constant(images), outputs[sample])
        else:
            both = zip(network(images), network(outputs[sample]), strict=True)
            distance = sum(np.mean((a - b) ** 2, axis=(1, 2, 3)) for a, b in both)
        expected = pixels.log_prob(images)[sample] - 2.0 * 256 * distance
        np.testing.assert_allclose(values[sample], expected, rtol=1e-4)
    assert np.isfinite(tape.gradient(values, outputs)).all()
    np.testing.assert_array_equal(likelihood.distribution(outputs).mean(), outputs)
    copy = type(likelihood).from_config(likelihood.get_config())
    copy.set_weights(likelihood.get_weights())
    np.testing.assert_allclose(copy.distribution(outputs).log_prob(images), values)


def test_gradients_of_images_without_likeness_are_finite():
    images = tf.constant(small.images(2, (16, 16, 1)))
    others = tf.Variable(1.0 - images)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(ms_ssim(images, others))
    assert np.isfinite(tape.gradient(value, others)).all()


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="needs images of 11 pixels"):
        ms_ssim(tf.zeros((1, 8, 8, 1)), tf.zeros((1, 8, 8, 1)))


def test_random_features_are_those_of_a_seed():
    images = small.images(2, (16, 16, 1))
    network = random_features((16, 16, 1))
    assert [x.shape for x in network(images)] == [
        (2, 16, 16, 16),
        (2, 8, 8, 32),
        (2, 4, 4, 64),
    ]
    kernel = network.get_weights()[0][..., 0]
    signed = np.pad(2.0 * images[0, ..., 0] - 1.0, 1)
    expected = np.maximum((signed[4:7, 6:9, None] * kernel).sum(), 0.0)
    assert float(network(images)[0][0, 4, 6, 0]) == pytest.approx(expected, abs=1e-6)
    twin = random_features((16, 16, 1))
    for one, other in zip(network(images), twin(images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_by_default_is_not_in_the_configuration_but_in_the_weights():
    likelihood = Perceptual()
    likelihood.build_for(3, (16, 16, 1))
    assert [w.name for w in likelihood.trainable_variables] == ["raw_scale"]
    assert likelihood.get_config()["network"] is None
    copy = Perceptual.from_config(likelihood.get_config())
    copy.build_for(3, (16, 16, 1))
    assert len(copy.weights) == len(likelihood.weights) == 1 + 3
    images = tf.constant(small.images(2, (16, 16, 1)))
    value = likelihood.distance(images, 1.0 - images)
    np.testing.assert_array_equal(copy.distance(images, 1.0 - images), value)


def test_a_network_of_other_images_is_refused():
    with pytest.raises(
        ValueError, match=r"must take images \(8, 8, 1\).*\(16, 16, 1\)"
    ):
        Perceptual(features()).build_for(3, (8, 8, 1))
