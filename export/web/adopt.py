"""Takes the files for devices of one exported folder into the page of another."""

import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from export import report as reports
from export._staging import staging
from export.errors import ExportError
from export.formats import web
from export.publish import Names, publish, recover, require_ours
from export.web.runtimes import find_runtimes


def add_to_page(
    source: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    web_runtime: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> list[dict[str, Any]]:
    """Copies the newest .tflite files of an exported folder, and makes a page of them.

    Args:
        source: Folder that `export_model` wrote.
        directory: Folder of the page.
        web_runtime: See `export_model`.
        progress: Called with the name of each step.

    Returns:
        The entries of the page's report.

    Raises:
        ExportError: `source` has no .tflite file, or `directory` has such a model.
    """
    source, directory = (pathlib.Path(p).expanduser() for p in (source, directory))
    exports = sorted(reports.read(source)["exports"], key=lambda e: e["version"])
    newest = {export["name"]: export for export in exports}
    entries = [_device_part(export) for export in newest.values()]
    if not all(entry["files"] for entry in entries) or not entries:
        raise ExportError(f"{source} has models without .tflite files: export edge")
    recover(directory)
    require_ours(directory)
    with find_runtimes(web_runtime, False, progress) as runtimes:
        for entry in entries:
            names = Names(entry["name"], entry["version"])
            names.require_free(directory)
            with staging(directory / names.name) as stage:
                _copy(source, stage, entry)
                page = entry.get("web", {}).get("page", {})
                web.add(stage, entry, page, runtimes)
                publish(stage, directory, names, False, entry)
    return entries


def _device_part(export: dict[str, Any]) -> dict[str, Any]:
    files = [file for file in export["files"] if file["format"] in ("tflite", "onnx")]
    has_device = any(file["format"] == "tflite" for file in files)
    return {**export, "files": files if has_device else []}


def _copy(source: pathlib.Path, stage: pathlib.Path, entry: dict[str, Any]) -> None:
    paths = [path for file in entry["files"] for path in file["sha256"]]
    paths += [picture["path"] for picture in entry.get("pictures", [])]
    for path in paths:
        (stage / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, stage / path)
