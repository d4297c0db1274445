"""A page that runs exported files in a browser: plain files, for any static host.

`index.html` and `web/` lie in the exported folder beside what they run. `models.json`
says what there is; everything in it comes from the report. The runtime is LiteRT.js,
and ONNX Runtime Web where .onnx files are the second way.
"""

import base64
import hashlib
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from export._staging import staging
from export.check import FLOORS_DB, TOLERANCES, check_in_browser
from export.errors import CheckError
from export.verify import golden
from export.verify.browser import FORMAT
from export.verify.chromium import find_chromium
from export.web.runtimes import FOLDER, Runtimes

PAGE, MODELS = "index.html", "web/models.json"
SOURCES = pathlib.Path(__file__).parent.parent / "web"
_SCRIPTS = ("demo.js", "runtime.js", "views.js", "widgets.js", "style.css")


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes the page of a folder, over an older one; none if no export asks for it."""
    exports = [export for export in report["exports"] if export.get("web")]
    if not exports:
        return
    runtimes = Runtimes.of_folder(directory)
    newest = {export["name"]: export for export in sorted(exports, key=_version)}
    models = [_describe(export) for export in newest.values()]
    described = {"format": FORMAT, "runtimes": runtimes.describe(), "models": models}
    (directory / "web").mkdir(exist_ok=True)
    with staging(directory / "page") as stage:
        texts = {f"web/{name}": (SOURCES / name).read_text() for name in _SCRIPTS}
        texts[MODELS] = json.dumps(described, indent=1, allow_nan=False) + "\n"
        for name, newest_export in newest.items():
            examples = _read_examples(directory, newest_export)
            texts[_examples_path(name)] = json.dumps(examples)
        texts[PAGE] = _make_page((SOURCES / PAGE).read_text(), runtimes)
        (stage / "web").mkdir()
        for path, text in texts.items():
            (stage / path).write_text(text, encoding="utf-8", newline="\n")
            (stage / path).replace(directory / path)


def add(
    stage: pathlib.Path,
    export: dict[str, Any],
    page: Mapping[str, Any],
    runtimes: Runtimes,
) -> None:
    """Adds the page to a staged export: the runtimes' files, and the report's part.

    Where a Chromium is at hand, and the runtime is not on another host, each .tflite
    file runs there, and the report says how far it is from Keras.

    Raises:
        CheckError: A file does not agree with Keras in the browser.
    """
    for path, source in runtimes.files().items():
        (stage / FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, stage / FOLDER / path)
    export["web"] = {"page": dict(page), "runtime": runtimes.origin}
    if runtimes.packages is None or find_chromium() is None:
        return
    write(stage, {"exports": [export]})
    results = check_in_browser(stage)
    if failed := [str(row) for row in results if not row.ok]:
        raise CheckError("\n".join(["files differ in the browser:", *failed]), results)
    differences = {
        (row.file.relative_to(stage).as_posix(), row.endpoint): row.difference
        for row in results
    }
    for file in export["files"]:
        for row in file["rows"]:
            key = file["path"], row["endpoint"]
            if key in differences:
                row["agreement"] = {**row["agreement"], "browser": differences[key]}


def _version(export: Mapping[str, Any]) -> int:
    return export["version"]


def _describe(export: Mapping[str, Any]) -> dict[str, Any]:
    files = [_describe_tflite(f) for f in export["files"] if f["format"] == "tflite"]
    onnx = [file for file in export["files"] if file["format"] == "onnx"]
    if onnx:
        parts = {f["rows"][0]["endpoint"]: f["path"] for f in onnx}
        size = sum(file["size_bytes"] for file in onnx)
        files.append(_describe_file("onnx", "float32", size) | {"parts": parts})
    return {
        "name": export["name"],
        "version": export["version"],
        "description": export.get("description", ""),
        "licence": export.get("licence", ""),
        "endpoints": _endpoints(export),
        "examples": _examples_path(export["name"]),
        "files": files,
        "page": export["web"]["page"],
    }


def _endpoints(export: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the endpoints of some file that take and give numbers."""
    names = {row["endpoint"] for file in export["files"] for row in file["rows"]}
    return {
        name: specs
        for name, specs in export["endpoints"].items()
        if name in names and _is_numeric(specs)
    }


def _examples_path(name: str) -> str:
    return f"web/examples-{name}.json"


def _read_examples(
    directory: pathlib.Path, export: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Returns the golden examples of an export's files: rows, by endpoint."""
    goldens: dict[str, golden.Golden] = {}
    for file in export["files"]:
        if file["format"] in ("tflite", "onnx"):
            goldens |= golden.read(directory / file["path"])
    return {
        endpoint: _describe_rows(goldens[endpoint])
        for endpoint in sorted(goldens.keys() & _endpoints(export).keys())
    }


def _describe_rows(one: golden.Golden) -> list[dict[str, Any]]:
    """Returns the inputs and outputs of each row; outputs with the peak of `psnr`."""
    peaks = {name: golden.peak(name, array) for name, array in one.outputs.items()}
    return [
        {
            "inputs": {name: _to_text(array[i]) for name, array in one.inputs.items()},
            "outputs": {
                name: {**_to_text(array[i]), "peak": peaks[name]}
                for name, array in one.outputs.items()
            },
        }
        for i in range(len(next(iter(one.outputs.values()))))
    ]


def _to_text(array: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array)).decode()
    return {"dtype": array.dtype.name, "shape": array.shape, "data": data}


def _is_numeric(specs: Mapping[str, Any]) -> bool:
    tensors = [*specs["inputs"].values(), *specs["outputs"].values()]
    return all(tensor["dtype"] in ("float32", "int32", "uint8") for tensor in tensors)


def _describe_tflite(file: Mapping[str, Any]) -> dict[str, Any]:
    described = _describe_file("tflite", file["quantization"], file["size_bytes"])
    return {"path": file["path"], **described}


def _describe_file(kind: str, quantization: str, size: int) -> dict[str, Any]:
    return {
        "format": kind,
        "quantization": quantization,
        "size_bytes": size,
        "tolerance": TOLERANCES[kind],
        "floor_db": FLOORS_DB.get(quantization),
    }


def _make_page(text: str, runtimes: Runtimes) -> str:
    """Returns the page with where modules are found, and whom it may ask."""
    modules = json.dumps(runtimes.import_map()).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(modules.encode()).digest()).decode()
    hosts = " ".join(["'self'", *runtimes.hosts()])
    # LiteRT.js builds functions of strings, hence 'unsafe-eval'.
    policy = (
        f"default-src 'none'; connect-src {hosts} blob: data:; img-src 'self' blob: "
        f"data:; media-src 'self' blob:; style-src 'self'; worker-src 'self' blob:; "
        f"script-src {hosts} blob: 'sha256-{digest}' 'wasm-unsafe-eval' 'unsafe-eval'; "
        "base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    text = text.replace("<!-- policy -->", meta)
    return text.replace(
        "<!-- import map -->", f'<script type="importmap">{modules}</script>'
    )
