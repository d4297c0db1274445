"""Each function of `tfgen._compat` against the part of Keras or TensorFlow it is for.

A test fails when that part moves: it looks at what users see, not at names.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import contracts
from tfgen import _compat
from tfgen.optimizers import FusedAdam


def run_python(code, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )


def make_model(**kwargs):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **kwargs)
    return model


ONES = np.ones((6, 1), np.float32)


# ---- The import system ---------------------------------------------------------------


def test_importing_it_is_light():
    code = (
        "import sys, tfgen._compat\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'tensorflow_datasets'}\n"
        "assert not heavy & set(sys.modules)"
    )
    assert run_python(code).returncode == 0


@pytest.mark.large
def test_optional_imports_and_determinism_in_a_process_of_their_own():
    code = (
        "import importlib.util, sys\n"
        "from tfgen import _compat\n"
        "with _compat.optional_imports_hidden():\n"
        "    import keras\n"
        "optional = ('sklearn', 'pandas', 'matplotlib.pyplot')\n"
        "assert not set(optional) & set(sys.modules)\n"
        "assert all(map(importlib.util.find_spec, optional))\n"
        "import tensorflow as tf\n"
        "assert not _compat.is_op_determinism_enabled()\n"
        "tf.config.experimental.enable_op_determinism()\n"
        "assert _compat.is_op_determinism_enabled()"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_an_action_after_an_import(tmp_path, monkeypatch):
    (tmp_path / "imported_late.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders, values = list(sys.meta_path), []

    def act():
        values.append(sys.modules["imported_late"].value)

    _compat.call_after_import("imported_late", act)
    assert importlib.util.find_spec("imported_late") is not None
    assert values == []
    import imported_late

    assert values == [3]
    assert sys.meta_path == finders
    importlib.reload(imported_late)
    assert values == [3]
    _compat.call_after_import("imported_late", act)  # at once
    assert values == [3, 3]
    monkeypatch.delitem(sys.modules, "imported_late")


def test_an_action_after_an_import_that_fails_is_not_called(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    finders, calls = list(sys.meta_path), []
    _compat.call_after_import("absent_module", lambda: calls.append(1))
    with pytest.raises(ModuleNotFoundError, match="absent_module"):
        import absent_module  # noqa: F401
    assert calls == []
    sys.meta_path[:] = finders


# ---- Keras ---------------------------------------------------------------------------


def test_a_file_is_loaded_without_reading_it_at_once_or_drawing_weights(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    extracted, extract = [], zipfile.ZipFile.extract

    def record(archive, member, path):
        extracted.append(pathlib.Path(path))
        return extract(archive, member, path)

    with (
        pytest.MonkeyPatch.context() as patch,
        _compat.lean_loading(tmp_path / "model.keras") as path,
    ):
        patch.setattr(zipfile.ZipFile, "extract", record)
        loaded = keras.saving.load_model(path)
        assert not np.any(keras.layers.Layer().add_weight((3, 2), "normal").numpy())
        seeds = [keras.random.SeedGenerator(seed).state.numpy() for seed in (1, 2)]
    assert not np.array_equal(*seeds)
    np.testing.assert_array_equal(loaded(np.eye(3)), model(np.eye(3)))
    (folder,) = extracted
    assert tmp_path not in folder.parents
    assert not folder.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    assert np.any(keras.layers.Layer().add_weight((3, 2), "normal").numpy())


def test_the_backend_of_the_tests_is_the_right_one():
    _compat.require_tensorflow_backend()


@pytest.mark.parametrize("how", ["environment", "keras.json"])
def test_another_backend_is_named_in_one_line(how, tmp_path):
    environment = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    if how == "keras.json":
        (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
        del environment["KERAS_BACKEND"]
    code = (
        "from tfgen.errors import UserError\n"
        "try:\n"
        "    import tfgen.models\n"
        "except UserError as error:\n"
        "    print(error)"
    )
    done = run_python(code, **environment)
    assert done.stdout.count("\n") == 1, done.stderr
    assert "is set to jax: set KERAS_BACKEND=tensorflow" in done.stdout


def test_lazily_registered_classes_load_when_keras_needs_them(tmp_path, monkeypatch):
    (tmp_path / "lazy_layers.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable(package='lazy')\n"
        "class Double(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return 2 * inputs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import lazy_layers

    model = keras.Sequential([keras.Input((1,)), lazy_layers.Double()])
    model.save(tmp_path / "model.keras")
    custom_objects = keras.saving.get_custom_objects()
    del custom_objects["lazy>Double"]
    monkeypatch.delitem(sys.modules, "lazy_layers")
    _compat.register_lazily({"lazy>Double": "lazy_layers"})
    assert "lazy_layers" not in sys.modules
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ONES), 2 * ONES)
    assert custom_objects["lazy>Double"] is sys.modules["lazy_layers"].Double
    known = custom_objects["lazy>Double"]
    _compat.register_lazily({"lazy>Double": "lazy_layers"})  # leaves the class
    assert custom_objects.pop("lazy>Double") is known


def test_fit_does_not_take_a_batch_to_build_the_model_by():
    """Keras does so with replicas; the data set is then begun twice."""

    class Model(keras.Sequential):
        pass

    num_starts = []
    for model_class in (Model, _compat.without_symbolic_build(type("M", (Model,), {}))):
        starts = []

        def generate(starts=starts):
            starts.append(1)
            yield from ((ONES, ONES) for _ in range(3))

        spec = tf.TensorSpec((6, 1))
        dataset = tf.data.Dataset.from_generator(
            generate, output_signature=(spec, spec)
        )
        with contracts.two_replicas().scope():
            model = model_class([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        model.fit(dataset, shuffle=False, verbose=0)
        num_starts.append(len(starts))
    assert num_starts == [2, 1]


def test_layers_within_layers_are_listed():
    inner = keras.layers.Dense(2, name="inner")
    network = keras.Sequential(
        [
            keras.Input((3, 1)),
            keras.Sequential([keras.layers.TimeDistributed(inner)]),
            keras.layers.ReLU(name="last"),
        ]
    )
    layers = _compat.flatten_layers(network)
    assert any(layer is inner for layer in layers)
    assert layers[0] is network
    assert any(layer.name == "last" for layer in layers)


def test_fit_starts_at_a_callbacks_epoch():
    class Skip(keras.callbacks.Callback):
        epochs = ()

        def on_train_begin(self, logs=None):
            _compat.set_initial_epoch(self.model, 2)

        def on_epoch_begin(self, epoch, logs=None):
            _compat.set_initial_epoch(self.model, None)
            self.epochs = (*self.epochs, epoch)

    skip, model = Skip(), make_model()
    model.fit(ONES, ONES, epochs=4, verbose=0, callbacks=[skip])
    assert skip.epochs == (2, 3)
    epochs = model.fit(ONES, ONES, epochs=2, verbose=0).epoch
    assert epochs == [0, 1]


def test_the_training_function_is_replaced_within_fit():
    class ReadOneBatch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            def read(iterator):
                next(iterator)
                _compat.replace_train_function(self.model, train)
                return {"loss": 0.0}

            train = _compat.replace_train_function(self.model, read)

    model = make_model()
    model.fit(ONES, ONES, batch_size=2, verbose=0, callbacks=[ReadOneBatch()])
    assert int(model.optimizer.iterations) == 2  # of three batches


def test_a_callback_reads_the_arguments_of_fit():
    class Read(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            arguments.update(_compat.fit_arguments(self.model))
            others.append(_compat.fit_arguments(make_model()))

    arguments, others, model = {}, [], make_model()
    model.fit(ONES, ONES, steps_per_epoch=2, verbose=0, callbacks=[Read()])
    assert arguments["steps_per_epoch"] == 2
    assert others == [None]
    assert _compat.fit_arguments(model) is None


@pytest.mark.parametrize("optimizer_class", [keras.optimizers.Adam, FusedAdam])
def test_adams_moments(optimizer_class):
    variables = [keras.Variable(np.zeros(n, np.float32)) for n in (2, 3)]
    optimizer = optimizer_class(0.1, beta_1=0.9, beta_2=0.99)
    gradients = [np.full(n, 2.0, np.float32) for n in (2, 3)]
    optimizer.apply([tf.constant(g) for g in gradients], variables)
    for variable in variables:
        first, second = _compat.adam_slots(optimizer, variable)
        np.testing.assert_allclose(first.numpy(), 0.1 * 2.0, rtol=1e-5)
        np.testing.assert_allclose(second.numpy(), 0.01 * 4.0, rtol=1e-5)


# ---- TensorFlow and TFDS -------------------------------------------------------------


def test_one_worker_is_not_several():
    assert _compat.in_multi_worker_mode(tf.distribute.get_strategy()) is False
    assert _compat.in_multi_worker_mode(contracts.two_replicas()) is False


def test_the_bar_of_tfds_is_its_own(capsys):
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        assert list(_compat.tfds_progress([1, 2], "Rendering", "emoji")) == [1, 2]
        assert "Rendering" not in capsys.readouterr().err
    finally:
        tfds.enable_progress_bar()
    assert list(_compat.tfds_progress([1, 2], "Rendering", "emoji")) == [1, 2]
    assert "Rendering" in capsys.readouterr().err
