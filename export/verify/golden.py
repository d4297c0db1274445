"""Golden examples: inputs of every endpoint, and the outputs of Keras for them.

They are stored beside the exported file, in one `.npz` with the keys
`<endpoint>/inputs/<name>` and `<endpoint>/outputs/<name>`: arrays, batch first; strings
are bytes (`S`). The record of a quantised file has the key `quantization`. Reading them
takes NumPy alone, so a check needs neither Keras nor the code of the model.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from export.errors import ExportError

ROWS = 3  # several, to detect swapped rows; few, to stay small
_SEED = 0
_NUMBERS = "fiub"  # the kinds of dtype that NumPy stores and subtracts
_QUANTIZATION = "quantization"
_MOST_DB = 150.0  # the precision of float32; equal arrays would give infinity

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Golden:
    """The examples of one endpoint: arrays `(rows, ...)` by name."""

    inputs: Arrays
    outputs: Arrays


def format_of(file: pathlib.Path) -> str:
    """Returns `tflite` or `onnx`, or `saved_model` for a folder."""
    return {".tflite": "tflite", ".onnx": "onnx"}.get(file.suffix, "saved_model")


def path_of(file: pathlib.Path) -> pathlib.Path:
    """Returns the path of the record of a SavedModel folder, .tflite or .onnx file."""
    if format_of(file) != "saved_model":
        return file.with_name(f"{file.stem}.golden.npz")
    return file / "assets.extra" / "golden.npz"  # TF Serving ignores this folder


def make_inputs(
    specs: Sequence[Any],
    examples: Mapping[str, Any],
    rows: int = ROWS,
    seed: int = _SEED,
) -> Arrays:
    """Returns input rows for every spec by name; a seed determines them.

    Args:
        specs: Objects with `name`, `shape` and `dtype`, such as `tf.TensorSpec`.
        examples: Arrays `(at least one row, ...)` by name, used in place of draws.
        rows: Integer, the number of rows.
        seed: Integer seed of the draws.

    Raises:
        ExportError: An example does not fit its spec, or an input needs one.
    """
    rng = np.random.default_rng(seed)
    inputs = {}
    for spec in specs:
        if spec.name in examples:
            inputs[spec.name] = _take(spec, np.asarray(examples[spec.name]), rows)
        else:
            inputs[spec.name] = _draw(spec, rng, rows)
    return inputs


def _take(spec: Any, example: np.ndarray, rows: int) -> np.ndarray:
    fits = example.ndim > 0 and len(example) > 0
    if not fits or not spec.shape.is_compatible_with((rows, *example.shape[1:])):
        raise ExportError(
            f"the example for input '{spec.name}' must have at least one row and the "
            f"shape {tuple(spec.shape)}. Received: {example.shape}"
        )
    taken = example[np.arange(rows) % len(example)]
    if spec.dtype.as_numpy_dtype is object:  # TensorFlow's strings are bytes
        return np.char.encode(taken, "utf-8") if taken.dtype.kind == "U" else taken
    return taken.astype(spec.dtype.as_numpy_dtype)


def _draw(spec: Any, rng: np.random.Generator, rows: int) -> np.ndarray:
    shape = (rows, *spec.shape[1:])
    dtype = np.dtype(spec.dtype.as_numpy_dtype)
    if None in shape or dtype.kind not in _NUMBERS:
        raise ExportError(
            f"no example can be drawn for input '{spec.name}' ({dtype.name}, "
            f"{tuple(spec.shape)}): pass examples={{'{spec.name}': array}}"
        )
    if spec.name in ("images", "uniforms") and dtype.kind == "f":
        values = rng.uniform(size=shape)
    elif dtype.kind == "f":
        values = rng.normal(size=shape)
    elif spec.name == "seeds":
        size = int(np.prod(shape))
        values = rng.choice(100 * size, size, replace=False).reshape(shape)
    else:
        labels = np.arange(rows) % 2  # valid as labels of two classes or more
        values = np.broadcast_to(labels.reshape(rows, *[1] * len(shape[1:])), shape)
    return values.astype(dtype)


def to_array(tensor: Any) -> np.ndarray:
    """Returns the value of an eager tensor; strings as NumPy's bytes (`S`).

    Raises:
        ExportError: A string ends with a zero byte, which NumPy would drop.
    """
    array = tensor.numpy()
    if array.dtype.kind != "O":
        return array
    if any(value.endswith(b"\0") for value in array.flat):
        raise ExportError("a string that ends with a zero byte cannot be recorded")
    return array.astype(bytes)


def split_rows(inputs: Arrays) -> list[Arrays]:
    """Returns the rows of a batch, each a batch of one."""
    count = len(next(iter(inputs.values())))
    return [{k: array[i : i + 1] for k, array in inputs.items()} for i in range(count)]


def run_rows(endpoint: Callable[[Arrays], Any], inputs: Arrays) -> Arrays:
    """Calls a function of batch 1 on every row; returns the concatenated outputs."""
    answers = [endpoint(row) for row in split_rows(inputs)]
    return {
        name: np.concatenate([np.asarray(answer[name]) for answer in answers])
        for name in answers[0]
    }


def write(
    path: pathlib.Path, goldens: Mapping[str, Golden], quantization: str = "float32"
) -> None:
    """Writes the examples of each endpoint.

    Raises:
        ExportError: NumPy cannot store the type of a tensor, such as bfloat16.
    """
    arrays = {}
    if quantization != "float32":
        arrays[_QUANTIZATION] = np.array(quantization)
    for endpoint, golden in goldens.items():
        for kind, tensors in (("inputs", golden.inputs), ("outputs", golden.outputs)):
            for name, array in tensors.items():
                if array.dtype.kind not in _NUMBERS + "S":
                    raise ExportError(
                        f"endpoint '{endpoint}': '{name}' is {array.dtype.name}, which "
                        "cannot be recorded and compared: cast it to float32"
                    )
                arrays[f"{endpoint}/{kind}/{name}"] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def read(file: pathlib.Path) -> dict[str, Golden]:
    """Returns the examples of an exported file, by endpoint.

    Raises:
        ExportError: There is no record, or it cannot be read.
    """
    goldens: dict[str, Golden] = {}
    for key, array in _read(file).items():
        if key == _QUANTIZATION:
            continue
        endpoint, kind, name = [*key.split("/", 2), "", ""][:3]
        golden = goldens.setdefault(endpoint, Golden({}, {}))
        tensors = {"inputs": golden.inputs, "outputs": golden.outputs}.get(kind)
        if tensors is None or not name or not array.ndim:
            raise ExportError(f"has an unreadable golden record: the key {key!r}")
        tensors[name] = array
    if not goldens:
        raise ExportError(f"has an empty golden record ({path_of(file).name})")
    return goldens


def read_quantization(file: pathlib.Path) -> str:
    """Returns the quantization of an exported file; see `export.formats.quantize`."""
    return str(_read(file).get(_QUANTIZATION, "float32"))


def _read(file: pathlib.Path) -> Arrays:
    path = path_of(file)
    if not path.is_file():
        raise ExportError(f"has no golden record ({path.name} is missing)")
    try:
        with path.open("rb") as data, np.load(data, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except Exception as error:  # NumPy and zipfile raise many types on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExportError(f"has an unreadable golden record: {reason}") from error


def expected(file: pathlib.Path) -> dict[str, Golden]:
    """As `read`, with the alias that TF Serving calls by default."""
    goldens = read(file)
    if format_of(file) == "saved_model":
        goldens.setdefault("serving_default", next(iter(goldens.values())))
    return goldens


def is_images(name: str, array: np.ndarray) -> bool:
    """Whether a tensor holds images in `[0, 1]`, by the protocol of `export`."""
    return array.ndim == 4 and (name == "images" or name.endswith("_images"))


def psnr(name: str, expected: np.ndarray, answer: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio over all rows, in dB, at most 150.

    10 log10(peak^2 / mean squared difference), see `peak`.
    """
    error = np.mean((expected.astype(np.float64) - answer.astype(np.float64)) ** 2)
    highest = peak(name, expected)
    if error == 0.0:
        return _MOST_DB
    if not highest or not np.isfinite(error):
        return 0.0
    return min(_MOST_DB, float(10.0 * np.log10(highest**2 / error)))


def peak(name: str, expected: np.ndarray) -> float:
    """Returns 1 for images, and for other tensors the range of values, 0 included.

    With 0, a nearly constant tensor, such as the scale of a collapsed posterior, is
    compared with its magnitude, not with its small variation.
    """
    if is_images(name, expected):
        return 1.0
    return max(float(expected.max()), 0.0) - min(float(expected.min()), 0.0)
