"""A loss that stops being finite stops training."""

import math

import keras

from tfgen.errors import UserError


class NotFiniteError(UserError):
    """Training diverged: a figure or a weight is NaN or infinite."""


class FiniteGuard(keras.callbacks.Callback):
    """Stops `fit` at the first step whose logs hold a figure that is not finite.

    It should come before callbacks that save, so that what they saved last is from
    before. With `steps_per_execution` the step is known to that many.

    Raises:
        NotFiniteError: It names the figure, the epoch and the step.
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
