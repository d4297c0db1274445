"""Reflection padding against NumPy, its gradient against TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import ReflectionPadding2D

RNG = np.random.default_rng(0)
CASES = [((6, 9, 3), 1), ((6, 9, 3), 3), ((4, 4, 1), 3), ((2, 5, 2), 1)]


def images_of(shape, count=2):
    return RNG.normal(size=(count, *shape)).astype("float32")


def paddings(padding):
    return [(0, 0), (padding, padding), (padding, padding), (0, 0)]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("shape", "padding"), CASES)
def test_against_numpy(shape, padding, dtype):
    images = tf.cast(images_of(shape), dtype)
    layer = ReflectionPadding2D(padding, dtype=dtype)
    found = layer(images)
    expected = np.pad(tf.cast(images, tf.float32), paddings(padding), mode="reflect")
    assert found.dtype == dtype
    np.testing.assert_array_equal(tf.cast(found, tf.float32), expected)
    assert layer.compute_output_shape((None, *shape)) == (None, *found.shape[1:])


@pytest.mark.parametrize("padding", [1, 2])
def test_open_sizes(padding):
    network = keras.Sequential(
        [keras.Input((None, None, 3)), ReflectionPadding2D(padding)]
    )
    assert network.output_shape == (None, None, None, 3)
    padded = tf.function(network, input_signature=[tf.TensorSpec((None,) * 3 + (3,))])
    for shape in ((5, 6, 3), (8, 3, 3)):
        images = images_of(shape)
        expected = np.pad(images, paddings(padding), mode="reflect")
        np.testing.assert_array_equal(padded(images), expected)
        np.testing.assert_array_equal(network(images), expected)


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize(("shape", "padding"), CASES)
def test_gradients_are_those_of_tf_pad(shape, padding, traced):
    """Of the first order, and of the second (for gradient penalties)."""
    images = tf.constant(images_of(shape))
    layer = ReflectionPadding2D(padding)
    upstream = RNG.normal(size=layer.compute_output_shape(images.shape))
    upstream = tf.constant(upstream, tf.float32)

    def gradients(pad):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                loss = tf.reduce_sum(upstream * pad(images) ** 3)
            first = inner.gradient(loss, images)
            penalty = tf.reduce_sum(first**2)
        return first, outer.gradient(penalty, images)

    if traced:
        gradients = tf.function(gradients)
    expected = gradients(lambda x: tf.pad(x, paddings(padding), "REFLECT"))
    for found, other in zip(gradients(layer), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [(3, 8, 1), (8, 3, 1), (2, 8, 1)])
def test_too_small_images_are_refused_in_one_line(shape):
    message = rf"`padding` must be less.*padding=3 for \({shape[0]}, {shape[1]}\)"
    for images in (keras.Input(shape), images_of(shape)):
        with pytest.raises(ValueError, match=f"^{message}$"):
            ReflectionPadding2D(3)(images)
    layer = ReflectionPadding2D(3)
    layer(images_of((8, 8, 1)))
    with pytest.raises(ValueError, match=message):  # Keras adds its own lines
        layer(images_of(shape))


@pytest.mark.parametrize("padding", [0, 1.5, (1, 2)])
def test_other_paddings_are_refused(padding):
    with pytest.raises(ValueError, match="`padding` must be an integer"):
        ReflectionPadding2D(padding)


def test_saving(tmp_path):
    network = keras.Sequential([keras.Input((6, 6, 3)), ReflectionPadding2D(2)])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    images = images_of((6, 6, 3))
    np.testing.assert_array_equal(loaded(images), network(images))
