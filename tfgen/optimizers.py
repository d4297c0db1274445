"""Adam that reads and writes each weight once a step, and a linear decay."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfgen import _compat


@keras.saving.register_keras_serializable(package="tfgen")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with one fused operation a variable: same, but faster.

        m <- m + (1 - beta_1) (g - m)
        v <- v + (1 - beta_2) (g^2 - v)
        w <- w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + eps)

    Keras runs a chain of elementwise operations, each of which reads and writes whole
    tensors, and that memory traffic is what a step costs. TensorFlow has the three
    lines as one operation.

    Reference: [Kingma and Ba, 2015](https://arxiv.org/abs/1412.6980), alg. 1 in the
    order of the end of sec. 2.

    Arguments, config and slots are those of Adam, so it loads what Adam saved. The
    weights of the two differ by float32's rounding of `beta_2`: 1 - float32(0.999) is a
    relative 1.3e-5 below 0.001; Keras uses it in one of the two places, this in both.
    Sparse gradients (`tf.IndexedSlices`) and `amsgrad` take Keras's own step.

    Example:

    ```python
    model.compile(optimizer=tfgen.optimizers.FusedAdam(2e-4, beta_1=0.5))
    ```
    """

    def update_step(
        self, gradient: Any, variable: tf.Variable, learning_rate: Any
    ) -> None:
        """Updates a variable and its slots."""
        is_resource = hasattr(variable, "handle")
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices) or not is_resource:
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        momentum, velocity = _compat.adam_slots(self, variable)
        # On replicas, slots are mirrored: `handle` is the one of the replica updated.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=ops.cast(self.beta_1, dtype),
            beta2=ops.cast(self.beta_2, dtype),
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(gradient, dtype),
        )


@keras.saving.register_keras_serializable(package="tfgen")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant at first, then falls linearly to zero.

    A function of the optimizer's step: a restored optimizer goes on where it was.

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


def find_optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizers of a compiled model, each once; a GAN has two."""
    attributes = vars(model).values()
    optimizers = [v for v in attributes if isinstance(v, keras.optimizers.Optimizer)]
    return list({id(optimizer): optimizer for optimizer in optimizers}.values())
