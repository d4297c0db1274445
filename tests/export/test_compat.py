"""Private parts of LiteRT and its quantizer are where `export._compat` expects them."""

import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export import _compat


def test_operations_of_an_interpreter_are_listed(shipped):
    interpreter = Interpreter(model_path=str(shipped.tflite))
    interpreter.allocate_tensors()
    details = _compat.operation_details(interpreter)
    assert all({"op_name", "inputs", "outputs"} <= set(one) for one in details)
    assert "DELEGATE" in {one["op_name"] for one in details}


@pytest.mark.parametrize("order", [1, -1])
def test_calibration_finds_the_extremes_in_any_order(shipped, order):
    from ai_edge_quantizer import qtyping, quantizer

    recipe = quantizer.Quantizer(shipped.tflite.read_bytes())
    recipe.add_static_config(".*", qtyping.TFLOperationName.FULLY_CONNECTED, 8, 8)
    rows = [
        {"latents": np.full((1, 4), value, np.float32)} for value in (-1.0, 0.25, 9.0)
    ]
    ranges = _compat.calibrate(recipe, {"decode": rows[::order]})
    (inputs,) = [found for name, found in ranges.items() if "decode_latents" in name]
    assert (float(inputs["min"].min()), float(inputs["max"].max())) == (-1.0, 9.0)


def test_hidden_modules_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "colorsys", None)  # restores it in the end
    del sys.modules["colorsys"]
    assert _compat.loaded_modules({"colorsys", "sys"}) == {"sys"}
    _compat.hide_module("colorsys")
    with pytest.raises(ImportError):
        __import__("colorsys")
    assert _compat.loaded_modules({"colorsys", "sys"}) == {"sys"}
