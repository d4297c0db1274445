"""The exceptions of `export`."""

from collections.abc import Sequence
from typing import Any


class ExportError(RuntimeError):
    """A model cannot be exported as asked. The message says why, and what to do."""


class CheckError(ExportError):
    """An exported file does not do what Keras did.

    Args:
        message: A line for each failure: file, endpoint, difference, tolerance.
        results: Every row of the check, those that passed included.
    """

    def __init__(self, message: str, results: Sequence[Any] = ()):
        super().__init__(message)
        self.results = list(results)
