"""The style generator: its grids, its noise, and what truncation leaves."""

import itertools
import math

import keras
import numpy as np
import pytest

from tfgen import latent
from tfgen.latent import unsupervised
from tfgen.layers import LearnedConstant, ModulatedConv2D, PixelNoise, StyleTruncation
from tfgen.networks import build_style_generator

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


def make(shape=(16, 16, 3), **kwargs):
    keras.utils.set_random_seed(0)
    small = {"filters": 4, "style_dim": 6, "num_mapping_layers": 2}
    return build_style_generator(5, shape, **{**small, **kwargs})


@pytest.mark.parametrize(
    ("shape", "grids"),
    [((28, 28, 1), (7, 14, 28)), ((48, 32, 3), (6, 12, 24, 48)), ((8, 8, 1), (4, 8))],
)
def test_sizes(shape, grids):
    generator = make(shape)
    assert generator([normal(2, 5), None, None]).shape == (2, *shape)
    layers = layers_of(generator, PixelNoise)
    heights = [layer.output.shape[1] for layer in layers]
    assert heights == [grids[0]] + [height for height in grids[1:] for _ in (0, 1)]


def test_weights_are_as_many_as_in_the_paper():
    """Counted by hand: a mapping, a constant, two convolutions a grid and colours."""
    w, f = 6, (16, 8, 4)
    dense = lambda i, o: i * o + o
    conv = lambda i, o, k: dense(w, i) + k * k * i * o + o
    noisy = lambda i, o: conv(i, o, 3) + 1
    total = dense(5, w) + dense(w, w) + w + 4 * 4 * f[0]
    total += noisy(f[0], f[0]) + sum(conv(width, 3, 1) for width in f)
    for one, two in itertools.pairwise(f):
        total += noisy(one, two) + noisy(two, two)
    assert make().count_params() == total
    widths = [x.filters for x in layers_of(make(max_filters=6), ModulatedConv2D)]
    assert set(widths) == {6, 4, 3}


def test_each_number_of_the_noise_is_of_one_pixel():
    generator = make()
    layers = layers_of(generator, PixelNoise)
    columns = [
        layer.start + i
        for layer in layers
        for i in range(math.prod(layer.output.shape[1:3]))
    ]
    assert columns == list(range(generator.inputs[1].shape[-1]))
    latents, noise = normal(2, 5), normal(2, len(columns))
    plain = generator([latents, None, None])
    np.testing.assert_array_equal(generator([latents, noise, None]), plain)
    for layer in layers:
        layer.scale.assign(1.0)
    assert np.abs(generator([latents, noise, None]) - plain).max() > 1e-3


def test_truncation_of_1_keeps_images_and_of_0_makes_all_the_mean_s():
    generator = make()
    (truncating,) = layers_of(generator, StyleTruncation)
    for _ in range(3):
        generator([normal(64, 5), None, None], training=True)
    latents = normal(4, 5)
    images = generator([latents, None, None]).numpy()
    ones, zeros = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    np.testing.assert_allclose(generator([latents, None, ones]), images, atol=1e-5)
    means = generator([latents, None, zeros]).numpy()
    inputs = [truncating.output, generator.inputs[1]]
    after = keras.Model(inputs, generator.output)
    expected = after([truncating.mean.numpy()[np.newaxis], None]).numpy()
    np.testing.assert_allclose(means, np.repeat(expected, 4, axis=0), atol=1e-5)
    assert np.abs(images - expected).max() > 1e-2


def test_images_depend_on_styles_alone():
    """The constant is one for all; a map of the latents scales every convolution."""
    generator = make()
    assert len(layers_of(generator, LearnedConstant)) == 1
    for layer in layers_of(generator, ModulatedConv2D):
        assert layer.demodulate == (layer.kernel_size == 3)
    images = generator([normal(2, 5), None, None]).numpy()
    assert np.abs(images[0] - images[1]).max() > 1e-3


def test_directions_are_found_in_its_latents():
    """The mapping's first layer is affine; what may be left out is left out."""
    generator = make(num_classes=3)
    dense = layers_of(generator, keras.layers.Dense)[0]
    kernel = dense.kernel.numpy()[:5]  # the rest is of the labels
    np.testing.assert_allclose(latent.first_affine_map(generator, 1), kernel, atol=1e-5)
    features = unsupervised.middle_features(generator)
    assert len(features(normal(2, 5), np.array([0, 1], "int32"))) == 2
