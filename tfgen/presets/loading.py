"""Loading what `tfgen train` and `model.save` wrote."""

import os
import pathlib
from typing import Any

from tfgen._compat import require_tensorflow_backend
from tfgen.errors import UserError


def load(run_or_file: str | os.PathLike) -> Any:
    """Loads a model, compiled, with its optimizer and random state.

    Files are loaded in Keras's safe mode: they can't run code of their own.

    Args:
        run_or_file: A run directory of `tfgen train`, or a `.keras` file.

    Raises:
        UserError: If there is no such model, or the file can't be read.
    """
    path = pathlib.Path(run_or_file)
    if not path.exists():
        raise UserError(f"no run directory or .keras file at {path}")
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file() or file.suffix != ".keras":
        raise UserError(
            f"{path} is no run directory (it has no model.keras) and no .keras file"
        )

    require_tensorflow_backend()
    import keras

    try:
        return keras.saving.load_model(file, safe_mode=True)
    except (ValueError, OSError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"can't load {file}: {reason}") from error
