"""Small convolutional networks: shapes, strides, options, round trips."""

import keras
import numpy as np
import pytest

from tfgen.networks import build_conv_decoder, build_conv_encoder

RNG = np.random.default_rng(0)


def images_of(shape, count=3):
    return RNG.uniform(size=(count, *shape)).astype("float32")


@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((28, 28, 1), (4, 3)),
        ((32, 32, 3), (2, 3, 4)),
        ((8, 12, 2), (5,)),
        ((4, 4, 1), (2, 3)),
    ],
)
def test_shapes_and_filters(shape, filters):
    encoder = build_conv_encoder(shape, 6, filters=filters)
    decoder = build_conv_decoder(3, shape, filters=filters[::-1])
    assert encoder(images_of(shape)).shape == (3, 6)
    assert decoder(np.zeros((2, 3), "float32")).shape == (2, *shape)
    conv = [la for la in encoder.layers if type(la) is keras.layers.Conv2D]
    assert [layer.filters for layer in conv] == list(filters)
    sizes = [layer.output.shape[1] for layer in conv]
    assert sizes == [shape[0] // 2**i for i in range(1, len(filters) + 1)]
    deconv = [la for la in decoder.layers if type(la) is keras.layers.Conv2DTranspose]
    assert [layer.input.shape[-1] for layer in deconv] == list(filters[::-1])
    assert deconv[-1].filters == shape[-1]


def test_no_filters_are_refused():
    with pytest.raises(ValueError, match="0 stage"):
        build_conv_decoder(6, (8, 8, 1), filters=())


@pytest.mark.parametrize(
    ("size", "widths", "grid"),
    [
        ((8, 8), (4, 8), (2, 2)),
        ((28, 28), (4, 8), (7, 7)),
        ((32, 32), (4, 8), (8, 8)),
        ((96, 64), (4, 8, 16), (12, 8)),
        ((128, 128), (4, 8, 16, 32), (8, 8)),
        ((256, 256), (4, 8, 16, 32, 32), (8, 8)),
        ((100, 100), (4, 8), (25, 25)),
    ],
)
def test_depth_comes_from_the_size(size, widths, grid):
    encoder = build_conv_encoder((*size, 3), 6, filters=4)
    decoder = build_conv_decoder(6, (*size, 3), filters=4)
    shapes = [layer.output.shape[1:] for layer in layers_of(encoder)]
    assert tuple(shape[-1] for shape in shapes) == widths
    assert shapes[-1][:2] == grid
    shapes = [layer.input.shape[1:] for layer in layers_of(decoder)]
    assert tuple(shape[-1] for shape in shapes) == widths[::-1]
    assert shapes[0][:2] == grid
    assert decoder.output_shape == (None, *size, 3)


def layers_of(network):
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    return [layer for layer in network.layers if isinstance(layer, kinds)]
