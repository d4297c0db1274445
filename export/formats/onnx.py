"""Writes .onnx files, which ONNX Runtime runs without TensorFlow: one an endpoint."""

import contextlib
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

from export import endpoints
from export._staging import staging
from export.check import require_agreement
from export.errors import ExportError
from export.formats.endpoint_model import EndpointModel
from export.guard import guard, limits_of
from export.verify import golden, onnx_runtime

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
        examples: Held-out arrays to record; see `export_saved_model`.
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
    available = endpoints.find(model)
    traced = {name: f.get_concrete_function() for name, f in available.items()}
    names = endpoints.choose(traced, signatures, ".onnx")
    chosen = {name: available[name] for name in names}
    sorted_examples = endpoints.sort_examples(examples, available)
    goldens = endpoints.record(chosen, sorted_examples)
    folder = pathlib.Path(folder).expanduser()
    targets = {name: folder / f"{stem}-{name}.onnx" for name in names}
    limits = limits_of(model)
    with staging(folder / stem) as staged:
        for name, target in targets.items():
            file = staged / target.name
            convert(name, guard(chosen[name], limits, for_onnx=True), file)
            _label(file, name, chosen[name], description, licence)
            endpoints.check_size(file.stat().st_size, [traced[name]])
            golden.write(golden.path_of(file), {name: goldens[name]})
            require_agreement(file, target)
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


def convert(name: str, function: Any, file: pathlib.Path) -> None:
    """Writes an endpoint to `file`, not compared with Keras yet."""
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
        reason = endpoints.half_precision(function, ".onnx") or reason
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
