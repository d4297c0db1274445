"""Image files as a source: they are checked, then read or streamed.

An example is a tuple of files, and each file gives one image or the halves of it.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import rich.console
import rich.progress
import tensorflow as tf

from tfgen.data import images, pipeline
from tfgen.data.sources import Source
from tfgen.errors import UserError

_FEW_FILES = 1000  # below, no progress is shown

T = TypeVar("T")
Shape = tuple[int, int, int]


def open_files(
    name: str,
    examples: Sequence[tuple[Path, ...]],
    fit: images.Fit,
    skip_bad_images: bool,
    parts: Sequence[str] = (images.WHOLE,),
    class_ids: Sequence[int] | None = None,
) -> Source:
    """Returns the examples that the files make, after a look at each file.

    Args:
        name: Of the source, for messages.
        examples: The files of each example.
        fit: What every image is made to be.
        skip_bad_images: Whether to leave out examples with a file that cannot be read.
        parts: Which parts of each file are images.
        class_ids: The label of each example, if there are labels.

    Raises:
        UserError: A damaged file, one that does not hold the parts, or images that
            differ in size or channels where `fit` does not settle it.
    """
    shapes = _check_files(name, examples, fit, skip_bad_images, parts)
    good = [i for i, shape in enumerate(shapes) if shape]
    examples = [tuple(map(str, examples[i])) for i in good]
    shape = _common_shape(
        (path, shape)
        for i, paths in zip(good, examples, strict=True)
        for path, shape in zip(paths, shapes[i], strict=True)
    )
    num_images = len(examples[0]) * len(parts)
    ids = None if class_ids is None else np.array([class_ids[i] for i in good], "int32")

    def decode(paths: Iterable[str]) -> tuple[np.ndarray, ...]:
        return tuple(x for path in paths for x in images.read_image(path, fit, parts))

    def read() -> tuple[np.ndarray, ...]:
        arrays = tuple(
            np.empty((len(examples), *shape), np.uint8) for _ in range(num_images)
        )
        for i, decoded in enumerate(_map_files(decode, examples, "Decoding images")):
            for array, image in zip(arrays, decoded, strict=True):
                array[i] = image
        return arrays if ids is None else (*arrays, ids)

    def load(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        decoded = tf.numpy_function(
            lambda paths: decode(path.decode() for path in paths),
            [tf.gather(examples, index)],
            [tf.uint8] * num_images,
        )
        decoded = tuple(tf.ensure_shape(image, shape) for image in decoded)
        return decoded if ids is None else (*decoded, tf.gather(ids, index))

    def stream(seed: tf.Tensor | None) -> tf.data.Dataset:
        indices = tf.range(len(examples))
        if seed is not None:
            indices = pipeline.permute(indices, seed)
        indices = tf.data.Dataset.from_tensor_slices(indices)
        return indices.map(load, num_parallel_calls=pipeline.PARALLEL_CALLS)

    return Source(name, len(examples), shape, read, stream, num_images)


def part_shape(path: Path, parts: Sequence[str]) -> Shape:
    """Returns the shape of each part of a file, from its header.

    Raises:
        UserError: The file is no image, or does not hold the parts.
    """
    shape = images.read_shape(path)
    if images.WHOLE in parts:
        return shape
    height, width, channels = shape
    if not images.is_side_by_side(shape):
        raise UserError(
            f"{path} is {width} pixels wide and {height} high: a file with two images "
            "side by side is wider than high and of an even width. Or pass a folder "
            "with the sub-folders a/ and b/"
        )
    return height, width // 2, channels


def _check_files(
    name: str,
    examples: Sequence[tuple[Path, ...]],
    fit: images.Fit,
    skip: bool,
    parts: Sequence[str],
) -> list[list[Shape] | None]:
    """Returns for each example the shapes that its files give; None to leave it out.

    Reads headers only. Where bad images are to be left out it decodes every image, for
    only that tells how many there are, and an epoch's length must be known.
    """

    def check(paths: tuple[Path, ...]) -> list[Shape] | None:
        try:
            shapes = [fit.shape_of(*part_shape(path, parts)) for path in paths]
            if skip:
                for path in paths:
                    images.read_image(path, fit, parts)
        except images.DamagedImageError:
            if skip:
                return None
            raise
        return shapes

    shapes = list(_show(map(check, examples), len(examples), "Checking images"))
    num_bad = shapes.count(None)
    noun = "images" if len(examples[0]) == 1 else "pairs of images"
    if num_bad == len(examples):
        raise UserError(f"None of the {num_bad} {noun} in {name} can be read")
    if num_bad:
        first = " with ".join(map(str, examples[shapes.index(None)]))
        warnings.warn(
            f"{num_bad} of {len(examples)} {noun} in {name} cannot be read and are "
            f"left out, {first} for one",
            stacklevel=2,
        )
    return shapes


def _common_shape(shapes: Iterable[tuple[str, Shape]]) -> Shape:
    shapes = iter(shapes)
    first, shape = next(shapes)
    for path, other in shapes:
        if other[2] != shape[2]:
            raise UserError(
                f"Images differ in channels: {first} has {shape[2]} and {path} has "
                f"{other[2]}. Pass channels=1, 3 or 4 to convert them"
            )
        if other != shape:
            raise UserError(
                f"Images differ in size (height, width): {first} has {shape[:2]} and "
                f"{path} has {other[:2]}. Pass image_size to crop and resize them"
            )
    return shape


def _map_files(
    function: Callable[[tuple[str, ...]], T],
    examples: Sequence[tuple[str, ...]],
    description: str,
) -> Iterator[T]:
    # Pillow decodes outside Python's global lock, so threads are enough.
    with ThreadPoolExecutor(pipeline.PARALLEL_CALLS) as pool:
        yield from _show(pool.map(function, examples), len(examples), description)


def _show(items: Iterable[T], total: int, description: str) -> Iterable[T]:
    console = rich.console.Console(stderr=True)
    disable = total < _FEW_FILES or not console.is_terminal
    return rich.progress.track(
        items, description, total, console=console, transient=True, disable=disable
    )
