"""What an estimate counts and measures, and that it leaves nothing behind."""

import random
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests import contracts
from tests.models import small
from tfgen.errors import UserError
from tfgen.training.estimate import estimate

BATCH = 8
ENCODER = (64 + 1) * 16 + (16 + 1) * 6
DECODER = (3 + 1) * 16 + (16 + 1) * 64


def make_vae():
    model = tfgen.VAE(
        tfgen.networks.build_mlp_encoder((8, 8, 1), 2 * 3, hidden_units=(16,)),
        tfgen.networks.build_mlp_decoder(3, (8, 8, 1), hidden_units=(16,)),
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def make_data(count=20):
    return contracts.dataset(small.images(count), batch_size=BATCH)


def test_parameters_steps_and_rows():
    result = estimate(make_vae, make_data(), 1)
    assert result.parameters["encoder"] == (ENCODER, 0)
    assert result.parameters["decoder"] == (DECODER, 0)
    assert result.steps_per_epoch == 3
    rows = dict(result.rows())
    assert rows["weights of encoder"] == f"{ENCODER:,} trainable, 0 other"
    assert rows["time of an epoch (3 steps)"] == f"{result.seconds_per_epoch:,.1f} s"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_that_of_the_steps():
    """A tensor of 256 MB that a step makes is in it; one of before it is not."""
    peaks = []
    for megabytes in (0, 256):
        np.ones(2**20 * 300, np.uint8).sum()  # a peak of before

        def make(megabytes=megabytes):
            model = Steps(lambda: np.ones(2**20 * megabytes, np.uint8).sum())
            model.compile(optimizer=None)
            return model

        peaks.append(estimate(make, make_data(), 1).memory_bytes)
    assert peaks[1] - peaks[0] == pytest.approx(256 * 2**20, rel=0.2)


class Steps(keras.Model):
    """A model whose step is a call of a function."""

    def __init__(self, function):
        super().__init__()
        self.function, self.num_steps, self.built = function, 0, True

    def train_step(self, data):
        tf.py_function(self._step, [], [])
        return {"loss": tf.constant(0.0)}

    def _step(self):
        self.num_steps += 1
        self.function()


def test_the_first_step_is_not_timed():
    """It takes 1.5 s, as one that is traced does; the others take 0.1 s."""
    waits, models = iter([1.5] + [0.1] * 20), []

    def make():
        models.append(Steps(lambda: time.sleep(next(waits))))
        models[-1].compile(optimizer=None, steps_per_execution=3)
        return models[-1]

    result = estimate(make, make_data(), num_steps=4)
    assert models[0].num_steps == 5
    assert 0.1 <= result.seconds_per_step < 0.4
    assert result.seconds_per_epoch == 3 * result.seconds_per_step


def test_other_models_and_later_draws_are_the_same_to_the_bit():
    def train_all(with_estimate):
        keras.utils.set_random_seed(7)
        before = make_vae()
        before.fit(make_data(), verbose=0)
        if with_estimate:
            estimate(lambda: (small.seeded(), make_vae())[1], make_data(), 2)
        draws = [random.random(), np.random.random()]
        after = make_vae()
        for model in (before, after):
            model.fit(make_data(), verbose=0)
        return before, after, draws

    *models, draws = train_all(with_estimate=True)
    *others, other_draws = train_all(with_estimate=False)
    for one, other in zip(models, others, strict=True):
        contracts.assert_same_state(one, other)
    assert draws == other_draws


@pytest.mark.parametrize(
    ("data", "num_steps", "message"),
    [
        (lambda: make_data().repeat(), 1, "length is unknown"),
        (lambda: make_data().take(0), 1, "is empty"),
        (make_data, 0, "num_steps must be an integer of at least 1"),
    ],
)
def test_mistakes(data, num_steps, message):
    with pytest.raises(UserError, match=message):
        estimate(make_vae, data(), num_steps)
