"""What every model must pass (the rules of the design), as checks to be called.

Each check takes `make_model`, a function that returns a new, compiled, small model with
seed 0 and the same initial weights at every call, and `images` `(n, height, width,
channels)` float32 in [0, 1]; conditional models also get `labels` `(n,)`, and models
that translate images get their targets as `labels`.
`run_contracts` calls them all but export's: tests parametrise over `CONTRACTS`.
"""

import contextlib
import inspect
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.callbacks import ExactBackup
from tfgen.training.strategy import make_strategy

BATCH_SIZE = 8


def dataset(images, labels=None, batch_size=BATCH_SIZE):
    data = images if labels is None else (images, labels)
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


def state(model):
    """Every number that training moves: weights, slots, random states."""
    variables = [*model.weights, *model.random_states]
    for optimizer in optimizers(model):
        variables += optimizer.variables
    return [v.numpy() for v in variables]


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


def check_fit_evaluate_predict(make_model, images, labels=None):
    model = make_model()
    data = dataset(images, labels)
    before = state(model)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    names = set(model.term_names)
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(math.isfinite(v) for values in history.values() for v in values)
    assert any(
        not np.array_equal(a, b) for a, b in zip(before, state(model), strict=False)
    )
    assert set(model.evaluate(data, return_dict=True, verbose=0)) == names
    outputs = model.predict(prediction_data(model, images, labels), verbose=0)
    assert len(outputs) == len(images)
    assert np.isfinite(outputs).all()


def prediction_data(model, images, labels=None):
    """What `predict` takes: images, or latents for a model that starts from noise."""
    if hasattr(model, "generate"):
        shape = (len(images), model.latent_dim)
        images = np.random.default_rng(0).normal(size=shape).astype("float32")
    return dataset(images, labels)


def check_same_seed_same_training(make_model, images, labels=None):
    one, other = make_model(), make_model()
    one.fit(dataset(images, labels), epochs=2, verbose=0)
    other.fit(dataset(images, labels), epochs=2, verbose=0)
    assert_same_state(one, other)


def check_evaluation_repeats_and_leaves_no_trace(make_model, images, labels=None):
    model = make_model()
    data = dataset(images, labels)
    model.fit(data, verbose=0)
    before = state(model)
    first = model.evaluate(data, return_dict=True, verbose=0)
    assert model.evaluate(data, return_dict=True, verbose=0) == first
    for left, right in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(left, right)


def check_ragged_last_batch(make_model, images, labels=None):
    """A last batch of one counts for one: figures are means over images."""
    model = make_model()
    count = BATCH_SIZE + 1
    images = images[:count]
    labels = None if labels is None else labels[:count]
    model.fit(dataset(images, labels), verbose=0)
    steps = []
    for batch in dataset(images, labels):
        model.reset_metrics()
        # The draws of `evaluate`, whose noise depends on the images counted before.
        seen = sum(size for size, _ in steps)
        model.trackers[0].count.assign(seen)
        inputs = batch if labels is not None else (batch,)
        terms = model.compute_terms(*inputs, training=False)
        steps.append((len(inputs[0]), {k: float(v) for k, v in terms.items()}))
    model.reset_metrics()
    figures = model.evaluate(dataset(images, labels), return_dict=True, verbose=0)
    for name in model.term_names:
        mean = sum(size * terms[name] for size, terms in steps) / count
        np.testing.assert_allclose(figures[name], mean, rtol=1e-5)


def check_labelled_and_unlabelled(make_model, images, labels=None):
    """An unconditional model trains the same with labels in the data or without."""
    model = make_model()
    given = np.arange(len(images)) % 3
    if labels is not None:
        with pytest.raises(ValueError, match="needs data of"):
            model.fit(dataset(images), verbose=0)
        return
    other = make_model()
    model.fit(dataset(images), verbose=0)
    other.fit(dataset(images, given), verbose=0)
    assert_same_state(model, other)
    data = prediction_data(model, images, given)
    assert len(model.predict(data, verbose=0)) == len(images)


def check_steps_per_execution(make_model, images, labels=None):
    model, other = make_model(), make_model()
    _recompile(other, steps_per_execution=2)
    images = images[: 4 * BATCH_SIZE]
    labels = None if labels is None else labels[: 4 * BATCH_SIZE]
    model.fit(dataset(images, labels), verbose=0)
    other.fit(dataset(images, labels), verbose=0)
    assert_close_state(model, other, rtol=1e-5)


def check_jit_compile(make_model, images, labels=None):
    model, other = make_model(), make_model()
    _recompile(other, jit_compile=True)
    assert other.jit_compile
    model.fit(dataset(images, labels), verbose=0)
    other.fit(dataset(images, labels), verbose=0)
    assert_close_state(model, other, rtol=1e-3, atol=1e-4)


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


def check_exact_resume(make_model, images, labels, path):
    """Killed twice, between checkpoints and in validation: to the bit as if not."""
    options = {"validation_data": dataset(images, labels), "epochs": 3, "verbose": 0}
    whole = make_model()
    history = whole.fit(dataset(images, labels), **options).history
    # An epoch is 3 batches of training and 3 of validation. The first kill is in the
    # first validation; the second one in the epoch that was resumed: passed-over
    # batches are events too.
    for num_events in (5, 4, math.inf):
        model = make_model()
        backup = ExactBackup(path, every=2)
        assert (backup.newest is None) == (num_events == 5)
        callbacks = [KillAfter(num_events), backup]
        with contextlib.suppress(Killed):
            resumed = model.fit(dataset(images, labels), callbacks=callbacks, **options)
    assert_same_state(whole, model)
    assert resumed.history == history
    assert resumed.epoch == [0, 1, 2]


class Killed(Exception):
    pass


class KillAfter(keras.callbacks.Callback):
    """Ends `fit` abruptly after so many batches of training or validation."""

    def __init__(self, num_events):
        super().__init__()
        self.num_events = num_events

    def on_train_batch_end(self, batch, logs=None):
        self.num_events -= 1
        if self.num_events <= 0:
            raise Killed

    on_test_batch_end = on_train_batch_end


def check_config_matches_signature(make_model):
    """One argument = one attribute = one config key."""
    model = make_model()
    names = list(inspect.signature(type(model).__init__).parameters)[1:]
    names.remove("kwargs")
    config = model.get_config()
    for name in names:
        value = getattr(model, type(model).attribute_of.get(name, name))
        assert config[name] == keras.saving.serialize_keras_object(value), name
    clone = type(model).from_config(config)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]


def check_variables_are_where_a_gpu_is(make_model):
    """None is int32: TensorFlow keeps those on the CPU, where XLA can't use them."""
    model = make_model()
    variables = [*model.variables, *(v for o in optimizers(model) for v in o.variables)]
    assert not [v.path for v in variables if v.dtype == "int32"]


def check_compile_refuses_a_loss(make_model):
    with pytest.raises(ValueError, match="own objective"):
        make_model().compile(loss="mse")


def check_mixed_precision(make_model, images, labels, policy):
    keras.config.set_dtype_policy(policy)
    model = make_model()
    used = {layer.compute_dtype for layer in model._flatten_layers() if layer.weights}
    assert policy.removeprefix("mixed_") in used
    for optimizer in optimizers(model):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
    history = model.fit(dataset(images, labels), epochs=2, verbose=0).history
    assert all(math.isfinite(v) for values in history.values() for v in values)
    inputs = [tf.constant(x[:2]) for x in (images, labels) if x is not None]
    for name, term in model.compute_terms(*inputs, training=False).items():
        assert term.dtype == tf.float32, name
    assert all(w.dtype == "float32" for w in model.trainable_weights)


def check_float16_overflow_is_skipped(make_model, images, labels=None):
    """A loss scale that overflows is halved, and that optimizer's step moves nothing.

    Each optimizer's own scale counts for its loss: the others go on as before.
    """
    keras.config.set_dtype_policy("mixed_float16")
    x = images[:BATCH_SIZE]
    y = None if labels is None else labels[:BATCH_SIZE]
    for index in range(len(optimizers(make_model()))):
        model = make_model()
        overflowing = optimizers(model)[index]
        for optimizer in optimizers(model):
            scale = 2.0**120 if optimizer is overflowing else 1.0
            optimizer.dynamic_scale.assign(scale)
        before = [[v.numpy() for v in o.variables] for o in optimizers(model)]
        model.fit(dataset(x, y), verbose=0)
        name = "discriminator_optimizer"
        steps = getattr(model, "discriminator_steps", 1)
        overflows = steps if overflowing is getattr(model, name, None) else 1
        assert float(overflowing.dynamic_scale) == 2.0 ** (120 - overflows)
        for optimizer, old in zip(optimizers(model), before, strict=True):
            moments = zip(old, optimizer.variables, strict=True)
            # Scale and counters aside: the moments are zero until a step is taken.
            moved = any(a.ndim and not np.array_equal(a, b) for a, b in moments)
            assert moved == (optimizer is not overflowing)


def check_mirrored_strategy(make_model, images, labels=None):
    """Two replicas with global batch B take the steps that one takes with batch B.

    Of the last batch one of them gets a row more, if the model does not divide it.
    """
    single = make_model()
    count = 2 * BATCH_SIZE + 3 * (getattr(single, "discriminator_steps", 1) == 1)
    images, labels = images[:count], None if labels is None else labels[:count]
    with two_replicas().scope():
        mirrored = make_model()
    data = dataset(images, labels)
    one = single.fit(data, verbose=0).history
    two = mirrored.fit(data, verbose=0).history
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, err_msg=name)
    assert_close_state(single, mirrored, rtol=1e-3, atol=1e-5)


def two_replicas():
    strategy = make_strategy("mirrored")
    if tf.config.list_physical_devices("GPU") and strategy.num_replicas_in_sync != 2:
        pytest.skip("replicas are those of the GPUs, which are not two")
    assert strategy.num_replicas_in_sync == 2  # the logical CPUs of conftest.py
    return strategy


def assert_close_state(one, other, rtol, atol=1e-6):
    for left, right in zip(state(one), state(other), strict=True):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


def check_signatures(make_model, num_rows=3):
    """Named float32 images in [0, 1], dynamic batch, no hidden randomness."""
    model = make_model()
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
        return tf.range(rows, dtype=spec.dtype) % 2
    return tf.random.stateless_uniform(shape, (0, 1))


def _recompile(model, **kwargs):
    config = keras.saving.deserialize_keras_object(model.get_compile_config())
    model.compile(**{**config, **kwargs})


CONTRACTS = {
    check.__name__.removeprefix("check_"): check
    for check in (
        check_fit_evaluate_predict,
        check_same_seed_same_training,
        check_evaluation_repeats_and_leaves_no_trace,
        check_ragged_last_batch,
        check_labelled_and_unlabelled,
        check_steps_per_execution,
        check_jit_compile,
        check_keras_round_trip,
        check_exact_resume,
        check_config_matches_signature,
        check_variables_are_where_a_gpu_is,
        check_compile_refuses_a_loss,
        check_mixed_precision,
        check_float16_overflow_is_skipped,
        check_mirrored_strategy,
        check_signatures,
    )
}


def run_contract(name, make_model, images, labels, tmp_path):
    """Runs one contract with the arguments that it takes."""
    check = CONTRACTS[name]
    if check is check_keras_round_trip:
        check(make_model, images, labels, tmp_path / "model.keras")
    elif check is check_exact_resume:
        check(make_model, images, labels, tmp_path / "checkpoints")
    elif check is check_mixed_precision:
        for policy in ("mixed_bfloat16", "mixed_float16"):
            check(make_model, images, labels, policy)
    elif "images" in inspect.signature(check).parameters:
        check(make_model, images, labels)
    else:
        check(make_model)
