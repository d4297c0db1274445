"""Runs one exported file in a process of its own, on its golden inputs.

    python -m export.verify.runner FILE FOLDER SECONDS

It knows what a server or a phone knows: the file. It imports neither `tfgen` nor
Keras, and for other files than a SavedModel no TensorFlow. Into FOLDER it writes
`outputs.npz`, with keys `<endpoint>/<output>`, and `report.json`. SECONDS bounds the
measuring of latency, for each endpoint; 0 measures none.
"""

import functools
import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from export import _compat
from export.verify import golden

Endpoint = Callable[[golden.Arrays], golden.Arrays]

_WARM_UP = 3
_LEAST_RUNS, _MOST_RUNS = 5, 50


def main(file: pathlib.Path, folder: pathlib.Path, seconds: float) -> None:
    """Loads `file`, runs every endpoint that has golden inputs, writes the answers."""
    endpoints = _LOADERS[golden.format_of(file)](file)
    outputs, latency, failures = {}, {}, {}
    for name, example in golden.expected(file).items():
        if name not in endpoints:
            continue  # the parent compares the names
        try:
            answers = endpoints[name](example.inputs)
            latency[name] = _median_ms(endpoints[name], example.inputs, seconds)
        except Exception as error:  # reported, so that the other endpoints still run
            failures[name] = f"{type(error).__name__}: {error}"
            continue
        outputs |= {f"{name}/{key}": array for key, array in answers.items()}
    report: dict[str, Any] = {
        "endpoints": sorted(endpoints),
        "latency_ms": latency,
        "failures": failures,
    }
    if golden.format_of(file) == "tflite":
        report |= _inspect_tflite(file, outputs, failures)
    _refuse_modules(golden.format_of(file))
    np.savez(folder / "outputs.npz", **outputs)
    (folder / "report.json").write_text(json.dumps(report))


def _load_saved_model(file: pathlib.Path) -> dict[str, Endpoint]:
    # A server has no Keras. TensorFlow would import it, for half of its start.
    _compat.hide_module("keras")
    import tensorflow as tf

    # As `export_saved_model` does while it records: 10 bits are too rough to compare.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    loaded = tf.saved_model.load(str(file))

    def make(name: str) -> Endpoint:
        def run(inputs: golden.Arrays) -> golden.Arrays:
            tensors = {key: tf.constant(array) for key, array in inputs.items()}
            # Through `loaded`, which owns the weights: so they stay alive.
            outputs = loaded.signatures[name](**tensors)
            return {key: golden.to_array(tensor) for key, tensor in outputs.items()}

        return run

    return {name: make(name) for name in loaded.signatures}


def _load_tflite(file: pathlib.Path) -> dict[str, Endpoint]:
    from export.verify import litert

    endpoints = litert.load(file.read_bytes())
    run = golden.run_rows
    return {name: functools.partial(run, one) for name, one in endpoints.items()}


def _inspect_tflite(
    file: pathlib.Path, outputs: golden.Arrays, failures: dict[str, str]
) -> dict[str, Any]:
    """Returns what the delegate took, and how the other runtimes answer to one row."""
    from export.verify import litert

    content, runtimes = file.read_bytes(), {}
    others = litert.load_others(content)
    for name, example in golden.expected(file).items():
        answers = {
            key.split("/", 1)[1]: array[:1]
            for key, array in outputs.items()
            if key.startswith(f"{name}/")
        }
        if not answers:
            continue
        row = golden.split_rows(example.inputs)[0]
        try:
            runtimes[name] = litert.compare_runtimes(others, name, row, answers)
        except Exception as error:
            failures[name] = f"another runtime: {type(error).__name__}: {error}"
    return {"runtimes": runtimes, "graph": litert.count_operations(content)}


def _load_onnx(file: pathlib.Path) -> dict[str, Endpoint]:
    from export.verify.onnx_runtime import load_onnx

    return load_onnx(file)


_LOADERS = {
    "saved_model": _load_saved_model,
    "tflite": _load_tflite,
    "onnx": _load_onnx,
}


def _median_ms(
    endpoint: Endpoint, inputs: golden.Arrays, seconds: float
) -> float | None:
    if not seconds:
        return None
    one = {key: array[:1] for key, array in inputs.items()}
    for _ in range(_WARM_UP):
        endpoint(one)
    times: list[float] = []
    while len(times) < _LEAST_RUNS or (
        len(times) < _MOST_RUNS and sum(times) < seconds
    ):
        start = time.perf_counter()
        endpoint(one)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _refuse_modules(file_format: str) -> None:
    refused = {"tfgen", "keras"}
    if file_format != "saved_model":
        refused.add("tensorflow")
    if loaded := _compat.loaded_modules(refused):
        raise RuntimeError(f"the file alone must do, but {loaded} was imported")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3]))
