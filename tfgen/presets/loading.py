"""Loading what `tfgen train` and `model.save` wrote."""

import os
import pathlib
import warnings
from typing import Any

from tfgen._compat import lean_loading, require_tensorflow_backend
from tfgen.errors import UserError
from tfgen.presets import cards, hub
from tfgen.presets.preset import near_matches
from tfgen.presets.table import create_model, presets

_LONGEST_REASON = 300  # characters: Keras shows whole configurations


def load(run_or_file: str | os.PathLike, compile: bool = True) -> Any:
    """Loads a model, compiled, with its optimizer and random state.

    Files are loaded in Keras's safe mode: they cannot run code of their own. Weights
    that come with tfgen, and those of a hub, have no optimizer state: training goes on
    with new moments.

    Args:
        run_or_file: A run directory of `tfgen train`, or a `.keras` file; or the name
            of a trained preset, where no such path exists; or `"hf://USER/NAME"`, what
            `tfgen.push` wrote. `~` is the home directory.
        compile: Whether with its optimizer: to train or evaluate it, as in Keras.

    Returns:
        A `keras.Model`.

    Raises:
        UserError: There is no such model, or the file cannot be read.
    """
    if line := cards.clash(run_or_file):
        warnings.warn(line, stacklevel=2)
    file = find_file(run_or_file)
    require_tensorflow_backend()

    import keras

    try:
        with warnings.catch_warnings():
            # Of weights that come without the state of optimizers.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            with lean_loading(file) as path:
                return keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"cannot load {file}: {_explain(error)}") from error


def from_preset(
    kind: type, name: str, load_weights: bool = True, **overrides: Any
) -> Any:
    """Returns the model of a preset; see `GenerativeModel.from_preset`."""
    if load_weights:
        if overrides:
            raise UserError(
                f"{name}: trained weights go with the preset's own arguments. Leave "
                f"out {', '.join(overrides)}, or pass load_weights=False"
            )
        model = load(cards.find_weights(name))
    else:
        model = create_model(name, **overrides)
    if not isinstance(model, kind):
        raise UserError(
            f"{name} is a preset of {type(model).__name__}, not {kind.__name__}: call "
            f"tfgen.{type(model).__name__}.from_preset({name!r})"
        )
    return model


def find_file(run_or_file: str | os.PathLike) -> pathlib.Path:
    """Returns the `.keras` file that `load` reads; a UserError if there is none."""
    if hub.is_address(run_or_file):
        return hub.download(run_or_file) / "model.keras"
    try:
        path = pathlib.Path(run_or_file).expanduser()
    except (TypeError, RuntimeError) as error:
        raise UserError(
            "`load` takes the path of a run directory or of a .keras file. "
            f"Received: {run_or_file!r}"
        ) from error
    if not path.exists():
        if cards.preset_of(path) is not None:
            return cards.find_weights(str(path))
        near = near_matches(str(path), presets())
        raise UserError(f"no run directory, .keras file or preset {path}{near}")
    file = path / "model.keras" if path.is_dir() else path
    if file.suffix != ".keras":
        raise UserError(f"{path} is not a .keras file or a run directory")
    if not file.is_file():
        clash = cards.clash(run_or_file)
        raise UserError(
            f"{path} is not a run directory with a model: it has no model.keras, which "
            "`tfgen train` writes at the end of each epoch"
            + (f"; {clash}" if clash else "")
        )
    return file


def _explain(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    reason = reason.split(" Full object config")[0]
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}..."
    return f"{reason} (is it whole, and are its custom classes imported?)"
