"""SHA-256 of every file of an exported folder, in `SHA256SUMS`.

`report.json` holds the hashes of each export's files. `SHA256SUMS` repeats them, and
adds those of the folder's own files. `sha256sum --check SHA256SUMS` reads it.
"""

import hashlib
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from export._staging import write_texts
from export.errors import ExportError
from export.paths import require_inside, walk
from export.verify import golden

NAME = "SHA256SUMS"

# What belongs to the folder, not to one export: each export writes it again.
OWN = (
    "README.md",
    "index.html",
    "report.html",
    "report.json",
    "serving/models.config",
    "serving/batching.config",
)
_MOST_TEXT = 2**22  # bytes of a file that is looked at for what Git did to it
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def hash_file(file: pathlib.Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def hash_files(directory: pathlib.Path, path: str) -> dict[str, str]:
    """Returns the SHA-256 of a file, or of every file in a folder.

    Args:
        directory: The exported folder.
        path: Of a SavedModel's folder or of a file, relative to `directory`. The golden
            record beside a .tflite or .onnx file is taken with it.

    Returns:
        Digests by path relative to `directory`, with slashes on every system.

    Raises:
        ExportError: There is no such file, or the path leaves the folder.
    """
    target = directory / require_inside(path)
    if not target.exists():
        raise ExportError(f"{target} does not exist: there is nothing to hash")
    files = {target} if target.is_file() else set(walk(target))
    files.add(golden.path_of(target))
    return {
        file.relative_to(directory).as_posix(): hash_file(file)
        for file in sorted(files)
        if file.is_file()
    }


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes `SHA256SUMS`: the last file of an export.

    The hashes of models and pictures are those of the report: what changed since an
    older export is not taken for right. The folder's own files are hashed anew.
    """
    digests = _digests_of(report)
    for path in _own_files(directory):
        digests[path] = hash_file(directory / path)
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items())]
    write_texts(directory, {NAME: "".join(lines)})


def verify(
    directory: pathlib.Path, report: Mapping[str, Any], below: str = ""
) -> list[str]:
    """Returns a line for every file that is not as it was exported.

    That is a file that is missing, has changed, cannot be read, or is new in the folder
    of a SavedModel. The list is empty if all is well.

    Args:
        directory: The exported folder.
        report: What `report.json` holds.
        below: Only files whose path begins so are looked at: `edge/`.
    """
    try:
        recorded = {**_read(directory / NAME), **_digests_of(report)}
    except ExportError as error:
        return [str(error)]
    problems = [
        problem
        for path, digest in sorted(recorded.items())
        if path.startswith(below) and (problem := _verify(directory, path, digest))
    ]
    problems += [
        f"{path}: is not in {NAME}"
        for path in _own_files(directory)
        if path.startswith(below) and path not in recorded
    ]
    for export in report["exports"]:
        for file in export["files"]:
            if f"{file['path']}/".startswith(below):
                problems += _find_new(directory, file["path"], recorded)
    return problems


def _own_files(directory: pathlib.Path) -> list[str]:
    page = walk(directory / "web") if _has_page(directory) else ()
    names = [path.relative_to(directory).as_posix() for path in page]
    return [path for path in OWN if (directory / path).is_file()] + names


def _has_page(directory: pathlib.Path) -> bool:
    return (directory / "web/models.json").is_file()


def _digests_of(report: Mapping[str, Any]) -> dict[str, str]:
    digests: dict[str, str] = {}
    for export in report["exports"]:
        for file in export["files"]:
            digests |= file["sha256"]
        for picture in export.get("pictures", []):
            if "sha256" in picture:
                digests[picture["path"]] = picture["sha256"]
    for path in digests:
        require_inside(path)
    return digests


def _read(path: pathlib.Path) -> dict[str, str]:
    if not path.is_file():
        raise ExportError(f"{NAME}: is missing")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ExportError(f"{NAME}: cannot be read ({error})") from error
    digests = {}
    for number, line in enumerate(lines, start=1):
        if not (match := _LINE.fullmatch(line)):
            raise ExportError(f"{NAME}: line {number} is damaged")
        digests[require_inside(match[2])] = match[1]
    if not digests:
        raise ExportError(f"{NAME}: is empty")
    return digests


def _verify(directory: pathlib.Path, path: str, digest: str) -> str:
    file = directory / path
    try:
        if not file.is_file():
            return f"{path}: is missing"
        if hash_file(file) != digest:
            return f"{path}: {_explain(file, digest)}"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror or error})"
    return ""


def _explain(file: pathlib.Path, digest: str) -> str:
    """Returns why a file differs, where Git has changed it."""
    if file.stat().st_size < _MOST_TEXT:
        content = file.read_bytes()
        if content.startswith(b"version https://git-lfs"):
            return "is a pointer of Git LFS in place of the file: run git lfs pull"
        text = content.replace(b"\r\n", b"\n")
        if hashlib.sha256(text).hexdigest() == digest:
            return "has the line endings of Windows: git config core.autocrlf false"
    return "has changed since it was exported"


def _find_new(
    directory: pathlib.Path, path: str, recorded: Mapping[str, str]
) -> Iterator[str]:
    if (directory / path).is_dir():
        for file in walk(directory / path):
            name = file.relative_to(directory).as_posix()
            if name not in recorded:
                yield f"{name}: is new since the export"
