"""What a run remembers of its data, so that other data are noticed."""

import hashlib
import os
import pathlib
from typing import Any

from tfgen.errors import UserError

_NAMED = "as the data set has them"
_HELD_OUT = "test/, or a tenth held out by a hash of the relative path"


def resolve_data(source: str | os.PathLike) -> str:
    """Returns the absolute path of a folder, or the name of a data set."""
    from tfgen.data.sources import find_folder

    folder = find_folder(source)
    return os.fspath(source) if folder is None else str(folder.resolve())


def record(
    source: str, data_dir: str | None = None, translation: bool = False
) -> dict[str, Any]:
    """Returns numbers of examples, a hash of what there is, and the rule of the split.

    Args:
        source: Name or folder.
        data_dir: Where TFDS keeps its data sets.
        translation: Whether the data are pairs or two domains.
    """
    from tfgen import data

    description = data.describe(source, data_dir, translation)
    is_folder = os.path.isabs(source)
    digest = hashlib.sha256()
    for row in _list_images(pathlib.Path(source)) if is_folder else []:
        digest.update(repr(row).encode())
    if not is_folder:
        digest.update(repr(description).encode())
    return {
        "num_train": description.num_train,
        "num_test": description.num_test,
        "sha256": digest.hexdigest(),
        "split": _HELD_OUT if is_folder else _NAMED,
    }


def check_record(
    source: str, expected: dict[str, Any] | None, actual: dict[str, Any]
) -> None:
    """Raises a UserError if data differ from those that a run began with."""
    if not expected or expected["sha256"] == actual["sha256"]:
        return
    before, now = (
        f"{values['num_train']} images for training and {values['num_test']} for tests"
        for values in (expected, actual)
    )
    how = f"then {before}, now {now}"
    if before == now:
        how = f"as many, {before}, but other names or sizes"
    raise UserError(
        f"the data at {source} have changed since the run began ({how}): it would not "
        "end as if it had not been stopped. Give the former data with --data, or go on "
        "with these by --other-data"
    )


def check_present(source: str | None) -> None:
    """Raises a UserError if a run's folder of data is no longer where it was."""
    if source is not None and os.path.isabs(source) and not os.path.isdir(source):
        raise UserError(
            f"the run's data were at {source}, where there is no folder now: say where "
            "they are with --data"
        )


def _list_images(folder: pathlib.Path) -> list[tuple[bytes, int]]:
    """Returns relative names and sizes of image files, in the order of names."""
    from PIL import Image

    endings = Image.registered_extensions()
    rows = []
    for base, folders, names in os.walk(folder, followlinks=True):
        is_run = "config.json" in names and "history.csv" in names
        is_left_out = is_run or pathlib.Path(base).name.startswith(".")
        if is_left_out and base != str(folder):
            folders.clear()
            continue
        for name in names:
            path = pathlib.Path(base, name)
            if path.suffix.lower() in endings and not name.startswith("."):
                relative = os.fsencode(path.relative_to(folder))
                rows.append((relative, path.stat().st_size))
    return sorted(rows)
