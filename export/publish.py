"""Publishes a staged export: whole or not at all, one at a time.

A folder is one place for many exports, which may come at once or die midway. Who
publishes holds the folder's lock. What is about to be moved is written into the staged
folder first. `report.json` decides: an export that it lists is there, and one that died
before is taken back by the next one that comes.
"""

import dataclasses
import json
import pathlib
import re
import shutil
from typing import Any

from export import report as reports
from export._staging import JOURNAL, find_litter, locked
from export.errors import ExportError
from export.formats import quantize, web
from export.report import guide, hashes
from export.report.report import NAME as REPORT
from export.serving import configuration
from export.web.runtimes import FOLDER as RUNTIMES


@dataclasses.dataclass(frozen=True)
class Names:
    """Where the files of a version lie, relative to the folder."""

    name: str
    version: int

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.name):
            raise ExportError(
                "the name must consist of letters, digits, '_', '-' and '.', and not "
                f"begin with '-' or '.'. Received: {self.name!r}"
            )

    @property
    def stem(self) -> str:
        """What the names of files begin with."""
        return f"{self.name}-v{self.version}"

    @property
    def served(self) -> pathlib.Path:
        """The folder of the SavedModel."""
        return pathlib.Path("serving", self.name, str(self.version))

    def edge(self, quantization: str) -> pathlib.Path:
        """The .tflite file of a quantization."""
        return pathlib.Path("edge", f"{self.stem}-{quantization}.tflite")

    def require_free(self, directory: pathlib.Path) -> None:
        """Raises `ExportError` if a file of this version lies in the folder."""
        paths = [directory / self.served]
        paths += [directory / self.edge(name) for name in quantize.QUANTIZATIONS]
        pattern = re.compile(re.escape(self.stem) + r"-[^\W\d]\w*\.onnx")
        onnx = sorted((directory / "onnx").glob("*.onnx"))
        paths += [file for file in onnx if pattern.fullmatch(file.name)]
        if taken := [path for path in paths if path.exists()]:
            raise ExportError(
                f"{taken[0]} exists already: choose another version. A version is one "
                "model, in every format"
            )


def require_ours(directory: pathlib.Path) -> None:
    """Raises `ExportError` if what an export writes anew is somebody else's there."""
    if any((directory / name).exists() for name in (REPORT, hashes.NAME)):
        return
    foreign = [name for name in (*hashes.OWN, "web") if (directory / name).exists()]
    if foreign:
        raise ExportError(
            f"{directory / foreign[0]} was not written by an export, and would be "
            "overwritten: choose another folder"
        )


def recover(directory: pathlib.Path) -> None:
    """Completes or takes back what exports that died were publishing."""
    if not any((folder / JOURNAL).exists() for folder in find_litter(directory)):
        return
    with locked(directory):
        for folder in find_litter(directory):
            _settle(folder, directory)
            shutil.rmtree(folder, ignore_errors=True)


def publish(
    stage: pathlib.Path,
    directory: pathlib.Path,
    names: Names,
    is_served: bool,
    export: dict[str, Any],
) -> None:
    """Moves everything to its place; last, in one rename, what a server watches.

    Raises:
        ExportError: The version exists by now. Nothing was moved.
    """
    with locked(directory):
        names.require_free(directory)
        files = [
            file.relative_to(stage).as_posix()
            for kind in ("edge", "onnx", "pictures", RUNTIMES)
            for file in sorted((stage / kind).rglob("*"))
            if file.is_file() and not _is_there(file, stage, directory)
        ]
        journal = {
            "name": names.name,
            "version": names.version,
            "files": files,
            "served": names.served.as_posix() if is_served else "",
        }
        (stage / JOURNAL).write_text(json.dumps(journal), encoding="utf-8")
        try:
            for path in files:
                _move(stage, directory, path)
            merged = reports.merge(reports.read(directory), export)
            reports.write(directory, merged)
        finally:
            _settle(stage, directory)


def _is_there(file: pathlib.Path, stage: pathlib.Path, directory: pathlib.Path) -> bool:
    """Whether a runtime's file is the folder's already, and not this export's."""
    path = file.relative_to(stage)
    is_runtime = path.is_relative_to(RUNTIMES)
    return is_runtime and (directory / path).exists()


def _settle(stage: pathlib.Path, directory: pathlib.Path) -> None:
    """Completes an export that the report lists, and takes back one that it does not.

    May be called again when it did not come to its end.
    """
    if not (stage / JOURNAL).exists():
        return
    journal = json.loads((stage / JOURNAL).read_text(encoding="utf-8"))
    report = reports.read(directory)
    key = journal["name"], journal["version"]
    if key in [(export["name"], export["version"]) for export in report["exports"]]:
        if journal["served"]:
            _move(stage, directory, journal["served"])
            configuration.write_configs(directory / "serving")
        web.write(directory, report)
        guide.write(directory, report)
        hashes.write(directory, report)
    else:
        for path in journal["files"]:
            (directory / path).unlink(missing_ok=True)
            _remove_empty((directory / path).parent)
    (stage / JOURNAL).unlink()


def _move(stage: pathlib.Path, directory: pathlib.Path, path: str) -> None:
    if (stage / path).exists():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (stage / path).replace(directory / path)


def _remove_empty(folder: pathlib.Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
