"""Image files as a source: they are checked by their headers, then read or streamed.

An example is a tuple of files, and each file gives one image or the halves of it.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from tfgen.data import decode, pipeline
from tfgen.data.decode import Header
from tfgen.data.loading import Source
from tfgen.data.pixels import WHOLE, Fit
from tfgen.data.seeds import permute
from tfgen.errors import UserError
from tfgen.progress import Progress

_CHUNK = 32  # files that a thread decodes before it takes others
_LOOKED_AT = 32  # 16-bit images that are read to see whether all of them are dim

T = TypeVar("T")
Shape = tuple[int, int, int]


class ImageFiles:
    """Examples that are made of files, after a look at each file.

    Args:
        folder: Where they lie, for messages.
        examples: The files of each example.
        fit: What every image is made to be.
        parts: Which parts of each file are images.
        skip_bad_images: Whether to leave out examples with a file that cannot be read.
        progress: Shows how far reading is.

    Raises:
        UserError: A damaged file, one that does not hold the parts, or images that
            differ in size or channels where `fit` does not settle it.
    """

    def __init__(
        self,
        folder: Path,
        examples: Sequence[tuple[Path, ...]],
        fit: Fit,
        parts: Sequence[str],
        skip_bad_images: bool,
        progress: Progress,
    ):
        self.folder, self.examples = folder, examples
        self.fit, self.parts, self.progress = fit, parts, progress
        self.headers = self._read_headers(skip_bad_images)
        self.chosen = [i for i, headers in enumerate(self.headers) if headers]
        self.shape = self._common_shape()
        self._warn_of_content()

    def as_source(self, class_ids: Sequence[int] | None = None) -> Source:
        """Returns the examples as a source, with their labels if there are any."""
        count = len(self.chosen)
        num_images = len(self.examples[0]) * len(self.parts)
        depth = self.fit.depth
        dtypes = [tf.uint16 if depth == 16 else tf.uint8] * num_images
        labels = []
        if class_ids is not None:
            labels = [np.array([class_ids[i] for i in self.chosen], np.int32)]

        def read() -> tuple[np.ndarray, ...]:
            shape = (count, *self.shape)
            arrays = [pipeline.empty_images(shape, depth) for _ in range(num_images)]

            def fill(index: int) -> None:
                for array, image in zip(arrays, self._decode(index), strict=True):
                    array[index] = image

            for _ in self._show(_map(fill, range(count)), count, "Decoding images"):
                pass
            return *arrays, *labels

        def load(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
            images = tf.numpy_function(self._decode, [index], dtypes)
            images = (tf.ensure_shape(image, self.shape) for image in images)
            return *images, *(tf.gather(array, index) for array in labels)

        def stream(seed: tf.Tensor | None) -> tf.data.Dataset:
            indices = tf.range(count)
            if seed is not None:
                indices = permute(indices, seed)
            indices = tf.data.Dataset.from_tensor_slices(indices)
            return indices.map(load, num_parallel_calls=pipeline.PARALLEL_CALLS)

        what = str(self.folder), count, self.shape
        return Source(*what, read, stream, num_images, depth)

    def _decode(self, index: int) -> list[np.ndarray]:
        return [
            image
            for path in self.examples[self.chosen[index]]
            for image in decode.decode_image(path, self.fit, self.parts)
        ]

    def _read_headers(self, skip_bad_images: bool) -> list[list[Header] | None]:
        """Returns the headers of each example's files; None to leave it out.

        Where bad images are to be left out it decodes every image, for only that tells
        how many there are, and an epoch's length must be known.
        """

        def check(paths: tuple[Path, ...]) -> bool:
            try:
                for path in paths:
                    decode.decode_image(path, self.fit, self.parts)
            except decode.DamagedImageError:
                return False
            return True

        def read(paths: tuple[Path, ...]) -> list[Header] | None:
            try:
                return [_read_part(path, self.parts, self.fit) for path in paths]
            except decode.DamagedImageError:
                if not skip_bad_images:
                    raise
                return None

        count = len(self.examples)
        headers = map(read, self.examples)
        headers = list(self._show(headers, count, "Checking images"))
        if skip_bad_images:
            results = self._show(_map(check, self.examples), count, "Decoding images")
            headers = [
                header if is_good else None
                for header, is_good in zip(headers, results, strict=True)
            ]
        self._warn_of_bad_images(headers)
        return headers

    def _warn_of_bad_images(self, headers: list[list[Header] | None]) -> None:
        num_bad, num_examples = headers.count(None), len(headers)
        noun = "images" if len(self.examples[0]) == 1 else "pairs of images"
        if num_bad == num_examples:
            raise UserError(
                f"None of the {num_bad} {noun} in {self.folder} can be read"
            )
        if num_bad:
            first = self.examples[headers.index(None)]
            warnings.warn(
                f"{num_bad} of {num_examples} {noun} in {self.folder} cannot be read "
                f"and are left out, {' with '.join(map(decode.printable, first))} for "
                "one",
                stacklevel=2,
            )

    def _warn_of_content(self) -> None:
        """Warns of images that are almost black, and of pages that are not read."""
        pairs = [
            pair
            for i in self.chosen
            for pair in zip(self.examples[i], self.headers[i], strict=True)
        ]
        if self.fit.source_range is None and all(h.depth == "16" for _, h in pairs):
            paths = [path for path, _ in pairs]
            decode.warn_if_dim(paths[:: max(1, len(paths) // _LOOKED_AT)], self.folder)
        pages = [path for path, header in pairs if header.is_multipage]
        if pages:
            warnings.warn(
                f"Of {len(pages)} of the files in {self.folder}, which have several "
                f"pages or frames, the first is taken, {decode.printable(pages[0])} "
                "for one: to take all, save each as a file",
                stacklevel=2,
            )

    def _common_shape(self) -> Shape:
        shapes = (
            (path, self.fit.shape_of(*header.shape))
            for i in self.chosen
            for path, header in zip(self.examples[i], self.headers[i], strict=True)
        )
        first, shape = next(shapes)
        for path, other in shapes:
            if other == shape:
                continue
            what, one, another = "size (height, width)", shape[:2], other[:2]
            advice = "image_size to crop and resize them"
            if other[2] != shape[2]:
                what, one, another = "channels", shape[2], other[2]
                advice = "channels=1, 3 or 4 to convert them"
            raise UserError(
                f"Images differ in {what}: {decode.printable(first)} has {one} and "
                f"{decode.printable(path)} has {another}. Pass {advice}"
            )
        return shape

    def _show(self, items: Iterable[T], total: int, description: str) -> Iterable[T]:
        return self.progress(items, description, total)


def part_shape(path: Path, parts: Sequence[str]) -> Shape:
    """Returns the shape of each part of a file, from its header.

    Raises:
        UserError: The file is not an image, or does not hold the parts.
    """
    return _read_part(path, parts, None).shape


def _read_part(path: Path, parts: Sequence[str], fit: Fit | None) -> Header:
    """Returns a file's header, with the shape of each part of it."""
    header = decode.read_header(path)
    if fit and fit.source_range is None and header.depth not in ("8", "16"):
        raise decode.unknown_range(path, header.depth)
    if WHOLE in parts:
        return header
    height, width, channels = header.shape
    if not decode.is_side_by_side(header.shape):
        raise UserError(
            f"{decode.printable(path)} is {width} pixels wide and {height} high: a "
            "file with two images side by side is wider than high and of an even "
            "width. Or pass a folder with the sub-folders a/ and b/; or make inputs of "
            "such images by degrade (--degrade)"
        )
    return header._replace(shape=(height, width // 2, channels))


def _map(function: Callable[[Any], T], items: Sequence) -> Iterator[T]:
    """Maps in threads, for Pillow decodes outside Python's global lock."""
    chunks = (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))
    with ThreadPoolExecutor(pipeline.PARALLEL_CALLS) as pool:
        results = pool.map(lambda chunk: [function(item) for item in chunk], chunks)
        for chunk in results:
            yield from chunk
