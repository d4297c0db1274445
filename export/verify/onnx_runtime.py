"""Runs an .onnx file: ONNX Runtime and NumPy alone, no TensorFlow and no Keras."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

from export.errors import ExportError
from export.verify import golden

# Of the file's metadata. A file holds one endpoint, and ONNX has no place for its name.
ENDPOINT = "endpoint"
# JSON, name in the file to name in the endpoint: in ONNX, an input and an output must
# not share a name.
OUTPUTS = "outputs"

_ERRORS_ONLY = 3


def load_onnx(
    file: pathlib.Path,
) -> dict[str, Callable[[golden.Arrays], golden.Arrays]]:
    """Returns the endpoint of a file that `export_onnx` wrote, by its name.

    It takes and returns arrays `(rows, ...)` by the names that they have in the model's
    endpoint, any number of rows.

    Raises:
        ExportError: `onnxruntime` is not installed, it cannot load the file, or the
            file does not name its endpoint.
    """
    session = _open(file)
    metadata = session.get_modelmeta().custom_metadata_map
    if not {ENDPOINT, OUTPUTS} <= set(metadata):
        raise ExportError(
            f"{file.name} does not name its endpoint: write it with export_onnx"
        )
    names = json.loads(metadata[OUTPUTS])

    def run(inputs: golden.Arrays) -> golden.Arrays:
        arrays = session.run(list(names), inputs)
        return dict(zip(names.values(), arrays, strict=True))

    return {metadata[ENDPOINT]: run}


def _open(file: pathlib.Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            f'{error}; running .onnx files needs: pip install "tfgen[onnx]"'
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's exceptions share no public base
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ExportError(f"{file.name} cannot be loaded: {reason}") from error
