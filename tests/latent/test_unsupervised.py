"""Directions without labels, against the singular vectors of a linear generator."""

import keras
import numpy as np
import pytest

from tfgen import latent

DIM = 4
RNG = np.random.default_rng(0)
SCALES = np.array([3.0, 2.0, 1.0, 0.5])


@pytest.fixture(scope="module")
def linear():
    """A' `(latent_dim, units)` with known right singular vectors, as rows."""
    left, _ = np.linalg.qr(RNG.normal(size=(DIM, DIM)))
    right, _ = np.linalg.qr(RNG.normal(size=(12, DIM)))
    return left @ np.diag(SCALES) @ right.T, left.T


def whitened(count):
    latents = RNG.normal(size=(count, DIM))
    latents -= latents.mean(axis=0)
    return latents @ np.linalg.inv(np.linalg.cholesky(np.cov(latents.T))).T


def assert_same_axes(found, known):
    np.testing.assert_allclose(np.abs(np.sum(found * known, axis=1)), 1.0, atol=1e-5)
    assert (found[np.arange(len(found)), np.abs(found).argmax(axis=1)] > 0).all()


def test_sefa_and_ganspace_give_the_singular_vectors(linear):
    kernel, known = linear
    assert_same_axes(latent.sefa(kernel), known)
    assert_same_axes(latent.sefa(kernel, 2), known[:2])
    latents = whitened(500)
    assert_same_axes(latent.ganspace(latents, latents @ kernel + 7.0), known)


def test_shares_of_a_linear_decoder(linear):
    kernel, known = linear
    latents = RNG.normal(size=(20_000, DIM))
    found = latent.explained_variance(lambda z: z @ kernel, latents, known)
    np.testing.assert_allclose(found, SCALES**2 / np.sum(SCALES**2), atol=0.01)
    away = latent.explained_variance(lambda z: z[:, :1], latents, np.eye(DIM))
    np.testing.assert_allclose(away, [1, 0, 0, 0], atol=0.02)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_the_affine_map_is_followed_as_far_as_it_goes(num_classes):
    latents = keras.Input((DIM,))
    inputs, features = [latents], latents
    if num_classes:
        labels = keras.Input((), dtype="int32")
        codes = keras.ops.one_hot(labels, num_classes)
        inputs, features = (
            [latents, labels],
            keras.layers.Concatenate()([latents, codes]),
        )
    dense = keras.layers.Dense(6)
    normalized = keras.layers.BatchNormalization()(dense(features))
    outputs = keras.layers.Dense(2)(keras.layers.ReLU()(normalized))
    network = keras.Model(inputs, outputs)
    scale = np.arange(1.0, 7.0)
    network.get_layer(index=-3).gamma.assign(scale)
    found = latent.first_affine_map(network, len(inputs) - 1)
    expected = dense.kernel.numpy()[:DIM] * scale / np.sqrt(1.0 + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_of_a_dense_layer_with_an_activation_it_is_the_kernel():
    latents, labels = keras.Input((DIM,)), keras.Input((), dtype="int32")
    dense = keras.layers.Dense(6, activation="relu")
    network = keras.Model(latents, keras.layers.Dense(2)(dense(latents)))
    np.testing.assert_allclose(latent.first_affine_map(network), dense.kernel)
    dense = keras.layers.Dense(6, activation="relu")
    codes = keras.ops.one_hot(labels, 3)
    features = dense(keras.layers.Concatenate()([latents, codes]))
    network = keras.Model([latents, labels], keras.layers.Dense(2)(features))
    found = latent.first_affine_map(network, 1)
    np.testing.assert_allclose(found, dense.kernel[:DIM], atol=1e-6)


def test_a_network_without_affine_features_is_refused():
    latents = keras.Input((DIM,))
    network = keras.Model(latents, keras.ops.tanh(latents))
    with pytest.raises(ValueError, match="affine in its first input"):
        latent.first_affine_map(network)


def test_random_directions_are_unit_vectors():
    found = latent.random_directions(5, 3, seed=1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(found, latent.random_directions(5, 3, seed=1))


# ---- Closed ways ---------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_loop_passes_its_points_and_closes_smoothly(count):
    points = RNG.normal(size=(count, DIM))
    way = latent.loop(points, 100 * count)
    np.testing.assert_allclose(way[::100], points, atol=1e-5)
    jumps = np.linalg.norm(np.roll(way, -1, axis=0) - way, axis=1)
    assert jumps.max() < 0.2


def test_a_loop_through_draws_is_as_likely_as_they_are():
    """All weights, of an odd number of points, have the length 1."""
    weights = latent.loop(np.eye(5), 37)
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)


def test_a_loop_wants_two_points():
    with pytest.raises(ValueError, match=r"num_points >= 2"):
        latent.loop(np.zeros((1, 3)), 10)
