"""Estimates beside what is counted by hand, and beside what training really takes."""

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests import contracts
from tests.models import small
from tfgen.errors import UserError
from tfgen.training.estimate import describe, estimate, peak_bytes

BATCH = 8


def make_vae():
    model = tfgen.VAE(
        tfgen.networks.build_mlp_encoder((8, 8, 1), 2 * 3, hidden_units=(16,)),
        tfgen.networks.build_mlp_decoder(3, (8, 8, 1), hidden_units=(16,)),
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def make_gan():
    model = tfgen.GAN(
        tfgen.networks.build_dcgan_generator(4, (8, 8, 1), filters=4),
        tfgen.networks.build_dcgan_discriminator((8, 8, 1), filters=4),
        ema_decay=0.9,
        seed=0,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.Adam(1e-3))
    return model


def make_data(count=20):
    return contracts.dataset(small.images(count), batch_size=BATCH)


# ---- Counts --------------------------------------------------------------------------

ENCODER = (64 + 1) * 16 + (16 + 1) * 6
DECODER = (3 + 1) * 16 + (16 + 1) * 64


def test_parameters_and_bytes_of_a_vae():
    found = estimate(make_vae, make_data(), 1)
    assert found.parameters == {
        "encoder": (ENCODER, 0),
        "decoder": (DECODER, 0),
        "model": (0, 1),  # `kl_weight`
    }
    trainable = ENCODER + DECODER
    assert found.weight_bytes == 4 * (trainable + 1)
    # Adam: two slots, the learning rate, and an integer of the steps.
    assert abs(found.optimizer_bytes - 4 * (2 * trainable + 2)) <= 8
    assert found.steps_per_epoch == 3
    assert found.data_bytes == 3 * BATCH * 8 * 8  # uint8, a full last batch


def test_parameters_of_a_gan():
    model = make_gan()
    sizes = {
        name: getattr(model, name).count_params()
        for name in ("generator", "discriminator", "ema_generator")
    }
    found = estimate(make_gan, make_data(), 1).parameters
    assert {name: sum(counts) for name, counts in found.items()} == sizes
    assert found["ema_generator"][0] == 0
    trainable = sum(np.size(w) for w in model.generator.trainable_weights)
    assert found["generator"][0] == trainable < sizes["generator"]


def test_data_too_large_for_memory_counts_its_shuffle_buffer(monkeypatch):
    import tfgen.training.estimate

    monkeypatch.setattr(tfgen.training.estimate, "IN_MEMORY_BYTES", 3 * BATCH * 64 - 1)
    found = estimate(make_vae, make_data(), 1)
    assert found.data_bytes == 2**28


# ---- A step --------------------------------------------------------------------------


def peak_of(function, rows):
    spec = tf.TensorSpec((rows, 1000), tf.float32)
    return peak_bytes(tf.function(function).get_concrete_function(spec).graph)


def test_a_tensor_is_alive_until_it_is_read_last():
    def chain(x):
        return tf.exp(tf.exp(tf.exp(tf.exp(x))))

    def kept(x):
        one = tf.exp(x)
        two = tf.exp(one)
        three = tf.exp(two)
        return one + two + three

    size = 4 * 1000
    assert peak_of(chain, 10) == 10 * 2 * size  # one is read, one is written
    assert peak_of(kept, 10) == 10 * 4 * size  # three, and the first sum
    assert peak_of(chain, 20) == 2 * peak_of(chain, 10)


@pytest.mark.parametrize(
    "view",
    [
        tf.identity,
        tf.stop_gradient,
        lambda x: tf.reshape(x, (-1, 100)),
        lambda x: tf.squeeze(tf.expand_dims(x, 0), 0),
        lambda x: tf.identity_n([x[:0], x])[1],
    ],
)
def test_another_view_of_a_tensor_is_no_other(view):
    def read_twice(x, view):
        y = tf.exp(x)
        seen = view(y)
        return tf.exp(seen) + seen, tf.exp(y)

    plain = peak_of(lambda x: read_twice(x, lambda y: y), 10)
    few = 100  # bytes: a shape's constant
    assert plain <= peak_of(lambda x: read_twice(x, view), 10) < plain + few


def test_activations_grow_with_the_batch_and_gradients_do_not():
    def step_bytes(batch, units=16):
        def make():
            model = tfgen.VAE(
                tfgen.networks.build_mlp_encoder((8, 8, 1), 6, hidden_units=(units,)),
                tfgen.networks.build_mlp_decoder(3, (8, 8, 1), hidden_units=(units,)),
            )
            model.compile(keras.optimizers.SGD())
            return model

        data = contracts.dataset(small.images(2 * batch), batch_size=batch)
        return estimate(make, data, 1).step_bytes

    assert step_bytes(512) == pytest.approx(2 * step_bytes(256), rel=0.01)
    units = 1000  # at a batch of 1 nearly all is gradients
    gradients = 4 * (ENCODER - 6 + DECODER - 64) // 16 * units
    assert 1.0 < step_bytes(1, units) / gradients < 1.6


def test_networks_count_as_often_as_a_step_runs_them():
    """A GAN's discriminator, which does nothing here, sees three batches."""

    def make(widths):
        def make():
            latents = keras.Input((4,))
            images = keras.layers.Dense(64)(latents)
            generator = keras.Model(latents, keras.layers.Reshape((8, 8, 1))(images))
            images = keras.Input((8, 8, 1))
            features = keras.layers.Flatten()(images)
            for width in widths:
                features = keras.layers.Dense(width, "tanh", use_bias=False)(features)
            model = tfgen.GAN(
                generator,
                keras.Model(images, keras.layers.Dense(1)(features)),
                seed=0,
            )
            model.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
            return model

        return make

    def step_bytes(widths):
        data = contracts.dataset(small.images(2000), batch_size=1000)
        return estimate(make(widths), data, 1).step_bytes

    layer = 4 * 1000 * 64
    added = step_bytes((64,) * 6) - step_bytes((64,) * 2)
    # While the discriminator learns, 4 more layers keep 2 batches each.
    assert added == pytest.approx(4 * 2 * layer, rel=0.1)


# ---- What training really takes ------------------------------------------------------


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["conv_vae", "dcgan_64"])
def test_memory_is_within_a_factor_of_what_training_takes(name):
    script = Path(__file__).parent / "benchmarks" / "memory.py"
    command = [sys.executable, str(script), "--compare", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    estimated, grown = map(float, done.stdout.split()[-2:])
    assert 0.5 < estimated / grown < 1.2


class SlowFirst(keras.Model):
    """Its first step takes long, as one that is traced does."""

    def __init__(self, first=3.0, others=0.1):
        super().__init__()
        self.waits = iter([first] + [others] * 100)
        self.num_steps = 0
        self.built = True

    def train_step(self, data):
        tf.py_function(self._wait, [], [])
        return {"loss": tf.constant(0.0)}

    def _wait(self):
        self.num_steps += 1
        time.sleep(next(self.waits))


@pytest.mark.parametrize(("per_execution", "steps_run"), [(1, 5), (5, 10)])
def test_the_first_execution_does_not_count(per_execution, steps_run):
    models = []

    def make():
        models.append(SlowFirst())
        models[-1].compile(optimizer=None, steps_per_execution=per_execution)
        return models[-1]

    found = estimate(make, make_data(), num_steps=4)
    assert models[0].num_steps == steps_run
    # With the first it would be 0.39 at least; of an execution of 5 steps, 0.5.
    assert 0.1 <= found.seconds_per_step < 0.35
    assert found.seconds_per_epoch == pytest.approx(
        3 * (found.seconds_per_step + found.seconds_per_batch)
    )


def test_reading_is_timed_after_the_first_batch():
    waits = iter([3.0] + [0.05] * 100)

    def wait(images):
        time.sleep(next(waits))
        return images

    def slow(images):
        return tf.ensure_shape(
            tf.py_function(wait, [images], tf.float32), (None, 8, 8, 1)
        )

    def make():
        model = SlowFirst(0.0, 0.0)
        model.compile(optimizer=None)
        return model

    found = estimate(make, make_data(4 * BATCH).map(slow), num_steps=10)
    assert 0.05 <= found.seconds_per_batch < 3.0 / 4


# ---- No trace ------------------------------------------------------------------------


def fit_all(with_estimate):
    """Trains one model that was there before, and one that is made after."""

    def make_seeded():
        small.seeded()
        return make_gan()

    keras.utils.set_random_seed(7)
    before = make_vae()
    before.fit(make_data(), verbose=0)
    if with_estimate:
        estimate(make_gan, make_data(), 2)
        estimate(make_seeded, make_data(), 2)
    draws = [random.random(), np.random.random()]
    after = make_vae()
    for model in (before, after):
        model.fit(make_data(), verbose=0)
    return before, after, draws


def test_other_models_and_later_draws_are_the_same_to_the_bit():
    *models, draws = fit_all(with_estimate=True)
    *others, other_draws = fit_all(with_estimate=False)
    for one, other in zip(models, others, strict=True):
        contracts.assert_same_state(one, other)
    assert draws == other_draws


# ---- Text and mistakes ---------------------------------------------------------------


def test_describe_names_every_part():
    found = estimate(make_vae, make_data(), 1)
    rows = dict(describe(found))
    assert rows["weights of encoder"] == f"{ENCODER:,} trainable, 0 other"
    assert rows["memory: in all"] == f"{found.memory_bytes / 1e6:,.1f} MB"
    assert rows["time of an epoch (3 steps)"] == f"{found.seconds_per_epoch:,.1f} s"
    parts = ("weights", "optimizer", "activations and gradients", "data")
    shown = [float(rows[f"memory: {part}"].split()[0]) for part in parts]
    total = float(re.sub("[^0-9.]", "", rows["memory: in all"]))
    assert sum(shown) == pytest.approx(total, abs=0.3)


@pytest.mark.parametrize(
    ("data", "num_steps", "message"),
    [
        (lambda: make_data().repeat(), 1, "length is unknown"),
        (lambda: make_data().filter(lambda x: True), 1, "length is unknown"),
        (lambda: make_data().take(0), 1, "is empty"),
        (make_data, 0, "num_steps must be an integer of at least 1"),
    ],
)
def test_mistakes(data, num_steps, message):
    with pytest.raises(UserError, match=message):
        estimate(make_vae, data(), num_steps)


def test_labels_pairs_and_float16():
    data = contracts.dataset(small.images(), small.labels())
    keras.config.set_dtype_policy("mixed_float16")
    found = estimate(make_vae, data, 1)
    assert found.weight_bytes == 4 * (ENCODER + DECODER + 1)
    # Labels are kept as they are.
    assert found.data_bytes == 3 * BATCH * (64 + small.labels().itemsize)
