"""Starts the process that runs an exported file, and survives its end."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from export.errors import ExportError
from export.verify import golden


def run(
    file: pathlib.Path, timeout: float, latency_seconds: float
) -> tuple[dict[str, Any], dict[str, golden.Arrays]]:
    """Runs a SavedModel folder or .tflite file; see `export.verify.runner`.

    Returns:
        The report, and the outputs by endpoint and name.

    Raises:
        ExportError: The process raised, crashed, or took longer than `timeout` seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            # Not `resolve`: in the store of a model hub a file is a link to one without
            # a suffix.
            child = start(file.absolute(), folder, latency_seconds, timeout)
        except subprocess.TimeoutExpired:
            raise ExportError(f"cannot be run: no answer in {timeout:g} s") from None
        if child.returncode:
            raise ExportError(f"cannot be run: {_cause(child)}")
        report = json.loads((pathlib.Path(folder) / "report.json").read_text())
        outputs: dict[str, golden.Arrays] = {}
        with np.load(pathlib.Path(folder) / "outputs.npz") as arrays:
            for key in arrays.files:
                endpoint, name = key.split("/", 1)
                outputs.setdefault(endpoint, {})[name] = arrays[key]
        return report, outputs


def start(
    file: pathlib.Path, folder: str, latency_seconds: float, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Runs `export.verify.runner` in a new interpreter, and waits for its end."""
    command = [sys.executable, "-m", f"{__package__}.runner"]
    return subprocess.run(
        [*command, str(file), folder, str(latency_seconds)],
        cwd=folder,  # `-m` searches it first: no file there shadows a module
        env=_environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


def _environment() -> dict[str, str]:
    """The child finds this `export`, installed or not; the log keeps errors only."""
    here = str(pathlib.Path(__file__).resolve().parents[2])
    path = [entry for entry in [os.environ.get("PYTHONPATH"), here] if entry]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(path)}


def _cause(child: subprocess.CompletedProcess[str]) -> str:
    if child.returncode < 0:
        number = -child.returncode
        return f"the process died of signal {number} ({signal.strsignal(number)})"
    raised = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", child.stderr, re.MULTILINE)
    lines = raised or child.stderr.strip().splitlines()
    return lines[-1] if lines else f"the process ended with {child.returncode}"
