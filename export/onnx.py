"""Writes .onnx files, which ONNX Runtime runs without TensorFlow: one an endpoint."""

import contextlib
import dataclasses
import importlib.util
import json
import logging
import os
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from . import golden, onnx_runtime
from ._staging import staging
from .check import check_file
from .endpoint_model import EndpointModel
from .errors import CheckError, ExportError
from .saved_model import _record, find_endpoints
from .tflite import _RANDOM_OPS, _WRITING_OPS, _check_size, _find_ops, _has_strings

_PACKAGES = ("tf2onnx", "onnx", "onnxruntime")


def export_onnx(
    model: keras.Model,
    folder: str | os.PathLike[str],
    stem: str,
    signatures: Sequence[str] | None = None,
    examples: Mapping[str, Any] | None = None,
    *,
    description: str = "",
    licence: str = "",
) -> list[pathlib.Path]:
    """Writes `folder/<stem>-<endpoint>.onnx` for endpoints of `model.signatures()`.

    Any batch size. Inputs and outputs keep their names, except that ONNX tells the two
    apart: if an endpoint takes `images`, its output `images` is `images_output`. Each
    file is run by ONNX Runtime before it gets its name, and must agree with Keras. Its
    golden examples lie beside it, in `<stem>-<endpoint>.golden.npz`. Older files of
    these endpoints are replaced; other files are left as they are.

    Args:
        model: A `keras.Model` with `signatures()`, computing in float32: see `export`.
        folder: Where the files go; made if there is none.
        stem: What their names begin with.
        signatures: Names of endpoints. Default: every endpoint that draws no random
            numbers and has no strings.
        examples: Arrays `(rows, ...)` by input name, to record instead of made-up
            inputs: real images, `{"images": array}`.
        description: What the model is; the file's `doc_string`.
        licence: Licence and attribution of the model; `model_license` in the file's
            metadata.

    Returns:
        The paths of the files, in the order of the endpoints.

    Raises:
        ExportError: The model does not keep the protocol; an endpoint needs random
            numbers, strings, variables or operations that ONNX lacks; a file does not
            agree with Keras; there is no such endpoint; or `tf2onnx`, `onnx` or
            `onnxruntime` is not installed. Nothing is written then.
    """
    _require_packages()
    _check_stem(stem)
    available = find_endpoints(model)
    endpoints = _choose(available, signatures)
    goldens = _record(endpoints, _drop_unused(examples or {}, available, endpoints))
    targets = {name: pathlib.Path(folder, f"{stem}-{name}.onnx") for name in endpoints}
    with staging(pathlib.Path(folder, stem)) as staged:
        for name, target in targets.items():
            file = staged / target.name
            _convert(name, endpoints[name], file)
            _label(file, name, endpoints[name], description, licence)
            _check_size(file.stat().st_size, [endpoints[name].get_concrete_function()])
            golden.write(golden.path_of(file), {name: goldens[name]})
            _check_numbers(file, target)
        for target in targets.values():
            file = staged / target.name
            golden.path_of(file).replace(golden.path_of(target))
            file.replace(target)
    return list(targets.values())


def _require_packages() -> None:
    if missing := [name for name in _PACKAGES if not importlib.util.find_spec(name)]:
        raise ExportError(
            f'writing .onnx files needs {", ".join(missing)}: pip install "tfgen[onnx]"'
        )


def _check_stem(stem: str) -> None:
    if not stem or pathlib.Path(stem).name != stem:
        raise ExportError(
            f"`stem` must be the beginning of a file name, not a path. Received: {stem}"
        )


def _choose(
    available: Mapping[str, Any], asked: Sequence[str] | None
) -> dict[str, Any]:
    """Returns the endpoints to convert: those asked for, or that ONNX can take."""
    if unknown := set(asked or ()) - set(available):
        raise ExportError(
            f"no such endpoint: {sorted(unknown)}; there are {list(available)}"
        )
    obstacles = {name: _find_obstacle(function) for name, function in available.items()}
    if asked is None:
        asked = [name for name in available if not obstacles[name]]
    if not asked:
        raise ExportError(
            "no endpoint to convert: each draws random numbers or has strings"
        )
    for name in asked:
        if problem := obstacles[name] or _find_writes(available[name]):
            raise ExportError(f"endpoint '{name}' {problem}")
    return {name: available[name] for name in asked}


def _find_obstacle(function: Any) -> str:
    """Returns why an endpoint is left out unless it is asked for, or ""."""
    traced = function.get_concrete_function()
    if ops := _find_ops(traced, _RANDOM_OPS):
        return (
            f"draws random numbers ({', '.join(ops)}), and ONNX Runtime would draw "
            "others: let it take `latents` instead"
        )
    if _has_strings(traced):
        return "takes or returns strings, which ONNX hardly computes with"
    return ""


def _find_writes(function: Any) -> str:
    """Returns why an endpoint cannot be converted, or ""."""
    if ops := _find_ops(function.get_concrete_function(), _WRITING_OPS):
        return (
            f"changes variables ({', '.join(ops)}), and an .onnx file keeps no state: "
            "export an inference function"
        )
    return ""


def _drop_unused(
    examples: Mapping[str, Any],
    available: Mapping[str, Any],
    endpoints: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the examples without those for inputs of endpoints that are left out."""
    needed = {spec.name for f in endpoints.values() for spec in f.input_signature}
    known = {spec.name for f in available.values() for spec in f.input_signature}
    return {k: v for k, v in examples.items() if k in needed or k not in known}


def _convert(name: str, function: Any, file: pathlib.Path) -> None:
    specs = {spec.name: spec for spec in function.input_signature}
    # Without its source: the function brings the weights, and Keras would trace every
    # part of the source, which takes half as long again.
    endpoint = EndpointModel(None, _rename_outputs(function))
    try:
        with _quiet():
            endpoint.export(
                str(file), format="onnx", verbose=False, input_signature=[specs]
            )
    except Exception as error:  # the converter raises many kinds
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ExportError(f"endpoint '{name}' cannot be converted: {reason}") from error


def _rename_outputs(function: Any) -> Any:
    @tf.function(input_signature=function.input_signature)
    def renamed(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = function(*tensors)
        return {_output_name(function, key): outputs[key] for key in outputs}

    return renamed


def _output_name(function: Any, key: str) -> str:
    taken = key in {spec.name for spec in function.input_signature}
    return f"{key}_output" if taken else key


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # What went wrong is raised; tf2onnx logs it too, a line for each of its rewriters.
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Keras's, about np.object
            yield
    finally:
        logger.setLevel(before)


def _label(
    file: pathlib.Path, name: str, function: Any, description: str, licence: str
) -> None:
    """Writes into the file what it is, and calls its first dimension `batch`."""
    import onnx

    proto = onnx.load(str(file))
    _check_operations(name, proto)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    keys = function.get_concrete_function().structured_outputs
    renamed = {_output_name(function, key): key for key in keys}
    texts = {
        onnx_runtime.ENDPOINT: name,
        onnx_runtime.OUTPUTS: json.dumps(renamed),
        **({"model_license": licence} if licence else {}),  # the name that ONNX fixes
    }
    proto.doc_string = description
    proto.graph.name = name
    onnx.helper.set_model_props(proto, texts)
    onnx.save(proto, str(file))


def _check_operations(name: str, proto: Any) -> None:
    """Raises `ExportError` for operations that the converter left as TensorFlow's."""
    import onnx

    ops = {node.op_type for node in proto.graph.node if not node.domain}
    if unknown := sorted(op for op in ops if not onnx.defs.has(op)):
        raise ExportError(
            f"endpoint '{name}' needs operations that ONNX has not: "
            f"{', '.join(unknown)}"
        )


def _check_numbers(file: pathlib.Path, target: pathlib.Path) -> None:
    rows = [dataclasses.replace(row, file=target) for row in check_file(file)]
    if failed := [str(row) for row in rows if not row.ok]:
        lines = ["the .onnx file differs from Keras:", *failed]
        raise CheckError("\n".join(lines), rows)
