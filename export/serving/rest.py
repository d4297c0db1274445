"""TensorFlow Serving over REST, with the standard library alone."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from export.errors import ExportError
from export.serving.tensors import Arrays, Endpoint, from_json, to_json


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: what is posted would be asked for instead."""

    def redirect_request(self, *_: Any) -> None:
        """Returns no new request, so that the answer is an `HTTPError`."""


class Rest:
    """One model on one server; see `export.serving.client.Client`."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float):
        path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
        path += "" if version is None else f"/versions/{version}"
        self._address = address
        self._url = address.rstrip("/") + path
        self._timeout = timeout
        # No proxy of a company can reach this machine's own address.
        proxies = [urllib.request.ProxyHandler({})] if is_this_machine(address) else []
        self._opener = urllib.request.build_opener(_Stay, *proxies)

    def fetch_signatures(self) -> Any:
        """Returns the JSON form of a `SignatureDefMap`."""
        reply = self._call(f"{self._url}/metadata")
        try:
            return reply["metadata"]["signature_def"]["signature_def"]
        except (KeyError, TypeError):
            raise ExportError(f"{self._address} is not TensorFlow Serving") from None

    def predict(self, endpoint: Endpoint, arrays: Arrays) -> Arrays:
        """Returns the answer's arrays by name."""
        for name, array in arrays.items():
            if not array.size:
                raise ExportError(f"input '{name}' is empty, which REST cannot carry")
        inputs = {name: to_json(array) for name, array in arrays.items()}
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
            name: from_json(name, spec, outputs[name])
            for name, spec in endpoint.outputs.items()
        }

    def close(self) -> None:
        """Closes nothing: every call has its own connection."""

    def _call(self, url: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        try:
            request = urllib.request.Request(url, body, headers)
            with self._opener.open(request, timeout=self._timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            if moved := error.headers.get("Location"):
                place = moved.partition("/v1/")[0]
                raise ExportError(f"{self._address} has moved to {place}") from error
            raise ExportError(
                f"the server answered {error.code}: {_message_of(error)}"
            ) from error
        # ValueError: an address whose host or port is not one
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unanswered(error) from error
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ExportError(
                f"the answer is not JSON in UTF-8 ({error}): an output of bytes needs "
                "a name that ends in `_bytes`, or gRPC"
            ) from error

    def _unanswered(self, error: Exception) -> ExportError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return ExportError(f"no answer from {self._address} in {self._timeout:g} s")
        said = " ".join(str(reason).split()) or repr(reason)
        if isinstance(reason, (http.client.BadStatusLine, ConnectionResetError)):
            said += " (gRPC, mostly on port 8500, needs grpc://...)"
        return ExportError(f"{self._address} cannot be reached: {said}")


def is_this_machine(address: str) -> bool:
    """Whether an address is that of the machine itself."""
    try:
        host = urllib.parse.urlsplit(address).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def _message_of(error: urllib.error.HTTPError) -> str:
    """Returns what TensorFlow Serving says in `{"error": ...}`, or a proxy in HTML."""
    try:
        content = error.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):  # it hangs, or is cut short
        content = ""
    try:
        message = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = content[:200] or error.reason
    return " ".join(str(message).split())
