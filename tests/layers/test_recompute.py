import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import InstanceNormalization, Recompute

SHAPE = (8, 8, 4)


def make_block(extra=None):
    images = keras.Input(SHAPE)
    features = keras.layers.Conv2D(4, 3, padding="same")(images)
    features = keras.layers.ReLU()(InstanceNormalization()(features))
    if extra is not None:
        features = extra(features)
    return keras.Model(images, keras.layers.Add()([images, features]))


def make_network(wrap):
    keras.utils.set_random_seed(0)
    images = keras.Input(SHAPE)
    features = images
    for _ in range(3):
        features = wrap(make_block())(features)
    return keras.Model(images, features)


def loss_and_gradients(network, images):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(images, training=True) ** 2)
        return loss, tape.gradient(loss, network.trainable_variables)

    return step()


def test_gradients_are_those_of_the_block_itself(tmp_path):
    images = tf.constant(np.random.default_rng(0).random((2, *SHAPE), "float32"))
    network = make_network(Recompute)
    found = loss_and_gradients(network, images)
    plain = loss_and_gradients(make_network(lambda block: block), images)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    again = loss_and_gradients(loaded, images)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(again), strict=True):
        np.testing.assert_array_equal(one, other)


def count_convolutions(network):
    images = tf.TensorSpec((2, *SHAPE))

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(images, training=True) ** 2)
        return tape.gradient(loss, network.trainable_variables)

    operations = step.get_concrete_function(images).graph.get_operations()
    return sum(operation.type == "Conv2D" for operation in operations)


def test_the_forward_pass_is_repeated():
    plain = count_convolutions(make_network(lambda block: block))
    assert (plain, count_convolutions(make_network(Recompute))) == (3, 6)


PEAK = """
import resource, sys
import tensorflow as tf
from tfgen.networks import build_resnet_generator

network = build_resnet_generator(
    (64, 64, 3), filters=32, num_blocks=12, recompute=sys.argv[1] == "True"
)
images = tf.random.stateless_uniform((16, 64, 64, 3), (0, 1))

@tf.function
def step(images):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(network(images, training=True) ** 2)
    return [tf.reduce_sum(g) for g in tape.gradient(loss, network.trainable_weights)]

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(images)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.large
def test_a_step_takes_less_memory():
    """Measured: the peak of the process, in kilobytes."""
    plain, saving = (
        int(subprocess.check_output([sys.executable, "-c", PEAK, str(recompute)]))
        for recompute in (False, True)
    )
    assert saving < 0.85 * plain


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.BatchNormalization(),
        lambda: keras.layers.Dropout(0.5),
    ],
)
def test_what_does_not_do_the_same_twice_is_refused(layer):
    with pytest.raises(ValueError, match="runs twice"):
        Recompute(make_block(layer()))
