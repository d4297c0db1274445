"""What every model must pass (the rules of the design), as checks to be called.

Most checks take a `Trained`: a model that is traced and trained once for all of them.
The others take `make_model`, a function that returns a new, compiled, small model with
seed 0 and the same initial weights at every call, and `images` `(n, height, width,
channels)` float32 in [0, 1]; conditional models also get `labels` `(n,)`, and models
that translate images get their targets as `labels`.
"""

import contextlib
import functools
import inspect
import math
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.training import ExactBackup
from tfgen.training.strategy import make_strategy

BATCH_SIZE = 8


def dataset(images, labels=None, batch_size=BATCH_SIZE):
    data = images if labels is None else (images, labels)
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


def state(model):
    """Every number that training moves: weights, slots, random states."""
    return [variable.numpy() for variable in _variables(model)]


def restore(model, values):
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)


def _variables(model):
    variables = [*model.weights, *model.random_states]
    for optimizer in optimizers(model):
        variables += optimizer.variables
    return variables


def eager(model):
    """Returns the model with steps that are not traced: a few are done sooner."""
    model.run_eagerly = True
    return model


def layers_of(model):
    """Yields the layers of a model, and those of its networks."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)


def optimizers(model):
    found = [
        getattr(model, name, None) for name in dir(type(model)) + list(vars(model))
    ]
    unique = {id(o): o for o in found if isinstance(o, keras.optimizers.Optimizer)}
    return list(unique.values())


def assert_same_state(one, other):
    one, other = state(one), state(other)
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


class Trained:
    """A variant after two epochs, with the files that it left on its way.

    One training serves all checks that only look, or that go on from a file: the model
    after the first epoch, and the checkpoints that a kill amid the second would leave.
    """

    def __init__(self, make_model, images, labels, folder):
        self.make_model, self.images, self.labels = make_model, images, labels
        self.model = make_model()
        self.start = state(self.model)
        self.steps_traced = count_steps(self.model)
        self.data = dataset(images, labels)
        self.file, self.killed = folder / "epoch_1.keras", folder / "killed"
        save = keras.callbacks.ModelCheckpoint(str(folder / "epoch_{epoch}.keras"))
        checkpoints = folder / "checkpoints"
        backup = ExactBackup(checkpoints, every=2)
        # An epoch: 3 batches, 3 of validation.
        copy = AtEvent(8, lambda: shutil.copytree(checkpoints, self.killed))
        look = AtEvent(8, lambda: setattr(self, "after_two", state(self.model)))
        callbacks = [save, copy, look, backup]
        self.history = self.fit(self.model, epochs=2, callbacks=callbacks).history

    @functools.cached_property
    def after_epoch(self):
        """The state after the first epoch, as it is in the file."""
        return state(self.load())

    def fit(self, model, data=None, **kwargs):
        data = self.data if data is None else data
        return model.fit(data, validation_data=data, verbose=0, **kwargs)

    def load(self):
        """Returns the model as it was after the first epoch."""
        return keras.saving.load_model(self.file, safe_mode=True)


def check_fit(trained):
    names = set(trained.model.term_names)
    assert set(trained.history) == names | {f"val_{name}" for name in names}
    assert all(math.isfinite(v) for values in trained.history.values() for v in values)
    moved = zip(trained.start, state(trained.model), strict=True)
    assert any(not np.array_equal(a, b) for a, b in moved)


def check_evaluation_repeats_and_leaves_no_trace(trained):
    model, before = trained.model, state(trained.model)
    first = model.evaluate(trained.data, return_dict=True, verbose=0)
    assert set(first) == set(model.term_names)
    assert model.evaluate(trained.data, return_dict=True, verbose=0) == first
    for left, right in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(left, right)


def check_predict(trained):
    data = prediction_data(trained.model, trained.images, trained.labels)
    before = state(trained.model)
    outputs = trained.model.predict(data, verbose=0)
    restore(trained.model, before)  # noise that is drawn moves the random state
    assert len(outputs) == len(trained.images)
    assert np.isfinite(outputs).all()


def prediction_data(model, images, labels=None):
    """What `predict` takes: images, or latents for a model that starts from noise."""
    if hasattr(model, "generate"):
        shape = (len(images), model.latent_dim)
        images = np.random.default_rng(0).normal(size=shape).astype("float32")
    return dataset(images, labels)


def check_ragged_last_batch(trained):
    """Figures are means over images: a smaller last batch counts for what it holds."""
    model, seen, totals = trained.model, 0, dict.fromkeys(trained.model.term_names, 0)
    for batch in trained.data:
        inputs = batch if isinstance(batch, tuple) else (batch,)
        model.reset_metrics()
        # The draws of `evaluate`, whose noise depends on the images counted before.
        model.trackers[0].count.assign(seen)
        terms = model.compute_terms(*inputs, training=False)
        for name in totals:
            totals[name] += len(inputs[0]) * float(terms[name])
        seen += len(inputs[0])
    assert seen % BATCH_SIZE
    model.reset_metrics()
    figures = model.evaluate(trained.data, return_dict=True, verbose=0)
    for name, total in totals.items():
        np.testing.assert_allclose(figures[name], total / seen, rtol=1e-5)


def check_round_trip(trained):
    """Load and one more epoch: to the bit as without stopping.

    A model without labels trains the same if the data has some.
    """
    loaded, data = trained.load(), trained.data
    if trained.labels is None:
        data = dataset(trained.images, np.arange(len(trained.images)) % 3)
    loaded.fit(data, verbose=0)
    assert_same_state(trained.model, loaded)
    assert loaded.get_config().keys() == trained.model.get_config().keys()
    if trained.labels is not None:
        with pytest.raises(ValueError, match="needs data of"):
            loaded.fit(dataset(trained.images), verbose=0)


def check_steps_are_traced_once(trained):
    """Whatever the batches and epochs."""
    assert sorted(trained.steps_traced) == ["test_step", "train_step"]


def check_jit_and_steps_per_execution(trained):
    """Two steps in one call, by XLA, are the steps without it."""
    loaded, data = trained.load(), trained.data.take(2)
    loaded.jit_compile, loaded.steps_per_execution = True, 2
    traced = count_steps(loaded)
    loaded.fit(data, validation_data=trained.data.take(1), verbose=0)
    assert_close(trained.after_two, state(loaded), rtol=1e-3, atol=1e-4)
    loaded.fit(data, verbose=0)
    assert sorted(traced) == ["test_step", "train_step"]


def check_jit_of_what_remains(trained):
    """So is a third step, of a smaller batch, in a call of its own."""
    loaded = trained.load()
    loaded.jit_compile, loaded.steps_per_execution = True, 2
    loaded.fit(trained.data, verbose=0)
    assert_close_state(trained.model, loaded, rtol=1e-3, atol=1e-4)


def check_rewritten_graphs(trained):
    """TensorFlow's rewriting of the steps, which tests switch off, changes no result.

    The second epoch is run again.
    """
    model, end = trained.model, state(trained.model)
    restore(model, trained.after_epoch)
    with rewriting():
        model.fit(trained.data, verbose=0)
        assert_close(state(model), end, rtol=1e-3, atol=1e-4)
        restore(model, end)
        figures = model.evaluate(trained.data, return_dict=True, verbose=0)
    for name, value in figures.items():
        expected = trained.history[f"val_{name}"][-1]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5, err_msg=name)


@contextlib.contextmanager
def rewriting():
    """Switches the rewriting of graphs on, as users have it."""
    options = tf.config.optimizer.get_experimental_options()
    disabled = options.get("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    try:
        yield
    finally:
        options = {"disable_meta_optimizer": disabled}
        tf.config.optimizer.set_experimental_options(options)


def check_stop_and_resume(trained):
    """Killed in the second epoch, amid its steps: to the bit as if not."""
    model, backup = trained.make_model(), ExactBackup(trained.killed, every=2)
    assert (backup.initial_epoch, backup.initial_step) == (1, 1)
    resumed = trained.fit(model, epochs=2, callbacks=[backup])
    assert_same_state(trained.model, model)
    assert resumed.history == trained.history


def check_keras_round_trip(make_model, images, labels, path):
    """Save, load (safe mode), one more epoch: to the bit as without stopping."""
    model = make_model()
    data = dataset(images, labels)
    model.fit(data, verbose=0)
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    assert_same_state(model, loaded)
    model.fit(data, verbose=0)
    loaded.fit(data, verbose=0)
    assert_same_state(model, loaded)
    assert loaded.get_config().keys() == model.get_config().keys()


class Killed(Exception):
    pass


class AtEvent(keras.callbacks.Callback):
    """Calls a function after so many batches of training or validation."""

    def __init__(self, num_events, function):
        super().__init__()
        self.num_events, self.function = num_events, function

    def on_train_batch_end(self, batch, logs=None):
        self.num_events -= 1
        if self.num_events == 0:
            self.function()

    on_test_batch_end = on_train_batch_end


class KillAfter(AtEvent):
    """Ends `fit` abruptly after so many batches of training or validation."""

    def __init__(self, num_events):
        super().__init__(num_events, self._kill)

    def _kill(self):
        raise Killed


def count_steps(model):
    """Returns a list that gets a name whenever Python runs a step.

    A compiled step is run by Python when it is traced.
    """
    calls = []

    def counted(name, method):
        def call(*args, **kwargs):
            calls.append(name)
            return method(*args, **kwargs)

        return call

    for name in ("train_step", "test_step"):
        setattr(model, name, counted(name, getattr(model, name)))
    return calls


def check_config_matches_signature(trained):
    """One argument = one attribute = one config key."""
    model = trained.model
    names = list(inspect.signature(type(model).__init__).parameters)[1:]
    names.remove("kwargs")
    config = model.get_config()
    for name in names:
        value = getattr(model, type(model).attribute_of.get(name, name))
        assert config[name] == keras.saving.serialize_keras_object(value), name
    clone = keras.models.clone_model(model)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]


def check_variables_are_where_a_gpu_is(trained):
    """None is int32: TensorFlow keeps those on the CPU, where XLA can't use them."""
    model = trained.model
    variables = [*model.variables, *(v for o in optimizers(model) for v in o.variables)]
    assert not [v.path for v in variables if v.dtype == "int32"]


def check_mixed_precision(make_model, images, labels=None, policy="mixed_float16"):
    keras.config.set_dtype_policy(policy)
    model = make_model()
    start = state(model)
    used = {layer.compute_dtype for layer in layers_of(model) if layer.weights}
    assert policy.removeprefix("mixed_") in used
    for optimizer in optimizers(model):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
    history = model.fit(dataset(images, labels), verbose=0).history
    assert all(math.isfinite(v) for values in history.values() for v in values)
    inputs = [x[:BATCH_SIZE] for x in (images, labels) if x is not None]
    for name, term in model.compute_terms(*inputs, training=False).items():
        assert term.dtype == tf.float32, name
    assert all(w.dtype == "float32" for w in model.trainable_weights)
    if policy == "mixed_float16":
        for overflowing in optimizers(model):
            restore(model, start)
            _check_overflow_is_skipped(model, overflowing, dataset(*inputs))


def _check_overflow_is_skipped(model, overflowing, data):
    """A loss scale that overflows is halved, and that optimizer's step moves nothing.

    Each optimizer's own scale counts for its loss: the others go on as before.
    """
    for optimizer in optimizers(model):
        scale = 2.0**120 if optimizer is overflowing else 1.0
        optimizer.dynamic_scale.assign(scale)
    before = [[v.numpy() for v in o.variables] for o in optimizers(model)]
    model.fit(data, verbose=0)
    is_discriminator = overflowing is getattr(model, "discriminator_optimizer", None)
    overflows = getattr(model, "discriminator_steps", 1) if is_discriminator else 1
    assert float(overflowing.dynamic_scale) == 2.0 ** (120 - overflows)
    for optimizer, old in zip(optimizers(model), before, strict=True):
        moments = zip(old, optimizer.variables, strict=True)
        # Scale and counters aside: the moments are zero until a step is taken.
        moved = any(a.ndim and not np.array_equal(a, b) for a, b in moments)
        assert moved == (optimizer is not overflowing)


def check_mirrored_strategy(trained):
    """Two replicas with global batch B take the steps that one takes with batch B.

    Of the last batch one of them gets a row more, if its rows are odd.
    """
    with two_replicas().scope():
        mirrored = trained.make_model()
    for name, values in mirrored.fit(trained.data, verbose=0).history.items():
        one = trained.history[name][0]
        np.testing.assert_allclose(values[0], one, rtol=1e-5, err_msg=name)
    assert_close(trained.after_epoch, state(mirrored), rtol=1e-3, atol=1e-5)


def two_replicas():
    strategy = make_strategy("mirrored")
    if tf.config.list_physical_devices("GPU") and strategy.num_replicas_in_sync != 2:
        pytest.skip("replicas are those of the GPUs, which are not two")
    assert strategy.num_replicas_in_sync == 2  # the logical CPUs of conftest.py
    return strategy


def assert_close_state(one, other, rtol, atol=1e-6):
    assert_close(state(one), state(other), rtol, atol)


def assert_close(one, other, rtol, atol):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


def check_signatures(trained, num_rows=3):
    """Named float32 images in [0, 1], dynamic batch, no hidden randomness.

    Called in Python, the method of the same name returns the same.
    """
    model = trained.model
    endpoints = model.signatures()
    assert endpoints
    for name, function in endpoints.items():
        specs = function.input_signature
        assert all(spec.name and spec.shape[0] is None for spec in specs), name
        for rows in (1, num_rows):
            inputs = [_example(spec, rows) for spec in specs]
            outputs, again = function(*inputs), function(*inputs)
            assert outputs, name
            for key, value in outputs.items():
                assert value.shape[0] == rows
                np.testing.assert_array_equal(value, again[key])
                if key == "images":
                    assert value.dtype == tf.float32
                    assert float(tf.reduce_min(value)) >= 0.0
                    assert float(tf.reduce_max(value)) <= 1.0
        if name != "sample":
            outputs = function(*inputs)
            direct = getattr(model, name)(*inputs)
            direct = direct if isinstance(direct, tuple) else (direct,)
            for one, other in zip(direct, outputs.values(), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        if specs[0].name == "seeds":
            check_seeds(function, specs)


def check_seeds(function, specs):
    """The image of a seed depends on that seed alone."""
    others = [_example(spec, 3) for spec in specs[1:]]
    images = function(tf.constant([5, 9, 5], tf.int64), *others)["images"]
    others = [tf.gather(other, [1]) for other in others]
    alone = function(tf.constant([9], tf.int64), *others)["images"]
    np.testing.assert_allclose(images[1:2], alone, atol=1e-6)
    assert float(tf.reduce_max(tf.abs(images[0] - images[1]))) > 1e-6
    if not others:
        np.testing.assert_array_equal(images[0], images[2])


def _example(spec, rows):
    shape = [rows, *spec.shape[1:]]
    if spec.dtype.is_integer:
        numbers = tf.range(rows, dtype=spec.dtype) % 2
        return tf.broadcast_to(
            tf.reshape(numbers, [rows] + [1] * len(shape[1:])), shape
        )
    return tf.random.stateless_uniform(shape, (0, 1))


LOOKING = (  # at one training, which they leave as it was
    check_fit,
    check_steps_are_traced_once,
    check_evaluation_repeats_and_leaves_no_trace,
    check_predict,
    check_ragged_last_batch,
    check_config_matches_signature,
    check_variables_are_where_a_gpu_is,
    check_signatures,
)
COMPILING = (  # against that training, steps that are traced or compiled anew
    check_round_trip,
    check_jit_and_steps_per_execution,
    check_jit_of_what_remains,
    check_stop_and_resume,
    check_mirrored_strategy,
    check_rewritten_graphs,
)
