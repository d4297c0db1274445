"""Learning rate schedules: functions of the optimizer's step, they resume with it."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="tfgen")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant at first, then linear to zero.

        rate(step) = initial_learning_rate * min(1, (num_steps - step) / decay_steps)
        decay_steps = (1 - start) * num_steps,          and 0 from `num_steps` on

    Reference: [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), sec. 4: 100 epochs
    at 2e-4, then 100 to zero.

    Args:
        initial_learning_rate: Float above 0.
        num_steps: Integer, batches of the whole training: epochs * batches an epoch
            (with `gradient_accumulation_steps` too, Keras counts every batch here).
        start: Float in [0, 1), share of `num_steps` before the decay.

    Call arguments:
        step: Integer, scalar: how many steps the optimizer has taken.

    Returns:
        The learning rate, a float32 scalar.

    Example:

    ```python
    schedule = tfgen.LinearDecay(2e-4, num_steps=200 * len(batches))
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5)
    ```
    """

    def __init__(
        self, initial_learning_rate: float, num_steps: int, start: float = 0.5
    ) -> None:
        if not initial_learning_rate > 0.0:
            raise ValueError(
                "`initial_learning_rate` must be above 0. "
                f"Received: {initial_learning_rate}"
            )
        if num_steps != int(num_steps) or num_steps < 1:
            raise ValueError(
                f"`num_steps` must be an integer of at least 1. Received: {num_steps}"
            )
        if not 0.0 <= start < 1.0:
            raise ValueError(f"`start` must be in [0, 1). Received: {start}")
        self.initial_learning_rate = float(initial_learning_rate)
        self.num_steps = int(num_steps)
        self.start = float(start)

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the rate of a step; see the class."""
        decay_steps = (1.0 - self.start) * self.num_steps
        remaining = ops.cast(self.num_steps - step, "float32") / decay_steps
        return self.initial_learning_rate * ops.clip(remaining, 0.0, 1.0)

    def get_config(self) -> dict:
        """Returns the arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "num_steps": self.num_steps,
            "start": self.start,
        }
