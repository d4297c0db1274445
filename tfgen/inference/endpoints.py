"""Served endpoints, run in batches on arrays."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfgen.errors import UserError

BATCH_SIZE = 256  # rows of an array that are run at a time


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

    @property
    def takes_labels(self) -> bool:
        """Whether the model is conditional: its endpoints want a label an image."""
        return getattr(self.model, "num_classes", None) is not None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images that an endpoint takes."""
        for function in self.functions.values():
            for spec in function.input_signature:
                if spec.name == "images":
                    return tuple(spec.shape[1:])
        raise UserError(
            f"{type(self.model).__name__} has no endpoint that takes images"
        )

    @property
    def has_latents(self) -> bool:
        """Whether images are encoded to latents, and decoded from them: not codes."""
        return {"encode", "decode"} <= set(self.functions) and not self.has_codes

    @property
    def has_codes(self) -> bool:
        """Whether images are encoded to discrete codes."""
        decode = self.functions.get("decode")
        return decode is not None and decode.input_signature[0].name == "codes"

    def require(self, *names: str, why: str) -> None:
        """Raises a UserError unless the model has all these endpoints."""
        missing = [name for name in names if name not in self.functions]
        if missing:
            kind = type(self.model).__name__
            raise UserError(f"{kind} has no {' and no '.join(missing)} endpoint: {why}")
        if "decode" in names and self.has_codes:
            raise UserError(
                f"{type(self.model).__name__} has discrete codes in place of latents: "
                "nothing lies between them"
            )

    def run(
        self, name: str, *inputs: np.ndarray | None, batch_size: int = BATCH_SIZE
    ) -> dict[str, np.ndarray]:
        """Returns an endpoint's outputs by name, for inputs of any length.

        Args:
            name: Of the endpoint.
            *inputs: Arrays `(n, ...)` in the order of the endpoint's inputs. Those that
                are None, or beyond its inputs, are left out: labels that it does not
                take.
            batch_size: Integer, rows that are run at a time.

        Raises:
            UserError: There are no rows.
        """
        batches = list(self.iterate(name, *inputs, batch_size=batch_size))
        if not batches:
            raise UserError(f"{name}: there is nothing to run it on, 0 rows were given")
        return {
            output: np.concatenate([batch[output] for batch in batches])
            for output in batches[0]
        }

    def iterate(
        self, name: str, *inputs: np.ndarray | None, batch_size: int = BATCH_SIZE
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields the outputs that `run` returns, batch by batch.

        A function takes batches of any size: it is traced once.
        """
        function = self.functions[name]
        arrays = [array for array in inputs if array is not None]
        dtypes = [spec.dtype.as_numpy_dtype for spec in function.input_signature]
        arrays = arrays[: len(dtypes)]
        for start in range(0, len(arrays[0]), batch_size):
            rows = slice(start, start + batch_size)
            batch = [
                np.asarray(array[rows], dtype)
                for array, dtype in zip(arrays, dtypes, strict=True)
            ]
            yield {key: np.asarray(x) for key, x in function(*batch).items()}

    def sample(
        self,
        num: int,
        seed: int,
        labels: np.ndarray | None = None,
        start: int = 0,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Returns images `start` to `num`, as they are served.

        Image i is the served sample of `seed * 2**32 + i`.

        Args:
            num: Integer.
            seed: Integer in [0, 2**31).
            labels: Integers `(num,)`; by default the classes in turn, if there are any.
            start: Integer, below `num`.
            truncation: Float in [0, 1], which latents' distances from their mean are
                multiplied by; None for what is served.
        """
        batches = self.iterate_samples(num, seed, labels, start, truncation)
        return np.concatenate(list(batches))

    def iterate_samples(
        self,
        num: int,
        seed: int,
        labels: np.ndarray | None = None,
        start: int = 0,
        truncation: float | None = None,
    ) -> Iterator[np.ndarray]:
        """Yields the images that `sample` returns, batch by batch."""
        labels = self.labels(num, labels)
        labels = None if labels is None else labels[start:]
        seeds = make_seeds(seed, start, num)
        if truncation is None:
            for outputs in self.iterate("sample", seeds, labels):
                yield outputs["images"]
            return
        for first in range(0, len(seeds), BATCH_SIZE):
            rows = slice(first, first + BATCH_SIZE)
            inputs = [seeds[rows], np.float32(truncation)]
            inputs += [] if labels is None else [np.asarray(labels[rows], np.int32)]
            yield np.asarray(self._truncated(*inputs))

    @functools.cached_property
    def _truncated(self) -> Any:
        """Samples of seeds, a truncation and, of a conditional model, labels."""
        import tensorflow as tf

        seeds, *labels = self.functions["sample"].input_signature
        signature = [seeds, tf.TensorSpec((), tf.float32), *labels]
        return tf.function(
            lambda seeds, truncation, labels=None: self.model.sample_of_seeds(
                seeds, labels, truncation
            ),
            input_signature=signature,
            autograph=False,
        )

    def labels(self, num: int, labels: np.ndarray | None = None) -> np.ndarray | None:
        """Returns labels for `num` images: those given, or the classes in turn."""
        if labels is not None or not self.takes_labels:
            return labels
        return np.arange(num, dtype="int32") % self.model.num_classes


def make_seeds(seed: int, start: int, stop: int) -> np.ndarray:
    """Returns the seeds of images `start` to `stop`: `seed * 2**32 + i`, int64.

    Raises:
        UserError: The seed is below 0, or so large that seeds would repeat.
    """
    if not 0 <= seed < 2**31:
        raise UserError(f"seed {seed}: it must be at least 0 and below 2**31")
    return np.int64(seed) * 2**32 + np.arange(start, stop, dtype="int64")


def as_endpoints(model: Any) -> Endpoints:
    """Returns a model's endpoints, or those that were given."""
    return model if isinstance(model, Endpoints) else Endpoints(model)
