"""DCGAN's networks: sizes, normalisation, labels, options, export."""

import keras
import numpy as np
import pytest

from tfgen.networks import build_dcgan_discriminator, build_dcgan_generator

RNG = np.random.default_rng(0)
LATENT_DIM = 5


def latents_of(count=3, scale=1.0):
    return scale * RNG.normal(size=(count, LATENT_DIM)).astype("float32")


def images_of(shape, count=3):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


@pytest.mark.parametrize(
    ("shape", "start", "widths"),
    [
        ((28, 28, 1), 7, [8, 4]),
        ((32, 32, 3), 4, [16, 8, 4]),
        ((64, 64, 3), 4, [32, 16, 8, 4]),
        ((128, 128, 1), 4, [64, 32, 16, 8, 4]),
    ],
)
def test_stages(shape, start, widths):
    generator = build_dcgan_generator(LATENT_DIM, shape, filters=4)
    discriminator = build_dcgan_discriminator(shape, filters=4)
    images = generator(latents_of())
    assert images.shape == (3, *shape)
    assert discriminator(images).shape == (3, 1)
    growing = layers_of(generator, keras.layers.Conv2DTranspose)
    assert [layer.input.shape[-1] for layer in growing] == widths
    assert [layer.input.shape[1] for layer in growing] == [
        start * 2**i for i in range(len(widths))
    ]
    shrinking = layers_of(discriminator, keras.layers.Conv2D)
    assert [layer.filters for layer in shrinking] == widths[::-1]
    assert shrinking[-1].output.shape[1:3] == (start, start)
    # Batch normalisation: on all but the first and the last stage of each.
    assert len(layers_of(generator, keras.layers.BatchNormalization)) == len(widths)
    found = layers_of(discriminator, keras.layers.BatchNormalization)
    assert len(found) == len(widths) - 1


def test_layer_normalisation_is_of_whole_images():
    network = build_dcgan_discriminator((16, 16, 1), filters=4, normalization="layer")
    (normalised,) = layers_of(network, keras.layers.LayerNormalization)
    features = keras.Model(network.inputs, normalised.output)(images_of((16, 16, 1)))
    np.testing.assert_allclose(np.mean(features, axis=(1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.std(features, axis=(1, 2, 3)), 1.0, atol=1e-2)


@pytest.mark.parametrize(
    "shape", [(28, 32, 1), (30, 30, 1), (4, 4, 1), (7, 7, 3), (2, 2, 1), (0, 0, 1)]
)
def test_other_sizes_are_refused(shape):
    message = rf"square.*4 or 7 times a power of 2.*\({shape[0]}, {shape[1]}"
    with pytest.raises(ValueError, match=message):
        build_dcgan_generator(LATENT_DIM, shape)
    with pytest.raises(ValueError, match=message):
        build_dcgan_discriminator(shape)


def test_projection_is_the_inner_product_with_the_class_s_vector():
    """Miyato & Koyama, eq. 3: `psi(features) + <v_y, features>`."""
    network = build_dcgan_discriminator(
        (8, 8, 1), filters=4, normalization=None, num_classes=3
    )
    (flat,) = layers_of(network, keras.layers.Flatten)
    both = layers_of(network, keras.layers.Dense)
    dense, embedding = sorted(both, key=lambda layer: layer.units)  # 1 and many
    images, labels = images_of((8, 8, 1)), np.array([2, 0, 1], "int32")
    features = keras.Model(network.inputs[0], flat.output)(images).numpy()
    kernel, bias = dense.get_weights()
    vectors = embedding.get_weights()[0][labels]
    expected = features @ kernel + bias + np.sum(vectors * features, 1, keepdims=True)
    np.testing.assert_allclose(network([images, labels]), expected, atol=1e-5)
