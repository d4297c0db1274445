"""A layer whose weights stay float32 in mixed precision."""

from typing import Any

import keras


class Float32Layer(keras.layers.Layer):
    """A layer whose weights are float32, and are read as such, in mixed precision."""

    def _weight(self, name: str, shape: Any, initializer: Any, **kwargs: Any) -> Any:
        """Adds a weight; `kwargs` are those of `add_weight`."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            autocast=False,
            **kwargs,
        )
