"""A folder of image files as a source: files are checked, then read or streamed."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import rich.console
import rich.progress
import tensorflow as tf

from tfgen.data import images, pipeline
from tfgen.data.layout import find_files, list_classes
from tfgen.data.sources import Source
from tfgen.errors import UserError

_FEW_FILES = 1000  # below, no progress is shown

T = TypeVar("T")


def open_folder(
    folder: Path, split: str, fit: images.Fit, labels: bool, skip_bad_images: bool
) -> Source:
    """Returns one split of a folder, its files checked.

    Raises:
        UserError: No such split, no images, no classes, a damaged file, or images
            that differ in size or channels where `fit` does not settle it.
    """
    base, paths = find_files(folder, split)
    class_ids = None
    if labels:
        names = list_classes(folder)
        class_ids = [_class_of(path, base, folder, names) for path in paths]
    shapes = _check_files(folder, paths, fit, skip_bad_images)
    good = [i for i, shape in enumerate(shapes) if shape]
    paths = [str(paths[i]) for i in good]
    shape = _common_shape(dict(zip(paths, (shapes[i] for i in good), strict=True)))
    ids = np.array([class_ids[i] for i in good], np.int32) if labels else None

    def read() -> tuple[np.ndarray, ...]:
        pixels = np.empty((len(paths), *shape), np.uint8)
        decode = lambda path: images.read_image(path, fit)  # noqa: E731
        for i, image in enumerate(_map_files(decode, paths, "Decoding images")):
            pixels[i] = image
        return (pixels, ids) if labels else (pixels,)

    def stream(seed: tf.Tensor | None) -> tf.data.Dataset:
        return _stream_files(paths, ids, shape, fit, seed)

    return Source(str(folder), len(paths), shape, labels, read, stream)


def _class_of(path: Path, base: Path, folder: Path, names: list[str]) -> int:
    if not names:
        raise UserError(
            f"{folder} has no labels: labels=True needs one sub-folder a class"
        )
    top = path.relative_to(base).parts[0]
    if top not in names:
        raise UserError(
            f"{path} has no label: labels=True needs every image in a class's "
            f"sub-folder of {base}"
        )
    return names.index(top)


def _check_files(
    folder: Path, paths: list[Path], fit: images.Fit, skip: bool
) -> list[tuple[int, int, int] | None]:
    """Returns the shapes the images will have; None for those to leave out.

    Reads headers only. Where bad images are to be left out it decodes every image, for
    only that tells how many there are, and an epoch's length must be known.
    """

    def check(path: Path) -> tuple[int, int, int] | None:
        try:
            shape = fit.shape_of(*images.read_shape(path))
            if skip:
                images.read_image(path, fit)
        except images.DamagedImageError:
            if skip:
                return None
            raise
        return shape

    shapes = list(_show(map(check, paths), len(paths), "Checking images"))
    num_bad = shapes.count(None)
    if num_bad == len(paths):
        raise UserError(f"None of the {num_bad} images in {folder} can be read")
    if num_bad:
        first = paths[shapes.index(None)]
        warnings.warn(
            f"{num_bad} of {len(paths)} images in {folder} cannot be read and are "
            f"left out, {first} for one",
            stacklevel=2,
        )
    return shapes


def _common_shape(shapes: dict[str, tuple[int, int, int]]) -> tuple[int, int, int]:
    first, shape = next(iter(shapes.items()))
    for path, other in shapes.items():
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


def _stream_files(
    paths: list[str],
    ids: np.ndarray | None,
    shape: tuple[int, int, int],
    fit: images.Fit,
    seed: tf.Tensor | None,
) -> tf.data.Dataset:
    indices = tf.range(len(paths))
    if seed is not None:
        indices = pipeline.permute(indices, seed)

    def decode(path: bytes) -> np.ndarray:
        return images.read_image(path.decode(), fit)

    def load(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = tf.numpy_function(decode, [tf.gather(paths, index)], tf.uint8)
        image = tf.ensure_shape(image, shape)
        return (image,) if ids is None else (image, tf.gather(ids, index))

    examples = tf.data.Dataset.from_tensor_slices(indices)
    return examples.map(load, num_parallel_calls=pipeline.PARALLEL_CALLS)


def _map_files(
    function: Callable[[str], T], paths: list[str], description: str
) -> Iterator[T]:
    # Pillow decodes outside Python's global lock, so threads are enough.
    with ThreadPoolExecutor(pipeline.PARALLEL_CALLS) as pool:
        yield from _show(pool.map(function, paths), len(paths), description)


def _show(items: Iterable[T], total: int, description: str) -> Iterable[T]:
    console = rich.console.Console(stderr=True)
    disable = total < _FEW_FILES or not console.is_terminal
    return rich.progress.track(
        items, description, total, console=console, transient=True, disable=disable
    )
