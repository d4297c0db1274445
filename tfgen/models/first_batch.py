"""The values of the first batch that a method of Keras's meets are checked."""

import functools
import types
import weakref

import keras
import numpy as np
import tensorflow as tf

from tfgen.models import checks

_ROWS = 256  # of an array that are looked at
_TRACED = weakref.WeakKeyDictionary()  # model -> keys -> the check of a dataset


class FirstBatchMixin:
    """`fit` and the like of `keras.Model`, which look at the values that come first.

    They raise a `ValueError` of one line if images are not in [0, 1], or labels out of
    range, before a step is taken. `train_on_batch` and `test_on_batch` look at their
    first call's.
    """

    _has_seen_batch = False

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        with checks.one_line():
            self._refuse_weights(kwargs)
            x = checked(self, x, y)
            if isinstance(validation_data, tuple):
                checked(self, *validation_data[:2])
            else:
                validation_data = checked(self, validation_data)
            return super().fit(x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        with checks.one_line():
            self._refuse_weights(kwargs)
            if not kwargs.get("_use_cached_eval_dataset"):  # else `fit` did it
                x = checked(self, x, y)
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        with checks.one_line():
            x = checked(self, x, keys=self.call_keys)
            return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        self._look_once(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        self._look_once(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def _refuse_weights(self, arguments):
        for name in ("sample_weight", "class_weight"):  # Keras drops them without y
            checks.no_weights(self, f"`{name}`", arguments.get(name))

    def _look_once(self, x, y):
        if not self._has_seen_batch:
            with checks.one_line():
                self._check_values(x if y is None else (x, y))
            self._has_seen_batch = True

    def _check_values(self, data, keys=None):
        values = self._unpack(data, keys)
        keys = [k for k in keys or self.data_keys if k in self.input_specs]
        for key, value in zip(keys, values, strict=False):
            if key in self.index_limits:
                checks.assert_indices(self, key, value)
            elif key != "latents":
                checks.assert_images(key, value)
        return True


def _traced(model, keys):
    """Returns the check as a function that is traced once a model, not at each `fit`.

    It is no attribute of the model, or a SavedModel would hold it.
    """
    functions = _TRACED.setdefault(model, {})
    if keys not in functions:
        owner = weakref.ref(model)
        functions[keys] = tf.function(
            lambda batch: owner()._check_values(batch, keys), autograph=False
        )
    return functions[keys]


def checked(model, x, y=None, keys=None):
    """Returns data whose first batch is checked before a step is taken with it.

    No batch is read here that a step would not see then: the order of shuffled data
    stays what it was.

    Args:
        model: Whose inputs they are.
        x: What `fit` takes: arrays, a `tf.data.Dataset`, a generator, a `PyDataset`.
        y: Likewise.
        keys: Of the model's `input_specs`; those of `fit` by default.
    """
    if isinstance(x, tf.data.Dataset):
        return _checked_dataset(_traced(model, keys), x)
    check = functools.partial(model._check_values, keys=keys)
    if isinstance(x, types.GeneratorType):
        return _checked_generator(check, x)
    if isinstance(x, keras.utils.PyDataset):
        check(x[0])
        return x
    parts = [*x] if isinstance(x, tuple | list) else [x]
    parts += [] if y is None else [y]
    checks.some_arrays(model, x, parts)
    if all(isinstance(part, np.ndarray | tf.Tensor) for part in parts):
        rows = slice(None, None, max(1, len(parts[0]) // _ROWS))
        rows_of = [parts[0][rows], *parts[1:]]
        check(tuple(rows_of) if len(parts) > 1 else rows_of[0])
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
