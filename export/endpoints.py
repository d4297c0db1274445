"""The endpoints of a model: what they must be, what they need, what they answer."""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.errors import ExportError
from export.serving import twins
from export.verify import golden
from export.verify.examples import Examples, sort_by_endpoint

_RANDOM_OPS = re.compile(
    "Random|Multinomial|TruncatedNormal|StatefulUniform|StatefulStandardNormal"
    "|^Rng|CandidateSampler|NonDeterministicInts|Shuffle|DistortedBoundingBox"
)
_WRITING_OPS = re.compile("^Assign|^Resource(Apply|Sparse|Scatter|StridedSliceAssign)")
_HALVES = (tf.float16, tf.bfloat16)
# Of a row alone to that row in a batch, relative to the largest value: kernels sum in
# another order for another batch.
_ROW_TOLERANCE = 1e-3
_HALF_TOLERANCE = 5e-2
_LEAST_WEIGHTS = 0.5  # of their bytes: constant folding may spare a few


def find(model: keras.Model) -> dict[str, Any]:
    """Returns `model.signatures()`.

    Raises:
        ExportError: They do not keep the protocol of `export`.
    """
    if not callable(getattr(model, "signatures", None)):
        raise ExportError(
            f"{type(model).__name__} has no method `signatures()`: help(export) shows "
            "one"
        )
    endpoints = model.signatures()
    if not endpoints:
        raise ExportError(f"{type(model).__name__}.signatures() returned no endpoint")
    for name, function in endpoints.items():
        if not name.isidentifier():
            raise ExportError(f"an endpoint needs a plain name. Received: {name!r}")
        for spec in specs_of(name, function):
            _check_spec(name, spec)
    return dict(endpoints)


def specs_of(endpoint: str, function: Any) -> list[Any]:
    """Returns the specs of a `tf.function`'s inputs, of which there must be one."""
    specs = getattr(function, "input_signature", None)
    if not specs:
        raise ExportError(
            f"endpoint '{endpoint}' must be a tf.function with an `input_signature`"
        )
    return list(specs)


def sort_examples(data: Any, endpoints: Mapping[str, Any]) -> Examples:
    """Sorts held-out arrays by endpoint; see `sort_by_endpoint`."""
    specs = {name: specs_of(name, function) for name, function in endpoints.items()}
    return sort_by_endpoint(data, specs, "examples")


def _check_spec(endpoint: str, spec: Any) -> None:
    named = isinstance(spec, tf.TensorSpec) and (spec.name or "").isidentifier()
    if not named or not spec.shape.rank or spec.shape[0] is not None:
        raise ExportError(
            f"endpoint '{endpoint}': every input must be a tf.TensorSpec with a name "
            f"and a first dimension None, the batch. Received: {spec}"
        )


def record(
    endpoints: Mapping[str, Any], examples: Examples
) -> dict[str, golden.Golden]:
    """Returns inputs for every endpoint, and what it answers to them.

    Raises:
        ExportError: An example does not fit; an input needs one; or an endpoint
            returns no dict of tensors with a row for each row of its inputs, or
            answers a row in a batch in another way than the row alone: servers put
            the requests of strangers into one batch.
    """
    goldens = {}
    with _full_float32():
        for name, function in endpoints.items():
            specs = specs_of(name, function)
            inputs = golden.make_inputs(specs, examples.of(name))
            outputs = _call(name, function, inputs)
            _require_rows(name, function, inputs, outputs)
            goldens[name] = golden.Golden(inputs, outputs)
    return goldens


def record_twins(
    endpoints: Mapping[str, Any], goldens: Mapping[str, golden.Golden]
) -> dict[str, golden.Golden]:
    """Records the twins on the inputs of their originals, encoded."""
    recorded = {}
    with _full_float32():
        for name in endpoints.keys() - goldens.keys():
            original = goldens[name.removesuffix("_bytes")]
            specs = specs_of(name, endpoints[name])
            inputs = {
                spec.name: twins.example_bytes(array)
                if spec.dtype == tf.string
                else array
                for spec, array in zip(specs, original.inputs.values(), strict=True)
            }
            answers = _call(name, endpoints[name], inputs)
            recorded[name] = golden.Golden(inputs, answers)
    return {name: recorded[name] for name in endpoints if name in recorded}


def _call(name: str, function: Any, inputs: golden.Arrays) -> golden.Arrays:
    concrete = function.get_concrete_function()
    outputs = concrete(*(tf.constant(array) for array in inputs.values()))
    if not isinstance(outputs, dict) or not outputs:
        raise ExportError(f"endpoint '{name}' must return a dict of tensors")
    for key, tensor in outputs.items():
        if not isinstance(tensor, tf.Tensor):
            raise ExportError(
                f"endpoint '{name}' must return a dict of tensors, not nested. Its "
                f"output '{key}' is a {type(tensor).__name__}"
            )
    return {key: golden.to_array(tensor) for key, tensor in outputs.items()}


def _require_rows(
    name: str, function: Any, inputs: golden.Arrays, outputs: golden.Arrays
) -> None:
    rows = len(next(iter(inputs.values())))
    for key, array in outputs.items():
        if not array.ndim or len(array) != rows:
            raise ExportError(
                f"endpoint '{name}': output '{key}' must have a row for each row of "
                f"the inputs. Received: shape {array.shape} for {rows} rows"
            )
    alone = golden.run_rows(lambda row: _call(name, function, row), inputs)
    tolerance = _HALF_TOLERANCE if half_precision(function, "") else _ROW_TOLERANCE
    for key, array in outputs.items():
        if not _equal(array, alone[key], tolerance):
            if problem := _state(function.get_concrete_function()):
                raise ExportError(f"endpoint '{name}' {problem}")
            raise ExportError(
                f"endpoint '{name}': output '{key}' of a row alone is not that of the "
                "row in a batch. Servers put several requests into one batch: let no "
                "row depend on another one, call layers with training=False, and take "
                "random numbers from `seeds` or `latents`"
            )


def _equal(batch: np.ndarray, alone: np.ndarray, tolerance: float) -> bool:
    if batch.shape != alone.shape or batch.dtype.kind != "f":
        return np.array_equal(batch, alone)
    largest = np.abs(batch[np.isfinite(batch)]).max(initial=0.0)
    limit = tolerance * float(largest)
    return np.allclose(alone, batch, rtol=0.0, atol=limit, equal_nan=True)


def half_precision(function: Any, kind: str) -> str:
    """Returns why a `kind` of file cannot hold an endpoint in half precision, or ""."""
    halves = {dtype.as_datatype_enum: dtype.name for dtype in _HALVES}
    if hasattr(function, "get_concrete_function"):
        function = function.get_concrete_function()
    types = {a.type for node in _nodes(function) for a in node.attr.values()}
    if names := ", ".join(sorted(halves[kind] for kind in types & set(halves))):
        return (
            f"computes in {names}, for which {kind} runtimes have no kernels: export a "
            "copy of the model with the policy float32"
        )
    return ""


@contextlib.contextmanager
def _full_float32() -> Iterator[None]:
    # GPUs multiply float32 with 10 bits of mantissa by default: too rough to compare.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def choose(
    functions: Mapping[str, Any], asked: Sequence[str] | None, kind: str
) -> list[str]:
    """Returns the names of endpoints that a file can hold.

    Args:
        functions: Concrete functions by name.
        asked: Names; all that can be, if None.
        kind: Of the file: `".tflite"`, `".onnx"`.

    Raises:
        ExportError: What was asked for draws random numbers, has strings, changes
            variables, or is not there; or nothing is left.
    """
    if unknown := set(asked or ()) - set(functions):
        raise ExportError(
            f"no such endpoint: {sorted(unknown)}; there are {list(functions)}"
        )
    obstacles = {
        name: _obstacle(function, kind) for name, function in functions.items()
    }
    if asked is None:
        asked = [name for name in functions if not obstacles[name]]
    if not asked:
        raise ExportError(
            "no endpoint to convert: each draws random numbers or has strings"
        )
    for name in asked:
        if problem := obstacles[name] or _state(functions[name]):
            raise ExportError(f"endpoint '{name}' {problem}")
    return list(asked)


def _obstacle(function: Any, kind: str) -> str:
    """Returns why an endpoint is left out unless it is asked for, or ""."""
    ops = _find_ops(function, _RANDOM_OPS)
    if not ops and any(t.op.name == "seeds" for t in function.inputs):
        ops = ["of `seeds`"]  # by arithmetic of its own
    if ops:
        return (
            f"draws random numbers ({', '.join(ops)}), and no {kind} runtime draws the "
            "same: let it take `latents` instead"
        )
    tensors = tf.nest.flatten((function.inputs, function.outputs))
    if any(tensor.dtype == tf.string for tensor in tensors):
        return (
            f"takes or returns strings, and a {kind} file decodes no images: export "
            "the endpoint on float images"
        )
    return ""


def _state(function: Any) -> str:
    """Returns which state an endpoint changes, or ""."""
    if ops := _find_ops(function, _WRITING_OPS):
        return (
            f"changes variables ({', '.join(ops)}), and an exported file keeps no "
            "state: export an inference function"
        )
    return ""


def _find_ops(function: Any, pattern: re.Pattern[str]) -> list[str]:
    return sorted({n.op for n in _nodes(function) if pattern.search(n.op)})


def _nodes(function: Any) -> list[Any]:
    """Returns the nodes of a concrete function, and of what it calls."""
    graph = function.graph.as_graph_def()
    return [*graph.node, *(n for f in graph.library.function for n in f.node_def)]


def check_size(size: int, functions: Iterable[Any]) -> None:
    """Raises `ExportError` if weights were dropped, which the converter may not say."""
    weights = {}  # by content: equal ones are stored once
    for function in functions:
        for variable in function.variables:
            data = variable.numpy().tobytes()
            weights[hashlib.sha256(data).digest()] = len(data)
    needed = sum(weights.values())
    if size < _LEAST_WEIGHTS * needed:
        raise ExportError(
            f"the file has {size} bytes, but its weights take {needed}: the converter "
            "dropped some"
        )
