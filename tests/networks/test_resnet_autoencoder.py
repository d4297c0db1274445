"""Residual encoders and decoders: grids, attention, start as the identity."""

import keras
import numpy as np
import pytest

from tfgen.networks import build_resnet_decoder, build_resnet_encoder


@pytest.mark.parametrize(
    ("size", "grid"), [((28, 28), (7, 7)), ((96, 64), (12, 8)), ((128, 128), (8, 8))]
)
def test_grids_and_attention(size, grid):
    """One attention, where the shorter side is 9 to 16; codes keep their places."""
    shape = (*size, 3)
    for dim in (5, (*grid, 5)):
        encoder = build_resnet_encoder(shape, dim, filters=2)
        decoder = build_resnet_decoder(dim, shape, filters=2)
        assert encoder.output_shape[1:] == decoder.input_shape[1:]
        assert decoder.output_shape == (None, *shape)
        for network in (encoder, decoder):
            kinds = [type(layer) for layer in network.layers]
            assert kinds.count(keras.layers.Softmax) == 1


def test_blocks_start_as_the_identity():
    images = np.random.default_rng(0).uniform(size=(2, 16, 16, 2))
    plain = build_resnet_encoder((16, 16, 2), 3, filters=4, num_blocks=0)
    deep = build_resnet_encoder((16, 16, 2), 3, filters=4, num_blocks=2)
    for one, other in zip(
        outside_of_blocks(deep), outside_of_blocks(plain), strict=True
    ):
        one.set_weights(other.get_weights())
    np.testing.assert_allclose(deep(images), plain(images), rtol=1e-5)


def outside_of_blocks(network):
    """The first convolution, those of stride 2, and the last layer."""
    strided = [x for x in network.layers if getattr(x, "strides", 1) == (2, 2)]
    return [network.layers[1], *strided, network.layers[-1]]


@pytest.mark.parametrize("build", [build_resnet_encoder, build_resnet_decoder])
def test_what_does_not_fit_a_grid_is_refused(build):
    def shapes(dim):
        return ((28, 28, 1), dim) if "encoder" in build.__name__ else (dim, (28, 28, 1))

    with pytest.raises(ValueError, match="power of 2 times those of the grid"):
        build(*shapes((8, 8, 2)))
    with pytest.raises(ValueError, match="takes no labels"):
        build(*shapes((7, 7, 2)), num_classes=3)
