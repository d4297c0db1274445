"""An export's entry in the report, made of what was measured; see `report.json`."""

import dataclasses
import datetime
import importlib.metadata
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.check import CheckResult
from export.formats import tflite
from export.report import hashes
from export.verify import golden, litert
from export.verify.latency import count_cores

_PACKAGES = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "onnxruntime",
)
_LEAST_PIXELS = 96  # of a picture's height: small images are enlarged


def describe_file(
    directory: pathlib.Path,
    file: pathlib.Path,
    rows: Sequence[CheckResult],
    kept_float: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the entry of an exported file, from its check."""
    path = file.relative_to(directory).as_posix()
    return {
        "path": path,
        "format": rows[0].format,
        "quantization": rows[0].quantization,
        "size_bytes": rows[0].size_bytes,
        "sha256": hashes.hash_files(directory, path),
        "kept_float": list(kept_float),
        "rows": [_describe_row(row) for row in rows],
    }


def describe_tflite(
    directory: pathlib.Path, file: pathlib.Path, written: tflite.Written
) -> dict[str, Any]:
    """Returns the entry of a .tflite file, with its fidelity on held-out examples."""
    described = describe_file(directory, file, written.rows, written.kept_float)
    for row in described["rows"]:
        row |= dataclasses.asdict(written.fidelity[row["endpoint"]])
    return described


def _describe_row(row: CheckResult) -> dict[str, Any]:
    return {
        "endpoint": row.endpoint,
        "difference": row.difference,
        "tolerance": row.tolerance,
        # A SavedModel runs TensorFlow's own kernels: its difference says it all.
        "psnr": None if row.format == "saved_model" else row.psnr,
        "ssim": None,
        "floor_db": row.floor_db,
        "partitions": row.graph.get("partitions"),
        "operations": row.graph.get("operations"),
        "outside": dict(row.graph.get("outside", {})),
        "agreement": {name: gap["difference"] for name, gap in row.runtimes.items()},
        "ok": row.ok,
        "problem": row.problem,
    }


def describe_machine() -> dict[str, Any]:
    """Returns when, where and with which packages the export was made."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "created": now.isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": count_cores(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "packages": versions,
    }


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
    return named[0].strip() if named else platform.processor()


def describe_endpoints(goldens: Mapping[str, golden.Golden]) -> dict[str, Any]:
    """Returns dtypes, shapes and ranges of every endpoint's inputs and outputs."""
    return {
        name: {
            "inputs": _describe_tensors(example.inputs),
            "outputs": _describe_tensors(example.outputs),
        }
        for name, example in goldens.items()
    }


def _describe_tensors(tensors: golden.Arrays) -> dict[str, Any]:
    return {
        name: {
            "dtype": "string" if array.dtype.kind == "S" else array.dtype.name,
            "shape": [None, *array.shape[1:]],
            "range": "[0, 1]" if golden.is_images(name, array) else "",
        }
        for name, array in tensors.items()
    }


def draw(
    directory: pathlib.Path,
    stem: str,
    goldens: Mapping[str, golden.Golden],
    contents: Mapping[str, bytes],
) -> list[dict[str, str]]:
    """Draws the golden examples, and what each .tflite file makes of them.

    Args:
        directory: Pictures go into `pictures/` in it.
        stem: First part of their names.
        goldens: Examples by endpoint.
        contents: Content of .tflite files by quantization.

    Returns:
        The report's entries.
    """
    files = {label: litert.load(content) for label, content in contents.items()}
    pictures = []
    for endpoint, example in goldens.items():
        if not any(golden.is_images(*item) for item in example.outputs.items()):
            continue
        strips = {"input": example.inputs, "Keras": example.outputs}
        for label, endpoints in files.items():
            if endpoint in endpoints:
                strips[label] = golden.run_rows(endpoints[endpoint], example.inputs)
        for label, tensors in strips.items():
            for name, array in tensors.items():
                if golden.is_images(name, array):
                    path = f"pictures/{stem}-{endpoint}-{label}-{name}.png"
                    save_strip(directory / path, array)
                    pictures.append(
                        {
                            "endpoint": endpoint,
                            "label": label,
                            "path": path,
                            "sha256": hashes.hash_file(directory / path),
                        }
                    )
    return pictures


def save_strip(path: pathlib.Path, images: np.ndarray) -> None:
    """Saves images `(rows, height, width, channels)` in `[0, 1]` side by side.

    Of channels that are not those of grey or colour, the first three are shown as red,
    green and blue; a third that is missing is 0.
    """
    from PIL import Image

    if images.shape[-1] not in (1, 3, 4):
        missing = max(0, 3 - images.shape[-1])
        images = np.pad(images[..., :3], [(0, 0)] * 3 + [(0, missing)])
    pixels = np.round(255 * np.clip(np.concatenate(list(images), axis=1), 0, 1))
    pixels = pixels.astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = max(1, -(-_LEAST_PIXELS // image.height))
    path.parent.mkdir(exist_ok=True)
    image.resize((image.width * scale, image.height * scale), 0).save(path)
