"""How a label enters a network: as a one-hot code beside its features."""

from typing import Any

import keras


def add_labels(
    features: keras.KerasTensor, inputs: keras.KerasTensor, num_classes: int | None
) -> tuple[keras.KerasTensor, Any]:
    """Returns features `(batch, units [+ num_classes])` and the network's inputs.

    Args:
        features: `(batch, units)`.
        inputs: The network's first input.
        num_classes: Integer, or `None` for features and inputs as they are.
    """
    if num_classes is None:
        return features, inputs
    labels = keras.Input((), dtype="int32", name="labels")
    codes = keras.ops.one_hot(labels, num_classes, dtype=features.dtype)
    return keras.layers.Concatenate()([features, codes]), [inputs, labels]
