"""How far the answers of an exported file are from those that Keras gave."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from export.verify import golden

# Pixels of encoded images are whole: a tiny difference may round to the next level.
_LEVEL = 1 / 255


def judge(
    name: str,
    expected: Mapping[str, golden.Golden],
    answered: Mapping[str, Any],
    outputs: Mapping[str, golden.Arrays],
) -> dict[str, Any]:
    """Returns the fields of an endpoint's row; see `export.check.CheckResult`.

    Args:
        name: The endpoint.
        expected: What Keras answered, by endpoint.
        answered: What `export.verify.runner` reports.
        outputs: The file's answers, by endpoint.
    """
    if name not in expected:
        return {"problem": "missing from the golden record"}
    if name not in answered["endpoints"]:
        return {"problem": "missing from the file"}
    if name in answered["failures"]:
        return {"problem": f"cannot be run: {answered['failures'][name]}"}
    return {
        "latency_ms": answered["latency_ms"][name],
        "runtimes": answered.get("runtimes", {}).get(name, {}),
        "graph": answered.get("graph", {}).get(name, {}),
        **compare(expected[name].outputs, outputs.get(name, {})),
    }


def compare(expected: golden.Arrays, answers: golden.Arrays) -> dict[str, Any]:
    """Returns the largest difference and the least PSNR, or why there is none."""
    if not expected:
        return {"problem": "the golden record has no outputs of it"}
    if set(expected) != set(answers):
        return {"problem": f"gives {sorted(answers)}, and Keras {sorted(expected)}"}
    largest, least = 0.0, None
    for name, array in expected.items():
        answer = answers[name]
        if problem := _mismatch(name, array, answer):
            return {"problem": problem}
        if array.dtype.kind == "S":
            gap = _compare_strings(array, answer)
        else:
            gap = np.abs(answer.astype(np.float64) - array.astype(np.float64))
            ratio = golden.psnr(name, array, answer)
            least = ratio if least is None else min(least, ratio)
        largest = max(largest, float(gap.max(initial=0.0)))
    return {"difference": largest, "psnr": least}


def _mismatch(name: str, expected: np.ndarray, answer: np.ndarray) -> str:
    if expected.shape != answer.shape:
        return f"'{name}' is {answer.shape}, in Keras {expected.shape}"
    if not expected.size:
        return f"the golden record of '{name}' is empty"
    if expected.dtype.kind != answer.dtype.kind:
        return f"'{name}' is {answer.dtype}, in Keras {expected.dtype}"
    if expected.dtype.kind == "S":
        return ""
    if not np.isfinite(expected).all():
        return f"Keras itself gave NaN or infinity in '{name}'"
    if not np.isfinite(answer).all():
        return f"NaN or infinity in '{name}'"
    return ""


def _compare_strings(expected: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Returns differences of pixels in [0, 1]; infinity where one is not an image."""
    gaps = []
    for one, other in zip(expected.flat, answers.flat, strict=True):
        if one == other:
            continue
        pixels, answered = _decode(one), _decode(other)
        if pixels is None or answered is None or pixels.shape != answered.shape:
            return np.array([np.inf])
        gaps.append(max(0.0, np.abs(pixels - answered).max() - _LEVEL))
    return np.array(gaps)


def _decode(value: bytes) -> np.ndarray | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(value)) as image:
            return np.asarray(image, np.float64) / 255
    except Exception:  # Pillow raises errors of many types on damaged files
        return None
