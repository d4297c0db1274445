"""Writes a SavedModel for TF Serving: every endpoint, any batch size."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from . import encoded, golden, serving
from ._staging import staging
from .errors import ExportError


def export_saved_model(
    model: keras.Model,
    directory: str | os.PathLike[str],
    version: int = 1,
    examples: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes `directory/<version>/` with every endpoint of `model.signatures()`.

    Inputs and outputs keep their names and their dynamic batch; the first endpoint is
    `serving_default` too. Endpoints with images have twins on encoded images; see
    `export.encoded`. Only the weights that the endpoints use are written: no optimizer,
    no discriminator. In `assets.extra/` lie golden examples, and requests that warm TF
    Serving up before it answers.

    Args:
        model: A `keras.Model` with `signatures()`: see `export`.
        directory: What TF Serving calls the model's base path.
        version: Positive integer; TF Serving serves the largest.
        examples: Arrays `(rows, ...)` by input name, to record instead of made-up
            inputs: real images, `{"images": array}`.

    Returns:
        The path of the version folder.

    Raises:
        ExportError: The model does not keep the protocol, the version exists, or
            `tensorflow-serving-api` is not installed.
    """
    target = pathlib.Path(directory) / _version_name(version)
    if target.exists():
        raise ExportError(f"{target} exists already: choose another version")
    endpoints = find_endpoints(model)
    goldens = _record(endpoints, examples or {})
    endpoints = encoded.add_twins(endpoints)
    goldens |= _record_twins(endpoints, goldens)
    with staging(target) as folder:
        staged = folder / target.name
        _write(model, endpoints, staged)
        golden.write(golden.path_of(staged), goldens)
        serving.write_warmup(staged, pathlib.Path(directory).name, goldens)
        os.rename(staged, target)
    return target


def find_endpoints(model: keras.Model) -> dict[str, Any]:
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
        for spec in _specs(name, function):
            _check_spec(name, spec)
    return dict(endpoints)


def _specs(endpoint: str, function: Any) -> list[Any]:
    specs = getattr(function, "input_signature", None)
    if not specs:
        raise ExportError(
            f"endpoint '{endpoint}' must be a tf.function with an `input_signature`"
        )
    return list(specs)


def _check_spec(endpoint: str, spec: Any) -> None:
    named = isinstance(spec, tf.TensorSpec) and (spec.name or "").isidentifier()
    if not named or not spec.shape.rank or spec.shape[0] is not None:
        raise ExportError(
            f"endpoint '{endpoint}': every input must be a tf.TensorSpec with a name "
            f"and a first dimension None, the batch. Received: {spec}"
        )


def _version_name(version: int) -> str:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExportError(f"`version` must be a positive integer. Received: {version}")
    return str(version)


def _record(
    endpoints: Mapping[str, Any], examples: Mapping[str, Any]
) -> dict[str, golden.Golden]:
    specs = {name: _specs(name, function) for name, function in endpoints.items()}
    unknown = set(examples) - {spec.name for group in specs.values() for spec in group}
    if unknown:
        raise ExportError(f"`examples` name no input of an endpoint: {sorted(unknown)}")
    goldens = {}
    with _full_float32():
        for name, function in endpoints.items():
            inputs = golden.make_inputs(specs[name], examples)
            goldens[name] = golden.Golden(inputs, _call(name, function, inputs))
    return goldens


def _record_twins(
    endpoints: Mapping[str, Any], goldens: Mapping[str, golden.Golden]
) -> dict[str, golden.Golden]:
    """Records the twins on the inputs of their originals, encoded."""
    recorded = {}
    with _full_float32():
        for name in endpoints.keys() - goldens.keys():
            original = goldens[name.removesuffix("_bytes")]
            specs = _specs(name, endpoints[name])
            inputs = {
                spec.name: encoded.example_bytes(array)
                if spec.dtype == tf.string
                else array
                for spec, array in zip(specs, original.inputs.values(), strict=True)
            }
            answers = _call(name, endpoints[name], inputs)
            recorded[name] = golden.Golden(inputs, answers)
    return {name: recorded[name] for name in endpoints if name in recorded}


def _call(name: str, function: Any, inputs: golden.Arrays) -> golden.Arrays:
    outputs = function(*(tf.constant(array) for array in inputs.values()))
    if not isinstance(outputs, dict) or not outputs:
        raise ExportError(f"endpoint '{name}' must return a dict of tensors")
    return {key: golden.to_array(tensor) for key, tensor in outputs.items()}


@contextlib.contextmanager
def _full_float32() -> Iterator[None]:
    # GPUs multiply float32 with 10 bits of mantissa by default: too rough to compare.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _write(
    model: keras.Model, endpoints: Mapping[str, Any], folder: pathlib.Path
) -> None:
    archive = keras.export.ExportArchive()
    # The archive follows the weights that endpoints use by itself. Tracking the model
    # proper would add all others; a holder adds its lookup tables only.
    holder = tf.Module()
    holder.model = model
    archive.track(holder)
    for name, function in endpoints.items():
        archive.add_endpoint(name, function)  # traced: the golden examples ran it
    archive.write_out(str(folder), verbose=False)  # verbose prints every endpoint
