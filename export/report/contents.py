"""What an exported folder holds, compared with its report."""

import pathlib
from collections.abc import Sequence

from export.errors import ExportError
from export.paths import walk
from export.report import hashes, report

_MODELS = (".tflite", ".onnx")
_RECORD = "golden.npz"


def find_models(directory: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders of SavedModels, .tflite and .onnx files below a folder.

    Raises:
        ExportError: There is no such folder, or it cannot be read.
    """
    files = list(walk(directory))
    models = [file.parent for file in files if file.name == "saved_model.pb"]
    return sorted([*models, *(file for file in files if file.suffix in _MODELS)])


def find_orphans(directory: pathlib.Path) -> list[str]:
    """Returns a line for every golden record whose model is gone."""
    orphans = []
    for file in walk(directory):
        if file.name == _RECORD and file.parent.name == "assets.extra":
            models = [file.parent.parent / "saved_model.pb"]
        elif file.name.endswith(f".{_RECORD}"):
            stem = file.name.removesuffix(f".{_RECORD}")
            models = [file.with_name(stem + suffix) for suffix in _MODELS]
        else:
            continue
        if not any(model.is_file() for model in models):
            name = file.relative_to(directory).as_posix()
            orphans.append(f"{name}: its model is missing ({models[0].name})")
    return orphans


def compare_with_report(
    directory: pathlib.Path, models: Sequence[pathlib.Path]
) -> list[str]:
    """Returns a line for everything in which a folder is not as its report says.

    Args:
        directory: The exported folder, or one in it, such as `edge`.
        models: What `find_models` returns.
    """
    root = _find_root(directory)
    if root is None:
        return [
            f"{report.NAME}: is missing, so that nothing says what {directory} should "
            "hold: give the folder that the export wrote, or restore the file"
        ]
    try:
        written = report.read(root)
    except ExportError as error:
        return [str(error)]
    below = "".join(f"{part}/" for part in directory.absolute().relative_to(root).parts)
    problems = hashes.verify(root, written, below)
    if not written["exports"]:
        problems.append(f"{report.NAME}: lists no exports")
    known = set()
    for export in written["exports"]:
        if not export["files"]:
            name = f"{export['name']} version {export['version']}"
            problems.append(f"{report.NAME}: {name} has no files")
        for file in export["files"]:
            known.add(file["path"])
            if not file["sha256"]:
                problems.append(f"{report.NAME}: {file['path']} has no hashes")
    present = {model.absolute().relative_to(root).as_posix() for model in models}
    for path in sorted((present | _find_versions(root, below)) - known):
        problems.append(f"{path}: is not in the report: no export wrote it")
    return problems


def _find_root(directory: pathlib.Path) -> pathlib.Path | None:
    """Returns the nearest folder with a report: this one, or as far up as a version."""
    directory = directory.absolute()
    for folder in [directory, *directory.parents[:3]]:
        if (folder / report.NAME).exists():
            return folder
    return None


def _find_versions(root: pathlib.Path, below: str) -> set[str]:
    """Returns the folders that TensorFlow Serving takes for versions."""
    versions = {
        folder.relative_to(root).as_posix()
        for folder in root.glob("serving/*/*")
        if folder.is_dir() and folder.name.isascii() and folder.name.isdecimal()
    }
    return {path for path in versions if f"{path}/".startswith(below)}
