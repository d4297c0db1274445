"""The README.md of an exported folder: how to serve, call, and run on a device.

It is made of `README.md.j2` and of the report alone (see `report.json`), with true
names, shapes and ranges, so that every command and snippet in it can be pasted.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from export._staging import write_texts
from export.report.page import complete
from export.report.snippets import FILTERS
from export.report.templates import environment

NAME = "README.md"

# Interpreter and CompiledModel in one artifact; 2.0 lacks the Interpreter.
_ANDROID = "com.google.ai.edge.litert:litert:2.1.5"
_POD = "pod 'TensorFlowLiteSwift', '~> 2.17.0'"
_LITERT = "2.3"  # the oldest that setup.cfg asks for

_REST, _GRPC = "http://localhost:8501", "localhost:8500"

_ADVICE = {
    "float32": "the numbers of Keras. The one to start with, and to compare with.",
    "float16": "weights in half of the bytes; for GPUs, or a smaller download.",
    "dynamic_int8": "weights in a quarter of the bytes, float32 in and out; mostly the "
    "fastest on the CPU of a phone.",
    "int8": "weights of the convolutions and dense layers, and what they take, in 8 "
    "bits; float32 between them, in and out. Look at its PSNR and its pictures first.",
}

_Export = dict[str, Any]


def write(directory: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes `README.md` of the folder, over an older one."""
    write_texts(directory, {NAME: render(report)})


def render(report: Mapping[str, Any]) -> str:
    """Returns the guide in Markdown.

    It tells of every export, and calls the newest version of each name: the one that
    TensorFlow Serving serves.
    """
    exports = [complete(export) for export in report["exports"]]
    newest = _newest(exports)
    edge = [_describe_device(export) for export in newest if _files(export, "tflite")]
    present = {file["quantization"] for export in edge for file in export["files"]}
    template = environment("markdown").overlay()
    template.filters = {**template.filters, **FILTERS}
    return template.get_template("README.md.j2").render(
        exports=exports,
        served=_newest([e for e in exports if _files(e, "saved_model")]),
        edge=edge,
        onnx=[file["path"] for export in newest for file in _files(export, "onnx")],
        advice={
            name: Markup(text) for name, text in _ADVICE.items() if name in present
        },
        written=", ".join(
            sorted({str(e["packages"].get("tensorflow", "")) for e in exports} - {""})
        ),
        licences=[export for export in exports if export["licence"]],
        litert=_LITERT,
        android=_ANDROID,
        pod=Markup(_POD),
        rest=_REST,
        grpc=_GRPC,
    )


def _newest(exports: Sequence[_Export]) -> list[_Export]:
    by_version = sorted(exports, key=lambda export: export["version"])
    return list({export["name"]: export for export in by_version}.values())


def _files(export: _Export, file_format: str) -> list[dict[str, Any]]:
    return [file for file in export["files"] if file["format"] == file_format]


def _describe_device(export: _Export) -> _Export:
    """Returns an export with the .tflite file that the snippets run, and its endpoints.

    The file is that of the first quantization of which there is advice.
    """
    order = [*_ADVICE]
    file = min(
        _files(export, "tflite"),
        key=lambda file: [*order, file["quantization"]].index(file["quantization"]),
    )
    offered = {row["endpoint"] for row in file["rows"]}
    path = pathlib.PurePosixPath(file["path"])
    return export | {
        "device_path": str(path),
        "device_file": path.name,
        "device_stem": path.stem,
        "device_endpoints": {
            name: specs
            for name, specs in export["endpoints"].items()
            if name in offered
        },
    }
