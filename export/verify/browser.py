"""Runs exported files in a browser, by the folder's own page, on golden examples."""

import base64
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from export.errors import ExportError
from export.verify import golden
from export.verify.chromium import Page, open_page
from export.web.server import serving

Answer = tuple[dict[str, Any], dict[str, golden.Arrays]]

FORMAT = 2  # of `models.json`, and of what `answers.js` finds in the page's scripts

_ANSWERS = (pathlib.Path(__file__).parent / "answers.js").read_text(encoding="utf-8")
_GPU = ("--enable-unsafe-webgpu",)  # what Chromium asks for on Linux
_IS_ON_GPU = (
    "import(new URL('web/runtime.js', document.baseURI))"
    ".then(({ state }) => state.runtime.gpu)"
)
_TYPES = {"Float32Array": "<f4", "Int32Array": "<i4", "Uint8Array": "|u1"}


def run(
    directory: pathlib.Path, timeout: float, gpu: bool = False
) -> Iterator[tuple[str, str, Answer | ExportError]]:
    """Runs every .tflite file of a folder's page, row by row.

    Args:
        directory: An exported folder with a page.
        timeout: Seconds that the page, and each file, may take.
        gpu: Whether they run on WebGPU too, where the browser has an adapter for it.

    Yields:
        The backend, `"browser"` (Wasm) or `"browser-gpu"`; the path; and what
        `export.verify.runner` reports and the outputs by endpoint and name, or why the
        file cannot be run.

    Raises:
        ExportError: There is no browser, or the page does not start. The message is
            the page's own.
    """
    paths = files_of(directory)
    flags = _GPU if gpu else ("--disable-gpu",)
    with serving(directory) as address, open_page(*flags) as page:
        for place in ("cpu", "gpu") if gpu else ("cpu",):
            page.open(f"{address}index.html?on={place}", timeout)
            if place == "gpu" and not page.evaluate(_IS_ON_GPU):
                return
            backend = {"cpu": "browser", "gpu": "browser-gpu"}[place]
            for path in paths:
                try:
                    yield backend, path, _ask(page, path, timeout)
                except ExportError as error:
                    problem = f"cannot be run in the browser: {error}"
                    yield backend, path, ExportError(problem)


def files_of(directory: pathlib.Path) -> list[str]:
    """Returns the paths of the .tflite files that a folder's page runs.

    Raises:
        ExportError: The folder has no page, or one of another version.
    """
    try:
        text = (directory / "web/models.json").read_text(encoding="utf-8")
        described = json.loads(text)
        if described["format"] != FORMAT:
            raise ExportError(
                f"{directory}: the page is of another version of tfgen: make it again"
            )
        files = [file for model in described["models"] for file in model["files"]]
        return [file["path"] for file in files if file["format"] == "tflite"]
    except FileNotFoundError:
        raise ExportError(
            f"{directory} has no page: export with the format web"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{directory}: web/models.json is damaged") from error


def _ask(page: Page, path: str, timeout: float) -> Answer:
    answer = page.evaluate(f"({_ANSWERS})({json.dumps(path)})", timeout)
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
        "latency_ms": {name: min(times) for name, times in answer["times"].items()},
        "failures": {},
    }
    return report, outputs


def _decode(tensor: dict[str, Any]) -> np.ndarray:
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, _TYPES[tensor["type"]]).reshape(tensor["shape"])
