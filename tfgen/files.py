"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replaced(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a hidden name beside `path` to write to, and renames it in the end.

    It has the suffix of `path`, and is of this process alone. If anything is raised,
    it is removed, and what `path` was before is left.
    """
    path = pathlib.Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # `mkstemp` gives it to its owner alone
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
