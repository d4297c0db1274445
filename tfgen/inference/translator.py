"""Models that translate images, run in batches on arrays."""

from typing import Any

import numpy as np

from tfgen.inference.endpoints import as_endpoints, make_seeds

_BATCH_PIXELS = 2**16  # of images in a batch to be translated: memory is theirs


class Translator:
    """A model that translates images, run in batches on arrays.

    Args:
        model: A model with the endpoint `translate`, or with `translate_ab` and
            `translate_ba`; or its `Endpoints`.
        direction: `"ab"` or `"ba"`: what a model with `translate` was trained on.
        seed: Integer, of the noise of a model whose dropout is on.
    """

    def __init__(self, model: Any, direction: str = "ab", seed: int = 0) -> None:
        self.endpoints = as_endpoints(model)
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
        """Returns translations of images `(n, height, width, channels)` in [0, 1].

        Args:
            images: Of the model's size, in [0, 1].
            direction: One of `directions`.
            start: Integer, the number of the first image among all: image i has the
                noise of `seed * 2**32 + i`, whatever the batch.
        """
        name = self._names[direction]
        height, width = images.shape[1:3]
        seeds = None
        if name == "sample":
            seeds = make_seeds(self.seed, start, start + len(images))
        batch_size = max(1, _BATCH_PIXELS // (height * width))
        outputs = self.endpoints.run(name, images, seeds, batch_size=batch_size)
        return outputs["images"]


def translate(
    model: Any, images: np.ndarray, direction: str | None = None, seed: int = 0
) -> np.ndarray:
    """Returns translations of images `(n, height, width, channels)` in [0, 1].

    Args:
        model: A model that translates images, or its `Endpoints`.
        images: Of the model's size.
        direction: `"ab"` or `"ba"`, of a model that translates both ways.
        seed: Integer, of the noise of a model whose dropout is on.
    """
    translator = Translator(model, direction or "ab", seed)
    return translator(images, direction or translator.directions[0])
