"""An endpoint as a Keras model: what Keras's own `predict` and exporters take."""

from collections.abc import Mapping
from typing import Any

import keras


class EndpointModel(keras.Model):
    """Calls one endpoint on a dict of its inputs, and returns its dict of outputs.

    Args:
        source: The model whose weights the endpoint uses; None leaves them to the
            function, where nobody asks for `weights`.
        function: The `tf.function` of the endpoint, from `source.signatures()`.
    """

    def __init__(self, source: keras.Model | None, function: Any):
        super().__init__(autocast=False)  # an endpoint takes what its specs say
        self.source = source  # so that its weights are found
        self.function = function
        specs = function.input_signature
        self({spec.name: _placeholder(spec) for spec in specs})

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Returns the endpoint's outputs; `training` changes nothing."""
        # Functions of a model's endpoints take their inputs by position.
        return self.function(*(inputs[s.name] for s in self.function.input_signature))


def _placeholder(spec: Any) -> keras.KerasTensor:
    return keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=spec.name)
