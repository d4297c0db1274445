"""Proves that exported files do what Keras did: each runs in a fresh process."""

import dataclasses
import importlib.util
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import _staging, golden
from ._child import run
from .errors import CheckError, ExportError

# Largest absolute difference from Keras that float32 arithmetic explains: TensorFlow
# runs the same kernels, LiteRT others, which sum in another order.
TOLERANCES = {"saved_model": 1e-5, "tflite": 1e-4}

_LATENCY_SECONDS = 1.0

# Of an endpoint: the difference, the latency in ms, the problem.
_Finding = tuple[float | None, float | None, str]


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """One endpoint of one file.

    `difference` and `latency_ms` are None where nothing could be measured, and then
    `problem` says why. `endpoint` is empty if the file as a whole failed.
    """

    file: pathlib.Path
    format: str
    endpoint: str
    size_bytes: int
    difference: float | None
    latency_ms: float | None
    tolerance: float
    ok: bool
    problem: str = ""

    def __str__(self) -> str:
        difference = "-" if self.difference is None else f"{self.difference:.2e}"
        status = "ok" if self.ok else self.problem or "differs from Keras"
        return (
            f"{self.file} [{self.endpoint or '-'}]: difference {difference}, "
            f"tolerance {self.tolerance:.0e}: {status}"
        )


def check(
    directory: str | os.PathLike[str],
    tolerance: float | None = None,
    *,
    timeout: float = 300.0,
) -> list[CheckResult]:
    """Runs every SavedModel and .tflite file below `directory` on its golden inputs.

    Each file runs in a fresh process that never imports the code of the model; .tflite
    files run row by row at batch 1 and without TensorFlow. Latency is the median of
    several calls at batch 1, warm.

    Args:
        directory: Folder to search; files in it carry their golden records.
        tolerance: Largest absolute difference allowed; default `TOLERANCES`.
        timeout: Seconds that one file may take.

    Returns:
        A row for every endpoint of every file. All are `ok`.

    Raises:
        CheckError: An endpoint is above tolerance, not a number, or missing from the
            file or from the record; a file cannot be run, or has no record; or there is
            nothing to check. `error.results` holds all rows.
        ExportError: `ai-edge-litert` is not installed and there are .tflite files.
    """
    files = list(_find(pathlib.Path(directory)))
    if not files:
        raise CheckError(f"{directory}: no SavedModel and no .tflite file to check")
    results = []
    for file in files:
        results += check_file(file, tolerance, timeout, _LATENCY_SECONDS)
    if failed := [str(row) for row in results if not row.ok]:
        summary = f"{len(failed)} of {len(results)} checks failed:"
        raise CheckError("\n".join([summary, *failed]), results)
    return results


def check_file(
    file: pathlib.Path,
    tolerance: float | None = None,
    timeout: float = 300.0,
    latency_seconds: float = 0.0,
) -> list[CheckResult]:
    """Returns the rows of one SavedModel folder or .tflite file; see `check`.

    Raises:
        ExportError: The package that runs this format is not installed.
    """
    file_format = golden.format_of(file)
    require_runtime(file_format)
    if tolerance is None:
        tolerance = TOLERANCES[file_format]
    size = _size(file)
    findings = _judge_all(file, timeout, latency_seconds)
    return [
        CheckResult(
            file=file,
            format=file_format,
            endpoint=name,
            size_bytes=size,
            difference=difference,
            latency_ms=latency,
            tolerance=tolerance,
            ok=not problem and difference is not None and difference <= tolerance,
            problem=problem,
        )
        for name, (difference, latency, problem) in findings.items()
    ]


def require_runtime(file_format: str) -> None:
    """Raises `ExportError` if the package that runs this format is not installed."""
    if file_format == "tflite" and not importlib.util.find_spec("ai_edge_litert"):
        raise ExportError('running .tflite files needs: pip install "tfgen[edge]"')


def _find(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    found = [path.parent for path in directory.rglob("saved_model.pb")]
    found += directory.rglob("*.tflite")
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


def _judge_all(
    file: pathlib.Path, timeout: float, latency_seconds: float
) -> dict[str, _Finding]:
    """Returns a finding by endpoint, or one by "" for a file that cannot be run."""
    try:
        expected = golden.expected(file)
        report, outputs = run(file, timeout, latency_seconds)
    except ExportError as error:
        return {"": (None, None, str(error))}
    names = [*expected, *sorted(set(report["endpoints"]) - set(expected))]
    return {name: _judge(name, expected, report, outputs) for name in names}


def _judge(
    name: str,
    expected: Mapping[str, golden.Golden],
    report: Mapping[str, Any],
    outputs: Mapping[str, golden.Arrays],
) -> _Finding:
    if name not in expected:
        return None, None, "missing from the golden record"
    if name not in report["endpoints"]:
        return None, None, "missing from the file"
    if name in report["failures"]:
        return None, None, f"cannot be run: {report['failures'][name]}"
    difference, problem = _compare(expected[name].outputs, outputs[name])
    return difference, report["latency_ms"][name], problem


def _compare(
    expected: golden.Arrays, answers: golden.Arrays
) -> tuple[float | None, str]:
    """Returns the largest absolute difference and, if it cannot be had, the reason."""
    if set(expected) != set(answers):
        return None, f"gives {sorted(answers)}, and Keras {sorted(expected)}"
    largest = 0.0
    for name, array in expected.items():
        if array.shape != answers[name].shape:
            return None, f"'{name}' is {answers[name].shape}, in Keras {array.shape}"
        if not np.isfinite(array).all():
            return None, f"Keras itself gave NaN or infinity in '{name}'"
        if not np.isfinite(answers[name]).all():
            return None, f"NaN or infinity in '{name}'"
        gap = np.abs(answers[name].astype(np.float64) - array.astype(np.float64))
        largest = max(largest, float(gap.max(initial=0.0)))
    return largest, ""
