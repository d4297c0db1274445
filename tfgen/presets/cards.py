"""Cards of trained presets: what each was trained on, how, and how good it is.

`zoo/` has for every trained preset its weights, `<preset>.keras`, and beside them its
card, `<preset>.json`. Nothing heavy is imported to read a card.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

from tfgen.errors import UserError
from tfgen.presets.table import get_preset, presets

FORMAT = 1
ZOO = pathlib.Path(__file__).parent / "zoo"


def list_presets(trained: bool = False) -> list[str]:
    """Returns the names of the presets; with `trained` those that have weights."""
    return [name for name in presets() if not trained or is_trained(name)]


def is_trained(name: str) -> bool:
    """Returns whether a preset comes with weights and a card."""
    card, weights = _files(name)
    return name in presets() and card.is_file() and weights.is_file()


def read_card(name: str) -> dict[str, Any]:
    """Returns the card of a trained preset.

    Raises:
        UserError: There is no such preset, it is not trained, or its card is damaged.
    """
    preset = get_preset(name)
    if not is_trained(name):
        data = "" if preset.data else f" --data FOLDER_OF_{preset.takes.upper()}"
        raise UserError(
            f"{name} is a preset without trained weights: train it with `tfgen train "
            f"{name}{data}`, or create_model({name!r}) makes an untrained model"
        )
    file, _ = _files(name)
    try:
        card = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{file} is damaged: {error}") from error
    if card.get("format") != FORMAT or card.get("preset") != name:
        raise UserError(f"{file} is damaged, or of another version of tfgen")
    return card


def find_weights(name: str) -> pathlib.Path:
    """Returns the file of a trained preset's weights, whose hash is checked.

    Raises:
        UserError: As in `read_card`, or the file is not that of the card.
    """
    card = read_card(name)
    _, file = _files(name)
    if hash_file(file) != card["weights"]["sha256"]:
        raise UserError(
            f"{file} is damaged: its SHA-256 is not that of its card. Install tfgen "
            "again"
        )
    return file


def hash_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def preset_of(path: str | os.PathLike) -> str | None:
    """Returns the name of the preset that is meant where no such path exists."""
    name = os.fspath(path)
    return name if name in presets() and not os.path.exists(name) else None


def clash(path: Any) -> str | None:
    """Returns a line that says so where a path is the name of a preset too."""
    if not isinstance(path, str) or path not in presets() or not os.path.exists(path):
        return None
    return (
        f"{path} in the current folder is used, not the preset of that name: a path "
        "that exists wins over a name"
    )


def _files(name: str) -> tuple[pathlib.Path, pathlib.Path]:
    return ZOO / f"{name}.json", ZOO / f"{name}.keras"
