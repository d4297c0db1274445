"""Writing beside the target, so that a target is whole or absent."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

# Hidden, and no number: TF Serving takes no such folder for a version, nor does
# `check` look into one that a killed process left.
PREFIX = ".exporting-"


@contextlib.contextmanager
def staging(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder on the file system of `target`, gone at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=target.parent) as folder:
        yield pathlib.Path(folder)
