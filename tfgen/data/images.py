"""Images by name or by folder: batches, and arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.data.builders.tfds_source import open_named
from tfgen.data.decode import read_image, read_shape
from tfgen.data.description import find_classes
from tfgen.data.folders.folder_source import open_folder
from tfgen.data.loading import (
    PathLike,
    Size,
    check_order,
    check_split,
    collect,
    find_folder,
    make_batches,
    make_fit,
    small_batch,
)
from tfgen.data.pixels import Fit
from tfgen.progress import Progress, no_progress

__all__ = ["Fit", "load_array", "load_images", "read_image", "read_shape"]


def load_images(
    source: PathLike,
    split: str = "train",
    image_size: Size = None,
    channels: int | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 128,
    shuffle: bool = True,
    seed: int = 0,
    data_dir: PathLike | None = None,
    labels: bool = False,
    *,
    classes: Sequence[str | int] | None = None,
    skip_bad_images: bool = False,
    initial_epoch: int = 0,
    source_range: tuple[float, float] | None = None,
    resize: str = "crop",
    depth: int = 8,
    progress: Progress = no_progress,
) -> tf.data.Dataset:
    """Loads batches of images from a TFDS data set or a folder.

    Every example comes once an epoch, the last batch may be smaller, and the number of
    batches is known. The order depends on `seed` and the epoch alone, and the k-th pass
    over the dataset is the epoch `initial_epoch + k`, so that training resumes where
    it stopped. A pass counts once it has given out nine batches, or its last: a look at
    the first ones, as `next(iter(images))` takes, changes no order. (With replicas,
    batches are read ahead: there a look at a set of eight batches or fewer may count.
    For validation during `fit`, load a dataset of its own.) Images that take at most
    1 GiB as uint8 are decoded once and kept in memory; larger sets are read every
    epoch.

    Args:
        source: A TFDS name (`"mnist_5k"`, `"name/config"`; prepared on first use) or a
            folder of images: with `train/` and `test/`, or without (a tenth is held out
            for "test" by a hash of the relative path); one class a sub-folder, or none.
            A name that TFDS knows wins over a folder: write `./name` for the folder.
            Of several images an example has, `image` is taken, or else the first by
            name (`color` of `openmoji`).
        split: "train", "test", or any split of the source; for TFDS also a slice such
            as "train[:100]". Where there is no "test", "validation" is used, or else
            the last tenth of "train", which "train" then lacks.
        image_size: Integer, `(height, width)` or such as "96x64": images are resized
            with antialiasing. None: as they are, all equal. `openmoji` at 32 or 128 is
            the configuration of that size.
        channels: 1, 3 or 4: images are converted (alpha over white, colour to
            luminance). None: as they are, all equal. Another number is that of TIFF and
            .npy files of as many channels.
        value_range: `(low, high)` that black and white map to.
        batch_size: Integer, the images of a batch.
        shuffle: Whether each epoch has its own order; if not, the order is fixed.
        seed: Integer seed of the orders.
        data_dir: Where TFDS keeps its data sets; None for TFDS's own default.
        labels: Whether to return labels as well.
        classes: Those to keep, by name (as in `class_names`) or by number from 0; None
            for all. Labels keep their numbers.
        skip_bad_images: Whether to leave out files that cannot be read, with one
            warning, rather than raise. It decodes all images once beforehand. Without
            it, a damaged file of a set too large for memory is met while training.
        initial_epoch: Integer, the epoch of the first pass.
        source_range: `(low, high)`, the values in files that are black and white, such
            as (0, 4095) for scans of 12 bits. None: the whole range of 8 and 16 bits;
            pixels of 32 bits, signed or floating-point, are refused.
        resize: How an image of another aspect is brought to the size: "crop" (its
            centre), "pad" (it is fitted whole, in the middle of black or, with 4
            channels, of what is clear) or "stretch".
        depth: 8, or 16 for levels of 16 bits, where files have them: PNG, TIFF (colours
            with the package tifffile) and .npy.
        progress: `progress(iterable, description, total)` shows how far reading is, and
            returns the iterable.

    Returns:
        A `tf.data.Dataset` of images `(batch, height, width, channels)` float32 in
        `value_range`, or of `(images, labels)` with labels `(batch,)` int32.

    Raises:
        UserError: A mistake in an argument or in the data, in one line.

    Example:
        >>> images = tfgen.data.load_images("mnist_5k", batch_size=64)
        >>> next(iter(images)).shape
        TensorShape([64, 28, 28, 1])
    """
    check_order(value_range, batch_size, seed, initial_epoch)
    fit = make_fit(image_size, channels, source_range, resize, depth)
    check_split(split)
    folder = find_folder(source)
    if classes is not None:
        classes = find_classes(source, classes, data_dir)
    if folder is None:
        data = open_named(str(source), split, fit, labels, data_dir, classes)
    else:
        data = open_folder(
            folder, split, fit, labels, skip_bad_images, classes, progress
        )
    return make_batches(
        [data], value_range, batch_size, shuffle, seed, initial_epoch=initial_epoch
    )


def load_array(
    source: PathLike, split: str = "test", num_images: int | None = None, **kwargs: Any
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Loads the first images of a split, in its fixed order, as one array.

    Args:
        source, split: As in `load_images`.
        num_images: How many images at most; None for all.
        **kwargs: `image_size`, `channels`, `value_range`, `data_dir`, `labels`,
            `classes`, `skip_bad_images`, `source_range`, `resize`, `depth` and
            `progress` of `load_images`.

    Returns:
        Images `(num_images, height, width, channels)` float32 in `value_range`; with
        `labels=True` also labels `(num_images,)` int32.

    Raises:
        UserError: A mistake in an argument or in the data, in one line.
    """
    batch_size = small_batch(num_images)
    batches = load_images(source, split, batch_size=batch_size, shuffle=False, **kwargs)
    arrays = collect(batches, num_images, batch_size)
    return arrays if len(arrays) > 1 else arrays[0]
