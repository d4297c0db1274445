"""DCGAN's networks: sizes, normalisation, labels, options, export."""

import keras
import numpy as np
import pytest

from tfgen.networks import build_dcgan_discriminator, build_dcgan_generator
from tfgen.networks.grids import upsample

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
        ((48, 32, 1), (6, 4), [16, 8, 4]),
        ((20, 44, 1), (5, 11), [8, 4]),
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
    start = start if isinstance(start, tuple) else (start, start)
    assert [layer.input.shape[1:3] for layer in growing] == [
        tuple(2**i * side for side in start) for i in range(len(widths))
    ]
    shrinking = layers_of(discriminator, keras.layers.Conv2D)
    assert [layer.filters for layer in shrinking] == widths[::-1]
    assert shrinking[-1].output.shape[1:3] == start
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
    "shape", [(28, 30, 1), (30, 30, 1), (4, 4, 1), (7, 7, 3), (2, 2, 1), (0, 0, 1)]
)
def test_other_sizes_are_refused(shape):
    message = rf"power of 2 times a grid.*4 to 7.*\({shape[0]}, {shape[1]}"
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


# ---- Upsampling and labels -----------------------------------------------------------


def test_upsampling_is_checked():
    with pytest.raises(ValueError, match=r"`upsampling` must be one of.*'nearest'"):
        build_dcgan_generator(LATENT_DIM, (8, 8, 1), upsampling="nearest")


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_a_constant_grid_becomes_a_constant_grid_by_interpolation_alone(upsampling):
    """Of a transposed convolution each of the 2x2 phases has weights of its own."""
    features = keras.Input((6, 6, 3))
    network = keras.Model(features, upsample(features, 2, upsampling))
    outputs = network(np.ones((1, 6, 6, 3), "float32")).numpy()[0, 3:-3, 3:-3]
    spread = float(outputs.std(axis=(0, 1)).max())
    assert (spread < 1e-6) is (upsampling == "bilinear")


@pytest.mark.parametrize("conditioning", ["latents", "normalization"])
def test_conditioning(conditioning):
    """By normalisation: scale and shift of a class, after the batch's statistics."""
    network = build_dcgan_generator(
        LATENT_DIM, (8, 8, 1), filters=4, num_classes=3, conditioning=conditioning
    )
    dense = layers_of(network, keras.layers.Dense)
    norms = layers_of(network, keras.layers.BatchNormalization)
    if conditioning == "latents":
        assert [layer.kernel.shape[0] for layer in dense] == [LATENT_DIM + 3]
        assert norms[0].gamma is not None
        return
    first, scale, shift = dense
    assert first.kernel.shape[0] == LATENT_DIM
    scale.set_weights([RNG.normal(size=(3, 4))])
    shift.set_weights([RNG.normal(size=(3, 4))])
    (relu,) = layers_of(network, keras.layers.ReLU)
    features = keras.Model(network.inputs, [norms[0].input, relu.input])
    labels = np.array([2, 0, 2], "int32")
    raw, found = features([latents_of(), labels], training=True)
    raw = raw.numpy()
    normalized = (raw - raw.mean((0, 1, 2))) / np.sqrt(raw.var((0, 1, 2)) + 1e-5)
    gain, bias = (w.kernel.numpy()[labels][:, None, None] for w in (scale, shift))
    np.testing.assert_allclose(found, gain * normalized + bias, rtol=1e-4, atol=1e-4)


def test_other_conditionings_are_refused():
    with pytest.raises(ValueError, match=r"`conditioning` must be one of.*'film'"):
        build_dcgan_generator(5, (8, 8, 1), num_classes=2, conditioning="film")
