"""CycleGAN's generator: grids, padding, weights, open sizes, the edge."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import InstanceNormalization, ReflectionPadding2D
from tfgen.networks import build_resnet_generator

RNG = np.random.default_rng(0)


def images_of(shape, count=2):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


def test_a_flat_image_stays_flat_where_it_is_interpolated():
    """Of a transposed convolution each of the 2x2 phases has weights of its own."""
    spreads = {}
    for upsampling in ("transposed", "bilinear"):
        network = build_resnet_generator(
            (64, 64, 1), filters=4, num_blocks=0, upsampling=upsampling
        )
        outputs = network(np.full((1, 64, 64, 1), 0.5, "float32")).numpy()
        spreads[upsampling] = outputs[0, 24:40, 24:40].std() / outputs.std()
    assert spreads["bilinear"] < 1e-3 < 1e-1 < spreads["transposed"]
    with pytest.raises(ValueError, match=r"`upsampling` must be one of.*'nearest'"):
        build_resnet_generator((8, 8, 1), upsampling="nearest")


@pytest.mark.parametrize("padding", ["reflect", "zero"])
@pytest.mark.parametrize(
    ("shape", "num_blocks", "output_channels"),
    [((32, 32, 3), 3, None), ((24, 40, 1), 0, 3), ((8, 8, 2), 1, 1)],
)
def test_grids(shape, num_blocks, output_channels, padding):
    network = build_resnet_generator(
        shape,
        filters=2,
        num_blocks=num_blocks,
        output_channels=output_channels,
        padding=padding,
    )
    channels = output_channels or shape[-1]
    assert network(images_of(shape)).shape == (2, *shape[:2], channels)
    assert [i.name for i in network.inputs] == ["images"]
    down = layers_of(network, keras.layers.Conv2D)
    up = layers_of(network, keras.layers.Conv2DTranspose)
    height = shape[0]
    expected = [
        (2, (7, 7), (1, 1), height),
        (4, (3, 3), (2, 2), height // 2),
        (8, (3, 3), (2, 2), height // 4),
        *[(8, (3, 3), (1, 1), height // 4)] * (2 * num_blocks),
        (channels, (7, 7), (1, 1), height),
    ]
    found = [
        (la.filters, la.kernel_size, la.strides, la.output.shape[1]) for la in down
    ]
    assert found == expected
    found = [(la.filters, la.kernel_size, la.strides, la.output.shape[1]) for la in up]
    assert found == [
        (4, (3, 3), (2, 2), height // 2),
        (2, (3, 3), (2, 2), height),
    ]
    assert len(layers_of(network, keras.layers.Add)) == num_blocks
    assert len(layers_of(network, InstanceNormalization)) == 5 + 2 * num_blocks
    # None after the sum of a block, as in the reference.
    assert len(layers_of(network, keras.layers.ReLU)) == 5 + num_blocks
    pads = [layer.padding for layer in layers_of(network, ReflectionPadding2D)]
    expected = [3, *[1] * (2 * num_blocks), 3] if padding == "reflect" else []
    assert pads == expected


@pytest.mark.parametrize(("num_blocks", "reference"), [(9, 11378179), (6, 7837699)])
def test_weights_are_as_many_as_in_the_reference(num_blocks, reference):
    """The authors' resnet_9blocks, 11.378 M, and resnet_6blocks, 7.838 M.

    Their instance normalisation has no weights, so their convolutions have a bias each;
    here it has two weights a channel and they have none: one more a channel.
    """
    conv = {"7x7": 49 * 3 * 64, "d128": 9 * 64 * 128, "d256": 9 * 128 * 256}
    conv["blocks"] = 2 * num_blocks * 9 * 256 * 256
    normalized = 64 + 128 + 256 + 2 * num_blocks * 256 + 128 + 64
    kernels = sum(conv.values()) + conv["d256"] + conv["d128"] + conv["7x7"]
    assert kernels + normalized + 3 == reference
    network = build_resnet_generator((None, None, 3), num_blocks=num_blocks)
    assert network.count_params() == reference + normalized


def test_blocks_are_residual():
    """With its second normalisation at 0, a block passes on what it was given."""
    network = build_resnet_generator(
        (16, 16, 3), filters=4, num_blocks=1, initial_stddev=0.2
    )
    total = layers_of(network, keras.layers.Add)[0]
    inner = keras.Model(network.inputs[0], [*total.input, total.output])
    images = images_of((16, 16, 3))
    shortcut, residual, outputs = inner(images)
    np.testing.assert_allclose(outputs, shortcut + residual, atol=1e-6)
    assert np.min(shortcut) == 0.0  # after ReLU
    assert np.min(residual) < -0.5  # not after ReLU
    layers_of(network, InstanceNormalization)[4].gamma.assign(np.zeros(16))
    shortcut, _, outputs = inner(images)
    np.testing.assert_array_equal(outputs, shortcut)


def test_padding_differs_at_the_edges_alone():
    """Reflected and zero-padded, with equal weights and without normalisation."""
    size = 64
    networks = [
        build_resnet_generator(
            (size, size, 1),
            filters=4,
            num_blocks=1,
            output_channels=None,
            normalization=None,
            padding=padding,
            initial_stddev=0.2,
        )
        for padding in ("reflect", "zero")
    ]
    networks[1].set_weights(networks[0].get_weights())
    images = images_of((size, size, 1))
    one, other = (network(images).numpy() for network in networks)
    assert abs(one - other)[:, :8, :8].max() > 1e-2
    np.testing.assert_allclose(
        one[:, 24:-24, 24:-24], other[:, 24:-24, 24:-24], atol=1e-6
    )


def test_open_sizes_give_what_fixed_sizes_give():
    network = build_resnet_generator((None, None, 3), filters=2, num_blocks=1)
    assert network.output_shape == (None, None, None, 3)
    traced = tf.function(
        network, input_signature=[tf.TensorSpec((None, None, None, 3))]
    )
    for shape in ((16, 16, 3), (8, 20, 3)):
        fixed = build_resnet_generator(shape, filters=2, num_blocks=1)
        fixed.set_weights(network.get_weights())
        images = images_of(shape)
        expected = fixed(images)
        np.testing.assert_allclose(network(images), expected, atol=1e-6)
        np.testing.assert_allclose(traced(images), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(30, 32, 3), (32, 30, 3), (None, 6, 3), (4, 8, 3)])
def test_other_sizes_are_refused(shape):
    message = rf"^Height and width.*by 4.*least 8.*\({shape[0]}, {shape[1]}, 3\).*$"
    with pytest.raises(ValueError, match=message):
        build_resnet_generator(shape)


def test_four_pixels_can_be_padded_with_zeros():
    network = build_resnet_generator((4, 4, 3), filters=2, num_blocks=1, padding="zero")
    assert network(images_of((4, 4, 3))).shape == (2, 4, 4, 3)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="'instance', 'batch', None"):
        build_resnet_generator((32, 32, 3), normalization="layer")
    with pytest.raises(ValueError, match="`padding` must be 'reflect' or 'zero'"):
        build_resnet_generator((32, 32, 3), padding="same")
