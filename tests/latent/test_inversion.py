"""Inversion of a model's own images: the latents are those they were drawn from."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small
from tfgen import latent
from tfgen.networks import build_mlp_encoder

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def linear():
    """A generator of images linear in four latents, one more input being a class."""
    small.seeded()
    dense = keras.layers.Dense(64)
    dense.build((None, 4))

    def generate(latents, labels=None):
        shift = 0.0 if labels is None else 0.1 * tf.cast(labels, tf.float32)
        images = tf.reshape(0.4 * dense(latents) + 0.5, (-1, 8, 8, 1))
        return images + tf.reshape(shift, (-1, 1, 1, 1))

    return types.SimpleNamespace(
        generate=generate, latent_dim=4, image_shape=(8, 8, 1), num_classes=None
    )


def test_own_images_have_their_own_latents(linear):
    latents = RNG.normal(size=(5, 4)).astype("float32")
    images = linear.generate(latents).numpy()
    found = latent.invert(linear, images, num_steps=200)
    np.testing.assert_allclose(found.latents, latents, atol=1e-2)
    assert found.psnr.min() > 50.0
    np.testing.assert_allclose(found.images, images, atol=1e-2)
    assert found.feature_distance is None


def test_of_other_images_it_is_the_nearest(linear):
    """Least squares, and the features' least squares where they alone count."""
    images = RNG.uniform(size=(3, 8, 8, 1)).astype("float32")
    zero = linear.generate(np.zeros((1, 4), "float32")).numpy()
    basis = (linear.generate(np.eye(4, dtype="float32")).numpy() - zero).reshape(4, -1)
    target = (images - zero).reshape(3, -1)
    expected = np.linalg.lstsq(basis.T, target.T, rcond=None)[0].T
    found = latent.invert(linear, images, num_steps=200)
    np.testing.assert_allclose(found.latents, expected, atol=0.02)

    def first_half(images):
        return tf.reshape(images, (-1, 64))[:, :32]

    options = {"feature_network": first_half, "feature_weight": 1e6, "num_steps": 300}
    found = latent.invert(linear, images, **options)
    expected = np.linalg.lstsq(basis.T[:32], target.T[:32], rcond=None)[0].T
    np.testing.assert_allclose(found.latents, expected, atol=0.05)
    assert (found.feature_distance < 1.0).all()


def test_labels_go_in(linear):
    model = types.SimpleNamespace(**{**vars(linear), "num_classes": 3})
    latents = RNG.normal(size=(4, 4)).astype("float32")
    labels = np.array([0, 2, 1, 2])
    images = model.generate(latents, labels).numpy()
    found = latent.invert(model, images, labels, num_steps=200)
    np.testing.assert_allclose(found.latents, latents, atol=1e-2)


def test_an_encoder_is_trained_on_the_models_own_images(linear):
    encoder = build_mlp_encoder((8, 8, 1), 4, hidden_units=())
    assert latent.train_encoder(linear, encoder, num_steps=300) is encoder
    latents = RNG.normal(size=(64, 4)).astype("float32")
    images = linear.generate(latents).numpy()
    error = np.mean(np.square(encoder.predict(images, verbose=0) - latents))
    assert error < 0.5 * np.mean(np.square(latents))
    found = latent.invert(
        linear, images[:3], num_starts=1, num_steps=150, encoder=encoder
    )
    np.testing.assert_allclose(found.latents, latents[:3], atol=0.02)


def test_feature_distance_is_a_share_of_the_features_square():
    features = {1: [[3.0, 4.0], [1.0, 0.0]], 2: [[0.0, 4.0], [1.0, 0.0]]}
    distances = latent.feature_distance(lambda key: tf.constant(features[key]), 1, 2)
    np.testing.assert_allclose(distances, [9 / 16, 0.0], atol=1e-6)
