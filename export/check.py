"""Proves that exported files do what Keras did: each runs in a fresh process."""

import dataclasses
import importlib.util
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from export.errors import CheckError, ExportError
from export.paths import walk
from export.verify import agreement, golden
from export.verify.child import run

# Largest absolute difference from Keras that float32 arithmetic explains: TensorFlow
# runs the same kernels, the others their own, which sum in another order.
TOLERANCES = {"saved_model": 1e-5, "tflite": 1e-4, "onnx": 1e-4}
# Least peak signal-to-noise ratio of a quantised file against float Keras, in dB.
FLOORS_DB = {"float16": 50.0, "dynamic_int8": 35.0, "int8": 30.0}

_LATENCY_SECONDS = 0.3
_PACKAGES = {"tflite": ("ai_edge_litert", "edge"), "onnx": ("onnxruntime", "onnx")}


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """One endpoint of one file.

    `difference` (largest, absolute), `psnr` (dB, least of the outputs) and `latency_ms`
    are None where nothing could be measured, and then `problem` says why. A float32
    file is held to `tolerance`, a quantised one to `floor_db`; the other is None.
    `endpoint` is empty if the file as a whole failed. Of .tflite files, `runtimes` says
    how far `CompiledModel` and, unless they would take minutes, the reference kernels
    are from the default, and `graph` what the delegate took; see
    `export.verify.litert`.
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
            figure = "-" if self.difference is None else f"{self.difference:.2e}"
            measured = f"difference {figure}, tolerance {self.tolerance:.0e}"
        else:
            figure = "-" if self.psnr is None else f"{self.psnr:.1f} dB"
            measured = f"PSNR {figure}, at least {self.floor_db:g} dB"
        return f"{self.file} [{self.endpoint or '-'}]: {measured}: {status}"


def check(
    directory: str | os.PathLike[str],
    tolerance: float | None = None,
    *,
    timeout: float = 300.0,
    require_report: bool = True,
    web: bool = False,
) -> list[CheckResult]:
    """Compares a folder with its report, and runs every file on its golden inputs.

    Each file runs in a fresh process that never imports the code of the model; .tflite
    files run row by row at batch 1, without TensorFlow, and under three runtimes.
    Latency is the median of several calls at batch 1, warm. Files may be symbolic
    links, as in the stores of model hubs.

    Args:
        directory: Folder that `export_model` wrote; its files carry golden records.
        tolerance: Largest absolute difference allowed of float32 files; default
            `TOLERANCES`.
        timeout: Seconds that one file may take.
        require_report: Whether `report.json` and `SHA256SUMS` must be there, and know
            every file. False for files that `export_saved_model`, `export_tflite` and
            `export_onnx` wrote alone.
        web: Whether the folder's page runs its .tflite files too, in a headless
            Chromium, on its CPU and on WebGPU where there is one, to be held to the
            same floors.

    Returns:
        A row for every endpoint of every file, and with `web` for every endpoint that
        a browser runs, whose format is `"browser"` or, on WebGPU, `"browser-gpu"`. All
        are `ok`.

    Raises:
        CheckError: A file is missing, is not what the report says, or is not in the
            report; the report is missing or damaged; an endpoint is above tolerance,
            below its floor, not a number, or missing from the file or from the record;
            runtimes disagree; a file cannot be run, or has no record; or there is
            nothing to check. `error.results` holds all rows.
        ExportError: The package that runs a format is not installed, or `directory` is
            not a folder that can be read.
    """
    from export.report import contents  # loads Jinja: not at each start of a program
    from export.verify import browser

    directory = pathlib.Path(directory).expanduser()
    if web:
        browser.files_of(directory)  # before what takes long
    files = contents.find_models(directory)
    problems = contents.find_orphans(directory)
    if require_report:
        problems += contents.compare_with_report(directory, files)
    if not files:
        nothing = f"{directory}: no SavedModel, .tflite or .onnx file to check"
        raise CheckError("\n".join([nothing, *problems]))
    results = []
    for file in files:
        results += check_file(file, tolerance, timeout, _LATENCY_SECONDS)
    if web:
        results += check_in_browser(directory, tolerance, timeout, gpu=True)
    if failed := [*problems, *(str(row) for row in results if not row.ok)]:
        summary = f"{len(failed)} of {len(results) + len(problems)} checks failed:"
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
        return _rows(file, tolerance, *run(file, timeout, latency_seconds))
    except ExportError as error:
        return [_row(file, "float32", "", tolerance, problem=str(error))]


def _rows(
    file: pathlib.Path,
    tolerance: float | None,
    answered: Mapping[str, Any],
    outputs: Mapping[str, golden.Arrays],
) -> list[CheckResult]:
    quantization = golden.read_quantization(file)
    expected = golden.expected(file)
    names = [*expected, *sorted(set(answered["endpoints"]) - set(expected))]
    return [
        _row(
            *(file, quantization, name, tolerance),
            **agreement.judge(name, expected, answered, outputs),
        )
        for name in names
    ]


def check_in_browser(
    directory: pathlib.Path,
    tolerance: float | None = None,
    timeout: float = 300.0,
    gpu: bool = False,
) -> list[CheckResult]:
    """Returns the rows of the .tflite files that a folder's page runs in Chromium.

    Args:
        directory, tolerance, timeout: As in `check`.
        gpu: Whether files run on WebGPU too, where there is an adapter for it.

    Raises:
        ExportError: There is no browser, no page, or its runtime does not start.
    """
    from export.verify import browser  # its server is not loaded at each start

    results = []
    for backend, path, answer in browser.run(directory, timeout, gpu):
        file = directory / path
        if isinstance(answer, ExportError):
            rows = [_row(file, "float32", "", tolerance, problem=str(answer))]
        else:
            rows = _rows(file, tolerance, *answer)
        results += [dataclasses.replace(row, format=backend) for row in rows]
    return results


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
    """Names the runtime whose answers are too far from the default's."""
    for name, gap in row.runtimes.items():
        if row.floor_db is None and not gap["difference"] <= row.tolerance:
            return f"{name} differs from the default runtime by {gap['difference']:g}"
        if row.floor_db is not None and not gap["psnr"] >= row.floor_db:
            return f"{name} is {gap['psnr']:.1f} dB from the default runtime"
    return ""


def require_runtime(file_format: str) -> None:
    """Raises `ExportError` if the package that runs this format is not installed."""
    package, extra = _PACKAGES.get(file_format, ("", ""))
    if package and not importlib.util.find_spec(package):
        raise ExportError(
            f'running .{file_format} files needs: pip install "tfgen[{extra}]"'
        )


def _size(file: pathlib.Path) -> int:
    if file.is_file():
        return file.stat().st_size
    record = golden.path_of(file).parent
    served = (path for path in walk(file) if record not in path.parents)
    return sum(path.stat().st_size for path in served if path.is_file())
