"""What a folder holds: its image files, and how many others are left out, and why."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tfgen.data.decode import EXTENSIONS, FILE_ENDINGS, HEIC_EXTENSIONS
from tfgen.errors import UserError

# Why files are left out, as it is said to users.
NO_IMAGE = "not images"
HIDDEN = "hidden"
IN_RUNS = "in run folders of tfgen"
SPECIAL = "pipes, sockets or devices"
LOOPS = "links to a folder that they lie in"
HEIC = 'HEIC (to read them: pip install "tfgen[heic]")'

# Folders that systems and archives make beside images; none of them is the user's.
_SYSTEM_FOLDERS = {
    "__macosx",  # of archives made on macOS
    "@eadir",  # thumbnails of Synology's file servers
    "$recycle.bin",
    "system volume information",
    "lost+found",
}
LOCK = ".lock"  # of a run whose training has begun
_RUN_KEYS = {"preset", "overrides", "versions"}  # of the config.json of a run


@dataclass(frozen=True)
class Listing:
    """The image files below a folder.

    Attributes:
        folder: The folder.
        names: Relative paths of the files in POSIX form, sorted: the same order on
            every file system.
        left_out: How many files are left out, by reason; of the whole folder that was
            scanned.
    """

    folder: Path
    names: tuple[str, ...]
    left_out: Counter = field(default_factory=Counter)

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of `names`."""
        return [self.folder / name for name in self.names]

    def choose(self, names: Iterable[str]) -> "Listing":
        """Returns the listing of some of the files."""
        return Listing(self.folder, tuple(names), self.left_out)

    def sub_folders(self) -> dict[str, "Listing"]:
        """Returns the sub-folders that hold images, by name."""
        names: dict[str, list[str]] = {}
        for name in self.names:
            top, slash, rest = name.partition("/")
            if slash:
                names.setdefault(top, []).append(rest)
        return {
            top: Listing(self.folder / top, tuple(rests), self.left_out)
            for top, rests in names.items()
        }


def scan(folder: Path) -> Listing:
    """Lists the images below a folder, which is refused if there are none.

    Links to folders are followed, unless they lead back to a folder that they lie in.
    Hidden files, folders that systems make (`__MACOSX`), and run folders of tfgen are
    left out.

    Raises:
        UserError: There are no images, or a folder cannot be read.
    """
    names: list[str] = []
    left_out: Counter = Counter()
    _walk(folder, "", (), names, left_out)
    if not names:
        endings = " ".join(sorted(FILE_ENDINGS))
        reasons = f" ({describe_left_out(left_out)})" if left_out else ""
        raise UserError(
            f"{folder} holds no images{reasons}: expected files ending in {endings}"
        )
    return Listing(folder, tuple(sorted(names)), left_out)


def describe_left_out(left_out: Counter) -> str:
    """Returns "12 files left out: 9 not images, 3 hidden"."""
    total = sum(left_out.values())
    reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.most_common())
    return f"{total:,} file{'s' * (total != 1)} left out: {reasons}"


def _walk(
    folder: str | os.PathLike,
    prefix: str,
    ancestors: tuple,
    names: list[str],
    left_out: Counter,
) -> None:
    entries = _list_entries(folder)
    if any(map(_marks_run, entries)):
        left_out[IN_RUNS] += _count_files(folder)
        return
    ancestors = (*ancestors, _identity(folder))
    for entry in entries:
        if not _is_folder(entry):
            reason = _why_left_out(entry)
            if reason is None:
                names.append(prefix + entry.name)
            else:
                left_out[reason] += 1
        elif _is_hidden(entry.name):
            left_out[HIDDEN] += _count_files(entry.path)
        elif entry.is_symlink() and _identity(entry.path) in ancestors:
            left_out[LOOPS] += 1
        else:
            _walk(entry.path, f"{prefix}{entry.name}/", ancestors, names, left_out)


def _list_entries(folder: str | os.PathLike) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise UserError(
            f"The folder {os.fspath(folder)} cannot be read ({error.strerror}): make "
            "it readable, or move it out of the data"
        ) from error


def _is_folder(entry: os.DirEntry) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    return entry.is_symlink() and os.path.isdir(entry.path)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _why_left_out(entry: os.DirEntry) -> str | None:
    if entry.name.startswith("."):
        return HIDDEN
    ending = os.path.splitext(entry.name)[1].lower()
    if ending in HEIC_EXTENSIONS and ending not in EXTENSIONS:
        return HEIC
    if ending not in FILE_ENDINGS:
        return NO_IMAGE
    is_file = entry.is_file(follow_symlinks=False) or os.path.isfile(entry.path)
    # A link to nowhere is an image that is missing; to open a pipe waits for a writer.
    return None if is_file or not os.path.exists(entry.path) else SPECIAL


def _marks_run(entry: os.DirEntry) -> bool:
    """Whether a file is the lock or the config.json of a run, not of anything else."""
    if entry.name not in ("config.json", LOCK):
        return False
    try:
        content = json.loads(Path(entry.path).read_bytes())
    except (OSError, ValueError):
        return False
    if entry.name == LOCK:
        return isinstance(content, int)  # the number of a process
    return isinstance(content, dict) and content.keys() >= _RUN_KEYS


def _count_files(folder: str | os.PathLike) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _identity(folder: str | os.PathLike) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
