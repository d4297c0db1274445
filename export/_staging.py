"""Writing beside the target, so that a target is whole or absent; locks of folders."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing taken for litter
    fcntl = None

# Hidden, and not a number: TF Serving does not take such a folder for a version, nor
# does `check` look into one that a killed process left.
PREFIX = ".exporting-"
JOURNAL = "publishing.json"  # in a folder whose files are on their way; see `publish`

_LOCK = f"{PREFIX}lock"
_YOUNG_SECONDS = 3600.0  # a folder without a lock is a process that just begins
_SIGNALS = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def staging(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder on the file system of `target`, gone at the end.

    SIGTERM and SIGHUP end the program as Ctrl-C does, so that nothing is left. What
    killed processes left beside the folder is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for litter in find_litter(target.parent):
        if not (litter / JOURNAL).exists():
            shutil.rmtree(litter, ignore_errors=True)
    with (
        _signals_raise(),
        _hidden_folder(target.parent) as folder,
        _mark_alive(pathlib.Path(folder)),
    ):
        yield pathlib.Path(folder)


def _hidden_folder(parent: pathlib.Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent)
    except OSError as error:  # of a read-only file system, for one
        error.filename = str(parent)
        raise


def write_texts(directory: pathlib.Path, texts: Mapping[str, str]) -> None:
    """Writes files by name, in this order, when all of them are whole."""
    with staging(directory / next(iter(texts))) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for name in texts:
            (folder / name).replace(directory / name)


@contextlib.contextmanager
def locked(directory: pathlib.Path) -> Iterator[None]:
    """Waits until no other process holds the folder, and holds it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / _LOCK
    while True:
        with path.open("a") as file:
            _lock(file)
            if not _is_same(file, path):
                continue  # the holder removed it in the meantime
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def find_litter(directory: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders of `staging` whose processes are dead."""
    folders = [path for path in directory.glob(f"{PREFIX}*") if path.is_dir()]
    return [folder for folder in folders if _is_dead(folder)]


def _is_dead(folder: pathlib.Path) -> bool:
    try:
        with (folder / _LOCK).open("a" if (folder / _LOCK).exists() else "r") as file:
            return _lock(file, wait=False)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            return time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
    except OSError:
        pass
    return False


@contextlib.contextmanager
def _mark_alive(folder: pathlib.Path) -> Iterator[None]:
    # Locked under another name first: nobody finds it unlocked.
    hidden = folder / f"{_LOCK}-new"
    with hidden.open("a") as file:
        _lock(file)
        hidden.rename(folder / _LOCK)
        yield


def _lock(file: IO[Any], wait: bool = True) -> bool:
    """Locks an open file until it is closed; whether it is locked."""
    if fcntl is None:
        return wait
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False  # held, or a file system without locks
    return True


def _is_same(file: IO[Any], path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Lets signals that would end the process at once raise SystemExit instead."""

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)  # what a shell reports of the signal

    changed = []
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        changed = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]
    try:
        for number in changed:
            signal.signal(number, leave)
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
