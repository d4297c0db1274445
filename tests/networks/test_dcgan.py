"""DCGAN's networks: sizes, normalisation, labels, options, export."""

import keras
import numpy as np
import pytest

from tfgen.layers import SpectralNormalization
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


def test_images_fill_the_range_and_never_leave_it():
    generator = build_dcgan_generator(LATENT_DIM, (28, 28, 1), filters=4)
    images = generator(latents_of(16, scale=1000.0)).numpy()
    assert -1.0 <= images.min() < -0.9
    assert 0.9 < images.max() <= 1.0


def test_logits_are_not_squashed():
    discriminator = build_dcgan_discriminator((8, 8, 1), filters=4, normalization=None)
    logits = discriminator(1000 * images_of((8, 8, 1), 32)).numpy()
    assert logits.min() < -2.0
    assert logits.max() > 2.0


@pytest.mark.parametrize(
    ("normalization", "kind", "count"),
    [
        ("batch", keras.layers.BatchNormalization, 2),
        ("layer", keras.layers.LayerNormalization, 2),
        ("spectral", SpectralNormalization, 4),
        (None, keras.layers.BatchNormalization, 0),
    ],
)
def test_normalization(normalization, kind, count):
    network = build_dcgan_discriminator(
        (32, 32, 1), filters=4, normalization=normalization
    )
    kinds = (
        keras.layers.BatchNormalization,
        keras.layers.LayerNormalization,
        SpectralNormalization,
    )
    found = [layer for layer in network.layers if isinstance(layer, kinds)]
    assert all(type(layer) is kind for layer in found)
    assert len(found) == count


@pytest.mark.parametrize("normalization", ["layer", "spectral", None])
def test_images_do_not_mix_without_batch_normalisation(normalization):
    network = build_dcgan_discriminator(
        (8, 8, 1), filters=4, normalization=normalization
    )
    images = images_of((8, 8, 1), 4)
    images[2:] *= 5.0
    network(images, training=True)  # settles the spectral vectors' kernels
    whole = network(images).numpy()
    np.testing.assert_allclose(network(images[:1]), whole[:1], atol=1e-5)


def test_layer_normalisation_is_of_whole_images():
    network = build_dcgan_discriminator((16, 16, 1), filters=4, normalization="layer")
    (normalised,) = layers_of(network, keras.layers.LayerNormalization)
    features = keras.Model(network.inputs, normalised.output)(images_of((16, 16, 1)))
    np.testing.assert_allclose(np.mean(features, axis=(1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.std(features, axis=(1, 2, 3)), 1.0, atol=1e-2)


def test_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match=r"`normalization`.*'batch'.*'instance'"):
        build_dcgan_discriminator((28, 28, 1), normalization="group")


@pytest.mark.parametrize(
    "shape", [(28, 32, 1), (30, 30, 1), (4, 4, 1), (7, 7, 3), (2, 2, 1), (0, 0, 1)]
)
def test_other_sizes_are_refused(shape):
    message = rf"square.*4 or 7 times a power of 2.*\({shape[0]}, {shape[1]}"
    with pytest.raises(ValueError, match=message):
        build_dcgan_generator(LATENT_DIM, shape)
    with pytest.raises(ValueError, match=message):
        build_dcgan_discriminator(shape)


@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_labels_change_images_and_logits(normalization):
    shape = (8, 8, 2)
    generator = build_dcgan_generator(LATENT_DIM, shape, filters=4, num_classes=3)
    discriminator = build_dcgan_discriminator(
        shape, filters=4, normalization=normalization, num_classes=3
    )
    labels = np.array([0, 1, 2], "int32")
    images = generator([np.repeat(latents_of(1), 3, 0), labels]).numpy()
    logits = discriminator([np.repeat(images_of(shape, 1), 3, 0), labels]).numpy()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert abs(images[one] - images[other]).max() > 1e-4
        assert abs(logits[one] - logits[other]) > 1e-4


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


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("normalization", ["batch", "layer", "spectral", None])
def test_config_round_trip(normalization, num_classes):
    network = build_dcgan_discriminator(
        (8, 8, 1), filters=4, normalization=normalization, num_classes=num_classes
    )
    clone = keras.Model.from_config(network.get_config())
    clone.set_weights(network.get_weights())
    inputs = images_of((8, 8, 1))
    if num_classes is not None:
        inputs = [inputs, np.array([0, 1, 2], "int32")]
    np.testing.assert_array_equal(clone(inputs), network(inputs))
