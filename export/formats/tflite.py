"""Writes a .tflite file that phones and browsers run: many endpoints in one file."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export import endpoints
from export._staging import staging
from export.check import CheckResult, require_agreement, require_runtime
from export.errors import ExportError
from export.formats import calibration, flatbuffer, metadata, quantize
from export.formats.saved_model import export_saved_model
from export.paths import require_plain
from export.verify import fidelity, golden
from export.verify.examples import Examples, sort_by_endpoint


def export_tflite(
    source: keras.Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    signatures: Sequence[str] | None = None,
    quantization: str = "float32",
    representative_data: Any = None,
    examples: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes endpoints into one .tflite file, each a signature by its name.

    Static batch 1, fixed sizes, built-in operations only: what every runtime loads and
    accelerates. The file is run before it gets its name, under three runtimes, and must
    agree with Keras: to 1e-4 in float32, and quantised to the peak signal-to-noise
    ratio of `quantize.FLOORS_DB`. Where layers must stay in float32 for that, they do.
    Its golden examples lie beside it, in `<stem>.golden.npz`. An older file goes.

    Args:
        source: A `keras.Model` with `signatures()`, or the folder that
            `export_saved_model` wrote: the version's, or its parent if there is one
            version.
        path: The file to write, `*.tflite`.
        signatures: Names of endpoints. Default: every endpoint that draws no random
            numbers and takes or returns no strings; a device passes `latents` and has
            no use for `seeds`.
        quantization: `"float32"`, `"float16"`, `"dynamic_int8"` or `"int8"`; see
            `export.formats.quantize`.
        representative_data: For `"int8"`: what the model will see, such as training
            images: arrays `(rows, ...)` by endpoint and input,
            `{"translate_ba": {"images": array}}`, or by input, or one array of images.
            Latents are drawn from a standard normal where none are given. Images that
            are given for several endpoints at once may not be what each of them takes:
            calibration then covers made-up images of every value too, which costs some
            fidelity.
        examples: Held-out arrays, in the same form, that a quantised file is compared
            on; made up where absent.

    Returns:
        `path`.

    Raises:
        ExportError: An endpoint needs random numbers, Flex operations or variables; the
            file does not agree with Keras; there is no such endpoint, quantization or
            SavedModel; data are missing; or a package is not installed.
    """
    target = pathlib.Path(path).expanduser()
    require_plain(target.parent)
    _check_request(target, quantization)
    require_runtime("tflite")
    with staging(target) as folder:
        if isinstance(source, keras.Model):
            source = export_saved_model(source, folder / "source", examples=examples)
        source = pathlib.Path(source).expanduser()
        conversion = convert(_find_version(source), signatures)
        write(conversion, target, quantization, representative_data, examples)
    return target


def _check_request(target: pathlib.Path, quantization: str) -> None:
    if target.suffix != ".tflite":
        raise ExportError(f"the path must end in .tflite. Received: {target}")
    if quantization not in quantize.QUANTIZATIONS:
        raise ExportError(
            f"`quantization` must be one of {', '.join(quantize.QUANTIZATIONS)}. "
            f"Received: {quantization!r}"
        )


@dataclasses.dataclass(frozen=True)
class Conversion:
    """Endpoints in float32, as a .tflite file and as functions of batch 1."""

    content: bytes
    functions: Mapping[str, Any]
    goldens: Mapping[str, golden.Golden]
    specs: Mapping[str, Sequence[tf.TensorSpec]]  # of all endpoints of the source
    loaded: Any  # owns the weights of the functions

    def sort(self, data: Any, argument: str) -> Examples:
        """Sorts data by endpoint; see `sort_by_endpoint`."""
        return sort_by_endpoint(data, self.specs, argument)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was found of a file: checks, fidelity by endpoint, layers kept float32."""

    rows: Sequence[CheckResult]
    fidelity: Mapping[str, fidelity.Fidelity]
    kept_float: Sequence[str]


def convert(
    version: pathlib.Path, signatures: Sequence[str] | None = None
) -> Conversion:
    """Converts the endpoints of a SavedModel; see `export_tflite`."""
    goldens = golden.read(version)
    loaded = tf.saved_model.load(str(version))
    available = {name: loaded.signatures[name] for name in goldens}
    chosen = endpoints.choose(available, signatures, ".tflite")
    functions = {name: _fix_shapes(name, available[name]) for name in chosen}
    with staging(version) as folder:
        content = _convert(functions, folder / "static")
        passed = flatbuffer.passed_through(content)
        if any(passed.values()):
            # Outputs without an operation: `CompiledModel` of LiteRT 2.3 leaves them
            # unwritten.
            functions = {n: _copy_outputs(f, passed[n]) for n, f in functions.items()}
            content = _convert(functions, folder / "copied")
    endpoints.check_size(len(content), functions.values())
    recorded = {name: goldens[name] for name in chosen}
    specs = {name: fidelity.batched_specs(f) for name, f in available.items()}
    return Conversion(content, functions, recorded, specs, loaded)


def write(
    conversion: Conversion,
    target: pathlib.Path,
    quantization: str = "float32",
    representative_data: Any = None,
    examples: Mapping[str, Any] | None = None,
    about: metadata.About | None = None,
) -> Written:
    """Quantises, describes and checks a conversion, and writes it; see `export_tflite`.

    Raises:
        ExportError: See `export_tflite`.
    """
    _check_request(target, quantization)
    references = fidelity.make_references(
        conversion.functions, conversion.goldens, conversion.sort(examples, "examples")
    )
    data = {}
    if quantization == "int8":
        names = list(conversion.functions)
        data = calibration.make_rows(names, conversion.specs, representative_data)
    content, kept_float = _quantize(conversion.content, quantization, data, references)
    about = about or metadata.About(target.stem)
    with staging(target) as folder:
        staged = folder / target.name
        staged.write_bytes(metadata.add(content, about, _ranges(conversion)))
        golden.write(golden.path_of(staged), conversion.goldens, quantization)
        rows = require_agreement(staged, target)
        golden.path_of(staged).replace(golden.path_of(target))
        staged.replace(target)
    return Written(rows, fidelity.measure(content, references), kept_float)


def _quantize(
    content: bytes,
    quantization: str,
    data: Mapping[str, golden.Arrays],
    references: Mapping[str, golden.Golden],
) -> tuple[bytes, list[str]]:
    if quantization == "float32":
        return content, []
    return quantize.quantize_to_floor(
        quantize.Quantizer(content, quantization, data),
        flatbuffer.weighted_layers(content),
        lambda quantized: fidelity.measure_psnr(quantized, references),
        quantize.FLOORS_DB[quantization],
    )


def _ranges(conversion: Conversion) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns the bounds that the protocol promises, by signature and tensor."""
    return {
        (endpoint, name): (0.0, 1.0)
        for endpoint, example in conversion.goldens.items()
        for tensors in (example.inputs, example.outputs)
        for name, array in tensors.items()
        if golden.is_images(name, array)
    }


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


def _copy_outputs(function: Any, names: Sequence[str]) -> Any:
    """Returns the function with an operation, which changes nothing, before outputs."""

    def copy(tensor: tf.Tensor) -> tf.Tensor:
        if tensor.dtype == tf.bool:
            return tf.cast(tf.maximum(tf.cast(tensor, tf.int32), 0), tf.bool)
        least = -np.inf if tensor.dtype.is_floating else tensor.dtype.min
        return tf.maximum(tensor, tf.constant(least, tensor.dtype))

    def copied(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = function(**inputs)
        return {k: copy(v) if k in names else v for k, v in outputs.items()}

    specs = function.structured_input_signature[1]
    return tf.function(copied, autograph=False).get_concrete_function(**specs)


def _convert(functions: Mapping[str, Any], folder: pathlib.Path) -> bytes:
    try:
        return _convert_together(functions, folder)
    except Exception as error:  # the converter's own exception is not public
        if len(functions) > 1:  # alone, the one at fault is named
            for name, function in functions.items():
                _convert({name: function}, folder / name)
        lines = str(error).splitlines()
        ops = [re.match("(?:TF Select|Custom) ops: (.*)", line) for line in lines]
        halves = [endpoints.half_precision(f, ".tflite") for f in functions.values()]
        if any(halves):
            reason = next(filter(None, halves))
        elif needed := ", ".join(match[1] for match in ops if match):
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
