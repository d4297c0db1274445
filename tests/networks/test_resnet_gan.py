"""SNGAN's residual networks: sizes, spectral norms, training, replicas, export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests.contracts import dataset, two_replicas
from tests.models import small
from tfgen.layers import SpectralNormalization
from tfgen.networks import (
    build_dcgan_discriminator,
    build_dcgan_generator,
    build_resnet_gan_discriminator,
    build_resnet_gan_generator,
)
from tfgen.networks.attention import self_attention

RNG = np.random.default_rng(0)
LATENT_DIM = 5
SHAPE = (16, 16, 1)


def latents_of(count=3, scale=1.0):
    return scale * RNG.normal(size=(count, LATENT_DIM)).astype("float32")


def images_of(shape=SHAPE, count=3):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


def make_gan(resnet=True, num_classes=None, **kwargs):
    keras.utils.set_random_seed(0)
    classes = {"num_classes": num_classes}
    if resnet:
        generator = build_resnet_gan_generator(LATENT_DIM, SHAPE, filters=4, **classes)
        discriminator = build_resnet_gan_discriminator(SHAPE, filters=4, **classes)
    else:
        generator = build_dcgan_generator(LATENT_DIM, SHAPE, filters=4, **classes)
        discriminator = build_dcgan_discriminator(
            SHAPE, filters=4, normalization="spectral", **classes
        )
    model = tfgen.GAN(generator, discriminator, loss="hinge", seed=0, **classes)
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.0),
        discriminator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.0),
        **kwargs,
    )
    return model


def train(model, epochs=1):
    images = small.images(16, SHAPE)
    labels = None if model.num_classes is None else small.labels(16)
    return model.fit(dataset(images, labels), epochs=epochs, verbose=0).history


# ---- Architecture --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "grids", "end"),
    [
        ((16, 16, 1), [4, 8, 16], 8),
        ((28, 28, 1), [7, 14, 28], 7),
        ((32, 32, 3), [4, 8, 16, 32], 8),
        ((64, 64, 3), [4, 8, 16, 32, 64], 8),
        ((48, 32, 3), [6, 12, 24, 48], 12),
    ],
)
def test_sizes(shape, grids, end):
    generator = build_resnet_gan_generator(LATENT_DIM, shape, filters=4)
    discriminator = build_resnet_gan_discriminator(shape, filters=4)
    images = generator(latents_of())
    assert images.shape == (3, *shape)
    assert discriminator(images).shape == (3, 1)
    sums = layers_of(generator, keras.layers.Add)
    assert [layer.output.shape[1] for layer in sums] == grids[1:]
    assert sums[0].output.shape[-1] == 4
    sums = layers_of(discriminator, keras.layers.Add)
    halves = [size for size in reversed(grids) if end <= size < shape[0]]
    assert [layer.output.shape[1] for layer in sums] == [*halves, end, end]


def test_weights_are_as_many_as_in_the_paper():
    """Table 3, 32x32: counted by hand, with biases and batch statistics."""
    f, conv = 256, lambda i, o, k: k * k * i * o + o
    norm = 4 * f
    block = 2 * norm + conv(f, f, 3) - f + conv(f, f, 3) + conv(f, f, 1)
    generator = 129 * 16 * f + 3 * block + norm + conv(f, 3, 3)
    assert build_resnet_gan_generator(128, (32, 32, 3)).count_params() == generator
    f = 128
    first = conv(3, f, 3) + conv(f, f, 3) + conv(3, f, 1)
    half, same = 2 * conv(f, f, 3) + conv(f, f, 1), 2 * conv(f, f, 3)
    network = build_resnet_gan_discriminator((32, 32, 3), normalization=None)
    assert network.count_params() == first + half + 2 * same + f + 1
    spectral = build_resnet_gan_discriminator((32, 32, 3))
    vectors = (3 + 3 + 2 + 2) * f + 1
    assert spectral.count_params() == network.count_params() + vectors


def test_widths():
    """Twice the channels at half the grid, up to the most."""
    generator = build_resnet_gan_generator(
        LATENT_DIM, (64, 64, 1), filters=2, max_filters=8
    )
    discriminator = build_resnet_gan_discriminator(
        (64, 64, 1), filters=2, max_filters=6, normalization=None
    )
    widths = [
        [layer.output.shape[-1] for layer in layers_of(network, keras.layers.Add)]
        for network in (generator, discriminator)
    ]
    assert widths == [[8, 8, 4, 2], [2, 4, 6, 6, 6]]


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (64, 32)])
def test_attention_is_of_the_grid_of_16(size):
    shape = (*size, 1)
    for network in (
        build_resnet_gan_generator(LATENT_DIM, shape, filters=8, attention=True),
        build_resnet_gan_discriminator(shape, filters=8, attention=True),
    ):
        (softmax,) = layers_of(network, keras.layers.Softmax)
        places = size[0] * size[1] // 4
        assert softmax.output.shape[1:] == (places, places)


def test_attention_is_the_paper_s():
    """Zhang et al., eqs. 1 to 3, place by place; it starts as the identity."""
    inputs = keras.Input((3, 2, 8))
    network = keras.Model(inputs, self_attention(inputs, None))
    features = RNG.normal(size=(2, 3, 2, 8)).astype("float32")
    np.testing.assert_array_equal(network(features), features)
    network.set_weights([RNG.normal(size=w.shape) for w in network.get_weights()])
    weights = [w for w in network.get_weights() if w.ndim == 4]
    query, key, value, out = sorted(
        (w[0, 0] for w in weights), key=lambda w: (w.shape[0] != 8, w.shape[1])
    )
    flat = features.reshape(2, 6, 8)
    results = []
    for swapped in ((query, key), (key, query)):  # layers of one shape: either order
        one, other = swapped
        scores = np.exp((flat @ one) @ (flat @ other).transpose(0, 2, 1))
        shares = scores / scores.sum(axis=2, keepdims=True)
        gathered = shares @ (flat @ value) @ out + network.get_weights()[-1]
        results.append(flat + gathered)
    found = network(features).numpy().reshape(2, 6, 8)
    assert min(np.abs(found - r).max() for r in results) < 1e-4


def test_every_pixel_counts():
    """No pixel is out of sight of the logit, and each latent moves the whole image."""
    discriminator = build_resnet_gan_discriminator(SHAPE, filters=4)
    images = tf.constant(images_of(count=8))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = discriminator(images)
    seen = np.abs(tape.gradient(logits, images)).max(axis=0)
    assert seen.min() > 0
    generator = build_resnet_gan_generator(LATENT_DIM, SHAPE, filters=4)
    latents = latents_of(1)
    base = generator(latents).numpy()
    for axis in range(LATENT_DIM):
        moved = latents.copy()
        moved[:, axis] += 1.0
        assert np.mean(generator(moved).numpy() != base) > 0.9


@pytest.mark.parametrize("kind", ["growing", "shrinking"])
def test_shortcut_s_convolution_commutes_with_resizing(kind):
    """Why it may run on the smaller grid: the result is the same."""
    convolution = keras.layers.Conv2D(3, 1, bias_initializer="normal")
    resize = keras.layers.UpSampling2D(interpolation="bilinear")
    if kind == "shrinking":
        resize = keras.layers.AveragePooling2D(2)
    features = RNG.normal(size=(2, 8, 8, 5)).astype("float32")
    np.testing.assert_allclose(
        convolution(resize(features)), resize(convolution(features)), atol=1e-5
    )


# ---- Spectral normalisation ----------------------------------------------------------


def spectral_norms(network):
    """Largest singular value of each spectral layer's kernel, as a matrix."""
    norms = []
    for layer in layers_of(network, SpectralNormalization):
        kernel = layer.normalized_kernel().numpy()
        matrix = kernel.reshape(-1, kernel.shape[-1])
        norms.append(np.linalg.svd(matrix, compute_uv=False)[0])
    return np.array(norms)


@pytest.mark.parametrize("resnet", [pytest.param(True, marks=pytest.mark.large), False])
def test_spectral_norms_are_held_at_one(resnet):
    """One power iteration a call: a few per cent after steps that move the kernels."""
    model = make_gan(resnet)
    spectral = layers_of(model.discriminator, SpectralNormalization)
    kernels = [v for v in model.discriminator.weights if v.path.endswith("kernel")]
    assert len(spectral) == len(kernels)  # all of them
    for layer in spectral:  # a vector that is not the kernel's: the norm is too low
        layer.vector_u.assign(tf.random.normal(layer.vector_u.shape, seed=1))
    assert spectral_norms(model.discriminator).max() > 1.2
    train(model, epochs=20)
    images = tf.constant(images_of())
    np.testing.assert_allclose(spectral_norms(model.discriminator), 1.0, atol=0.1)
    for _ in range(100):  # without steps between, the iterations converge
        logits = model.discriminator(images, training=True)
    np.testing.assert_allclose(spectral_norms(model.discriminator), 1.0, atol=1e-3)
    # What is used in training is what inference uses.
    np.testing.assert_allclose(model.discriminator(images), logits, rtol=1e-4)


# ---- Training, replicas, saving ------------------------------------------------------


@pytest.mark.large
@pytest.mark.parametrize("num_classes", [None, 3])
def test_round_trip_with_spectral_vectors(num_classes, tmp_path):
    """Save, load, one more epoch: to the bit as without stopping."""
    model = make_gan(num_classes=num_classes)
    start = [w.numpy() for w in model.weights]
    train(model)
    model.save(tmp_path / "model.keras")
    loaded = tfgen.load(tmp_path / "model.keras")
    vectors = [w for w in loaded.discriminator.weights if "vector_u" in w.path]
    assert len(vectors) == 8 + (num_classes is not None)
    train(model)
    train(loaded)
    for one, other, old in zip(model.weights, loaded.weights, start, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, old), one.path


@pytest.mark.large
def test_two_replicas_hold_one_discriminator():
    """Batch statistics are each replica's own, so the figures differ a little."""
    single = make_gan()
    with two_replicas().scope():
        model = make_gan()
    expected, found = train(single, epochs=2), train(model, epochs=2)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=0.3, err_msg=name)
    np.testing.assert_allclose(spectral_norms(model.discriminator), 1.0, atol=0.1)
    for weight in model.discriminator.weights:
        one, other = (v.numpy() for v in weight.value.values)
        np.testing.assert_array_equal(one, other)


# ---- Export --------------------------------------------------------------------------
