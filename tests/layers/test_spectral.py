"""Spectral normalisation against NumPy's singular values and the paper's gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import SpectralNormalization


def settle(layer, inputs, calls=200):
    for _ in range(calls):
        layer(inputs, training=True)


def matrix_of(layer):
    kernel = layer.layer.kernel.numpy().astype(float)
    return kernel.reshape(-1, kernel.shape[-1])


LAYERS = {
    "dense": (lambda: keras.layers.Dense(5), (4, 7)),
    "conv": (lambda: keras.layers.Conv2D(5, 3, activation="relu"), (2, 6, 6, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_kernel_is_divided_by_its_largest_singular_value(name):
    make, shape = LAYERS[name]
    layer, inputs = SpectralNormalization(make()), tf.random.normal(shape, seed=0)
    settle(layer, inputs)
    norm = np.linalg.svd(matrix_of(layer), compute_uv=False)[0]
    np.testing.assert_allclose(
        layer.normalized_kernel(), layer.layer.kernel / norm, rtol=1e-5, atol=1e-7
    )
    expected = make()
    expected.build(shape)
    expected.set_weights([layer.layer.kernel / norm, layer.layer.bias])
    np.testing.assert_allclose(layer(inputs), expected(inputs), rtol=1e-4, atol=1e-5)


def test_the_scale_of_the_kernel_does_not_matter_and_is_left_alone():
    layer, inputs = SpectralNormalization(keras.layers.Dense(5)), tf.ones((2, 7))
    settle(layer, inputs)
    before = layer(inputs)
    layer.layer.kernel.assign(9.0 * layer.layer.kernel)
    kernel = layer.layer.kernel.numpy()
    np.testing.assert_allclose(layer(inputs, training=True), before, rtol=1e-4)
    np.testing.assert_array_equal(layer.layer.kernel, kernel)


def test_gradient_of_equation_12():
    """d/dW of <G, W/s> is (G - <G, W/s> u v^T) / s, with W as (outputs, inputs)."""
    layer, inputs = SpectralNormalization(keras.layers.Dense(5)), tf.ones((2, 7))
    settle(layer, inputs)
    layer.layer.kernel.assign(3.0 * layer.layer.kernel)
    weights = np.random.default_rng(0).normal(size=(7, 5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer.normalized_kernel() * weights.astype("float32"))
    gradient = tape.gradient(loss, layer.layer.kernel.value)
    left, norms, right = np.linalg.svd(matrix_of(layer))
    outer = np.outer(left[:, 0], right[0])
    inner = np.sum(weights * matrix_of(layer)) / norms[0]
    expected = (weights - inner * outer) / norms[0]
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)


def test_inference_moves_nothing():
    layer, inputs = SpectralNormalization(keras.layers.Dense(5)), tf.ones((2, 7))
    layer(inputs, training=True)
    before = [w.numpy() for w in layer.weights]
    layer(inputs)
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    layer(inputs, training=True)
    assert not np.array_equal(layer.vector_u, before[-1])


def test_other_layers_are_refused():
    with pytest.raises(ValueError, match="Conv2D or a Dense"):
        SpectralNormalization(keras.layers.Embedding(3, 4))


def test_saving(tmp_path):
    inputs = keras.Input((6, 6, 3))
    outputs = SpectralNormalization(keras.layers.Conv2D(4, 3))(inputs)
    network = keras.Model(inputs, outputs)
    images = tf.random.normal((2, 6, 6, 3), seed=0)
    network(images, training=True)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images), network(images))
