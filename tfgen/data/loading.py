"""What all loading functions share: a source, its batches, and checked arguments.

A source reads; it neither batches, shuffles an epoch, nor scales.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.data import pipeline
from tfgen.data.builders.preparing import base_name, is_known
from tfgen.data.pixels import Fit
from tfgen.degradations import Step
from tfgen.errors import UserError
from tfgen.sizes import RESIZES, both_sides, read_size

IN_MEMORY_BYTES = 2**30  # images that take no more as uint8 are decoded once
_READ_BATCH = 256

PathLike = str | os.PathLike
Size = int | tuple[int, int] | str | None


@dataclass(frozen=True)
class Source:
    """Examples of one split: one image or a pair of one shape, some with a label.

    Attributes:
        name: What the user calls it.
        num_examples: Integer, the examples of the split.
        image_shape: `(height, width, channels)` of every image.
        read: Returns all examples as arrays in the fixed order: for each image of an
            example `(num_examples, height, width, channels)` uint8 and, if there are
            labels, `(num_examples,)` int32.
        stream: From a seed `(2,)` int64, or None for the fixed order, to a
            `tf.data.Dataset` of single examples.
        num_images: Integer, the images of an example.
        depth: 8 or 16, the bits of a level.
    """

    name: str
    num_examples: int
    image_shape: tuple[int, int, int]
    read: Callable[[], tuple[np.ndarray, ...]]
    stream: Callable[[tf.Tensor | None], tf.data.Dataset]
    num_images: int = 1
    depth: int = 8

    @property
    def num_bytes(self) -> int:
        """The memory that all images take, as uint8 or uint16."""
        num_levels = self.num_examples * self.num_images * np.prod(self.image_shape)
        return self.depth // 8 * int(num_levels)

    def swap(self) -> "Source":
        """Returns pairs with B first."""
        return replace(
            self,
            read=lambda: self.read()[::-1],
            stream=lambda seed: self.stream(seed).map(lambda a, b: (b, a)),
        )


def find_folder(source: PathLike) -> Path | None:
    """Returns the folder that `source` means, or None where it names a data set.

    A name that TFDS knows is that data set, also where a folder is called the same,
    which is said in a warning: `./name` is the folder.

    Raises:
        UserError: `source` is neither a name nor a folder.
    """
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise UserError(
            "source must be the name of a TFDS data set or a folder of images. "
            f"Received: {source!r}"
        )
    folder = Path(source).expanduser()
    if isinstance(source, str) and is_known(base_name(source)):
        if folder.is_dir():
            warnings.warn(
                f"{source} is the TFDS data set of that name, not the folder that lies "
                f"here: for the folder, write ./{source}",
                stacklevel=2,
            )
        return None
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(f"{source} is a file: pass the folder that holds the images")
    return None


def no_such_images(name: str, split: str) -> UserError:
    """Returns the error for a split that has no image of the classes asked for."""
    return UserError(
        f"The split {split!r} of {name} has no image of these classes: choose others"
    )


def make_batches(
    data: Sequence[Source],
    value_range: tuple[float, float],
    batch_size: int,
    shuffle: bool,
    seed: int,
    initial_epoch: int,
    augmentation: pipeline.Augmentation | None = None,
    degradations: Sequence[Step] = (),
) -> tf.data.Dataset:
    """Returns batches whose components are those of all sources, one after the other.

    Each source has its own order; an epoch is as long as the longest, and the others
    repeat. The attribute `in_memory` says whether they are kept there. With
    `degradations` the components are pairs of one image, degraded and as it is.
    """
    num_examples = max(part.num_examples for part in data)
    in_memory = sum(part.num_bytes for part in data) <= IN_MEMORY_BYTES
    make_epochs = []
    for i, part in enumerate(data):
        # The first has the seed as it is, as images alone have.
        order = (num_examples, batch_size, shuffle, seed ^ (i << 62))
        if in_memory:
            make_epochs.append(pipeline.batch_arrays(part.read(), *order))
        else:
            size = part.num_examples
            make_epochs.append(pipeline.batch_stream(part.stream, size, *order))
    make_epoch = pipeline.zip_epochs(make_epochs)
    if augmentation:
        make_epoch = pipeline.augment_epochs(make_epoch, augmentation, seed)
    if degradations:
        order = (batch_size, shuffle, seed)
        make_epoch = pipeline.degrade_epochs(make_epoch, degradations, *order)
    batches = pipeline.repeat_epochs(
        make_epoch, num_examples, batch_size, value_range, initial_epoch
    )
    batches.in_memory = in_memory
    return batches


def collect(
    batches: tf.data.Dataset, num_examples: int | None, batch_size: int
) -> tuple[np.ndarray, ...]:
    """Returns the first examples as one array for each component, filled in place."""
    most = int(batches.cardinality()) * batch_size
    most = most if num_examples is None else min(most, num_examples)
    arrays, count = (), 0
    for batch in take(batches, num_examples, batch_size).as_numpy_iterator():
        columns = batch if isinstance(batch, tuple) else (batch,)
        # Memory that is never written to takes no pages.
        arrays = arrays or [np.empty((most, *c.shape[1:]), c.dtype) for c in columns]
        for array, column in zip(arrays, columns, strict=True):
            array[count : count + len(column)] = column
        count += len(columns[0])
    return tuple(array[:count] for array in arrays)


def take(
    batches: tf.data.Dataset, num_examples: int | None, batch_size: int
) -> tf.data.Dataset:
    """Returns batches of the first examples; all batches as they are for None."""
    if num_examples is None:
        return batches
    return batches.unbatch().take(num_examples).batch(batch_size)


# ---- Arguments -----------------------------------------------------------------------


def check_order(
    value_range: tuple[float, float], batch_size: int, seed: int, initial_epoch: int
) -> None:
    """Raises a UserError if no dataset can be made with these."""
    check_range("value_range", value_range)
    check_integer("batch_size", batch_size, 1)
    check_integer("seed", seed, 0)
    check_integer("initial_epoch", initial_epoch, 0)


def check_split(split: str) -> None:
    """Raises a UserError unless the split is a name."""
    if not isinstance(split, str):
        raise UserError(f"split must be a name such as 'train'. Received: {split!r}")


def small_batch(num_images: int | None) -> int:
    """Returns a batch size for reading at most `num_images`."""
    if num_images is None:
        return _READ_BATCH
    check_integer("num_images", num_images, 1)
    return min(_READ_BATCH, num_images)


def make_fit(
    image_size: Size,
    channels: int | None,
    source_range: tuple[float, float] | None = None,
    resize: str = "crop",
    depth: int = 8,
) -> Fit:
    """Returns what every image is made to be."""
    if channels is not None:
        check_integer("channels", channels, 1)
    if depth not in (8, 16):
        raise UserError(f"depth must be 8 or 16. Received: {depth!r}")
    if source_range is not None:
        check_range("source_range", source_range)
    if resize not in RESIZES:
        raise UserError(
            f"resize must be one of {', '.join(RESIZES)}. Received: {resize!r}"
        )
    size = image_size
    if size is not None:
        size = both_sides(read_size("image_size", size))
    return Fit(size, channels, source_range, resize, depth)


def check_integer(name: str, value: Any, least: int) -> None:
    """Raises a UserError unless the value is an integer of at least `least`."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < least:
        raise UserError(
            f"{name} must be an integer of at least {least}. Received: {value!r}"
        )


def check_range(name: str, value_range: tuple[float, float]) -> None:
    """Raises a UserError unless the range is two numbers, the lower first."""
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high or not np.isfinite([low, high]).all():
        raise UserError(
            f"{name} must be two numbers, the lower first, such as (0.0, 1.0) or "
            f"(-1.0, 1.0). Received: {value_range!r}"
        )
