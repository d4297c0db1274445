"""Times what a user could deploy instead, side by side: one interleaved run."""

import dataclasses
import functools
import os
import pathlib
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.formats.endpoint_model import EndpointModel
from export.verify import golden, litert

THREADS = (1, 2)
_WARM_UP = 3
_LEAST_RUNS, _MOST_RUNS = 5, 100
_SLOW_SECONDS = 1.0  # what takes longer is warmed up once


@dataclasses.dataclass(frozen=True)
class Latency:
    """Of one endpoint at batch 1: milliseconds, or the `problem` that prevents them.

    `threads` of TensorFlow and Keras is what TensorFlow uses: every core.
    """

    endpoint: str
    runtime: str
    quantization: str
    threads: int
    median_ms: float | None = None
    p95_ms: float | None = None
    runs: int = 0
    problem: str = ""


Call = Callable[[], Any]
Variant = tuple[Latency, Callable[[], Call]]  # what it is, and what prepares its call


def measure(
    endpoint: str,
    inputs: golden.Arrays,
    model: keras.Model,
    saved_model: pathlib.Path,
    tflite: Mapping[str, bytes],
    seconds: float,
) -> list[Latency]:
    """Times an endpoint in every form, interleaved in random order, at batch 1.

    Args:
        endpoint: Its name.
        inputs: Arrays, batch first; the first row is used.
        model: The Keras model: `predict` is timed, and the file that Keras's own
            LiteRT exporter makes with dynamic-range quantisation.
        saved_model: The version's folder.
        tflite: Content of .tflite files by quantization.
        seconds: About how long to measure; every form runs at least five times.

    Returns:
        A figure for each form and number of threads.
    """
    row = golden.split_rows(inputs)[0]
    wrapped = EndpointModel(None, model.signatures()[endpoint])
    variants = keras_variants(endpoint, row, wrapped)
    variants += exported_variants(endpoint, row, saved_model, tflite)
    return run(variants, seconds)


def keras_variants(
    endpoint: str, row: golden.Arrays, model: EndpointModel
) -> list[Variant]:
    """Returns `predict`, and the file of Keras's own exporter."""
    label = Latency(endpoint, "Keras predict", "float32", _tensorflow_threads())
    export = functools.cache(lambda: export_with_keras(model))
    variants = [(label, lambda: lambda: model.predict(row, verbose=0))]
    for threads in THREADS:
        label = Latency(endpoint, "Keras litert export", "dynamic_int8", threads)
        variants.append(litert_variant(label, row, export))
    return variants


def export_with_keras(model: EndpointModel) -> bytes:
    """Returns the file that `model.export` makes, with dynamic-range quantisation."""
    signature = {spec.name: spec for spec in model.function.input_signature}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.tflite"
        model.export(
            path,
            format="litert",
            verbose=False,
            input_signature=[signature],
            optimizations=[tf.lite.Optimize.DEFAULT],
        )
        return path.read_bytes()


def exported_variants(
    endpoint: str,
    row: golden.Arrays,
    saved_model: pathlib.Path,
    tflite: Mapping[str, bytes],
) -> list[Variant]:
    """Returns the SavedModel, and each .tflite file with each number of threads."""
    variants = [_saved_model_variant(endpoint, row, saved_model)]
    for quantization, content in tflite.items():
        for threads in THREADS:
            label = Latency(endpoint, "LiteRT", quantization, threads)
            variants.append(litert_variant(label, row, lambda c=content: c))
    return variants


def _saved_model_variant(
    endpoint: str, row: golden.Arrays, folder: pathlib.Path
) -> Variant:
    def prepare() -> Call:
        loaded = tf.saved_model.load(str(folder))
        tensors = {name: tf.constant(array) for name, array in row.items()}

        def call() -> Any:
            outputs = loaded.signatures[endpoint](**tensors)
            return [tensor.numpy() for tensor in outputs.values()]

        return call

    return Latency(endpoint, "SavedModel", "float32", _tensorflow_threads()), prepare


def litert_variant(
    label: Latency, row: golden.Arrays, content: Callable[[], bytes]
) -> Variant:
    """Returns the endpoint of a .tflite file, with the threads of the label.

    Keras's exporter calls its only signature, and its inputs, by other names.
    """

    def prepare() -> Call:
        endpoints = litert.load(content(), threads=label.threads)
        if label.endpoint in endpoints:
            endpoint, inputs = endpoints[label.endpoint], row
        else:
            ((name, endpoint),) = endpoints.items()
            inputs = _rename_inputs(content(), name, row)
        return lambda: endpoint(inputs)

    return label, prepare


def _rename_inputs(content: bytes, signature: str, row: golden.Arrays) -> golden.Arrays:
    names = litert.input_names(content, signature)
    return dict(zip(sorted(names), (row[key] for key in sorted(row)), strict=True))


def run(variants: Sequence[Variant], seconds: float) -> list[Latency]:
    """Calls the variants in rounds of random order, until the time is over."""
    order = random.Random(0)
    ready: list[tuple[Latency, Call, list[float]]] = []
    failed = []
    for label, prepare in variants:
        try:
            call = prepare()
            _warm_up(call)
            ready.append((label, call, []))
        except Exception as error:  # that a form does not run is a result too
            failed.append(dataclasses.replace(label, problem=_first_line(error)))
    start = time.perf_counter()
    for turn in range(_MOST_RUNS):
        if turn >= _LEAST_RUNS and time.perf_counter() - start > seconds:
            break
        for _, call, times in order.sample(ready, len(ready)):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return [*(_summarise(label, times) for label, _, times in ready), *failed]


def _warm_up(call: Call) -> None:
    for _ in range(_WARM_UP):
        begin = time.perf_counter()
        call()
        if time.perf_counter() - begin > _SLOW_SECONDS:
            return


def _summarise(label: Latency, times: list[float]) -> Latency:
    median, high = (1000 * float(t) for t in np.percentile(times, [50, 95]))
    return dataclasses.replace(label, median_ms=median, p95_ms=high, runs=len(times))


def _first_line(error: Exception) -> str:
    text = str(error).strip() or "no message"
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}"


def _tensorflow_threads() -> int:
    return tf.config.threading.get_intra_op_parallelism_threads() or count_cores()


def count_cores() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
