"""The one door to what is private in Keras, TensorFlow, TFDS and the import system.

Each function stands for one part that has no public name, and tests/test_compat.py
fails when the part moves. Importing this module imports nothing heavy: the command line
does so before it starts TensorFlow.
"""

import contextlib
import importlib.machinery
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

from tfgen.errors import UserError

_OTHER_BACKENDS = ("jax", "torch", "openvino")
# Imports of Keras for its wrappers, data frames and galleries.
_OPTIONAL_IMPORTS = ("sklearn", "pandas", "matplotlib.pyplot")


# ---- The import system ---------------------------------------------------------------


@contextlib.contextmanager
def optional_imports_hidden() -> Iterator[None]:
    """Makes Keras's optional imports fail: they take a third of its start-up.

    No command uses what they are for. Later imports find the modules.
    """
    hidden = [name for name in _OPTIONAL_IMPORTS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: the import system's "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def call_after_import(name: str, action: Callable[[], None]) -> None:
    """Calls `action` once module `name` is imported: now, if it already is."""
    if name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _ImportHook(name, action))


class _ImportHook:
    """A finder that leaves the search to the others, and adds an action to the import.

    Looking for the module without importing it, as `importlib.util.find_spec` does,
    calls nothing.
    """

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self.name = name
        self.action = action

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        finders = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in finders)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_act(module: Any) -> None:
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                    self.action()

            spec.loader.exec_module = execute_and_act
        return spec


# ---- Keras ---------------------------------------------------------------------------


def require_tensorflow_backend() -> None:
    """Raises a `UserError` if Keras runs, or is about to run, on another backend."""
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name not in _OTHER_BACKENDS:
            raise
        backend = error.name
    else:
        backend = keras.config.backend()
    if backend != "tensorflow":
        raise UserError(
            f"tfgen needs Keras's TensorFlow backend, and Keras is set to {backend}: "
            "set KERAS_BACKEND=tensorflow in the environment, or "
            '"backend": "tensorflow" in ~/.keras/keras.json'
        )


def register_lazily(modules: Mapping[str, str]) -> None:
    """Registers classes with Keras before they are imported.

    When Keras loads an object of such a class, the module that defines it is imported,
    which registers the class itself.

    Args:
        modules: Registered name, such as `"tfgen>VAE"`, to the name of the module.
    """
    import keras

    known = keras.saving.get_custom_objects()
    for name, module in modules.items():
        known.setdefault(name, _LazyClass(name, module))


class _LazyClass:
    """Stands for a class in Keras's table of custom objects until it is needed."""

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._resolve()(*args, **kwargs)

    def from_config(self, config: dict, **kwargs: Any) -> Any:
        return self._resolve().from_config(config, **kwargs)

    def _resolve(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name.split(">")[-1])


def without_symbolic_build(model_class: type) -> type:
    """Class decorator: Keras's `fit` does not try to build the model by a batch.

    The model is built when it is constructed. With replicas Keras would take a batch to
    build it by before training begins, and each epoch would have the data of the next.
    """

    def _maybe_symbolic_build(
        self: Any, iterator: Any = None, data_batch: Any = None
    ) -> None:
        del self, iterator, data_batch

    model_class._maybe_symbolic_build = _maybe_symbolic_build
    return model_class


@contextlib.contextmanager
def lean_loading(file: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path to load a `.keras` file from in the memory of its weights.

    Keras reads all weights of the archive into memory, optimizers' moments too, where
    there is enough; else it extracts them beside the path, here a temporary folder. And
    it draws random weights before it replaces them: here they are zeros.
    """
    from keras.src.backend import Variable
    from keras.src.initializers.constant_initializers import Zeros
    from keras.src.initializers.random_initializers import RandomInitializer
    from keras.src.saving import saving_lib

    is_sufficient = saving_lib.is_memory_sufficient
    initialize = Variable._initialize_with_initializer

    def initialize_with_zeros(variable: Any, initializer: Any) -> None:
        is_random = isinstance(initializer, RandomInitializer)
        initialize(variable, Zeros() if is_random else initializer)

    with tempfile.TemporaryDirectory() as folder:
        link = pathlib.Path(folder, file.name)
        link.symlink_to(file.absolute())
        saving_lib.is_memory_sufficient = lambda model: False
        Variable._initialize_with_initializer = initialize_with_zeros
        try:
            yield link
        finally:
            saving_lib.is_memory_sufficient = is_sufficient
            Variable._initialize_with_initializer = initialize


def flatten_layers(network: Any) -> list[Any]:
    """Returns a network and all layers in it, those within layers included."""
    return list(network._flatten_layers())


def set_initial_epoch(model: Any, epoch: int | None) -> None:
    """Makes a `fit` that is about to begin start at `epoch`; `None` takes that back.

    It works from a callback's `on_train_begin`, as in `keras.callbacks.
    BackupAndRestore`.
    """
    model._initial_epoch = epoch


def fit_arguments(model: Any, frame: FrameType | None = None) -> dict | None:
    """Returns the arguments of the `model.fit` that runs, by name; `None` if none does.

    Keras tells its callbacks the number of steps, and not where it is from.

    Args:
        model: A `keras.Model`.
        frame: The frame to look from, such as a signal handler's; `None` for the
            caller's.
    """
    frame = frame or sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return frame.f_locals
        frame = frame.f_back
    return None


def replace_train_function(model: Any, function: Callable[[Any], dict]) -> Any:
    """Makes a `fit` under way call `function(iterator)`, and returns what it called.

    Args:
        model: A compiled `keras.Model`.
        function: Takes the iterator over batches, and returns the logs.
    """
    previous = model.train_function
    model.train_function = function
    return previous


def adam_slots(optimizer: Any, variable: Any) -> tuple[Any, Any]:
    """Returns the first and the second moment of a variable, as `keras.Variable`s."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


# ---- TensorFlow and TFDS -------------------------------------------------------------


def in_multi_worker_mode(strategy: Any) -> bool:
    """Returns whether a strategy's replicas are on several workers.

    Keras asks the same where it reduces logs over axis 0.
    """
    return strategy.extended._in_multi_worker_mode()


def is_op_determinism_enabled() -> bool:
    """Returns whether `tf.config.experimental.enable_op_determinism` was called."""
    from tensorflow.python.framework import config

    return config.is_op_determinism_enabled()


def tfds_progress(iterable: Iterable, description: str, unit: str) -> Iterable:
    """Returns the iterable with the progress bar of TFDS's own preparation.

    `tfds.disable_progress_bar` switches it off.
    """
    from tensorflow_datasets.core.utils import tqdm_utils

    return tqdm_utils.tqdm(iterable, desc=description, unit=unit, leave=False)
