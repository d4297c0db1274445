"""Multi-layer perceptrons: shapes, options, round trips."""

import keras
import numpy as np
import pytest

from tfgen.networks import build_mlp_decoder, build_mlp_encoder

RNG = np.random.default_rng(0)


def images_of(shape, count=3):
    return RNG.uniform(size=(count, *shape)).astype("float32")


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (1, 1, 1), (28, 28, 1)])
def test_shapes(shape):
    encoder = build_mlp_encoder(shape, 6, hidden_units=(4,))
    decoder = build_mlp_decoder(3, shape, hidden_units=(4,))
    assert encoder.input_shape == (None, *shape)
    assert encoder(images_of(shape)).shape == (3, 6)
    assert decoder.input_shape == (None, 3)
    assert decoder(np.zeros((2, 3), "float32")).shape == (2, *shape)


@pytest.mark.parametrize("build", [build_mlp_encoder, build_mlp_decoder])
def test_hidden_units_and_activation(build):
    args = ((4, 4, 1), 2) if build is build_mlp_encoder else (2, (4, 4, 1))
    model = build(*args, hidden_units=(7, 5, 3), activation="tanh")
    dense = [la for la in model.layers if isinstance(la, keras.layers.Dense)]
    assert [layer.units for layer in dense[:-1]] == [7, 5, 3]
    assert {layer.activation.__name__ for layer in dense[:-1]} == {"tanh"}
    assert dense[-1].activation.__name__ == "linear"


def test_without_hidden_units_it_is_affine():
    encoder = build_mlp_encoder((2, 3, 1), 4, hidden_units=())
    kernel, bias = encoder.get_weights()
    images = images_of((2, 3, 1))
    expected = images.reshape(3, 6) @ kernel + bias
    np.testing.assert_allclose(encoder(images), expected, rtol=1e-5, atol=1e-6)
    decoder = build_mlp_decoder(4, (2, 3, 1), hidden_units=())
    kernel, bias = decoder.get_weights()
    latents = RNG.normal(size=(3, 4)).astype("float32")
    expected = (latents @ kernel + bias).reshape(3, 2, 3, 1)
    np.testing.assert_allclose(decoder(latents), expected, rtol=1e-5, atol=1e-6)


def test_outputs_are_not_squashed():
    encoder = build_mlp_encoder((4, 4, 1), 6, hidden_units=(8,))
    decoder = build_mlp_decoder(3, (4, 4, 1), hidden_units=(8,))
    for outputs in (
        encoder(100 * images_of((4, 4, 1))).numpy(),
        decoder(100 * RNG.normal(size=(8, 3)).astype("float32")).numpy(),
    ):
        assert outputs.max() > 2.0
        assert outputs.min() < -2.0


@pytest.mark.parametrize("hidden_units", [(), (8,)])
def test_labels_are_one_hot_inputs(hidden_units):
    build = {"hidden_units": hidden_units, "num_classes": 3}
    encoder = build_mlp_encoder((4, 4, 1), 6, **build)
    decoder = build_mlp_decoder(2, (4, 4, 1), **build)
    inputs = (np.repeat(images_of((4, 4, 1), 1), 3, 0), np.ones((3, 2), "float32"))
    for network, features in zip((encoder, decoder), inputs, strict=True):
        assert [i.name for i in network.inputs][1] == "labels"
        assert network.inputs[1].dtype == "int32"
        assert network.inputs[1].shape == (None,)
        outputs = network([features, np.array([0, 1, 2], "int32")]).numpy()
        for one, other in ((0, 1), (1, 2), (0, 2)):
            assert np.abs(outputs[one] - outputs[other]).max() > 1e-3


@pytest.mark.parametrize("num_classes", [None, 3])
def test_config_round_trip(num_classes):
    for network, inputs in (
        (
            build_mlp_encoder(
                (4, 4, 1),
                6,
                hidden_units=(8,),
                activation="elu",
                num_classes=num_classes,
            ),
            images_of((4, 4, 1)),
        ),
        (
            build_mlp_decoder(
                2,
                (4, 4, 1),
                hidden_units=(8,),
                activation="elu",
                num_classes=num_classes,
            ),
            np.ones((3, 2)),
        ),
    ):
        clone = keras.Model.from_config(network.get_config())
        clone.set_weights(network.get_weights())
        if num_classes is not None:
            inputs = [inputs, np.array([0, 1, 2], "int32")]
        np.testing.assert_array_equal(clone(inputs), network(inputs))
        assert clone.name == network.name
