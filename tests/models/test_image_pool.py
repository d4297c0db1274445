"""The history of images against a list that is kept in plain Python."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import contracts
from tfgen.models.image_pool import ImagePool


def numbered(numbers):
    """Images `(n, 1, 1, 1)` that are known by their value."""
    return np.reshape(numbers, (-1, 1, 1, 1)).astype("float32")


def make_pool(size):
    pool = ImagePool(size)
    pool.build((None, 1, 1, 1))
    return pool


def exchange_by_list(stored, size, image, swap, slot):
    """One image through the reference's history; returns what comes back."""
    if len(stored) < size:
        stored.append(image)
        return image
    if swap <= 0.5:
        return image
    index = int(slot * size)
    old, stored[index] = stored[index], image
    return old


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 12])
def test_against_a_list(batch):
    """Batches larger than the history, and swaps of one place within a batch, too."""
    size, steps = 5, 40
    rng = np.random.default_rng(batch)
    pool, stored = make_pool(size), []
    exchange = tf.function(pool)
    for step in range(steps):
        images = np.arange(batch) + step * batch
        draws = rng.uniform(size=(batch, 2)).astype("float32")
        expected = [
            exchange_by_list(stored, size, *values)
            for values in zip(images, *draws.T, strict=True)
        ]
        found = exchange(numbered(images), draws)
        np.testing.assert_array_equal(np.ravel(found), expected)
        count = int(pool.count)
        assert count == len(stored)
        np.testing.assert_array_equal(np.ravel(pool.images)[:count], stored)


def test_statistics():
    """Half come back new; of the others, ages follow the geometric law."""
    size, steps = 10, 20_000
    pool, rng = make_pool(size), np.random.default_rng(0)
    exchange = tf.function(pool)
    ages = []
    for start in range(0, steps, 100):
        draws = rng.uniform(size=(100, 2)).astype("float32")
        numbers = np.arange(start, start + 100)
        ages.append(numbers - np.ravel(exchange(numbered(numbers), draws)))
    ages = np.concatenate(ages)[100 * size :]
    # Standard error of the share: 0.0036.
    assert np.mean(ages == 0) == pytest.approx(0.5, abs=0.015)
    # A stored image is taken at each step with probability 1 / (2 * size).
    old = ages[ages > 0]
    assert old.mean() == pytest.approx(2 * size, rel=0.05)
    assert np.mean(old > 2 * size) == pytest.approx(
        (1 - 1 / (2 * size)) ** (2 * size), abs=0.02
    )


def test_of_size_0_everything_comes_back_and_there_is_nothing_to_save():
    pool = make_pool(0)
    images = numbered(range(4))
    np.testing.assert_array_equal(pool(images, np.ones((4, 2), "float32")), images)
    assert pool.weights == []


def test_nothing_is_learnt_through_it():
    pool, images = make_pool(2), tf.constant(numbered(range(4)))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(pool(images, tf.ones((4, 2))))
    assert tape.gradient(total, images) is None


def test_the_history_is_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    pool = make_pool(2)
    assert pool.images.dtype == "float32"
    assert pool(numbered([1.0001]), np.zeros((1, 2), "float32")).dtype == tf.float32


def test_replicas_share_one_history():
    """Two replicas get, and keep, what one gets of the whole batch."""
    strategy = contracts.two_replicas()
    with strategy.scope():
        shared = make_pool(5)
    single, rng = make_pool(5), np.random.default_rng(0)

    @tf.function
    def run(images, draws):
        def exchange():
            context = tf.distribute.get_replica_context()
            rows = slice(3 * context.replica_id_in_sync_group, None)
            return shared(images[rows][:3], draws[rows][:3])

        return strategy.experimental_local_results(strategy.run(exchange))

    for step in range(10):
        images = numbered(np.arange(6) + 6 * step)
        draws = rng.uniform(size=(6, 2)).astype("float32")
        together = np.concatenate([part.numpy() for part in run(images, draws)])
        np.testing.assert_array_equal(together, single(images, draws))
        for one, other in zip(shared.weights, single.weights, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match=r"`pool_size` must be at least 0.*-1"):
        ImagePool(-1)
