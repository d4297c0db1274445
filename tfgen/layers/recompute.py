"""Recomputes the activations of a block for the gradient instead of storing them.

For a chain of blocks, memory holds the tensors between blocks and the activations of
the block whose gradient is being computed. The cost is a second forward pass.

Reference: [Chen et al., 2016](https://arxiv.org/abs/1604.06174), sec. 3.
"""

from collections.abc import Callable
from typing import Any

import keras

from tfgen._compat import flatten_layers


def apply_block(block: Callable[[Any], Any], features: Any, recompute: bool) -> Any:
    """Returns `block(features)`, with activations recomputed if `recompute`.

    Args:
        block: Function of one `KerasTensor` that returns one.
        features: `KerasTensor`.
        recompute: Whether to wrap the block in a `Recompute` layer.
    """
    if not recompute:
        return block(features)
    inputs = keras.Input(features.shape[1:])
    return Recompute(keras.Model(inputs, block(inputs)))(features)


@keras.saving.register_keras_serializable(package="tfgen")
class Recompute(keras.layers.Layer):
    """Runs a block with `keras.remat`.

    (`keras.RematScope` of Keras 3.15.1 raises in a compiled step for every layer that
    takes `training`.) The block runs twice a step and must do the same both times:
    batch normalisation would count its batch twice, and dropout would draw other noise.
    Both are refused.

    Args:
        block: Built `keras.Model` of one input and one output.

    Call arguments:
        inputs: The input of the block.
        training: As in the block.

    Returns:
        The output of the block.

    Example:

    ```python
    images = keras.Input((64, 64, 16))
    features = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(images)
    block = keras.Model(images, keras.layers.Add()([images, features]))
    outputs = tfgen.layers.Recompute(block)(images)
    ```
    """

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block = block
        has_random_state = len(block.variables) > len(block.weights)
        if has_random_state or any(
            isinstance(layer, keras.layers.BatchNormalization)
            for layer in flatten_layers(block)
        ):
            raise ValueError(
                "`block` must have no batch normalisation and no dropout, because it "
                "runs twice a step. Use instance normalisation, or do not recompute."
            )

    def call(self, inputs, training=False):
        # A closure, because custom gradients accept keywords only in eager mode.
        run = keras.remat(lambda inputs: self.block(inputs, training=training))
        return run(inputs)

    def compute_output_shape(self, input_shape):
        return self.block.compute_output_shape(input_shape)

    def get_config(self):
        block = keras.saving.serialize_keras_object(self.block)
        return {**super().get_config(), "block": block}

    @classmethod
    def from_config(cls, config):
        block = keras.saving.deserialize_keras_object(config.pop("block"))
        return cls(block, **config)
