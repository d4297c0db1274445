"""Files and folders that are written whole or not at all."""

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


@contextlib.contextmanager
def replaced_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a hidden, empty folder beside `path`, and renames it in the end.

    What `path` was before is removed then. If anything is raised, it is left, and what
    was written is removed.
    """
    path = pathlib.Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=".", ignore_cleanup_errors=True
    ) as base:
        temporary, before = pathlib.Path(base, "new"), pathlib.Path(base, "before")
        temporary.mkdir()
        yield temporary
        if path.exists():  # a folder is renamed onto none but an empty one
            path.rename(before)
        temporary.rename(path)
