"""Ships a trained model to every runtime, and checks each file that it wrote.

`export` takes any `keras.Model` with a method `signatures()` that returns
`dict[str, tf.function]`: endpoint name to function. The protocol:

- Each function has an `input_signature` of named `tf.TensorSpec`s whose first dimension
  is the batch, `None`, and returns a dict of named tensors, batch first.
- Images are float32 in `[0, 1]`, `(batch, height, width, channels)`.
- A row of the answer depends on that row of the inputs alone: servers put several
  requests into one batch. This is checked.
- Integer `labels` are in `[0, num_classes)` if the model has that attribute, and other
  integers below what its dict `index_limits` says of an input; a request with others is
  refused, as is one of another rank or size than the specs say.
- Randomness is an input: `seeds`, int64 `(batch,)`, or `latents`. So an endpoint is a
  pure function: the same input gives the same output, in every runtime and row by row.
- A layer that trains differently than it infers is called with `training=False`.

Example:

```python
import keras
import numpy as np
import tensorflow as tf

import export


class Brighten(keras.Model):
    def __init__(self):
        super().__init__()
        self.filter = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")
        self(keras.Input((16, 16, 3)))  # builds the weights

    def call(self, images):
        return self.filter(images)

    def signatures(self):
        spec = tf.TensorSpec((None, 16, 16, 3), tf.float32, name="images")

        @tf.function(input_signature=[spec])
        def brighten(images):
            return {"images": self(images)}

        return {"brighten": brighten}


model = Brighten()
photos = np.random.default_rng(0).uniform(size=(8, 16, 16, 3)).astype("float32")
export.export_model(
    model,
    "shipped",
    "brighten",
    quantizations=["float32", "int8"],
    examples={"images": photos},
    representative_data=photos,
)
for result in export.check("shipped"):
    print(result)
```

That writes a folder to serve, .tflite files, and a report with fidelity and latency;
`export_saved_model`, `export_tflite` and `export_onnx` write one thing each. They
record golden examples beside what they write: a few inputs, and what Keras answered to
them. `check` runs every file in a fresh process, which has nothing of the training
code, and compares.

`import export` does not import TensorFlow, and `check` never does in this process.
"""

import importlib
from typing import Any

# Eager, and light: loaded on first use, the submodule would take the function's name.
from export.check import CheckResult, check
from export.errors import CheckError, ExportError

_HOME = {
    "Client": "export.serving.client",
    "add_to_page": "export.web.adopt",
    "export_model": "export.bundle",
    "export_onnx": "export.formats.onnx",
    "export_saved_model": "export.formats.saved_model",
    "export_tflite": "export.formats.tflite",
}

__all__ = ["CheckError", "CheckResult", "ExportError", "check", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
