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


@pytest.mark.parametrize(
    ("shape", "filters"),
    [((28, 28, 1), (4, 4, 4)), ((6, 8, 1), (4, 4)), ((8, 6, 1), (4, 4))],
)
def test_strides_that_do_not_divide_are_explained(shape, filters):
    height, width, _ = shape
    message = (
        rf"divisible by {2 ** len(filters)}: {len(filters)} stage.*"
        rf"image_shape=\({height}, {width}, 1\).*fewer `filters`"
    )
    with pytest.raises(ValueError, match=message):
        build_conv_encoder(shape, 6, filters=filters)
    with pytest.raises(ValueError, match=message):
        build_conv_decoder(6, shape, filters=filters)


def test_no_filters_are_refused():
    with pytest.raises(ValueError, match="0 stage"):
        build_conv_decoder(6, (8, 8, 1), filters=())


def test_outputs_are_not_squashed():
    encoder = build_conv_encoder((8, 8, 1), 6)
    decoder = build_conv_decoder(3, (8, 8, 1))
    for outputs in (
        encoder(1000 * images_of((8, 8, 1))).numpy(),
        decoder(1000 * RNG.normal(size=(8, 3)).astype("float32")).numpy(),
    ):
        assert outputs.max() > 2.0
        assert outputs.min() < -2.0


def test_labels_are_one_hot_inputs():
    encoder = build_conv_encoder((8, 8, 1), 6, filters=(4,), num_classes=3)
    decoder = build_conv_decoder(2, (8, 8, 1), filters=(4,), num_classes=3)
    inputs = (np.repeat(images_of((8, 8, 1), 1), 3, 0), np.ones((3, 2), "float32"))
    for network, features in zip((encoder, decoder), inputs, strict=True):
        assert network.inputs[1].dtype == "int32"
        assert network.inputs[1].shape == (None,)
        outputs = network([features, np.array([0, 1, 2], "int32")]).numpy()
        for one, other in ((0, 1), (1, 2), (0, 2)):
            assert np.abs(outputs[one] - outputs[other]).max() > 1e-3


@pytest.mark.parametrize("num_classes", [None, 3])
def test_config_round_trip(num_classes):
    for network, inputs in (
        (
            build_conv_encoder((8, 8, 1), 6, filters=(4,), num_classes=num_classes),
            images_of((8, 8, 1)),
        ),
        (
            build_conv_decoder(2, (8, 8, 1), filters=(4,), num_classes=num_classes),
            np.ones((3, 2)),
        ),
    ):
        clone = keras.Model.from_config(network.get_config())
        clone.set_weights(network.get_weights())
        if num_classes is not None:
            inputs = [inputs, np.array([0, 1, 2], "int32")]
        np.testing.assert_array_equal(clone(inputs), network(inputs))
        assert clone.name == network.name
