"""TensorFlow Serving over gRPC: images travel as bytes, not as decimal text."""

from collections.abc import Callable
from typing import Any

import numpy as np

from export.errors import ExportError
from export.serving import configuration as serving
from export.serving.rest import is_this_machine
from export.serving.tensors import Arrays, Endpoint


class Grpc:
    """One model on one server; see `export.serving.client.Client`."""

    def __init__(self, target: str, model: str, version: int | None, timeout: float):
        services = serving.require("apis.prediction_service_pb2_grpc")
        import grpc

        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        options = [(name, -1) for name in sizes]  # the default, 4 MB, is few images
        if is_this_machine(f"//{target}"):  # which no proxy of a company can reach
            options.append(("grpc.enable_http_proxy", 0))
        self._channel = grpc.insecure_channel(target, options=options)
        self._stub = services.PredictionServiceStub(self._channel)
        self._target, self._model, self._version = target, model, version
        self._timeout = timeout

    def fetch_signatures(self) -> Any:
        """Returns the JSON form of a `SignatureDefMap`."""
        from google.protobuf import json_format

        messages = serving.require("apis.get_model_metadata_pb2")
        request = self._address_to(messages.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        reply = self._call(self._stub.GetModelMetadata, request)
        signatures = messages.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(signatures)
        fields = json_format.MessageToDict(signatures, preserving_proto_field_name=True)
        return fields.get("signature_def", {})

    def predict(self, endpoint: Endpoint, arrays: Arrays) -> Arrays:
        """Returns the answer's arrays by name."""
        import tensorflow as tf

        messages = serving.require("apis.predict_pb2")
        request = self._address_to(messages.PredictRequest())
        request.model_spec.signature_name = endpoint.name
        for name, array in arrays.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        reply = self._call(self._stub.Predict, request)
        return {name: _to_array(name, proto) for name, proto in reply.outputs.items()}

    def close(self) -> None:
        """Closes the channel."""
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
            code, details = error.code(), " ".join(str(error.details()).split())
            message = f"the server answered {code.name}: {details}"
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                message = f"no answer from {self._target} in {self._timeout:g} s"
            if code is grpc.StatusCode.UNAVAILABLE:  # gRPC says so for both
                message = f"{self._target} cannot be reached, or is full: {details}"
                if "http" in details.lower():
                    message += " (REST, mostly on port 8501, needs http://...)"
            raise ExportError(message) from error
        except ValueError as error:  # a closed channel
            raise ExportError(f"{self._target} cannot be called: {error}") from error


def _to_array(name: str, proto: Any) -> np.ndarray:
    import tensorflow as tf

    try:
        return np.asarray(tf.make_ndarray(proto))
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"output '{name}' is damaged: {reason}") from error
