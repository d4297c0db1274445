"""The values of the first batch that `fit` or `evaluate` meets are checked."""

import types

import keras
import numpy as np
import tensorflow as tf

_ROWS = 256  # of an array that are looked at


def checked(check, x, y=None):
    """Returns data whose first batch is checked before a step is taken with it.

    No batch is read here that a step would not see then: the order of shuffled data
    stays what it was.

    Args:
        check: Function of data as a step has them, in a graph or eagerly.
        x: What `fit` takes: arrays, a `tf.data.Dataset`, a generator, a `PyDataset`.
        y: Likewise.
    """
    if isinstance(x, tf.data.Dataset):
        return _checked_dataset(check, x)
    if isinstance(x, types.GeneratorType):
        return _checked_generator(check, x)
    if isinstance(x, keras.utils.PyDataset):
        check(x[0])
    elif isinstance(x, np.ndarray | tf.Tensor):
        rows = slice(None, None, max(1, len(x) // _ROWS))
        check(x[rows] if y is None else (x[rows], y))
    return x


def _checked_dataset(check, dataset):
    @tf.autograph.experimental.do_not_convert
    def checked(index, batch):
        first = tf.cond(index == 0, lambda: check(batch), lambda: True)
        with tf.control_dependencies([first]):
            return tf.nest.map_structure(tf.identity, batch)

    return dataset.enumerate().map(checked)


def _checked_generator(check, batches):
    for index, batch in enumerate(batches):
        if not index:
            check(batch)
        yield batch
