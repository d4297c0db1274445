"""Quantisers against brute force, their gradients by hand; moving averages by hand."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import FiniteScalarQuantizer, VectorQuantizer

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("levels", [(2,), (3, 4), (8, 5, 5, 5)])
def test_fsq_is_the_nearest_of_all_codes(levels):
    """Of bounded features: all products of levels, in the order of their digits."""
    layer = FiniteScalarQuantizer(levels)
    digits = itertools.product(*[range(level) for level in reversed(levels)])
    half = np.array(levels) // 2
    table = np.array([row[::-1] for row in digits]) - half  # the first one counts fast
    np.testing.assert_allclose(layer.vectors(), table / half, atol=1e-6)
    assert layer.num_codes == len(table) == np.prod(levels)
    features = 3.0 * normal(40, 2, len(levels))
    bounded = layer.bound(features).numpy()
    distances = ((bounded[..., None, :] - table) ** 2).sum(-1)
    vectors, codes, loss = layer.straight_through(tf.constant(features))
    np.testing.assert_array_equal(codes, distances.argmin(-1))
    np.testing.assert_array_equal(layer.encode(features), codes)
    np.testing.assert_allclose(vectors, layer.decode(codes), atol=1e-6)
    np.testing.assert_array_equal(loss, np.zeros(40))


@pytest.mark.parametrize("level", [2, 3, 4, 5, 8])
def test_fsq_reaches_every_level_and_no_other(level):
    layer = FiniteScalarQuantizer((level,))
    codes = layer.encode(np.linspace(-9, 9, 2001, dtype="float32")[:, None])
    assert sorted(set(codes.numpy())) == list(range(level))
    assert (np.diff(codes) >= 0).all()
    np.testing.assert_allclose(layer.bound([[0.0]]), 0.0, atol=1e-6)


def test_fsq_gradient_is_that_of_the_bound():
    layer = FiniteScalarQuantizer((4, 5))
    features = tf.constant(normal(6, 2))
    weights = normal(6, 2)
    with tf.GradientTape() as tape:
        tape.watch(features)
        value = tf.reduce_sum(layer.straight_through(features)[0] * weights)
    reach = 1.001 * np.array([3, 4]) / 2
    shift = [np.arctanh(0.5 / reach[0]), 0.0]
    slope = reach * (1 - np.tanh(features + shift) ** 2) / 2  # both half widths are 2
    expected = weights * slope
    np.testing.assert_allclose(tape.gradient(value, features), expected, rtol=1e-4)


def test_vq_is_the_nearest_row_and_its_gradients():
    layer = VectorQuantizer(7, 3)
    features = tf.constant(normal(5, 2, 2, 3))
    codebook = layer.codebook.numpy()
    distances = ((features.numpy()[..., None, :] - codebook) ** 2).sum(-1)
    weights = normal(5, 2, 2, 3)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        vectors, codes, loss = layer.straight_through(features)
        value, total = tf.reduce_sum(vectors * weights), tf.reduce_sum(loss)
    nearest = distances.argmin(-1)
    np.testing.assert_array_equal(codes, nearest)
    np.testing.assert_allclose(vectors, codebook[nearest], atol=1e-6)
    np.testing.assert_allclose(loss, distances.min(-1).sum((1, 2)), rtol=1e-5)
    # Straight through; and the commitment's 2 (z - q).
    np.testing.assert_allclose(tape.gradient(value, features), weights, atol=1e-6)
    expected = 2 * (features - codebook[nearest])
    np.testing.assert_allclose(tape.gradient(total, features), expected, atol=1e-5)


def test_vq_averages_follow_their_features_and_dead_codes_start_anew():
    layer = VectorQuantizer(3, 2, decay=0.75, restart_below=0.4)
    layer.codebook.assign([[0.0, 0.0], [10.0, 0.0], [-50.0, 0.0]])
    layer.sums.assign(layer.codebook)
    layer.counts.assign([1.0, 2.0, 0.5])
    features = np.array([[1.0, 1.0], [0.0, 3.0], [9.0, 9.0]], "float32")
    codes = layer.encode(features)
    np.testing.assert_array_equal(codes, [0, 0, 1])
    layer.update(features, codes, tf.constant([1, 2]))
    np.testing.assert_allclose(layer.counts, [0.75 + 0.5, 1.5 + 0.25, 1.0])
    rows = [[0.25 / 1.25, 1.0 / 1.25], [(7.5 + 2.25) / 1.75, 2.25 / 1.75]]
    np.testing.assert_allclose(layer.codebook[:2], rows, rtol=1e-6)
    assert layer.codebook[2].numpy().tolist() in features.tolist()


def test_vq_averages_end_at_the_means_of_clusters():
    layer = VectorQuantizer(4, 2, decay=0.5)
    centres = np.array([[5, 0], [-5, 0], [0, 5], [0, -5]], "float32")
    for step in range(60):
        features = centres[RNG.integers(0, 4, 200)] + 0.01 * normal(200, 2)
        layer.update(features, layer.encode(features), tf.constant([step, 0]))
    distances = np.linalg.norm(centres[:, None] - layer.codebook.numpy(), axis=-1)
    assert distances.min(-1).max() < 0.1  # every cluster has a code


def test_levels_below_two_are_refused():
    with pytest.raises(ValueError, match="`levels` must be at least 2"):
        FiniteScalarQuantizer((1, 5))
