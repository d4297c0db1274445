"""Dropout by an input: against a plain mask, in networks, on replicas, saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts import two_replicas
from tfgen.layers import NoiseDropout

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 4)  # 24 features


def network_of(*rates):
    """Dropout layers alone, so that a mask can be read off the outputs."""
    features = inputs = keras.Input(SHAPE)
    noise = keras.Input((24 * len(rates),), name="noise", optional=True)
    for index, rate in enumerate(rates):
        features = NoiseDropout(rate, start=24 * index)([features, noise])
    return keras.Model([inputs, noise], features)


def features_of(count=5):
    return RNG.uniform(1, 2, size=(count, *SHAPE)).astype("float32")


def noise_of(size, count=5):
    return RNG.uniform(size=(count, size)).astype("float32")


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.9])
def test_against_a_plain_mask(rate):
    features, noise = features_of(), noise_of(24)
    noise[0, 0] = rate  # is kept
    outputs = network_of(rate)([features, noise]).numpy()
    mask = noise.reshape(-1, *SHAPE) >= np.float32(rate)
    np.testing.assert_allclose(outputs, features * mask / (1 - rate), rtol=1e-6)
    assert outputs[0, 0, 0, 0] > 0


def test_each_layer_takes_its_own_columns():
    features, noise = features_of(), noise_of(48)
    expected = features
    for rate, columns in ((0.5, noise[:, :24]), (0.2, noise[:, 24:])):
        keep = columns.reshape(-1, *SHAPE) >= np.float32(rate)
        expected = expected * keep / (1 - rate)
    outputs = network_of(0.5, 0.2)([features, noise])
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_without_noise_nothing_is_dropped(training):
    network, features = network_of(0.5, 0.2), features_of()
    outputs = network([features, None], training=training)
    np.testing.assert_array_equal(outputs, features)


def test_training_does_not_matter():
    network, inputs = network_of(0.5), [features_of(), noise_of(24)]
    outputs = [network(inputs, training=training) for training in (False, True)]
    np.testing.assert_array_equal(*outputs)


def test_statistics():
    """As many are kept as the rate says, and the mean is kept."""
    features = np.ones((4000, *SHAPE), "float32")
    outputs = network_of(0.3)([features, noise_of(24, 4000)]).numpy()
    assert abs(np.mean(outputs > 0) - 0.7) < 5 * np.sqrt(0.21 / outputs.size)
    np.testing.assert_allclose(outputs.mean(axis=0), 1.0, atol=0.06)


def test_gradient_passes_where_features_are_kept():
    network, noise = network_of(0.5), tf.constant(noise_of(24))
    features = tf.constant(features_of())
    with tf.GradientTape() as tape:
        tape.watch(features)
        total = tf.reduce_sum(network([features, noise]))
    mask = tf.reshape(noise, (5, *SHAPE)).numpy() >= 0.5
    np.testing.assert_allclose(tape.gradient(total, features), mask * 2.0)


def test_compiled_by_xla():
    network, inputs = network_of(0.5), [features_of(), noise_of(24)]
    compiled = tf.function(network, jit_compile=True)
    np.testing.assert_allclose(compiled(inputs), network(inputs), rtol=1e-6)


def test_replicas_take_the_rows_they_are_given():
    features, noise = features_of(4), noise_of(48, 4)
    strategy = two_replicas()
    with strategy.scope():
        network = network_of(0.5, 0.2)
    expected = network([features, noise])

    def rows_of(values):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                values[2 * context.replica_id_in_sync_group :][:2]
            )
        )

    inputs = [rows_of(features), rows_of(noise)]
    outputs = tf.function(strategy.run)(network, (inputs,))
    outputs = np.concatenate([rows.numpy() for rows in outputs.values])
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_compares_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    network, features = network_of(0.5), features_of()
    below = np.full((5, 24), np.nextafter(np.float32(0.5), np.float32(0)))
    assert not np.any(network([features, below]))
    outputs = network([features, np.full((5, 24), 0.5, "float32")]).numpy()
    np.testing.assert_allclose(outputs.astype("float32"), 2 * features, rtol=1e-2)


def test_saving(tmp_path):
    network = network_of(0.5, 0.2)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    inputs = [features_of(), noise_of(48)]
    np.testing.assert_array_equal(loaded(inputs), network(inputs))
    np.testing.assert_array_equal(loaded([inputs[0], None]), inputs[0])


def test_mistakes_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        NoiseDropout(1.0)
    features, noise = keras.Input(SHAPE), keras.Input((47,))
    with pytest.raises(ValueError, match=r"48 columns or more.*\(None, 47\)"):
        NoiseDropout(0.5, start=24)([features, noise])
