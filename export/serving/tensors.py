"""What a served endpoint takes and returns, and arrays that are held to it."""

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.errors import ExportError

_DTYPES = {
    "DT_BOOL": np.bool_,
    "DT_INT8": np.int8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
    "DT_UINT8": np.uint8,
    "DT_UINT16": np.uint16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
    "DT_HALF": np.float16,
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_STRING": np.object_,  # bytes: an array of dtype `S` drops zeros at the end
}
# What JSON has for a dtype of each kind; TF Serving writes floats with a point.
_JSON_TYPES = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Spec:
    """A tensor as the server declares it; `shape` is None if even its rank is free."""

    type_name: str
    shape: tuple[int | None, ...] | None

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type; raises `ExportError` where there is none."""
        if self.type_name not in _DTYPES:
            raise ExportError(
                f"{self.type_name} has no NumPy type: cast it in the model"
            )
        return np.dtype(_DTYPES[self.type_name])

    @property
    def has_rows(self) -> bool:
        """Whether the first dimension is the batch."""
        return bool(self.shape) and self.shape[0] is None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape fits."""
        return self.shape is None or (
            len(self.shape) == len(shape)
            and all(a in (None, b) for a, b in zip(self.shape, shape, strict=True))
        )


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """An endpoint as the server declares it."""

    name: str
    inputs: dict[str, Spec]
    outputs: dict[str, Spec]


def read_endpoints(signatures: Any) -> dict[str, Endpoint]:
    """Reads the JSON form of a `SignatureDefMap`, the same in REST and gRPC.

    Raises:
        ExportError: It is not one.
    """
    try:
        return {
            name: Endpoint(
                name,
                _read_specs(entry.get("inputs", {})),
                _read_specs(entry.get("outputs", {})),
            )
            for name, entry in signatures.items()
            # TensorFlow's own, such as `__saved_model_init_op`, are not endpoints.
            if not name.startswith("__")
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExportError(
            f"the server describes its endpoints in a way that is not known here "
            f"({type(error).__name__}: {error})"
        ) from error


def _read_specs(tensors: Mapping[str, Any]) -> dict[str, Spec]:
    return {name: _read_spec(info) for name, info in tensors.items()}


def _read_spec(info: Mapping[str, Any]) -> Spec:
    shape = info.get("tensor_shape", {})
    type_name = str(info["dtype"])
    if shape.get("unknown_rank"):
        return Spec(type_name, None)
    sizes = [int(dim.get("size", 0)) for dim in shape.get("dim", [])]
    return Spec(type_name, tuple(None if size < 0 else size for size in sizes))


# ---- inputs --------------------------------------------------------------------------


def prepare_inputs(endpoint: Endpoint, values: Mapping[str, Any]) -> Arrays:
    """Returns the inputs of an endpoint as arrays of the declared dtypes.

    Raises:
        ExportError: A name, a dtype, a shape, or a number of rows is wrong.
    """
    if set(values) != set(endpoint.inputs):
        raise ExportError(
            f"it takes the inputs {sorted(endpoint.inputs)}. Received: {sorted(values)}"
        )
    arrays = {
        name: _prepare(name, spec, values[name])
        for name, spec in endpoint.inputs.items()
    }
    rows = _count_rows(endpoint.inputs, arrays)
    if len(set(rows.values())) > 1:
        raise ExportError(f"all inputs must have as many rows. Received: {rows}")
    return arrays


def _prepare(name: str, spec: Spec, value: Any) -> np.ndarray:
    array = _as_bytes(name, value) if spec.dtype == object else _cast(name, spec, value)
    if not spec.accepts(array.shape):
        raise ExportError(
            f"input '{name}' must have the shape {spec.shape}. Received: {array.shape}"
        )
    return array


def _cast(name: str, spec: Spec, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError) as error:  # such as unequal lengths
        raise ExportError(f"input '{name}' is not an array: {error}") from error
    kinds = {"i": "iu", "u": "iu"}.get(spec.dtype.kind, spec.dtype.kind)
    if array.dtype.kind not in kinds:
        raise ExportError(
            f"input '{name}' must be {spec.dtype}. Received: {array.dtype}"
        )
    with np.errstate(over="ignore"):
        cast = array.astype(spec.dtype)
    same = np.isfinite(cast) == np.isfinite(array) if kinds == "f" else cast == array
    if not same.all():
        raise ExportError(f"input '{name}' has values that do not fit {spec.dtype}")
    return cast


def _as_bytes(name: str, value: Any) -> np.ndarray:
    try:
        array = np.array(value, dtype=object)
    except ValueError as error:
        raise ExportError(f"input '{name}' is not an array: {error}") from error
    items = [item.encode() if isinstance(item, str) else item for item in array.flat]
    if wrong := {type(item).__name__ for item in items if not isinstance(item, bytes)}:
        raise ExportError(
            f"input '{name}' must be bytes or str. Received: {', '.join(sorted(wrong))}"
        )
    result = np.empty(array.shape, dtype=object)
    result.flat = items
    return result


# ---- answers -------------------------------------------------------------------------


def verify_outputs(endpoint: Endpoint, inputs: Arrays, outputs: Arrays) -> Arrays:
    """Returns an endpoint's outputs if they are what it declares.

    Raises:
        ExportError: A name, a dtype, a shape, or the number of rows is not so.
    """
    if set(outputs) != set(endpoint.outputs):
        raise ExportError(
            f"the answer has the outputs {sorted(outputs)} in place of "
            f"{sorted(endpoint.outputs)}"
        )
    rows = set(_count_rows(endpoint.inputs, inputs).values())
    for name, spec in endpoint.outputs.items():
        array = outputs[name]
        if array.dtype != spec.dtype:
            raise ExportError(f"output '{name}' is {array.dtype}, not {spec.dtype}")
        if not spec.accepts(array.shape):
            raise ExportError(
                f"output '{name}' must have the shape {spec.shape}. Received: "
                f"{array.shape}"
            )
        if spec.has_rows and rows and len(array) not in rows:
            raise ExportError(
                f"output '{name}' has {len(array)} rows for {rows.pop()} that were sent"
            )
    return outputs


def _count_rows(specs: Mapping[str, Spec], arrays: Arrays) -> dict[str, int]:
    return {name: len(arrays[name]) for name, spec in specs.items() if spec.has_rows}


# ---- JSON ----------------------------------------------------------------------------


def to_json(array: np.ndarray) -> Any:
    """Returns nested lists; bytes as `{"b64": ...}`."""
    if array.dtype != object:
        return array.tolist()  # of float32, the exact double: it rounds back to itself
    return _map_leaves(
        lambda item: {"b64": base64.b64encode(item).decode()}, array.tolist()
    )


def from_json(name: str, spec: Spec, value: Any) -> np.ndarray:
    """Returns the array that nested lists hold.

    Raises:
        ExportError: They are not of the declared dtype, or of unequal lengths.
    """
    try:
        if spec.dtype == object:
            array = np.array(_map_leaves(_decode, value), object)
            if not all(isinstance(item, bytes) for item in array.flat):
                raise ValueError("lists of unequal lengths")
            return array
        if wrong := _types_of(value) - _JSON_TYPES[spec.dtype.kind]:
            raise TypeError(", ".join(sorted(kind.__name__ for kind in wrong)))
        with np.errstate(over="raise"):
            return np.array(value, spec.dtype)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise ExportError(
            f"output '{name}' is not {spec.type_name}: {error}"
        ) from error


def _types_of(value: Any) -> set[type]:
    if not isinstance(value, list):
        return {type(value)}
    types = set(map(type, value))
    if list in types:
        types.remove(list)
        for item in value:
            if isinstance(item, list):
                types |= _types_of(item)
    return types


def _decode(item: Any) -> bytes:
    """TF Serving writes `{"b64": ...}` for outputs called `*_bytes`, else a string."""
    if isinstance(item, dict):
        return base64.b64decode(item["b64"], validate=True)
    if not isinstance(item, str):
        raise TypeError(type(item).__name__)
    return item.encode()


def _map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_map_leaves(function, item) for item in value]
    return function(value)
