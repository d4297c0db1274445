"""Golden examples: inputs of every endpoint, and what Keras answered to them.

They lie beside the file that they belong to, in one `.npz` whose keys are
`<endpoint>/inputs/<name>` and `<endpoint>/outputs/<name>`: arrays, batch first. NumPy
alone reads them, so a check needs neither Keras nor the code of the model.
"""

import dataclasses
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import ExportError

ROWS = 3  # more than one, so that a mix-up of rows shows; few, so that it stays small
_SEED = 0
_NUMBERS = "fiub"  # the kinds of dtype that NumPy stores and subtracts

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Golden:
    """The examples of one endpoint: arrays `(rows, ...)` by name."""

    inputs: Arrays
    outputs: Arrays


def format_of(file: pathlib.Path) -> str:
    """Returns `tflite`, or `saved_model` for a folder."""
    return "tflite" if file.suffix == ".tflite" else "saved_model"


def path_of(file: pathlib.Path) -> pathlib.Path:
    """Where the record of a SavedModel folder or of a .tflite file lies."""
    if format_of(file) == "tflite":
        return file.with_name(f"{file.stem}.golden.npz")
    return file / "assets.extra" / "golden.npz"  # TF Serving ignores this folder


def make_inputs(specs: Sequence[Any], examples: Mapping[str, Any]) -> Arrays:
    """Returns `ROWS` rows for every spec, by name: the same in every call.

    Args:
        specs: Objects with `name`, `shape` and `dtype`, such as `tf.TensorSpec`.
        examples: Arrays `(at least one row, ...)` that replace the rule, by name.

    Raises:
        ExportError: An example does not fit its spec, or an input needs one.
    """
    rng = np.random.default_rng(_SEED)
    inputs = {}
    for spec in specs:
        if spec.name in examples:
            inputs[spec.name] = _take(spec, np.asarray(examples[spec.name]))
        else:
            inputs[spec.name] = _draw(spec, rng)
    return inputs


def _take(spec: Any, example: np.ndarray) -> np.ndarray:
    fits = example.ndim > 0 and len(example) > 0
    if not fits or not spec.shape.is_compatible_with((ROWS, *example.shape[1:])):
        raise ExportError(
            f"the example for input '{spec.name}' must have at least one row and the "
            f"shape {tuple(spec.shape)}. Received: {example.shape}"
        )
    rows = example[np.arange(ROWS) % len(example)]
    return rows.astype(spec.dtype.as_numpy_dtype)


def _draw(spec: Any, rng: np.random.Generator) -> np.ndarray:
    shape = (ROWS, *spec.shape[1:])
    dtype = np.dtype(spec.dtype.as_numpy_dtype)
    if None in shape or dtype.kind not in _NUMBERS:
        raise ExportError(
            f"no example can be made up for input '{spec.name}' ({dtype.name}, "
            f"{tuple(spec.shape)}): pass examples={{'{spec.name}': array}}"
        )
    if spec.name == "images" and dtype.kind == "f":
        values = rng.uniform(size=shape)
    elif dtype.kind == "f":
        values = rng.normal(size=shape)
    elif spec.name == "seeds":
        size = int(np.prod(shape))
        values = rng.choice(100 * size, size, replace=False).reshape(shape)
    else:
        rows = np.arange(ROWS) % 2  # valid as labels of two classes or more
        values = np.broadcast_to(rows.reshape(ROWS, *[1] * len(shape[1:])), shape)
    return values.astype(dtype)


def write(path: pathlib.Path, goldens: Mapping[str, Golden]) -> None:
    """Writes the examples of each endpoint.

    Raises:
        ExportError: A tensor's type is none that NumPy stores, such as bfloat16.
    """
    arrays = {}
    for endpoint, golden in goldens.items():
        for kind, tensors in (("inputs", golden.inputs), ("outputs", golden.outputs)):
            for name, array in tensors.items():
                if array.dtype.kind not in _NUMBERS:
                    raise ExportError(
                        f"endpoint '{endpoint}': '{name}' is {array.dtype.name}, which "
                        "cannot be recorded and compared: cast it to float32"
                    )
                arrays[f"{endpoint}/{kind}/{name}"] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def read(file: pathlib.Path) -> dict[str, Golden]:
    """Returns the examples of a SavedModel folder or .tflite file, by endpoint.

    Raises:
        ExportError: There is no record, or it cannot be read.
    """
    path = path_of(file)
    if not path.is_file():
        raise ExportError(f"has no golden record ({path.name} is missing)")
    goldens: dict[str, Golden] = {}
    try:
        with path.open("rb") as data, np.load(data, allow_pickle=False) as arrays:
            for key in arrays.files:
                endpoint, kind, name = key.split("/", 2)
                golden = goldens.setdefault(endpoint, Golden({}, {}))
                getattr(golden, kind)[name] = arrays[key]
    except (OSError, ValueError, AttributeError, EOFError, zipfile.error) as error:
        raise ExportError(f"has an unreadable golden record: {error}") from error
    if not goldens:
        raise ExportError(f"has an empty golden record ({path.name})")
    return goldens


def expected(file: pathlib.Path) -> dict[str, Golden]:
    """`read`, and the alias of the first endpoint that TF Serving calls by default."""
    goldens = read(file)
    if format_of(file) == "saved_model":
        goldens.setdefault("serving_default", next(iter(goldens.values())))
    return goldens
