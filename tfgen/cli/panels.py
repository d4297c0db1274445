"""The pictures of a model, made with the endpoints that it serves."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen import pictures
from tfgen.errors import UserError

_BATCH_SIZE = 256


class Endpoints:
    """A model's served functions, run in batches on arrays.

    Args:
        model: A model with `signatures()`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.functions = model.signatures()

    def __contains__(self, name: str) -> bool:
        return name in self.functions

    def require(self, *names: str, why: str) -> None:
        """Raises a UserError if the model has not all these endpoints."""
        missing = [name for name in names if name not in self.functions]
        if missing:
            kind = type(self.model).__name__
            raise UserError(f"{kind} has no {' and no '.join(missing)} endpoint: {why}")

    def run(
        self, name: str, inputs: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Returns an endpoint's outputs for `inputs` `(n, ...)` of any length."""
        parts = []
        for start in range(0, len(inputs), _BATCH_SIZE):
            rows = slice(start, start + _BATCH_SIZE)
            arguments = [inputs[rows]]
            if labels is not None:
                arguments.append(np.asarray(labels[rows], "int32"))
            parts.append(self.functions[name](*arguments))
        names = parts[0]
        return {n: np.concatenate([np.asarray(p[n]) for p in parts]) for n in names}

    def sample(
        self, num: int, seed: int, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns `num` images: image i is the served sample of `seed * 2**32 + i`."""
        seeds = np.int64(seed) * 2**32 + np.arange(num, dtype="int64")
        return self.run("sample", seeds, self.labels(num, labels))["images"]

    def labels(self, num: int, labels: np.ndarray | None = None) -> np.ndarray | None:
        """Returns labels for `num` images: those given, or the classes in turn."""
        num_classes = getattr(self.model, "num_classes", None)
        if num_classes is None or labels is not None:
            return labels
        return np.arange(num, dtype="int32") % num_classes


def make_panels(
    model: Any, images: np.ndarray, labels: np.ndarray | None
) -> Callable[[], dict[str, np.ndarray]]:
    """Returns a function that pictures fixed samples and fixed reconstructions."""
    endpoints = Endpoints(model)

    def panels() -> dict[str, np.ndarray]:
        found = {}
        if "sample" in endpoints:
            found["samples"] = pictures.tile(endpoints.sample(40, seed=0), columns=10)
        if "reconstruct" in endpoints:
            found |= reconstruction_panels(endpoints, images, labels)
        return found

    return panels


def reconstruction_panels(
    endpoints: Endpoints, images: np.ndarray, labels: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Returns one panel: rows of test images, each above its reconstructions."""
    outputs = endpoints.run("reconstruct", images, labels)["images"]
    columns = min(10, len(images))
    rows = [
        part
        for start in range(0, len(images), columns)
        for part in (images[start : start + columns], outputs[start : start + columns])
    ]
    title = "test images, and below each its reconstruction"
    return {title: pictures.tile(np.concatenate(rows), columns)}
