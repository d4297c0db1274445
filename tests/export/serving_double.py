"""TEST DOUBLES of TensorFlow Serving: its gRPC service and its REST API, in process.

They are not TensorFlow Serving, and a test that passes with them shows only that the
client speaks the protocol as documented. Both load real SavedModels with
`tf.saved_model.load`, run the real signatures, and answer errors with the codes and
words of TensorFlow Serving's sources (`predict_util.cc`, `json_tensor.cc`,
`http_rest_api_util.cc`). What they do not show:

- batching: no waiting, no padding, no limit on rows, no full queue;
- the version policy, loading, unloading, warm-up, labels: all versions are served;
- wrong shapes: here any that differs from the signature is refused, there only what
  an operation of the graph refuses;
- REST with input in rows (`instances`), RapidJSON's own parsing, HTTP keep-alive, TLS.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import re
import threading
import time
import urllib.parse

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

HTTP_CODES = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400}


class Refused(Exception):
    """What TensorFlow Serving calls a status: a code and a message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class ModelsDouble:
    """Every version of some models, by name: folders as `export_saved_model` wrote."""

    def __init__(self, folders):
        self.versions, self.definitions = {}, {}
        self.newest = {}  # name -> version, where it is not the largest yet
        for name, folder in folders.items():
            for path in folder.glob("[0-9]*"):
                key = name, int(path.name)
                self.versions[key] = tf.saved_model.load(str(path))
                content = (path / "saved_model.pb").read_bytes()
                graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
                self.definitions[key] = graph.signature_def

    def find(self, name, version=None):
        numbers = [number for model, number in self.versions if model == name]
        if not numbers or version not in (None, *numbers):
            asked = (
                f"Latest({name})" if version is None else f"Specific({name}, {version})"
            )
            raise Refused("NOT_FOUND", f"Servable not found for request: {asked}")
        return name, version or self.newest.get(name) or max(numbers)

    def run(self, key, endpoint, inputs):
        if endpoint not in self.versions[key].signatures:
            message = f'Serving signature key "{endpoint}" not found.'
            raise Refused("FAILED_PRECONDITION", message)
        wanted = set(self.definitions[key][endpoint].inputs)
        if set(inputs) != wanted:
            raise Refused(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(inputs)}!={len(wanted)}. "
                f"Sent extra: {sorted(set(inputs) - wanted)}. "
                f"Missing but required: {sorted(wanted - set(inputs))}.",
            )
        try:
            return self.versions[key].signatures[endpoint](**inputs)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from error


# ---- gRPC ----------------------------------------------------------------------------


class PredictionServiceDouble(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A test double of TensorFlow Serving's gRPC service, on a free port.

    `calls` lists the requests received; `delay` is what every answer waits, in s.
    """

    def __init__(self, models):
        self.models, self.calls, self.delay = models, [], 0.0
        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        self.server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(2),
            options=[(name, -1) for name in sizes],
        )
        add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
        add(self, self.server)
        port = self.server.add_insecure_port("localhost:0")
        self.address = f"grpc://localhost:{port}"
        self.server.start()

    def Predict(self, request, context):
        self.calls.append(request)
        time.sleep(self.delay)
        key = self._find(request, context)
        inputs = {name: tf.make_ndarray(x) for name, x in request.inputs.items()}
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        endpoint = request.model_spec.signature_name or "serving_default"
        try:
            outputs = self.models.run(key, endpoint, tensors)
        except Refused as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, tensor in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(tensor))
        return response

    def GetModelMetadata(self, request, context):
        self.calls.append(request)
        if list(request.metadata_field) != ["signature_def"]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Metadata field is invalid")
        key = self._find(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(_signature_map(self.models, key))
        return response

    def close(self):
        self.server.stop(None).wait()

    def _find(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            return self.models.find(spec.name, version)
        except Refused as error:
            return context.abort(grpc.StatusCode[error.code], str(error))


def _signature_map(models, key):
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in models.definitions[key].items():
        signatures.signature_def[name].CopyFrom(definition)
    return signatures


# ---- REST ----------------------------------------------------------------------------


class RestDouble:
    """A test double of TensorFlow Serving's REST API, on a free port.

    `calls` lists method, path and body of the requests received; `delay` is what every
    answer waits, in s; `answer`, a code and a body (of 3xx
    the new address), is sent in place of the real one.
    """

    def __init__(self, models):
        self.models, self.calls, self.delay, self.answer = models, [], 0.0, None
        handler = type("Handler", (_HandlerDouble,), {"double": self})
        self.server = http.server.ThreadingHTTPServer(("localhost", 0), handler)
        self.address = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, method, path, body):
        pattern = r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata|:predict)"
        match = re.fullmatch(pattern, path)
        if not match or (method == "GET") != (match[3] == "/metadata"):
            raise Refused("INVALID_ARGUMENT", f"Malformed request: {method} {path}")
        version = int(match[2]) if match[2] else None
        key = self.models.find(urllib.parse.unquote(match[1]), version)
        return self._metadata(key) if method == "GET" else self._predict(key, body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _metadata(self, key):
        signatures = json_format.MessageToDict(
            _signature_map(self.models, key),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        spec = {"name": key[0], "signature_name": "", "version": str(key[1])}
        metadata = {"signature_def": signatures}
        return json.dumps({"model_spec": spec, "metadata": metadata})

    def _predict(self, key, body):
        request = json.loads(body)
        endpoint = request.get("signature_name", "serving_default")
        if endpoint not in self.models.definitions[key]:
            message = f'Serving signature name: "{endpoint}" not found in signature def'
            raise Refused("INVALID_ARGUMENT", message)
        inputs = {}
        for name, info in self.models.definitions[key][endpoint].inputs.items():
            if name not in request["inputs"]:
                message = f"Missing named input: {name} in 'inputs' object."
                raise Refused("INVALID_ARGUMENT", message)
            inputs[name] = _to_tensor(request["inputs"][name], tf.as_dtype(info.dtype))
        outputs = self.models.run(key, endpoint, inputs)
        texts = {name: _to_json(name, tensor) for name, tensor in outputs.items()}
        if len(texts) == 1:
            return f'{{"outputs": {next(iter(texts.values()))}}}'
        members = ", ".join(f'"{name}": {text}' for name, text in texts.items())
        return f'{{"outputs": {{{members}}}}}'


class _HandlerDouble(http.server.BaseHTTPRequestHandler):
    double = None

    def do_GET(self):
        self._answer("")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body):
        self.double.calls.append((self.command, self.path, body))
        time.sleep(self.double.delay)
        code = 200
        try:
            text = self.double.reply(self.command, self.path, body)
        except Refused as error:
            code, text = HTTP_CODES[error.code], json.dumps({"error": str(error)})
        content = text.encode("utf-8", "surrogateescape")
        if self.double.answer is not None:
            code, content = self.double.answer
        with contextlib.suppress(BrokenPipeError):  # the client waits no longer
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *args):
        """Says nothing: pytest shows what went wrong."""


def _to_tensor(value, dtype):
    """Follows `json_tensor.cc`: which JSON value each type of tensor takes."""
    takes = {
        "f": lambda leaf: type(leaf) in (int, float),
        "i": lambda leaf: type(leaf) is int,
        "u": lambda leaf: type(leaf) is int,
        "b": lambda leaf: type(leaf) is bool,
        "O": lambda leaf: type(leaf) is str or (type(leaf) is dict and "b64" in leaf),
    }[np.dtype(dtype.as_numpy_dtype).kind]

    def read(leaf):
        if isinstance(leaf, list):
            return [read(item) for item in leaf]
        if not takes(leaf):
            message = f"JSON Value: {leaf} is not of expected type: {dtype.name}"
            raise Refused("INVALID_ARGUMENT", message)
        return base64.b64decode(leaf["b64"]) if isinstance(leaf, dict) else leaf

    try:
        return tf.constant(read(value), dtype)
    except (ValueError, TypeError) as error:
        raise Refused("INVALID_ARGUMENT", str(error)) from error


def _to_json(name, tensor):
    """Follows `json_tensor.cc`: shortest decimals, outputs `*_bytes` in base 64."""

    def write(value):
        if isinstance(value, np.ndarray) and value.ndim:
            return f"[{', '.join(write(item) for item in value)}]"
        if tensor.dtype == tf.string:
            content = value if isinstance(value, bytes) else value.item()
            if name.endswith("_bytes"):
                return json.dumps({"b64": base64.b64encode(content).decode()})
            text = content.decode("utf-8", "surrogateescape")
            return json.dumps(text, ensure_ascii=False)
        if tensor.dtype.is_floating:
            return _decimal(value)
        return json.dumps(value.item())

    return write(tensor.numpy())


def _decimal(value):
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:.6g}"
    if type(value)(text) != value:
        text = f"{value:.9g}" if value.dtype == np.float32 else f"{value:.17g}"
    return text if {".", "e"} & set(text) else f"{text}.0"
