"""Loading what `tfgen train` and `model.save` wrote."""

import os
import pathlib
from typing import Any

from tfgen._compat import require_tensorflow_backend
from tfgen.errors import UserError

_LONGEST_REASON = 300  # characters: Keras shows whole configurations


def load(run_or_file: str | os.PathLike) -> Any:
    """Loads a model, compiled, with its optimizer and random state.

    Files are loaded in Keras's safe mode: they cannot run code of their own.

    Args:
        run_or_file: A run directory of `tfgen train`, or a `.keras` file. `~` is the
            home directory.

    Returns:
        A `keras.Model`.

    Raises:
        UserError: There is no such model, or the file cannot be read.
    """
    file = _find_file(run_or_file)
    require_tensorflow_backend()

    import keras

    try:
        return keras.saving.load_model(file, safe_mode=True)
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"cannot load {file}: {_explain(error)}") from error


def _find_file(run_or_file: str | os.PathLike) -> pathlib.Path:
    try:
        path = pathlib.Path(run_or_file).expanduser()
    except (TypeError, RuntimeError) as error:
        raise UserError(
            "`load` takes the path of a run directory or of a .keras file. "
            f"Received: {run_or_file!r}"
        ) from error
    if not path.exists():
        raise UserError(f"no run directory or .keras file at {path}{_advice(path)}")
    file = path / "model.keras" if path.is_dir() else path
    if file.suffix != ".keras":
        raise UserError(f"{path} is not a .keras file or a run directory")
    if not file.is_file():
        raise UserError(
            f"{path} is not a run directory with a model: it has no model.keras, which "
            "`tfgen train` writes at the end of each epoch"
        )
    return file


def _advice(path: pathlib.Path) -> str:
    from tfgen.presets.table import presets

    if str(path) in presets():
        return f". It is a preset: create_model({str(path)!r}) makes an untrained model"
    return ""


def _explain(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    reason = reason.split(" Full object config")[0]
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}..."
    return f"{reason} (is it whole, and are its custom classes imported?)"
