"""Stops training when a loss is no longer finite."""

import math

import keras

from tfgen.errors import UserError


class NotFiniteError(UserError):
    """Training diverged: a figure or a weight is NaN or infinite."""


class FiniteGuard(keras.callbacks.Callback):
    """Stops `fit` at the first step whose logs contain NaN or infinity.

    Put it before callbacks that save, so that they save no diverged weights. With
    `steps_per_execution` the step is known to within that number.

    Raises:
        NotFiniteError: Names the figure, the epoch and the step.
    """

    def __init__(self):
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not math.isfinite(float(value)):
                first = batch + 2 - self.model.steps_per_execution
                last = min(batch + 1, self.params.get("steps") or batch + 1)
                where = f"step {last}" if first >= last else f"steps {first} to {last}"
                raise NotFiniteError(
                    f"training diverged: {name} is {float(value)} at {where} of epoch "
                    f"{self._epoch + 1}. Lower the learning rate, clip gradients, or "
                    "find the operation with --detect-anomaly"
                )
