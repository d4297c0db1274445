"""Paths that records name, and the files of a folder whose parts may be links."""

import os
import pathlib
from collections.abc import Iterator

from export._staging import PREFIX
from export.errors import ExportError

_PATTERNS = "[]*?"
# What file managers leave where they have been.
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")


def require_inside(path: str) -> str:
    """Returns a record's path as it is: relative, with slashes, inside the folder.

    Links are not looked at: model hubs keep files as links to a store elsewhere.

    Raises:
        ExportError: The path is absolute or empty, or leaves the folder.
    """
    if not is_inside(path):
        raise ExportError(f"a record names {path!r}, which is outside of the folder")
    return path


def is_inside(path: str) -> bool:
    """Whether a record's path stays in the folder, on every system."""
    kinds = pathlib.PurePosixPath(path), pathlib.PureWindowsPath(path)
    return (
        bool(kinds[0].parts)
        and "\0" not in path
        and not any(pure.anchor or ".." in pure.parts for pure in kinds)
    )


def require_plain(folder: pathlib.Path) -> None:
    """Raises `ExportError` for a folder that no SavedModel can be loaded from."""
    if any(character in _PATTERNS for character in str(folder.absolute())):
        raise ExportError(
            f"{folder} has one of {_PATTERNS} in its path, which TensorFlow takes for "
            "a pattern: choose another folder"
        )


def walk(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields every file below a folder, sorted; links to folders are followed.

    A link that leads back to a folder above it is left out, and so is what a killed
    export or a file manager left.

    Raises:
        ExportError: A folder cannot be read, or `directory` is not one.
    """
    yield from _walk(directory, ())


def _walk(directory: pathlib.Path, above: tuple[str, ...]) -> Iterator[pathlib.Path]:
    real = os.path.realpath(directory)
    if real in above:
        return
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        raise ExportError(f"{directory}: {error.strerror or error}") from error
    for path in paths:
        if path.name.startswith((PREFIX, "._")) or path.name in _LITTER:
            continue
        if path.is_dir():
            yield from _walk(path, (*above, real))
        else:
            yield path
