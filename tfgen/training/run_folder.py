"""The folder of a run while it is written: locked, and its former run kept until then.

With `overwrite` the former run is set aside inside the folder. It goes when the new run
has its first checkpoint; it comes back if the new run ends before.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from tfgen import files
from tfgen.errors import UserError
from tfgen.training.config import Config
from tfgen.training.strategy import is_chief, scratch_folder

_FORMER = ".former"
# What a run consists of. Other files in the folder are the user's, and stay.
_WRITTEN = (
    *("config.json", "history.csv", "curves.png", "model.keras", "metrics.json"),
    *("report.html", "samples.png", "reconstructions.png", "traversal.png"),
    *("interpolation.png", "translations.png", "samples", "logs", "checkpoints"),
    "export",
)


class RunFolder:
    """A folder that this process alone writes a run into.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._is_new = False

    @property
    def has_checkpoint(self) -> bool:
        """Whether a checkpoint of the run was written."""
        return any(self.path.glob("checkpoints/step_*"))

    def begin(self) -> None:
        """Makes room for a new run."""
        former = self.path / _FORMER
        written = [self.path / name for name in _WRITTEN]
        for path in filter(os.path.lexists, written):
            former.mkdir(exist_ok=True)
            path.rename(former / path.name)
        self._is_new = True

    def settle_at_checkpoint(self) -> None:
        """Removes the former run once the new one has a checkpoint."""
        if self.has_checkpoint:
            shutil.rmtree(self.path / _FORMER, ignore_errors=True)

    def settle(self) -> None:
        """Ends the claim: without a checkpoint the former run is restored."""
        if self.has_checkpoint:
            self.settle_at_checkpoint()
        elif self._is_new or (self.path / _FORMER).is_dir():
            self._restore()
        self._is_new = False

    def _restore(self) -> None:
        for name in _WRITTEN:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if (self.path / _FORMER).is_dir():
            for path in (self.path / _FORMER).iterdir():
                path.rename(self.path / path.name)
            (self.path / _FORMER).rmdir()


@contextlib.contextmanager
def claimed_run(path: str | os.PathLike) -> Iterator[RunFolder]:
    """Locks the folder of a run that is there.

    A worker that is not the chief has a copy of its checkpoints instead.

    Raises:
        UserError: It is not a run, or another process writes there.
    """
    path = pathlib.Path(path).expanduser()
    config = Config.read(path)
    if not is_chief(config.strategy):
        with scratch_folder(path) as scratch:
            yield RunFolder(scratch)
        return
    with files.locked(path):
        folder = RunFolder(path)
        if (path / _FORMER).is_dir():  # its successor was killed
            folder.settle()
        yield folder


@contextlib.contextmanager
def claimed_new(
    out: str | os.PathLike | None,
    default: str,
    overwrite: bool = False,
    data: str | os.PathLike | None = None,
    strategy: str = "none",
) -> Iterator[RunFolder]:
    """Locks a folder for a new run.

    What is in it is left until `RunFolder.begin`. If the run ends before its first
    checkpoint, the folder is again what it was.

    Args:
        out: The folder. None: `default`, or the first free one of `default-2`,
            `default-3`, ...
        default: The folder without `out`.
        overwrite: Whether a run that is there may be replaced.
        data: Folder of the data, which is never replaced.
        strategy: Of the run: a worker that is not the chief has a temporary folder.

    Raises:
        UserError: As in `tfgen.files.check_output_folder`, or another process writes
            there.
    """
    if not is_chief(strategy):
        with scratch_folder() as scratch:
            yield RunFolder(scratch)
        return
    if out is None and not overwrite:
        path = _first_free(pathlib.Path(default))
    else:
        path = pathlib.Path(out or default).expanduser()
        _check(path, overwrite, data)
    with files.locked(path):
        folder = RunFolder(path)
        if (path / _FORMER).is_dir():
            folder.settle()
        files.check_output_folder(path, overwrite, inputs=[data])
        try:
            yield folder
        finally:
            folder.settle()


def _check(path: pathlib.Path, overwrite: bool, data: str | os.PathLike | None) -> None:
    """Raises for what can be known before the folder is touched."""
    if path.is_dir():
        files.check_unlocked(path)
    if not (path / _FORMER).is_dir():
        files.check_output_folder(path, overwrite, inputs=[data])
    elif not overwrite:
        raise UserError(f"{path} is not empty: choose another --out, or --overwrite")


def _first_free(default: pathlib.Path) -> pathlib.Path:
    path, number = default, 1
    while path.exists():
        number += 1
        path = default.with_name(f"{default.name}-{number}")
    return path
