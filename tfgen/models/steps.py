"""A training step: one optimizer goes down the gradient of one loss."""

import contextlib

import tensorflow as tf

from tfgen import _compat, replicas


@contextlib.contextmanager
def descent(optimizer, variables, images):
    """Records a loss; on exit the optimizer takes its step down the gradient.

    Yields a `Step`: `minimize(loss)` says which, a mean over this replica's images.
    """
    with tf.GradientTape() as tape:
        step = Step(optimizer, tape, tf.shape(images)[0])
        yield step
    optimizer.apply(tape.gradient(step.scaled_loss, variables), variables)


class Step:
    """The loss that an optimizer goes down, and the tape that records it."""

    def __init__(self, optimizer, tape, batch_size):
        self.optimizer, self.tape, self.batch_size = optimizer, tape, batch_size

    def minimize(self, loss):
        # Keras optimizers sum gradients over replicas; float16 needs a larger loss.
        loss = replicas.weigh(loss, self.batch_size)
        self.scaled_loss = self.optimizer.scale_loss(loss)

    def paused(self):
        """A context in which nothing is step."""
        return self.tape.stop_recording()


def resolve_jit(jit_compile):
    """Returns whether to use XLA: `"auto"` does on a single GPU."""
    if jit_compile != "auto":
        return jit_compile
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    is_distributed = tf.distribute.has_strategy()
    return has_gpu and not (is_distributed or _compat.is_op_determinism_enabled())
