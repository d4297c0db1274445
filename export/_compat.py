"""Every hook into private parts of LiteRT and its quantizer, one function each.

`tests/export/test_compat.py` fails when one of these parts moves. Nothing is imported
before it is used: the process that runs an exported file has few packages.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any


def operation_details(interpreter: Any) -> list[dict[str, Any]]:
    """Returns `op_name`, `inputs` and `outputs` of an interpreter's operations.

    Operations that a delegate made are called `DELEGATE`. No public call lists them.
    """
    return interpreter._get_ops_details()


def calibrate(recipe: Any, rows: Mapping[str, Iterable[Any]]) -> Any:
    """Returns the least and largest value of each tensor, for a quantizer's recipe.

    `recipe.calibrate` takes moving averages, which clip every value above the average
    row, and depend on the order of the rows.

    Args:
        recipe: An `ai_edge_quantizer.quantizer.Quantizer`.
        rows: Inputs of batch 1, by signature.
    """
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils

    calibration = calibrator.Calibrator(
        recipe._float_model_buffer,
        num_threads=2,
        # The other mode reads tensors that a fused activation leaves unallocated.
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=qsv_utils.min_max_update,
    )
    calibration.calibrate(rows, recipe._recipe_manager)
    return calibration.get_model_qsvs()


def hide_module(name: str) -> None:
    """Lets `import name` raise ImportError in this process.

    TensorFlow imports Keras when it can, and a server has none.
    """
    sys.modules[name] = None


def loaded_modules(names: Iterable[str]) -> set[str]:
    """Returns those of the modules that this process has imported."""
    return {name for name in names if sys.modules.get(name)}
