"""Asks a model behind TensorFlow Serving, over REST or gRPC, with NumPy arrays.

```python
from export.serving.client import Client

with Client("http://localhost:8501", "cyclegan") as client:
    images = client.predict("translate_ab", images=photos)["images"]
```

REST needs nothing but NumPy. gRPC needs `pip install "tfgen[serving]"`; it sends images
as bytes, not as decimal text.
"""

import base64
import dataclasses
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.errors import ExportError
from export.serving import configuration as serving

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

_Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Spec:
    """A tensor as the server declares it; `shape` is None if even its rank is free."""

    type_name: str
    shape: tuple[int | None, ...] | None

    @property
    def dtype(self) -> np.dtype:
        if self.type_name not in _DTYPES:
            raise ExportError(
                f"{self.type_name} has no NumPy type: cast it in the model"
            )
        return np.dtype(_DTYPES[self.type_name])


@dataclasses.dataclass(frozen=True)
class _Endpoint:
    name: str
    inputs: dict[str, _Spec]
    outputs: dict[str, _Spec]


class Client:
    """One model on one server.

    The model is asked once for its endpoints, their names, types and shapes; wrong
    inputs are refused before they are sent. Nothing is tried twice.

    Args:
        address: `http://host:8501` or `https://...` for REST; `grpc://host:8500` or
            `host:8500` for gRPC, without encryption.
        model: The name of the model on the server.
        version: Its version, a positive integer. Default: the newest one served.
        timeout: Seconds that a call may take (REST: that the server may be silent).

    Raises:
        ExportError: The address is none of these, or gRPC is not installed. The server
            is not called yet.
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None = None,
        timeout: float = 60.0,
    ):
        self._where = f"model '{model}'" + (f" version {version}" if version else "")
        self._transport = _connect(address, model, version, timeout)
        self._endpoints: dict[str, _Endpoint] | None = None

    def predict(self, endpoint: str, /, **arrays: Any) -> _Arrays:
        """Returns the outputs of an endpoint, by name.

        Args:
            endpoint: Its name, such as `decode`, or `serving_default`.
            **arrays: What its inputs are called, batch first. Numbers are cast within
                their kind: float64 to float32, int64 to int32 if every value fits.
                Strings are `bytes`, or `str` that is sent as UTF-8.

        Returns:
            Arrays of the declared dtypes; strings are object arrays of `bytes`.

        Raises:
            ExportError: No such endpoint, wrong inputs, no server there, no answer in
                time, or the server refused: the message holds what it said.
        """
        where = f"{self._where}, endpoint '{endpoint}'"
        try:
            if self._endpoints is None:
                self._endpoints = _read_metadata(self._transport.fetch_signatures())
            found = _find(self._endpoints, endpoint)
            return self._transport.predict(found, _prepare(found, arrays))
        except ExportError as error:
            raise ExportError(f"{where}: {error}") from error

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(address: str, model: str, version: int | None, timeout: float) -> Any:
    if version is not None and (type(version) is not int or version < 1):
        raise ExportError(
            f"`version` must be a positive integer. Received: {version!r}"
        )
    scheme, _, rest = address.rpartition("://")
    if scheme in ("http", "https") and rest:
        return _Rest(address, model, version, timeout)
    host, _, port = rest.rpartition(":")
    if scheme in ("", "grpc") and host and port.isdecimal():
        return _Grpc(rest, model, version, timeout)
    raise ExportError(
        "the address must be http://host:8501 or https://... (REST), or "
        f"grpc://host:8500 (gRPC). Received: {address!r}"
    )


# ---- what the model takes ------------------------------------------------------------


def _read_metadata(signatures: Mapping[str, Any]) -> dict[str, _Endpoint]:
    """Reads the JSON form of a `SignatureDefMap`, the same in REST and gRPC."""
    return {
        name: _Endpoint(
            name,
            {key: _read_spec(info) for key, info in entry.get("inputs", {}).items()},
            {key: _read_spec(info) for key, info in entry.get("outputs", {}).items()},
        )
        for name, entry in signatures.items()
        # TensorFlow's own, such as `__saved_model_init_op`, are no endpoints.
        if not name.startswith("__")
    }


def _read_spec(info: Mapping[str, Any]) -> _Spec:
    shape = info.get("tensor_shape", {})
    if shape.get("unknown_rank"):
        return _Spec(info["dtype"], None)
    sizes = [int(dim.get("size", 0)) for dim in shape.get("dim", [])]
    return _Spec(info["dtype"], tuple(None if size < 0 else size for size in sizes))


def _find(endpoints: Mapping[str, _Endpoint], name: str) -> _Endpoint:
    if name not in endpoints:
        raise ExportError(f"the model has no such endpoint: it has {sorted(endpoints)}")
    return endpoints[name]


def _prepare(endpoint: _Endpoint, arrays: Mapping[str, Any]) -> _Arrays:
    if set(arrays) != set(endpoint.inputs):
        raise ExportError(
            f"it takes the inputs {sorted(endpoint.inputs)}. Received: {sorted(arrays)}"
        )
    return {
        name: _fit(name, spec, arrays[name]) for name, spec in endpoint.inputs.items()
    }


def _fit(name: str, spec: _Spec, value: Any) -> np.ndarray:
    array = _as_bytes(name, value) if spec.dtype == object else _cast(name, spec, value)
    fits = spec.shape is None or (
        len(spec.shape) == array.ndim
        and all(
            want in (None, got)
            for want, got in zip(spec.shape, array.shape, strict=True)
        )
    )
    if not fits:
        raise ExportError(
            f"input '{name}' must have the shape {spec.shape}. Received: {array.shape}"
        )
    return array


def _cast(name: str, spec: _Spec, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of unequal length
        raise ExportError(f"input '{name}' is no array: {error}") from error
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
    array = np.array(value, dtype=object)
    flat = [item.encode() if isinstance(item, str) else item for item in array.flat]
    if wrong := {type(item).__name__ for item in flat if not isinstance(item, bytes)}:
        raise ExportError(
            f"input '{name}' must be bytes or str. Received: {', '.join(sorted(wrong))}"
        )
    result = np.empty(array.shape, dtype=object)
    result.flat = flat
    return result


# ---- REST ----------------------------------------------------------------------------


class _Rest:
    def __init__(self, address: str, model: str, version: int | None, timeout: float):
        path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
        path += "" if version is None else f"/versions/{version}"
        self._address = address
        self._url = address.rstrip("/") + path
        self._timeout = timeout

    def fetch_signatures(self) -> Mapping[str, Any]:
        reply = self._call(f"{self._url}/metadata")
        try:
            return reply["metadata"]["signature_def"]["signature_def"]
        except (KeyError, TypeError):
            raise ExportError(f"{self._address} is no TensorFlow Serving") from None

    def predict(self, endpoint: _Endpoint, arrays: _Arrays) -> _Arrays:
        for name, array in arrays.items():
            if not array.size:
                raise ExportError(f"input '{name}' is empty, which REST cannot carry")
        inputs = {name: _to_json(array) for name, array in arrays.items()}
        body = {"signature_name": endpoint.name, "inputs": inputs}
        reply = self._call(f"{self._url}:predict", json.dumps(body).encode())
        outputs = reply.get("outputs") if isinstance(reply, dict) else None
        # The server leaves the name out where there is only one.
        if len(endpoint.outputs) == 1 and outputs is not None:
            outputs = dict.fromkeys(endpoint.outputs, outputs)
        if not isinstance(outputs, dict) or set(outputs) != set(endpoint.outputs):
            raise ExportError(
                f"the answer lacks the outputs {sorted(endpoint.outputs)}"
            )
        return {
            name: _from_json(name, spec, outputs[name])
            for name, spec in endpoint.outputs.items()
        }

    def close(self) -> None:
        """Nothing to close: every call has its own connection."""

    def _call(self, url: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise ExportError(
                f"the server answered {error.code}: {_error_of(error)}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise _unanswered(self._address, self._timeout, error) from error
        try:
            return json.loads(content)
        except ValueError as error:
            raise ExportError(
                f"the answer is no JSON in UTF-8 ({error}): an output of bytes needs a "
                "name that ends in `_bytes`, or gRPC"
            ) from error


def _error_of(error: urllib.error.HTTPError) -> str:
    """Returns what TensorFlow Serving says in `{"error": ...}`, or a proxy in HTML."""
    content = error.read().decode("utf-8", "replace")
    try:
        content = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        content = content[:200] or error.reason
    return _one_line(content)


def _unanswered(address: str, timeout: float, error: Exception) -> ExportError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return ExportError(f"no answer from {address} in {timeout:g} s")
    return ExportError(f"{address} cannot be reached: {str(reason) or repr(reason)}")


def _to_json(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()  # of float32, the exact double: it rounds back to itself
    return _map_leaves(
        lambda item: {"b64": base64.b64encode(item).decode()}, array.tolist()
    )


def _from_json(name: str, spec: _Spec, value: Any) -> np.ndarray:
    try:
        if spec.dtype == object:
            value = _map_leaves(_decode, value)
        return np.array(value, spec.dtype)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ExportError(f"output '{name}' is no {spec.type_name}: {error}") from error


def _decode(item: Any) -> bytes:
    """TF Serving writes `{"b64": ...}` for outputs called `*_bytes`, else a string."""
    if isinstance(item, dict):
        return base64.b64decode(item["b64"], validate=True)
    return item.encode()


def _map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_map_leaves(function, item) for item in value]
    return function(value)


# ---- gRPC ----------------------------------------------------------------------------


class _Grpc:
    def __init__(self, target: str, model: str, version: int | None, timeout: float):
        services = serving.require("apis.prediction_service_pb2_grpc")
        import grpc

        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        options = [(name, -1) for name in sizes]  # the default, 4 MB, is few images
        self._channel = grpc.insecure_channel(target, options=options)
        self._stub = services.PredictionServiceStub(self._channel)
        self._target, self._model, self._version = target, model, version
        self._timeout = timeout

    def fetch_signatures(self) -> Mapping[str, Any]:
        from google.protobuf import json_format

        messages = serving.require("apis.get_model_metadata_pb2")
        request = self._address_to(messages.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        reply = self._call(self._stub.GetModelMetadata, request)
        signatures = messages.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(signatures)
        fields = json_format.MessageToDict(signatures, preserving_proto_field_name=True)
        return fields.get("signature_def", {})

    def predict(self, endpoint: _Endpoint, arrays: _Arrays) -> _Arrays:
        import tensorflow as tf

        messages = serving.require("apis.predict_pb2")
        request = self._address_to(messages.PredictRequest())
        request.model_spec.signature_name = endpoint.name
        for name, array in arrays.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        reply = self._call(self._stub.Predict, request)
        return {name: tf.make_ndarray(proto) for name, proto in reply.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _address_to(self, request: Any) -> Any:
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        import grpc

        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, details = error.code(), _one_line(error.details())
            message = f"the server answered {code.name}: {details}"
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                message = f"no answer from {self._target} in {self._timeout:g} s"
            if code is grpc.StatusCode.UNAVAILABLE:  # gRPC says so for both
                message = f"{self._target} cannot be reached, or is full: {details}"
            raise ExportError(message) from error


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())
