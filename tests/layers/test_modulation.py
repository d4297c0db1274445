"""Layers of a style generator: against a convolution a sample, limits, closed forms."""

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from tfgen.layers import (
    LearnedConstant,
    ModulatedConv2D,
    PixelNoise,
    StyleTruncation,
)

RNG = np.random.default_rng(0)
SQUARE = (6, 5, 3)  # of features


def normal(*shape, scale=1.0):
    return scale * RNG.normal(size=shape).astype("float32")


def reference(features, styles, kernel, bias, demodulate, gain):
    """Equations 1 to 3 of the paper: a kernel for each example."""
    outputs = []
    for x, style in zip(features.astype("float64"), styles, strict=True):
        own = style[:, np.newaxis] * kernel
        if demodulate:
            own = own / np.sqrt(np.square(own).sum(axis=(0, 1, 2)) + 1e-8)
        channels = [
            sum(
                scipy.signal.correlate2d(x[..., i], own[..., i, j], mode="same")
                for i in range(x.shape[-1])
            )
            for j in range(own.shape[-1])
        ]
        outputs.append(gain * np.stack(channels, axis=-1) + bias)
    return np.stack(outputs)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("size", [1, 3])
def test_modulated_convolution_is_one_of_each_sample_s_kernel(demodulate, size):
    layer = ModulatedConv2D(4, size, demodulate=demodulate, gain=1.5)
    features, styles = normal(3, *SQUARE), 1.0 + normal(3, SQUARE[-1])
    outputs = layer([features, styles])
    layer.bias.assign(normal(4))
    outputs = layer([features, styles])
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    expected = reference(features, styles, kernel, bias, demodulate, 1.5)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


def test_features_of_all_examples_are_styled_apart():
    layer = ModulatedConv2D(4)
    features, styles = normal(1, *SQUARE), 1.0 + normal(3, SQUARE[-1])
    repeated = np.repeat(features, 3, axis=0)
    expected = layer([repeated, styles])
    np.testing.assert_allclose(layer([features, styles]), expected, atol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 2.0**0.5])
def test_demodulated_results_have_the_variance_of_the_features(gain):
    """1 for independent features of variance 1, whatever styles and kernel are."""
    layer = ModulatedConv2D(5, gain=gain)
    styles = np.array([[0.1, 3.0, -2.0, 7.0]] * 2, "float32")
    features = normal(2, 80, 80, 4)
    layer([features, styles])
    layer.kernel.assign(40.0 * layer.kernel)
    inside = layer([features, styles]).numpy()[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inside.std(axis=(0, 1, 2)), gain, rtol=0.04)


def test_squares_of_large_styles_fit_into_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    layer = ModulatedConv2D(4)
    outputs = layer([normal(2, *SQUARE), np.full((2, SQUARE[-1]), 1e3, "float32")])
    assert outputs.dtype == tf.float16
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() > 0.1  # squares above 65504 would have made it 0


def test_a_style_of_another_width_is_refused():
    with pytest.raises(ValueError, match="a number a channel"):
        ModulatedConv2D(4)([keras.Input((4, 4, 3)), keras.Input((2,))])


def test_a_constant_is_the_same_whatever_comes_in():
    layer = LearnedConstant((40, 30, 2))
    one = layer(normal(3, 4)).numpy()
    assert one.shape == (1, 40, 30, 2)
    np.testing.assert_array_equal(layer(normal(5, 4)), one)
    assert abs(one.std() - 1.0) < 0.05
    assert layer(keras.Input((4,))).shape == (1, 40, 30, 2)


def test_noise_is_scaled_by_a_weight_that_starts_at_0():
    layer, features, noise = PixelNoise(start=4), normal(2, *SQUARE), normal(2, 40)
    np.testing.assert_array_equal(layer([features, noise]), features)
    np.testing.assert_array_equal(layer([features, None]), features)
    layer.scale.assign(0.5)
    added = (layer([features, noise]) - features).numpy()
    expected = 0.5 * noise[:, 4:34].reshape(2, 6, 5, 1)
    np.testing.assert_allclose(added, np.repeat(expected, 3, axis=-1), atol=1e-6)
    with pytest.raises(ValueError, match="34 columns or more"):
        layer([keras.Input(SQUARE), keras.Input((33,))])


def test_truncation_moves_styles_towards_their_mean():
    layer, styles = StyleTruncation(), normal(3, 4)
    layer([styles, None])
    layer.mean.assign(normal(4))
    for truncation in (0.0, 0.3, 1.0):
        shares = np.full((3, 1), truncation, "float32")
        moved = layer([styles, shares])
        expected = layer.mean + truncation * (styles - layer.mean)
        np.testing.assert_allclose(moved, expected, atol=1e-6)
    np.testing.assert_array_equal(layer([styles, None]), styles)


def test_the_mean_of_styles_is_a_moving_average_of_training():
    layer, batches = StyleTruncation(decay=0.8), normal(3, 5, 4)
    layer([batches[0], None])
    np.testing.assert_array_equal(layer.mean, np.zeros(4))
    expected = np.zeros(4)
    for styles in batches:
        np.testing.assert_array_equal(layer([styles, None], training=True), styles)
        expected = 0.8 * expected + 0.2 * styles.mean(axis=0)
    np.testing.assert_allclose(layer.mean, expected, atol=1e-6)
    layer([np.zeros((0, 4), "float32"), None], training=True)
    assert np.isfinite(layer.mean).all()
