"""Writes a .tflite file that phones and browsers run: many endpoints in one file."""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from . import golden
from ._staging import staging
from .check import check_file, require_runtime
from .errors import ExportError
from .saved_model import export_saved_model

_RANDOM_OPS = re.compile(
    "Random|Multinomial|TruncatedNormal|StatefulUniform|StatefulStandardNormal"
    "|^Rng|CandidateSampler|NonDeterministicInts|Shuffle|DistortedBoundingBox"
)
_WRITING_OPS = re.compile("^Assign|^Resource(Apply|Sparse|Scatter|StridedSliceAssign)")

_LEAST_WEIGHTS = 0.5  # of their bytes: constant folding may spare a few


def export_tflite(
    source: keras.Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    signatures: Sequence[str] | None = None,
) -> pathlib.Path:
    """Writes endpoints into one .tflite file, each a signature by its name.

    Static batch 1, fixed sizes, built-in operations only: what every runtime loads and
    accelerates. The file is run before it gets its name, and must agree with Keras. Its
    golden examples lie beside it, in `<stem>.golden.npz`. An older file is replaced.

    Args:
        source: A `keras.Model` with `signatures()`, or the folder that
            `export_saved_model` wrote: the version's, or its parent if there is one
            version.
        path: The file to write, `*.tflite`.
        signatures: Names of endpoints. Default: every endpoint that draws no random
            numbers; a device passes `latents` and has no use for `seeds`.

    Returns:
        `path`.

    Raises:
        ExportError: An endpoint needs random numbers, Flex operations or variables; the
            file does not agree with Keras; there is no such endpoint or SavedModel; or
            `ai-edge-litert` is not installed.
    """
    target = pathlib.Path(path)
    if target.suffix != ".tflite":
        raise ExportError(f"the path must end in .tflite. Received: {target}")
    require_runtime("tflite")
    with staging(target) as folder:
        if isinstance(source, keras.Model):
            source = export_saved_model(source, folder / "source")
        version = _find_version(pathlib.Path(source))
        goldens = golden.read(version)
        loaded = tf.saved_model.load(str(version))
        endpoints = _choose(loaded.signatures, list(goldens), signatures)
        functions = {name: _fix_shapes(name, endpoints[name]) for name in endpoints}
        staged = folder / target.name
        staged.write_bytes(_convert(functions, folder / "static"))
        _check_size(staged, functions.values())
        chosen = {name: goldens[name] for name in functions}
        golden.write(golden.path_of(staged), chosen)
        _check_numbers(staged, target)
        golden.path_of(staged).replace(golden.path_of(target))
        staged.replace(target)
    return target


def _find_version(folder: pathlib.Path) -> pathlib.Path:
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = sorted(path.parent for path in folder.glob("[0-9]*/saved_model.pb"))
    if len(versions) != 1:
        names = [version.name for version in versions]
        raise ExportError(
            f"{folder} must be a SavedModel or hold exactly one version. Found: {names}"
        )
    return versions[0]


def _choose(
    available: Mapping[str, Any], names: Sequence[str], asked: Sequence[str] | None
) -> dict[str, Any]:
    """Returns the endpoints to convert: those asked for, or that suit a device."""
    if unknown := set(asked or ()) - set(names):
        raise ExportError(f"no such endpoint: {sorted(unknown)}; there are {names}")
    random = {name: _find_ops(available[name], _RANDOM_OPS) for name in names}
    if asked is None:
        asked = [name for name in names if not random[name]]
    if not asked:
        raise ExportError("no endpoint to convert: each draws random numbers")
    for name in asked:
        if random[name]:
            raise ExportError(
                f"endpoint '{name}' draws random numbers ({', '.join(random[name])}), "
                "which .tflite has no operation for: let it take `latents` instead"
            )
        if writes := _find_ops(available[name], _WRITING_OPS):
            raise ExportError(
                f"endpoint '{name}' changes variables ({', '.join(writes)}), and a "
                ".tflite file keeps no state: export an inference function"
            )
    return {name: available[name] for name in asked}


def _find_ops(function: Any, pattern: re.Pattern[str]) -> list[str]:
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return sorted({node.op for node in nodes if pattern.search(node.op)})


def _fix_shapes(endpoint: str, function: Any) -> Any:
    """Returns the function for batch 1: no shape is left to compute on the device."""
    specs = {}
    for name, spec in function.structured_input_signature[1].items():
        shape = [1, *spec.shape[1:]]
        if None in shape:
            raise ExportError(
                f"endpoint '{endpoint}': input '{name}' is {tuple(spec.shape)}, and a "
                ".tflite file needs every size but the batch"
            )
        specs[name] = tf.TensorSpec(shape, spec.dtype, name=name)
    # A signature of a loaded SavedModel takes keywords only.
    wrapper = tf.function(lambda **inputs: function(**inputs), autograph=False)
    return wrapper.get_concrete_function(**specs)


def _convert(functions: Mapping[str, Any], folder: pathlib.Path) -> bytes:
    try:
        return _convert_together(functions, folder)
    except Exception as error:  # the converter's own exception is not public
        if len(functions) > 1:  # alone, the one at fault is named
            for name, function in functions.items():
                _convert({name: function}, folder / name)
        lines = str(error).splitlines()
        ops = [re.match("(?:TF Select|Custom) ops: (.*)", line) for line in lines]
        if needed := ", ".join(found[1] for found in ops if found):
            reason = f"needs operations that .tflite has not built in: {needed}"
        else:
            reason = f"cannot be converted: {lines[0] if lines else repr(error)}"
        raise ExportError(f"endpoint '{', '.join(functions)}' {reason}") from error


def _convert_together(functions: Mapping[str, Any], folder: pathlib.Path) -> bytes:
    # By way of a SavedModel: `from_concrete_functions` was seen to drop the weights.
    module = tf.Module()
    # Only what is used: the initializer of another endpoint's lookup table would come
    # along, and fail.
    module.used = [function.variables for function in functions.values()]
    tf.saved_model.save(module, str(folder), signatures=dict(functions))
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=list(functions)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


def _check_size(file: pathlib.Path, functions: Iterable[Any]) -> None:
    """Raises `ExportError` if weights were dropped, which the converter may not say."""
    weights = {}  # by content: equal ones are stored once
    for function in functions:
        for variable in function.variables:
            data = variable.numpy().tobytes()
            weights[hashlib.sha256(data).digest()] = len(data)
    size, needed = file.stat().st_size, sum(weights.values())
    if size < _LEAST_WEIGHTS * needed:
        raise ExportError(
            f"{file.name} has {size} bytes, but its weights take {needed}: "
            "the converter dropped some"
        )


def _check_numbers(file: pathlib.Path, target: pathlib.Path) -> None:
    results = [dataclasses.replace(row, file=target) for row in check_file(file)]
    if failed := [str(row) for row in results if not row.ok]:
        raise ExportError("\n".join(["the .tflite file differs from Keras:", *failed]))
