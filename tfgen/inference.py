"""The pictures of a model, made with the endpoints that it serves."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.figures import pictures

BATCH_SIZE = 256  # rows of an array that are run at a time
_BATCH_PIXELS = 2**18  # of images in a batch to be translated


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
        self,
        name: str,
        inputs: np.ndarray,
        others: np.ndarray | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> dict[str, np.ndarray]:
        """Returns an endpoint's outputs for `inputs` `(n, ...)` of any length.

        Args:
            name: Of the endpoint.
            inputs: Its first input.
            others: Its second, labels or seeds, if it has one.
            batch_size: Integer, rows that are run at a time.
        """
        parts = list(self.iterate(name, inputs, others, batch_size))
        return {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}

    def iterate(
        self,
        name: str,
        inputs: np.ndarray,
        others: np.ndarray | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields the outputs that `run` returns, batch by batch.

        A function takes batches of any size: it is traced once, the last one included.
        """
        function = self.functions[name]
        specs = function.input_signature
        for start in range(0, len(inputs), batch_size):
            rows = slice(start, start + batch_size)
            given = [array[rows] for array in (inputs, others) if array is not None]
            arguments = [
                np.asarray(array, spec.dtype.as_numpy_dtype)
                for array, spec in zip(given, specs, strict=True)
            ]
            yield {n: np.asarray(x) for n, x in function(*arguments).items()}

    def sample(
        self, num: int, seed: int, labels: np.ndarray | None = None, start: int = 0
    ) -> np.ndarray:
        """Returns images `start` to `num`, as they are served.

        Image i is the served sample of `seed * 2**32 + i`. Labels, if given, are those
        of the images from 0.
        """
        return np.concatenate(list(self.iterate_samples(num, seed, labels, start)))

    def iterate_samples(
        self, num: int, seed: int, labels: np.ndarray | None = None, start: int = 0
    ) -> Iterator[np.ndarray]:
        """Yields the images that `sample` returns, batch by batch."""
        seeds = np.int64(seed) * 2**32 + np.arange(start, num, dtype="int64")
        labels = self.labels(num, labels)
        labels = None if labels is None else labels[start:]
        for outputs in self.iterate("sample", seeds, labels):
            yield outputs["images"]

    def labels(self, num: int, labels: np.ndarray | None = None) -> np.ndarray | None:
        """Returns labels for `num` images: those given, or the classes in turn."""
        num_classes = getattr(self.model, "num_classes", None)
        if num_classes is None or labels is not None:
            return labels
        return np.arange(num, dtype="int32") % num_classes


class Translator:
    """A model that translates images, run in batches on arrays.

    Args:
        model: A model with the endpoint `translate`, or with `translate_ab` and
            `translate_ba`.
        direction: `"ab"` or `"ba"`: what a model with `translate` was trained on.
        seed: Integer, of the noise of a model whose dropout is on.
    """

    def __init__(self, model: Any, direction: str = "ab", seed: int = 0) -> None:
        self.endpoints = Endpoints(model)
        self.seed = seed
        self.is_two_way = "translate_ab" in self.endpoints
        if self.is_two_way:
            self._names = {d: f"translate_{d}" for d in ("ab", "ba")}
        else:
            self.endpoints.require("translate", why="it does not translate images")
            is_noisy = "sample" in self.endpoints
            self._names = {direction: "sample" if is_noisy else "translate"}

    @property
    def directions(self) -> list[str]:
        """The directions that it translates in."""
        return list(self._names)

    def __call__(
        self, images: np.ndarray, direction: str, start: int = 0
    ) -> np.ndarray:
        """Returns translations of `images` `(n, height, width, channels)`.

        They are number `start` and those after it of all, each with its own noise.
        """
        name = self._names[direction]
        height, width = images.shape[1:3]
        batch_size = max(1, _BATCH_PIXELS // (height * width))
        seeds = np.int64(self.seed) * 2**32 + np.arange(len(images), dtype="int64")
        seeds += start
        extra = seeds if name == "sample" else None
        return self.endpoints.run(name, images, extra, batch_size)["images"]


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


def make_translation_panels(
    translator: Translator, images: np.ndarray, targets: np.ndarray, aligned: bool
) -> Callable[[], dict[str, np.ndarray]]:
    """Returns a function that pictures fixed images and what the model makes of them.

    Args:
        translator: Of the model.
        images: `(n, height, width, channels)` in `[0, 1]`: inputs, or images of A.
        targets: `(m, height, width, channels)`: targets, or images of B.
        aligned: Whether they are pairs, so that the targets are the truth.
    """

    def panels() -> dict[str, np.ndarray]:
        found = {}
        for direction in translator.directions:
            # What a one-way model takes and returns is in the order of its direction.
            is_back = translator.is_two_way and direction == "ba"
            inputs, truth = (targets, images) if is_back else (images, targets)
            rows = {"input": inputs, "output": translator(inputs, direction)}
            if aligned:
                rows["truth"] = truth
            if translator.is_two_way:
                rows["and back"] = translator(rows["output"], direction[::-1])
            title = f"{' to '.join(direction)}, from above: {', '.join(rows)}"
            together = np.concatenate(list(rows.values()))
            found[title] = pictures.tile(together, columns=len(inputs))
        return found

    return panels
