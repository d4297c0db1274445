"""Instance normalisation against NumPy and against Keras's group normalisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import InstanceNormalization

RNG = np.random.default_rng(0)


def images_of(shape=(3, 5, 7, 4), mean=2.0, stddev=3.0):
    return RNG.normal(mean, stddev, size=shape).astype("float32")


def with_weights(layer, channels=4):
    layer.build((None, None, None, channels))
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (0, 1)])
def test_against_numpy(epsilon, center, scale):
    layer = with_weights(InstanceNormalization(epsilon, bool(center), bool(scale)))
    assert len(layer.trainable_weights) == center + scale
    images = images_of()
    found = layer(images).numpy()
    for i, image in enumerate(images.astype(float)):
        for c in range(4):
            plane = image[..., c]
            expected = (plane - plane.mean()) / np.sqrt(plane.var() + epsilon)
            if scale:
                expected = expected * layer.gamma.numpy()[c]
            if center:
                expected = expected + layer.beta.numpy()[c]
            np.testing.assert_allclose(found[i, ..., c], expected, atol=2e-6)


def test_values_and_gradients_are_those_of_group_normalization():
    layer = with_weights(InstanceNormalization(1e-3))
    other = with_weights(keras.layers.GroupNormalization(groups=-1, epsilon=1e-3))
    other.set_weights(layer.get_weights())
    images, upstream = tf.constant(images_of()), images_of()
    results = []
    for one in (layer, other):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = one(images)
            loss = tf.reduce_sum(outputs * upstream)
        sources = [images, *(w.value for w in one.trainable_weights)]
        results.append([outputs, *tape.gradient(loss, sources)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_starts_as_zero_mean_and_unit_variance_in_training_as_in_inference():
    layer, images = InstanceNormalization(), images_of((2, 32, 32, 3))
    outputs = layer(images)
    np.testing.assert_allclose(np.mean(outputs, axis=(1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.std(outputs, axis=(1, 2)), 1.0, atol=1e-5)
    network = keras.Sequential([keras.Input((None, None, 3)), layer])
    np.testing.assert_array_equal(network(images, training=True), outputs)
    np.testing.assert_array_equal(network(images, training=False), outputs)


def test_images_do_not_mix():
    layer, images = with_weights(InstanceNormalization()), images_of()
    for i in range(3):
        np.testing.assert_allclose(
            layer(images[i : i + 1])[0], layer(images)[i], atol=1e-6
        )


def test_constant_planes_and_single_pixels_become_beta():
    layer = with_weights(InstanceNormalization())
    for images in (np.full((2, 3, 3, 4), 0.7, "float32"), images_of((2, 1, 1, 4))):
        found = layer(images)
        expected = np.broadcast_to(layer.beta, images.shape)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_large_mean_costs_little():
    layer, images = InstanceNormalization(), images_of(mean=0.0, stddev=1.0)
    shifted = layer(images + 100.0)
    np.testing.assert_allclose(shifted, layer(images), atol=1e-4)


@pytest.mark.parametrize(
    ("policy", "atol"), [("mixed_float16", 4e-3), ("mixed_bfloat16", 4e-2)]
)
def test_statistics_are_float32_under_mixed_precision(policy, atol):
    """In float16, squares of 300 overflow, and 128x128 of them cannot be summed."""
    layer = with_weights(InstanceNormalization(dtype=policy))
    assert layer.gamma.dtype == "float32"
    images = tf.cast(images_of((1, 128, 128, 4), 50.0, 300.0), layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
    assert outputs.dtype == layer.compute_dtype
    expected = with_weights(InstanceNormalization(dtype="float32"))
    expected.set_weights(layer.get_weights())
    expected = expected(tf.cast(images, tf.float32))
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), expected, atol=atol, rtol=atol
    )
    assert np.isfinite(tf.cast(tape.gradient(loss, images), tf.float32)).all()


@pytest.mark.parametrize("arguments", [{}, {"epsilon": 0.5, "center": False}])
def test_saving(arguments, tmp_path):
    layer = with_weights(InstanceNormalization(**arguments))
    network = keras.Sequential([keras.Input((None, None, 4)), layer])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    images = images_of()
    np.testing.assert_array_equal(loaded(images), network(images))
    for name in ("epsilon", "center", "scale"):
        assert getattr(loaded.layers[0], name) == getattr(layer, name)


def test_other_ranks_are_refused():
    with pytest.raises(ValueError, match="ndim=4"):
        InstanceNormalization()(np.ones((2, 3), "float32"))
