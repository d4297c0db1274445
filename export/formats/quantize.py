"""Quantises a float32 .tflite file with ai-edge-quantizer.

The quantizations:

- `float16`: weights are stored in half the bytes; the arithmetic is float32.
- `dynamic_int8`: weights are 8-bit integers with one scale per output channel;
  activations are quantised at run time, so no calibration data is needed.
- `int8`: activations of operations with weights are 8-bit integers too, with ranges
  calibrated on data. Operations without weights (normalisation, residuals, `tanh`) stay
  float32: quantising their squares and roots costs most accuracy, and they leave the
  delegate. Inputs and outputs stay float32.
"""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from export import _compat
from export.check import FLOORS_DB
from export.errors import ExportError
from export.formats import flatbuffer, runtimes
from export.verify import golden

QUANTIZATIONS = ("float32", *FLOORS_DB)


class Quantizer:
    """Quantises one file, any number of times.

    Args:
        content: A float32 .tflite file.
        quantization: A key of `FLOORS_DB`.
        calibration: For `int8`: representative inputs `(rows, ...)` by signature and
            name.
    """

    def __init__(
        self,
        content: bytes,
        quantization: str,
        calibration: Mapping[str, golden.Arrays] | None = None,
    ):
        self._content = content
        self._quantization = quantization
        self._ranges = None
        if quantization == "int8":
            data = calibration or {}
            rows = {name: golden.split_rows(batch) for name, batch in data.items()}
            self._ranges = self._calibrate(rows)

    def _calibrate(self, rows: Mapping[str, Sequence[golden.Arrays]]) -> Any:
        with _quiet():
            return _compat.calibrate(self._prepare(()), rows)

    def quantize(self, keep: Sequence[str] = ()) -> bytes:
        """Returns the quantised file; layers named in `keep` stay float32."""
        with _quiet():
            result = self._prepare(keep).quantize(self._ranges)
        return runtimes.require_versions(bytes(result.quantized_model))

    def _prepare(self, keep: Sequence[str]) -> Any:
        from ai_edge_quantizer import qtyping, quantizer

        recipe = quantizer.Quantizer(self._content)
        names = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}
        for operation in flatbuffer.WEIGHTED:
            if (self._quantization, operation) == ("float16", "BATCH_MATMUL"):
                continue  # the quantizer has no such rule
            operation = qtyping.TFLOperationName(names.get(operation, operation))
            self._quantize_all(recipe, operation)
            for name in keep:
                recipe.update_quantization_recipe(
                    f"^{re.escape(name)}(;|$)", operation, None, "no_quantize"
                )
        return recipe

    def _quantize_all(self, recipe: Any, operation: Any) -> None:
        from ai_edge_quantizer import qtyping

        if self._quantization == "dynamic_int8":
            recipe.add_dynamic_config(".*", operation, num_bits=8)
        elif self._quantization == "int8":
            recipe.add_static_config(".*", operation, 8, 8)
        else:
            weights = qtyping.TensorQuantizationConfig(
                num_bits=16, dtype=qtyping.TensorDataType.FLOAT
            )
            config = qtyping.OpQuantizationConfig(
                weight_tensor_config=weights,
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            )
            recipe.update_quantization_recipe(".*", operation, config, "float_casting")


def quantize_to_floor(
    quantizer: Quantizer,
    layers: Sequence[flatbuffer.Layer],
    psnr: Callable[[bytes], Mapping[str, float]],
    floor_db: float,
) -> tuple[bytes, list[str]]:
    """Returns a file that reaches the PSNR floor, and the layers kept in float32.

    While a signature is below the floor, the layer whose float32 copy raises its PSNR
    most is kept in float32.

    Args:
        quantizer: The quantizer of the file.
        layers: The layers that may stay float32.
        psnr: Function of a file that returns the PSNR of each signature in dB.
        floor_db: The PSNR that each signature must reach.

    Raises:
        ExportError: The floor is missed even with every layer in float32.
    """
    kept_float: list[str] = []
    content, remaining = quantizer.quantize(), list(layers)
    while low := {name for name, db in psnr(content).items() if db < floor_db}:
        gains = {}
        for layer in remaining:
            if layer.signatures & low:
                ratios = psnr(quantizer.quantize([*kept_float, *layer.names]))
                gains[layer] = sum(min(ratios[name], floor_db) for name in low)
        if not gains:
            reached = min(psnr(content).values())
            raise ExportError(
                f"quantised, the file reaches {reached:.1f} dB against float Keras and "
                f"must reach {floor_db:g} dB, even with every layer kept in float32: "
                "is the model trained?"
            )
        best = max(gains, key=gains.__getitem__)
        remaining.remove(best)
        kept_float += best.names
        content = quantizer.quantize(kept_float)
    return content, kept_float


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences the progress bars, sizes and debugging warnings of the quantizer."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(level)
