"""Asks a model behind TensorFlow Serving, over REST or gRPC, with NumPy arrays.

```python
from export.serving.client import Client

with Client("http://localhost:8501", "cyclegan") as client:
    images = client.predict("translate_ab", images=photos)["images"]
```

REST needs nothing but NumPy. gRPC needs `pip install "tfgen[serving]"`; it sends images
as bytes, not as decimal text.
"""

import math
from typing import Any

from export.errors import ExportError
from export.serving.grpc_calls import Grpc
from export.serving.rest import Rest
from export.serving.tensors import (
    Arrays,
    Endpoint,
    prepare_inputs,
    read_endpoints,
    verify_outputs,
)


class Client:
    """One model on one server.

    The model is asked once for its endpoints, their names, types and shapes. Wrong
    inputs are refused before they are sent, and answers that are not as declared, or
    have another number of rows, are not returned. Nothing is tried twice.

    Args:
        address: `http://host:8501` or `https://...` for REST; `grpc://host:8500` or
            `host:8500` for gRPC, without encryption.
        model: The name of the model on the server.
        version: Its version, a positive integer. Default: the newest one served.
        timeout: Seconds that a call may take (REST: that the server may be silent).

    Raises:
        ExportError: An argument is none of these, or gRPC is not installed. The server
            is not called yet.
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None = None,
        timeout: float = 60.0,
    ):
        self._transport = _connect(address, model, version, timeout)
        self._where = f"model '{model}'" + (f" version {version}" if version else "")
        self._endpoints: dict[str, Endpoint] | None = None

    def predict(self, endpoint: str, /, **arrays: Any) -> Arrays:
        """Returns the outputs of an endpoint, by name.

        Args:
            endpoint: Its name, such as `decode`, or `serving_default`.
            **arrays: The inputs by name, batch first. Numbers are cast within their
                kind: float64 to float32, int64 to int32 if every value fits. Strings
                are `bytes`, or `str` that is sent as UTF-8.

        Returns:
            Arrays of the declared dtypes; strings are object arrays of `bytes`.

        Raises:
            ExportError: No such endpoint, wrong inputs, no server there, no answer in
                time, an answer that is not as declared, or the server refused: the
                message holds what it said.
        """
        try:
            return self._predict(endpoint, arrays)
        except ExportError as error:
            where = f"{self._where}, endpoint '{endpoint}'"
            raise ExportError(f"{where}: {error}") from error

    def _predict(self, name: str, values: dict[str, Any]) -> Arrays:
        if self._endpoints is None:
            self._endpoints = read_endpoints(self._transport.fetch_signatures())
        if name not in self._endpoints:
            known = sorted(self._endpoints)
            raise ExportError(f"the model has no such endpoint: it has {known}")
        endpoint = self._endpoints[name]
        inputs = prepare_inputs(endpoint, values)
        outputs = self._transport.predict(endpoint, inputs)
        return verify_outputs(endpoint, inputs, outputs)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(
    address: str, model: str, version: int | None, timeout: float
) -> Rest | Grpc:
    if not isinstance(model, str) or not model:
        raise ExportError(f"`model` must be its name. Received: {model!r}")
    if version is not None and (type(version) is not int or version < 1):
        raise ExportError(
            f"`version` must be a positive integer. Received: {version!r}"
        )
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout < math.inf:
        raise ExportError(
            f"`timeout` must be a positive number of seconds. Received: {timeout!r}"
        )
    scheme, _, rest = str(address).rpartition("://")
    if scheme in ("http", "https") and rest:
        return Rest(address, model, version, timeout)
    host, _, port = rest.rpartition(":")
    if scheme in ("", "grpc") and host and port.isdecimal():
        return Grpc(rest, model, version, timeout)
    raise ExportError(
        "the address must be http://host:8501 or https://... (REST), or "
        f"grpc://host:8500 (gRPC). Received: {address!r}"
    )
