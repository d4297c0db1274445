"""Proves that exported files do what Keras did: each runs in a fresh process."""

import dataclasses
import importlib.util
import io
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from export import _staging
from export.errors import CheckError, ExportError
from export.verify import golden
from export.verify.child import run

# Largest absolute difference from Keras that float32 arithmetic explains: TensorFlow
# runs the same kernels, the others their own, which sum in another order.
TOLERANCES = {"saved_model": 1e-5, "tflite": 1e-4, "onnx": 1e-4}
# Least peak signal-to-noise ratio of a quantised file against float Keras, in dB.
FLOORS_DB = {"float16": 50.0, "dynamic_int8": 35.0, "int8": 30.0}

_LATENCY_SECONDS = 0.3
_PACKAGES = {"tflite": ("ai_edge_litert", "edge"), "onnx": ("onnxruntime", "onnx")}
# Pixels of encoded images are whole: a tiny difference may round to the next level.
_LEVEL = 1 / 255


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """One endpoint of one file.

    `difference` (largest, absolute), `psnr` (dB, least of the outputs) and `latency_ms`
    are None where nothing could be measured, and then `problem` says why. A float32
    file is held to `tolerance`, a quantised one to `floor_db`; the other is None.
    `endpoint` is empty if the file as a whole failed. Of .tflite files, `runtimes` says
    how far the reference kernels and `CompiledModel` are from the default, and `graph`
    what the delegate took; see `export.verify.litert`.
    """

    file: pathlib.Path
    format: str
    quantization: str
    endpoint: str
    size_bytes: int
    difference: float | None
    psnr: float | None
    latency_ms: float | None
    tolerance: float | None
    floor_db: float | None
    ok: bool
    problem: str = ""
    runtimes: Mapping[str, Mapping[str, float]] = dataclasses.field(
        default_factory=dict
    )
    graph: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        status = "ok" if self.ok else self.problem or "differs from Keras"
        if self.floor_db is None:
            found = "-" if self.difference is None else f"{self.difference:.2e}"
            measured = f"difference {found}, tolerance {self.tolerance:.0e}"
        else:
            found = "-" if self.psnr is None else f"{self.psnr:.1f} dB"
            measured = f"PSNR {found}, at least {self.floor_db:g} dB"
        return f"{self.file} [{self.endpoint or '-'}]: {measured}: {status}"


def check(
    directory: str | os.PathLike[str],
    tolerance: float | None = None,
    *,
    timeout: float = 300.0,
) -> list[CheckResult]:
    """Runs every exported file below `directory` on its golden inputs.

    Each file runs in a fresh process that never imports the code of the model; .tflite
    files run row by row at batch 1, without TensorFlow, and under three runtimes. Where
    the folder has a report, the files' hashes are compared with it first. Latency is
    the median of several calls at batch 1, warm.

    Args:
        directory: Folder to search; files in it carry their golden records.
        tolerance: Largest absolute difference allowed of float32 files; default
            `TOLERANCES`.
        timeout: Seconds that one file may take.

    Returns:
        A row for every endpoint of every file. All are `ok`.

    Raises:
        CheckError: A file is not what the report says; an endpoint is above tolerance,
            below its floor, not a number, or missing from the file or from the record;
            runtimes disagree; a file cannot be run, or has no record; or there is
            nothing to check. `error.results` holds all rows.
        ExportError: The package that runs a format is not installed.
    """
    from export.report import (
        report,  # the page comes with it: not for each start of a program
    )

    directory = pathlib.Path(directory)
    changed = report.verify_hashes(directory, report.read(directory))
    files = list(_find(directory))
    if not files and not changed:
        raise CheckError(f"{directory}: no SavedModel, .tflite or .onnx file to check")
    results = []
    for file in files:
        results += check_file(file, tolerance, timeout, _LATENCY_SECONDS)
    if failed := [*changed, *(str(row) for row in results if not row.ok)]:
        summary = f"{len(failed)} of {len(results) + len(changed)} checks failed:"
        raise CheckError("\n".join([summary, *failed]), results)
    return results


def check_file(
    file: pathlib.Path,
    tolerance: float | None = None,
    timeout: float = 300.0,
    latency_seconds: float = 0.0,
) -> list[CheckResult]:
    """Returns the rows of one exported file; see `check`.

    Raises:
        ExportError: The package that runs this format is not installed.
    """
    file_format = golden.format_of(file)
    require_runtime(file_format)
    try:
        quantization = golden.read_quantization(file)
        expected = golden.expected(file)
        found, outputs = run(file, timeout, latency_seconds)
    except ExportError as error:
        return [_row(file, "float32", "", tolerance, problem=str(error))]
    names = [*expected, *sorted(set(found["endpoints"]) - set(expected))]
    rows = []
    for name in names:
        finding = _judge(name, expected, found, outputs)
        rows.append(_row(file, quantization, name, tolerance, **finding))
    return rows


def require_agreement(file: pathlib.Path, target: pathlib.Path) -> list[CheckResult]:
    """Returns the rows of a staged file, under the name that it will get.

    Raises:
        CheckError: It does not agree with Keras.
    """
    rows = [dataclasses.replace(row, file=target) for row in check_file(file)]
    if failed := [str(row) for row in rows if not row.ok]:
        lines = [f"the {target.suffix} file differs from Keras:", *failed]
        raise CheckError("\n".join(lines), rows)
    return rows


def _row(
    file: pathlib.Path,
    quantization: str,
    endpoint: str,
    tolerance: float | None,
    **finding: Any,
) -> CheckResult:
    file_format = golden.format_of(file)
    floor_db = FLOORS_DB.get(quantization)
    if floor_db is not None:
        tolerance = None
    elif tolerance is None:
        tolerance = TOLERANCES[file_format]
    nothing = {"difference": None, "psnr": None, "latency_ms": None}
    row = CheckResult(
        file=file,
        format=file_format,
        quantization=quantization,
        endpoint=endpoint,
        size_bytes=_size(file),
        tolerance=tolerance,
        floor_db=floor_db,
        ok=False,
        **{**nothing, **finding},
    )
    problem = row.problem or _disagreement(row)
    return dataclasses.replace(row, problem=problem, ok=not problem and _agrees(row))


def _agrees(row: CheckResult) -> bool:
    if row.floor_db is not None:
        return row.psnr is not None and row.psnr >= row.floor_db
    return row.difference is not None and row.difference <= row.tolerance


def _disagreement(row: CheckResult) -> str:
    """Names the runtime whose answers are not the default's, as far as they must be."""
    for name, found in row.runtimes.items():
        if row.floor_db is None and not found["difference"] <= row.tolerance:
            return f"{name} differs from the default runtime by {found['difference']:g}"
        if row.floor_db is not None and not found["psnr"] >= row.floor_db:
            return f"{name} is {found['psnr']:.1f} dB from the default runtime"
    return ""


def require_runtime(file_format: str) -> None:
    """Raises `ExportError` if the package that runs this format is not installed."""
    package, extra = _PACKAGES.get(file_format, ("", ""))
    if package and not importlib.util.find_spec(package):
        raise ExportError(
            f'running .{file_format} files needs: pip install "tfgen[{extra}]"'
        )


def _find(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    found = [path.parent for path in directory.rglob("saved_model.pb")]
    found += [*directory.rglob("*.tflite"), *directory.rglob("*.onnx")]
    for path in sorted(found):
        parts = path.relative_to(directory).parts
        if not any(part.startswith(_staging.PREFIX) for part in parts):
            yield path


def _size(file: pathlib.Path) -> int:
    if file.is_file():
        return file.stat().st_size
    record = golden.path_of(file).parent
    served = (path for path in file.rglob("*") if record not in path.parents)
    return sum(path.stat().st_size for path in served if path.is_file())


def _judge(
    name: str,
    expected: Mapping[str, golden.Golden],
    found: Mapping[str, Any],
    outputs: Mapping[str, golden.Arrays],
) -> dict[str, Any]:
    """Returns the fields of an endpoint's row."""
    if name not in expected:
        return {"problem": "missing from the golden record"}
    if name not in found["endpoints"]:
        return {"problem": "missing from the file"}
    if name in found["failures"]:
        return {"problem": f"cannot be run: {found['failures'][name]}"}
    return {
        "latency_ms": found["latency_ms"][name],
        "runtimes": found.get("runtimes", {}).get(name, {}),
        "graph": found.get("graph", {}).get(name, {}),
        **_compare(expected[name].outputs, outputs[name]),
    }


def _compare(expected: golden.Arrays, answers: golden.Arrays) -> dict[str, Any]:
    """Returns the largest difference and the least PSNR, or why there is none."""
    if set(expected) != set(answers):
        gives = f"gives {sorted(answers)}, and Keras {sorted(expected)}"
        return {"problem": gives}
    largest, least = 0.0, None
    for name, array in expected.items():
        answer = answers[name]
        if array.dtype.kind == "S":
            gap = _compare_strings(array, answer)
        elif problem := _mismatch(name, array, answer):
            return {"problem": problem}
        else:
            gap = np.abs(answer.astype(np.float64) - array.astype(np.float64))
            ratio = golden.psnr(name, array, answer)
            least = ratio if least is None else min(least, ratio)
        largest = max(largest, float(gap.max(initial=0.0)))
    return {"difference": largest, "psnr": least}


def _mismatch(name: str, expected: np.ndarray, answer: np.ndarray) -> str:
    if expected.shape != answer.shape:
        return f"'{name}' is {answer.shape}, in Keras {expected.shape}"
    if not np.isfinite(expected).all():
        return f"Keras itself gave NaN or infinity in '{name}'"
    if not np.isfinite(answer).all():
        return f"NaN or infinity in '{name}'"
    return ""


def _compare_strings(expected: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Returns differences of pixels in [0, 1]; infinity between what is no image."""
    gaps = []
    for one, other in zip(expected.flat, answers.flat, strict=True):
        if one == other:
            continue
        pixels, others = (_decode(value) for value in (one, other))
        if pixels is None or others is None or pixels.shape != others.shape:
            return np.array([np.inf])
        gaps.append(max(0.0, np.abs(pixels - others).max() - _LEVEL))
    return np.array(gaps)


def _decode(value: bytes) -> np.ndarray | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(value)) as image:
            return np.asarray(image, np.float64) / 255
    except OSError:
        return None
