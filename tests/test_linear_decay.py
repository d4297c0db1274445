"""Learning rates at known steps, and after a restart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 2.0), (49, 2.0), (50, 2.0), (51, 1.96), (75, 1.0), (99, 0.04)],
)
def test_values(step, rate):
    assert float(tfgen.LinearDecay(2.0, 100)(step)) == pytest.approx(rate)


@pytest.mark.parametrize("step", [100, 101, 10**9])
def test_the_rate_is_zero_at_the_end_and_after(step):
    assert float(tfgen.LinearDecay(2.0, 100)(step)) == 0.0


@pytest.mark.parametrize(
    ("start", "rates"),
    [(0.0, [1.0, 0.75, 0.5, 0.25, 0.0]), (0.75, [1.0, 1.0, 1.0, 1.0, 0.0])],
)
def test_start(start, rates):
    schedule = tfgen.LinearDecay(1.0, 4, start)
    assert [float(schedule(step)) for step in range(5)] == pytest.approx(rates)


def test_takes_the_optimizers_step():
    schedule = tfgen.LinearDecay(1.0, 2**31)
    rate = schedule(tf.constant(3 * 2**29, tf.int64))
    assert rate.dtype == tf.float32
    assert float(rate) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 10), "initial_learning_rate"),
        ((-1.0, 10), "initial_learning_rate"),
        ((float("nan"), 10), "initial_learning_rate"),
        ((1.0, 0), "num_steps"),
        ((1.0, 2.5), "num_steps"),
        ((1.0, 10, 1.0), "start"),
        ((1.0, 10, -0.1), "start"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        tfgen.LinearDecay(*arguments)


def test_serialisation():
    schedule = tfgen.LinearDecay(2e-4, 1000, 0.25)
    config = keras.optimizers.schedules.serialize(schedule)
    copy = keras.optimizers.schedules.deserialize(config)
    assert isinstance(copy, tfgen.LinearDecay)
    assert copy.get_config() == schedule.get_config()
    assert copy.get_config() == {
        "initial_learning_rate": 2e-4,
        "num_steps": 1000,
        "start": 0.25,
    }


def test_a_loaded_model_goes_on_where_it_was(tmp_path):
    """Twelve batches with and without a restart after seven; the decay is from 5 to 10.

    Far below, targets make the gradient 1, so a batch moves the kernel by the rate.
    """
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(tfgen.LinearDecay(0.1, 10))
    model.compile(optimizer, "mean_absolute_error", jit_compile=False)
    inputs, targets = np.ones((4, 1), np.float32), np.full((4, 1), -100.0, np.float32)

    def moves(model, count):
        for _ in range(count):
            before = model.get_weights()[0].item()
            model.train_on_batch(inputs, targets)
            yield before - model.get_weights()[0].item()

    rates = list(moves(model, 7))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 7
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.06)
    rest = list(moves(loaded, 5))
    assert rest == list(moves(model, 5))
    expected = [0.1] * 6 + [0.08, 0.06, 0.04, 0.02, 0.0, 0.0]
    assert [*rates, *rest] == pytest.approx(expected, abs=1e-6)
