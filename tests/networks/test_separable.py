"""Depthwise-separable generators: what they multiply, and what they are."""

import keras
import numpy as np
import pytest

from tfgen.layers import InstanceNormalization
from tfgen.networks import build_resnet_generator, build_unet_generator

SMALL = {"convolution": "separable", "upsampling": "bilinear"}


def count_multiplications(network):
    """Of the convolutions: each number of a kernel, at each place of the outputs."""
    return sum(
        np.prod(layer.output.shape[1:3]) * np.prod(weight.shape)
        for layer in network.layers
        for weight in layer.weights
        if weight.name.endswith("kernel")
    )


def separated(places, kernel_size, inputs, outputs):
    return places * (kernel_size**2 * inputs + inputs * outputs)


def test_a_small_residual_generator_multiplies_a_seventh():
    """CycleGAN's at 128 pixels, with 9 blocks, counted by hand."""
    n, f = 128 * 128, 64
    edges = 2 * n * 49 * 3 * f
    pairs = [(n // 4, f, 2 * f), (n // 16, 2 * f, 4 * f)]
    pairs += [(n // 16, 4 * f, 4 * f)] * 18
    pairs += [(n // 4, 4 * f, 2 * f), (n, 2 * f, f)]
    plain = edges + sum(places * 9 * i * o for places, i, o in pairs)
    small = edges + sum(separated(places, 3, i, o) for places, i, o in pairs)
    shape = (128, 128, 3)
    found = [
        count_multiplications(build_resnet_generator(shape, **arguments))
        for arguments in ({"upsampling": "bilinear"}, SMALL)
    ]
    assert found == [plain, small]
    assert 7 < plain / small < 8


def test_a_small_unet_is_plain_at_the_image_alone():
    n, f = 32 * 32, 8
    widths = [f, 2 * f, 4 * f, 8 * f, 8 * f]
    expected = n // 4 * 16 * 3 * f
    expected += sum(
        separated(n // 4 ** (s + 1), 4, widths[s - 1], widths[s]) for s in range(1, 5)
    )
    inner = [8 * f, 16 * f, 8 * f, 4 * f]  # with what is handed across
    expected += sum(
        separated(n // 4 ** (s + 1), 3, inner[3 - s], widths[s]) for s in range(4)
    )
    expected += n * 9 * (2 * f + 3) * 3
    network = build_unet_generator((32, 32, 3), filters=f, **SMALL)
    assert count_multiplications(network) == expected
    plain = [la for la in network.layers if type(la) is keras.layers.Conv2D]
    assert [layer.output.shape[-1] for layer in plain] == [f, 3]


@pytest.mark.parametrize("builder", [build_resnet_generator, build_unet_generator])
def test_normalization_stays_and_features_begin_as_large(builder):
    shape = (32, 32, 3)
    plain = builder(shape, filters=8, upsampling="bilinear")
    small = builder(shape, filters=8, **SMALL)
    counts = [
        sum(type(layer) is InstanceNormalization for layer in network.layers)
        for network in (plain, small)
    ]
    assert counts[0] == counts[1]
    separable = [la for la in small.layers if type(la) is keras.layers.SeparableConv2D]
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype("float32")
    layer = next(la for la in separable if la.input.shape[-1] == 16)
    size = layer.kernel_size[0]
    depthwise, pointwise = (w.numpy() for w in layer.weights[:2])
    spreads = [depthwise.std(), pointwise.std()]
    np.testing.assert_allclose(spreads, [1 / size, 0.02], rtol=0.2)
    # Each place by hand, of the layer alone.
    layer.strides, layer.padding = (1, 1), "valid"
    patches = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    expected = np.einsum("nhwcij,ijcx->nhwc", patches, depthwise) @ pointwise[0, 0]
    found = layer.call(images).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_names_are_refused():
    for builder in (build_resnet_generator, build_unet_generator):
        with pytest.raises(ValueError, match=r"`convolution` must be one of.*'deep'"):
            builder((32, 32, 3), convolution="deep")
