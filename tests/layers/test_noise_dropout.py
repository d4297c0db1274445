"""Dropout with given draws: against a plain mask, alone, nested, on replicas, saved."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts import two_replicas
from tfgen.layers import NoiseDropout, noise, noise_dim

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 4)  # 24 features


def network_of(*rates, shape=SHAPE, name=None):
    """Dropout layers alone, so that a mask can be read off the outputs."""
    layers = [NoiseDropout(rate) for rate in rates]
    return keras.Sequential([keras.Input(shape), *layers], name=name)


def features_of(count=5, shape=SHAPE):
    return RNG.uniform(1, 2, size=(count, *shape)).astype("float32")


def draws_of(size, count=5):
    return RNG.uniform(size=(count, size)).astype("float32")


def run(network, features, draws, **kwargs):
    with noise(network, draws):
        return network(features, **kwargs).numpy()


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.9])
def test_against_a_plain_mask(rate):
    network, features, draws = network_of(rate), features_of(), draws_of(24)
    draws[0, 0] = rate  # kept
    found = run(network, features, draws)
    for i in range(5):
        mask = draws[i].reshape(SHAPE) >= np.float32(rate)
        np.testing.assert_allclose(found[i], features[i] * mask / (1 - rate), rtol=1e-6)
    assert found[0, 0, 0, 0] > 0


def test_each_layer_takes_its_own_slice_in_order():
    network = network_of(0.5, 0.2)
    assert noise_dim(network) == 48
    features, draws = features_of(), draws_of(48)
    expected = features
    for rate, part in ((0.5, draws[:, :24]), (0.2, draws[:, 24:])):
        keep = part.reshape(5, *SHAPE) >= np.float32(rate)
        expected = expected * keep / (1 - rate)
    np.testing.assert_allclose(run(network, features, draws), expected, rtol=1e-6)


def test_training_does_not_matter_within_and_draws_decide():
    network, features, draws = network_of(0.5, 0.5), features_of(), draws_of(48)
    first = run(network, features, draws)
    for training in (True, False, None):
        again = run(network, features, draws, training=training)
        np.testing.assert_array_equal(again, first)
    assert (run(network, features, draws_of(48)) != first).mean() > 0.2


def test_row_depends_on_its_own_draws():
    network, features, draws = network_of(0.5), features_of(), draws_of(24)
    first = run(network, features, draws)
    draws[2] = 1.0 - draws[2]
    second = run(network, features, draws)
    changed = (first != second).any(axis=(1, 2, 3))
    assert changed.tolist() == [False, False, True, False, False]


def test_statistics():
    """As many are kept as the rate says, and the mean is kept."""
    network = network_of(0.3)
    found = run(network, np.ones((4000, *SHAPE), "float32"), draws_of(24, 4000))
    assert abs(np.mean(found > 0) - 0.7) < 5 * np.sqrt(0.21 / found.size)
    np.testing.assert_allclose(found.mean(axis=0), 1.0, atol=0.06)


def test_outside_it_is_keras_dropout():
    network, features = network_of(0.5), features_of(200)
    np.testing.assert_array_equal(network(features), features)
    dropped = np.mean(network(features, training=True).numpy() == 0)
    assert abs(dropped - 0.5) < 0.05


def test_context_ends_with_an_exception():
    network, features = network_of(0.5), features_of()
    with pytest.raises(KeyError), noise(network, draws_of(24)):
        raise KeyError
    np.testing.assert_array_equal(network(features), features)


def test_contexts_nest():
    one, two, features = network_of(0.5), network_of(0.5), features_of()
    first, second, third = draws_of(24), draws_of(24), draws_of(24)
    alone = [run(one, features, first), run(two, features, second)]
    other = run(one, features, third)
    with noise(one, first):
        with noise(two, second):
            np.testing.assert_array_equal(one(features), alone[0])
            np.testing.assert_array_equal(two(features), alone[1])
        np.testing.assert_array_equal(two(features), features)
        with noise(one, third):
            np.testing.assert_array_equal(one(features), other)
        np.testing.assert_array_equal(one(features), alone[0])


def test_nested_networks():
    """Functional in sequential in functional, and one that is used twice: once."""
    images = keras.Input(SHAPE)
    inner = network_of(0.5)
    middle = keras.Sequential([keras.Input(SHAPE), inner, NoiseDropout(0.2)])
    outputs = middle(NoiseDropout(0.1)(images))
    outer = keras.Model(images, inner(outputs))
    assert noise_dim(outer) == 72
    features, draws = features_of(), draws_of(72)
    expected = features
    for rate, start in ((0.1, 0), (0.5, 24), (0.2, 48), (0.5, 24)):
        keep = draws[:, start : start + 24].reshape(5, *SHAPE) >= np.float32(rate)
        expected = expected * keep / (1 - rate)
    np.testing.assert_allclose(run(outer, features, draws), expected, rtol=1e-6)


def test_networks_without_noise_take_no_draws():
    network = keras.Sequential([keras.Input(SHAPE), keras.layers.Dropout(0.5)])
    assert noise_dim(network) == 0
    features = features_of()
    found = run(network, features, np.zeros((5, 0), "float32"))
    np.testing.assert_array_equal(found, features)


def test_gradient_passes_where_features_are_kept():
    network, draws = network_of(0.5), draws_of(24)
    features = tf.constant(features_of())
    with tf.GradientTape() as tape:
        tape.watch(features)
        with noise(network, draws):
            total = tf.reduce_sum(network(features))
    mask = draws.reshape(5, *SHAPE) >= 0.5
    np.testing.assert_allclose(tape.gradient(total, features), mask * 2.0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_traced(jit_compile):
    network, features, draws = network_of(0.5), features_of(), draws_of(24)

    @tf.function(jit_compile=jit_compile)
    def traced(features, draws):
        with noise(network, draws):
            return network(features)

    for _ in range(2):
        expected = run(network, features, draws)
        np.testing.assert_allclose(traced(features, draws), expected, rtol=1e-6)
        draws = draws_of(24)


def test_threads_do_not_see_each_other():
    network, features, seen = network_of(0.5), features_of(), []
    with noise(network, draws_of(24)):
        thread = threading.Thread(target=lambda: seen.append(network(features)))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(seen[0], features)


def test_replicas_take_the_rows_they_are_given():
    features, draws = features_of(4), draws_of(48, 4)
    strategy = two_replicas()
    with strategy.scope():
        network = network_of(0.5, 0.2)
    expected = run(network, features, draws)

    def step(features, draws):
        with noise(network, draws):
            return network(features, training=True)

    def part_of(values):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                values[2 * context.replica_id_in_sync_group :][:2]
            )
        )

    found = tf.function(strategy.run)(step, (part_of(features), part_of(draws)))
    found = np.concatenate([part.numpy() for part in found.values])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_compares_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    network, features = network_of(0.5), features_of()
    below = np.full((5, 24), np.nextafter(np.float32(0.5), np.float32(0)))
    assert not run(network, features, below).any()
    found = run(network, features, np.full((5, 24), 0.5, "float32"))
    np.testing.assert_allclose(found.astype("float32"), 2 * features, rtol=1e-2)


def test_saving(tmp_path):
    network = network_of(0.5, 0.2)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    features, draws = features_of(), draws_of(48)
    assert noise_dim(loaded) == 48
    expected = run(network, features, draws)
    np.testing.assert_array_equal(run(loaded, features, draws), expected)
    assert NoiseDropout.from_config(NoiseDropout(0.3, seed=4).get_config()).seed == 4


def test_wrong_draws_are_refused_in_one_line():
    network = network_of(0.5, name="net")
    message = r"^`draws` must be \(batch, 24\) for network 'net'.*\(5, 23\)$"
    with pytest.raises(ValueError, match=message), noise(network, draws_of(23)):
        pass
    with pytest.raises(ValueError, match=r"fixed size.*\(None, None, 3\)$"):
        noise_dim(network_of(0.5, shape=(None, None, 3)))
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        NoiseDropout(1.0)
