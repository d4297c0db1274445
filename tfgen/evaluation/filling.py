"""The trivial answer to a hole in an image: it is filled smoothly from its border."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.degradations import has_step, read_steps


def make_filler(config: Any) -> Callable[[np.ndarray, int], np.ndarray] | None:
    """Returns a function that fills the holes of a run's test images.

    It takes inputs `(n, height, width, channels)` in [0, 1] and the number of the first
    in the fixed order, and solves the biharmonic equation in the holes, as
    `skimage.restoration.inpaint_biharmonic` does.

    Args:
        config: The run's `Config`.

    Returns:
        None where inputs have no holes, or scikit-image is not installed.
    """
    if not has_step(config.degrade, "mask") or not importlib.util.find_spec("skimage"):
        return None
    from skimage.restoration import inpaint_biharmonic

    from tfgen.data.degrade import find_holes

    steps = read_steps(config.degrade)

    def fill(images: np.ndarray, start: int) -> np.ndarray:
        holes = find_holes(steps, images.shape[1:], config.seed, start, len(images))
        filled = [
            inpaint_biharmonic(image, hole, channel_axis=-1)
            for image, hole in zip(images, holes, strict=True)
        ]
        return np.clip(np.stack(filled), 0.0, 1.0).astype(np.float32)

    return fill
