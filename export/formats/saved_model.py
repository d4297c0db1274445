"""Writes a SavedModel for TF Serving: every endpoint, any batch size."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from export import endpoints
from export._staging import staging
from export.errors import ExportError
from export.guard import guard, limits_of
from export.paths import require_plain
from export.serving import configuration as serving
from export.serving import twins
from export.verify import golden


def export_saved_model(
    model: keras.Model,
    directory: str | os.PathLike[str],
    version: int = 1,
    examples: Mapping[str, Any] | None = None,
    resize: str = "crop",
    depth: int = 8,
) -> pathlib.Path:
    """Writes `directory/<version>/` with every endpoint of `model.signatures()`.

    Inputs and outputs keep their names and their dynamic batch; the first endpoint is
    `serving_default` too. Endpoints with images have twins on encoded images; see
    `serving.twins`. Only the weights that the endpoints use are written: no optimizer,
    no discriminator. In `assets.extra/` lie golden examples, and requests that warm TF
    Serving up before it answers.

    Args:
        model: A `keras.Model` with `signatures()`: see `export`.
        directory: What TF Serving calls the model's base path.
        version: Positive integer; TF Serving serves the largest.
        examples: Held-out arrays `(rows, ...)` to record instead of made-up inputs:
            by endpoint, `{"encode": {"images": array}}`, or by input,
            `{"images": array}`, for every endpoint that has it.
        resize: Of encoded images of another aspect: see `serving.twins`.
        depth: 8 or 16, the bits of encoded images.

    Returns:
        The path of the version folder.

    Raises:
        ExportError: The model does not keep the protocol, the version exists, or
            `tensorflow-serving-api` is not installed.
    """
    target = pathlib.Path(directory).expanduser() / _version_name(version)
    require_plain(target)
    if target.exists():
        raise ExportError(f"{target} exists already: choose another version")
    originals = endpoints.find(model)
    sorted_examples = endpoints.sort_examples(examples, originals)
    goldens = endpoints.record(originals, sorted_examples)
    limits = limits_of(model)
    guarded = {name: guard(f, limits) for name, f in originals.items()}
    with_twins = twins.add_twins(guarded, resize=resize, depth=depth)
    functions = {
        name: guarded.get(name) or guard(function, limits)
        for name, function in with_twins.items()
    }
    goldens |= endpoints.record_twins(functions, goldens)
    with staging(target) as folder:
        staged = folder / target.name
        staged.mkdir()
        write(model, functions, staged)
        for path in staged.iterdir():  # TensorFlow makes folders that no group can use
            if path.is_dir():
                path.chmod(staged.stat().st_mode)
        golden.write(golden.path_of(staged), goldens)
        serving.write_warmup(staged, target.parent.name, goldens)
        try:
            os.rename(staged, target)
        except OSError as error:
            if not target.exists():
                raise
            raise ExportError(f"{target} exists by now: choose another") from error
    return target


def _version_name(version: int) -> str:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExportError(f"`version` must be a positive integer. Received: {version}")
    return str(version)


def write(
    model: keras.Model, functions: Mapping[str, Any], folder: pathlib.Path
) -> None:
    """Writes functions of a model as a SavedModel, not compared with Keras yet."""
    archive = keras.export.ExportArchive()
    # The archive follows the weights that endpoints use by itself. Tracking the model
    # proper would add all others; a holder adds its lookup tables only.
    holder = tf.Module()
    holder.model = model
    archive.track(holder)
    for name, function in functions.items():
        function.get_concrete_function()  # the archive takes traced ones only
        archive.add_endpoint(name, function)
    archive.write_out(str(folder), verbose=False)  # verbose prints every endpoint
