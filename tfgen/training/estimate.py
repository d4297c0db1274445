"""What training will take: parameters, peak memory of real steps, seconds an epoch."""

import contextlib
import math
import pathlib
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgen.data.loading import check_integer
from tfgen.errors import UserError

_STATUS, _RESET = pathlib.Path("/proc/self/status"), "/proc/self/clear_refs"


class Estimate(NamedTuple):
    """What a model takes to train.

    Attributes:
        parameters: Name of a network -> its trainable and its other weights; `"model"`
            has those that are in no network.
        steps_per_epoch: Integer.
        seconds_per_step: Of training, the reading of its batch included; the first
            step, which is traced, is not counted.
        memory_bytes: The most that the process had in memory during the steps, its
            libraries and data included; None where the system does not say.
        gpu_bytes: The most that was in use on the first GPU; None without one.
    """

    parameters: dict[str, tuple[int, int]]
    steps_per_epoch: int
    seconds_per_step: float
    memory_bytes: int | None
    gpu_bytes: int | None

    @property
    def seconds_per_epoch(self) -> float:
        """Training and reading, without validation and callbacks."""
        return self.steps_per_epoch * self.seconds_per_step

    def rows(self) -> list[tuple[str, str]]:
        """Returns rows of a name and a text, to be shown."""
        rows = [
            (f"weights of {name}", f"{trainable:,} trainable, {fixed:,} other")
            for name, (trainable, fixed) in self.parameters.items()
        ]
        peaks = {
            "peak memory": self.memory_bytes,
            "peak memory of the GPU": self.gpu_bytes,
        }
        rows += [(k, f"{v / 1e6:,.0f} MB") for k, v in peaks.items() if v is not None]
        epoch = f"time of an epoch ({self.steps_per_epoch:,} steps)"
        rows.append(("time of a step", f"{1e3 * self.seconds_per_step:,.1f} ms"))
        return [*rows, (epoch, f"{self.seconds_per_epoch:,.1f} s")]


def estimate(
    model_fn: Callable[[], keras.Model], dataset: tf.data.Dataset, num_steps: int = 5
) -> Estimate:
    """Trains a throwaway model for a few steps, and measures them.

    Python's and NumPy's random states are restored: the initial weights of later
    models are the same as without this call.

    Args:
        model_fn: Makes a new, compiled model, which is thrown away.
        dataset: Batches, as `fit` takes. A pass over it is used up.
        num_steps: Integer, steps that are timed.

    Raises:
        UserError: The dataset's length is unknown or none, or `num_steps` is below 1.
    """
    check_integer("num_steps", num_steps, 1)
    num_batches = int(dataset.cardinality())
    if num_batches < 1:
        raise UserError(
            "the time of an epoch is not known: the dataset is empty, or its length is "
            "unknown (apply tf.data.experimental.assert_cardinality)"
        )
    states = random.getstate(), np.random.get_state()  # weights are drawn from them
    times: list[float] = []

    def note_time(batch: int, logs: Any = None) -> None:
        for value in (logs or {}).values():
            float(value)  # waits for the device
        times.append(time.perf_counter())

    try:
        model = model_fn()
        model.steps_per_execution = 1
        _reset_peaks()
        timer = keras.callbacks.LambdaCallback(on_train_batch_end=note_time)
        steps = dataset.repeat().take(num_steps + 1)
        model.fit(steps, verbose=0, shuffle=False, callbacks=[timer])
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    seconds = (times[-1] - times[0]) / num_steps
    return Estimate(_count_parameters(model), num_batches, seconds, *_peaks())


def _count_parameters(model: keras.Model) -> dict[str, tuple[int, int]]:
    counts, counted = {}, set()
    networks = {k: v for k, v in vars(model).items() if isinstance(v, keras.Model)}
    for name, network in {**networks, "model": model}.items():
        weights = [w for w in network.weights if id(w) not in counted]
        counted |= {id(w) for w in weights}
        sizes = [(math.prod(w.shape), w.trainable) for w in weights]
        if weights:
            trainable = sum(size for size, is_trainable in sizes if is_trainable)
            counts[name] = (trainable, sum(size for size, _ in sizes) - trainable)
    return counts


def _reset_peaks() -> None:
    with contextlib.suppress(OSError):
        pathlib.Path(_RESET).write_text("5")
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")


def _peaks() -> tuple[int | None, int | None]:
    """Returns the most bytes in use since the reset: of the process, of the GPU."""
    process = gpu = None
    with contextlib.suppress(OSError, StopIteration):
        lines = _STATUS.read_text().splitlines()
        process = 1024 * next(int(x.split()[1]) for x in lines if "VmHWM" in x)
    if tf.config.list_physical_devices("GPU"):
        gpu = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return process, gpu
