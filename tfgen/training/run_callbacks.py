"""The callbacks of a run: what is measured and written after each epoch."""

import functools
import importlib
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from tfgen.errors import UserError
from tfgen.training import stop_signals

_NUM_PICTURED = 10
_NUM_DIAGNOSED = 256
_NUM_COMPARED = 1000  # of a distance: its standard error is then small enough to tell


def make_callbacks(run: Any, model: Any, out: pathlib.Path, test_set: Any) -> list:
    """Returns the callbacks that watch a run and write its folder.

    Args:
        run: The `Run`.
        model: Which is trained.
        out: The folder.
        test_set: Batches of test images.
    """
    import keras

    from tfgen import callbacks
    from tfgen.data.loading import take

    test = next(take(test_set, _NUM_DIAGNOSED, _NUM_DIAGNOSED).as_numpy_iterator())
    images, targets = test if isinstance(test, tuple) else (test, None)
    panels = _make_panels(run, model, images, targets)
    watching = [callbacks.FiniteGuard()]
    if hasattr(model, "kl_per_dim"):
        watching.append(callbacks.LatentDiagnostics(images, targets))
    if run.config.keep_best == "val_kernel_distance" or run.config.distance_every:
        watching.append(_make_distance(run, model, test_set))
    panels = unless_stopping(panels)
    return [
        *watching,
        callbacks.SampleGrid(out / "samples", panels, run.attribution),
        callbacks.SaveModel(out / "model.keras"),
        callbacks.HistoryFile(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs", write_graph=False),
    ]


def _make_distance(run: Any, model: Any, test_set: Any) -> Any:
    """Returns the callback that compares samples, or translations, to test images."""
    from tfgen.callbacks import FeatureDistance
    from tfgen.data.loading import take
    from tfgen.inference import Translator

    every, seed = run.config.distance_every or 1, run.config.seed
    test = next(take(test_set, _NUM_COMPARED, _NUM_COMPARED).as_numpy_iterator())
    if run.kind == "images":
        images = test[0] if isinstance(test, tuple) else test
        return FeatureDistance(images, every=every, seed=seed)
    translator = Translator(model, run.config.direction, seed)
    (direction, *_), (inputs, targets) = translator.directions, test
    make_images = functools.partial(translator, inputs, direction)
    return FeatureDistance(targets, make_images, every=every)


def _make_panels(run: Any, model: Any, images: Any, targets: Any) -> Any:
    from tfgen.figures.panels import make_panels, make_translation_panels
    from tfgen.inference import Translator

    few = slice(None, _NUM_PICTURED)
    if run.kind == "images":
        labels = None if targets is None else targets[few]
        return make_panels(model, images[few], labels, raise_if_stopping)
    translator = Translator(model, run.config.direction, run.config.seed)
    return make_translation_panels(
        translator, images[few], targets[few], run.is_aligned, raise_if_stopping
    )


class _StoppingError(Exception):
    """A signal came: a picture is not worth waiting for."""


def raise_if_stopping() -> None:
    """Raises where the process was asked to stop, for `unless_stopping` to catch."""
    installed = stop_signals.installed()
    if installed is not None and installed.received is not None:
        raise _StoppingError


def unless_stopping(make_panels: Callable[[], Any]) -> Callable[[], Any]:
    """Returns the function with None for an answer when the process is to stop."""

    def panels() -> Any:
        try:
            return make_panels()
        except _StoppingError:
            return None

    return panels


def import_callbacks(names: list[str]) -> list:
    """Returns an object of each class named `"package.module:Class"`.

    Modules are looked for in the current folder too.

    Raises:
        UserError: There is no such class, it is not a Keras callback, or it cannot be
            called without arguments.
    """
    import keras

    if names and "" not in sys.path:
        sys.path.insert(0, "")
    objects = []
    for name in names:
        module, _, attribute = name.partition(":")
        try:
            callback = getattr(importlib.import_module(module), attribute)()
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise UserError(
                f"--callback {name}: {error}. Expected package.module:Class, a Keras "
                "callback that is made without arguments"
            ) from error
        if not isinstance(callback, keras.callbacks.Callback):
            raise UserError(f"--callback {name} is not a Keras callback")
        objects.append(callback)
    return objects
