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
