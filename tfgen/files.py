"""Files and folders that are written whole or not at all, and by one process."""

import contextlib
import errno
import os
import pathlib
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator

from tfgen.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def replaced(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Atomic write: yields a temporary path and renames it to `path` on success.

    The temporary path has the suffix of `path` and lies beside it. If anything is
    raised, it is removed, and what `path` was before is left. The file's mode is what
    the umask allows.

    Raises:
        OSError: It names `path`, never the temporary path.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{secrets.token_hex(6)}{path.suffix}")
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        os.close(os.open(temporary, flags, 0o666))
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and str(error.filename) == str(temporary):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):  # of a read-only file system, for one
            temporary.unlink()


@contextlib.contextmanager
def replaced_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Atomic write of a folder: yields an empty one and renames it on success.

    What `path` was before is removed then. If anything is raised, it is left, and what
    was written is removed.
    """
    path = pathlib.Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _errors_name(path.parent):
        folder = tempfile.TemporaryDirectory(
            dir=path.parent, prefix=".", ignore_cleanup_errors=True
        )
    with folder as base:
        temporary, before = pathlib.Path(base, "new"), pathlib.Path(base, "before")
        temporary.mkdir()
        yield temporary
        if path.exists():  # a folder can only be renamed onto an empty one
            path.rename(before)
        temporary.rename(path)


@contextlib.contextmanager
def _errors_name(path: pathlib.Path) -> Iterator[None]:
    """Lets an OSError name a path, where it names a hidden one in it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def check_output_folder(
    path: str | os.PathLike,
    overwrite: bool = False,
    markers: Iterable[str] = ("config.json",),
    inputs: Iterable[str | os.PathLike | None] = (),
) -> pathlib.Path:
    """Returns a folder that may be written, `~` expanded; it need not exist.

    Args:
        path: The folder.
        overwrite: Whether what tfgen wrote there before may be replaced.
        markers: File names, one of which says that tfgen wrote the folder.
        inputs: Folders that are read. None of them may be replaced, nor a folder that
            holds one or lies in one.

    Raises:
        UserError: It is a file; it is not empty and not to be overwritten; or it is a
            folder that tfgen did not write, or one of the inputs.
    """
    path = pathlib.Path(path).expanduser()
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file: choose another --out")
    if is_empty(path):
        return path
    if not overwrite:
        raise UserError(f"{path} is not empty: choose another --out, or --overwrite")
    if not any((path / name).is_file() for name in markers):
        raise UserError(
            f"{path} was not written by tfgen (it has no {' or '.join(markers)}): "
            "nothing in it is overwritten, choose another --out"
        )
    for folder in inputs:
        if folder is not None and _overlap(path, pathlib.Path(folder).expanduser()):
            raise UserError(
                f"{path} is, holds or lies in {folder}, which is read: it is not "
                "overwritten, choose another --out"
            )
    return path


def is_empty(folder: pathlib.Path) -> bool:
    """Returns whether a folder is absent or holds nothing but a lock."""
    return not folder.is_dir() or all(p.name == LOCK for p in folder.iterdir())


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Keeps other processes from writing into a folder, which is made if need be.

    The lock is a file with this process's number; it ends with the process, however
    that ends. Folders that were made and are still empty are removed again.

    Raises:
        UserError: Another process writes there.
    """
    created = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = None
    try:
        with _errors_name(folder):
            handle = _lock(path)
        yield
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)
            os.close(handle)
        with contextlib.suppress(OSError):  # not empty, or another process's
            for empty in created:
                empty.rmdir()


@contextlib.contextmanager
def waiting_lock(path: pathlib.Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds a lock, a file at `path` that stays, once no other process does.

    The lock ends with the process, however that ends. Where none can be had, on file
    systems that know no locks or may not be written, everybody goes on.

    Args:
        path: In a folder that is made if need be.
        on_wait: Called once if another process holds the lock.
    """
    handle = None
    try:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if handle is not None:
            try:
                _hold(handle)
            except BlockingIOError:
                on_wait()
                _hold(handle, waits=True)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def check_unlocked(folder: pathlib.Path) -> None:
    """Raises a UserError if another process writes into the folder."""
    if (folder / LOCK).is_file():
        os.close(_lock(folder / LOCK))


def _lock(path: pathlib.Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _hold(handle)
            # Whoever had the lock may have removed the file between the two calls.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        except BlockingIOError as error:
            owner = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise UserError(
                f"{path.parent} is being written by another process (pid {owner}): "
                "wait for its end, or choose another --out"
            ) from error
        os.close(handle)


def _hold(handle: int, waits: bool = False) -> None:
    """Locks an open file; if another process has, waits or raises a BlockingIOError.

    File systems of clusters may know no locks: then everybody may write.
    """
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise


def _overlap(one: pathlib.Path, other: pathlib.Path) -> bool:
    one, other = one.resolve(), other.resolve()
    return one == other or one in other.parents or other in one.parents
