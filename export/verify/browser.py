"""Runs exported files in a browser, by the folder's own page, on golden examples."""

import base64
import json
import pathlib
from typing import Any

import numpy as np

from export.errors import ExportError
from export.verify import golden
from export.verify.chromium import Page, open_page
from export.web.server import serving

_TYPES = {"Float32Array": "<f4", "Int32Array": "<i4", "Uint8Array": "|u1"}


def run(
    directory: pathlib.Path, timeout: float
) -> dict[str, tuple[dict[str, Any], dict[str, golden.Arrays]] | ExportError]:
    """Runs every .tflite file of a folder's page, row by row, on the Wasm backend.

    Args:
        directory: An exported folder with a page.
        timeout: Seconds that the page, and each file, may take.

    Returns:
        By path: what `export.verify.runner` reports and the outputs by endpoint and
        name; or why the file cannot be run.

    Raises:
        ExportError: There is no browser, or the page does not start. The message is
            the page's own.
    """
    paths = files_of(directory)
    answers: dict[str, Any] = {}
    with serving(directory) as address, open_page() as page:
        page.open(f"{address}index.html", timeout)
        for path in paths:
            try:
                answers[path] = _ask(page, path, timeout)
            except ExportError as error:
                answers[path] = ExportError(f"cannot be run in the browser: {error}")
    return answers


def files_of(directory: pathlib.Path) -> list[str]:
    """Returns the paths of the .tflite files that a folder's page runs.

    Raises:
        ExportError: The folder has no page.
    """
    try:
        text = (directory / "web/models.json").read_text(encoding="utf-8")
        models = json.loads(text)["models"]
        files = [file for model in models for file in model["files"]]
        return [file["path"] for file in files if file["format"] == "tflite"]
    except FileNotFoundError:
        raise ExportError(
            f"{directory} has no page: export with the format web"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{directory}: web/models.json is damaged") from error


def _ask(page: Page, path: str, timeout: float) -> tuple[Any, Any]:
    answer = page.evaluate(f"window.tfgen.answers({json.dumps(path)})", timeout)
    outputs = {
        endpoint: {
            name: np.concatenate([_decode(row[name]) for row in rows])
            for name in rows[0]
        }
        for endpoint, rows in answer["endpoints"].items()
    }
    report = {
        "runtime": answer["runtime"],
        "endpoints": answer["names"],
        "latency_ms": answer["latency_ms"],
        "failures": {},
    }
    return report, outputs


def _decode(tensor: dict[str, Any]) -> np.ndarray:
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, _TYPES[tensor["type"]]).reshape(tensor["shape"])
