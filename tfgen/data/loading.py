"""The public functions: a name or a folder to batches, to arrays, to a description."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgen.data import folders, layout, named, pipeline, sources
from tfgen.data.arguments import check_order, check_split, make_fit, small_batch
from tfgen.data.augment import Augmentation, augment_epochs
from tfgen.data.classes import find_classes
from tfgen.data.images import Fit, read_shape

IN_MEMORY_BYTES = 2**30  # images that take no more as uint8 are decoded once


class Description(NamedTuple):
    """What is known of a source without decoding it; None where nothing is.

    Attributes:
        name: The full TFDS name, or the folder.
        num_train: Images of "train" (pairs, or images of the larger of two domains);
            None for a data set that is not prepared yet.
        num_test: Likewise of "test".
        image_shape: `(height, width, channels)`, a folder's first image's.
        num_classes: Integer, or None where there are no labels.
        attribution: Licence or whom to name where samples are shown.
    """

    name: str
    num_train: int | None
    num_test: int | None
    image_shape: tuple[int | None, ...]
    num_classes: int | None
    attribution: str | None


def load_images(
    source: str | os.PathLike,
    split: str = "train",
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 128,
    shuffle: bool = True,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
    labels: bool = False,
    *,
    classes: Sequence[str | int] | None = None,
    skip_bad_images: bool = False,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """Loads batches of images from a TFDS data set or a folder.

    Every example comes once an epoch, the last batch may be smaller, and the number of
    batches is known. The order depends on `seed` and the epoch alone, and the k-th pass
    over the dataset is the epoch `initial_epoch + k`, so that training resumes where
    it stopped. (With replicas, `fit` of a model that is not ours may look at one batch
    before it starts: that is a pass of its own.) Images that take at most 1 GiB as
    uint8 are decoded once and kept in memory; larger sets are read every epoch.

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
        image_size: Integer or `(height, width)`: images are cropped at the centre to
            the aspect and resized with antialiasing. None: as they are, all equal.
            `openmoji` at 32 or 128 is the configuration of that size.
        channels: 1, 3 or 4: images are converted (alpha over white, colour to
            luminance). None: as they are, all equal.
        value_range: `(low, high)` that black and white map to.
        batch_size: Integer, the images of a batch.
        shuffle: Whether each epoch has its own order; if not, the order is fixed.
        seed: Integer seed of the orders.
        data_dir: Where TFDS keeps its data sets; None for TFDS's own default.
        labels: Whether to return labels as well.
        classes: Those to keep, by name (as of `class_names`) or by number from 0; None
            for all. Labels keep their numbers.
        skip_bad_images: Whether to leave out files that cannot be read, with one
            warning, rather than raise. It decodes all images once beforehand. Without
            it, a damaged file of a set too large for memory is met while training.
        initial_epoch: Integer, the epoch of the first pass.

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
    fit = make_fit(image_size, channels)
    data = _open(source, split, fit, labels, data_dir, skip_bad_images, classes)
    return make_batches(
        [data], value_range, batch_size, shuffle, seed, initial_epoch=initial_epoch
    )


def load_array(
    source: str | os.PathLike,
    split: str = "test",
    num_images: int | None = None,
    **kwargs: Any,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Loads the first images of a split, in its fixed order, as one array.

    Args:
        source: As of `load_images`.
        split: As of `load_images`.
        num_images: How many images at most; None for all.
        **kwargs: `image_size`, `channels`, `value_range`, `data_dir`, `labels`,
            `classes` and `skip_bad_images` of `load_images`.

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


def describe(
    source: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    translation: bool = False,
) -> Description:
    """Describes a source without downloading or decoding it.

    Args:
        source: As of `load_images`, `load_pairs` or `load_domains`.
        data_dir: As of `load_images`.
        translation: Whether the source is read by `load_pairs` or `load_domains`.
            Pairs then count as one, of two domains the larger counts, the shape of
            two images in one file is that of a half, and labels don't count.

    Raises:
        UserError: There is no such source, or it has no images.
    """
    folder = sources.find_folder(source)
    if folder is None:
        found = named.describe_named(os.fspath(source), data_dir, translation)
        return Description(*found)
    if translation:
        return Description(str(folder), *folders.describe_pair_folder(folder))
    counts = [len(layout.find_files(folder, split)[1]) for split in ("train", "test")]
    first = layout.find_files(folder, "train")[1][0]
    num_classes = len(layout.list_classes(folder)) or None
    return Description(str(folder), *counts, read_shape(first), num_classes, None)


def class_names(
    source: str | os.PathLike, data_dir: str | os.PathLike | None = None
) -> tuple[str, ...]:
    """Returns what the classes are called that labels number, in their order.

    Args:
        source: As of `load_images`.
        data_dir: As of `load_images`.

    Returns:
        Texts: numbers where a data set names none, none where there are no labels or,
        in a folder, an image lies outside the classes' sub-folders.

    Raises:
        UserError: There is no such source, or it has no images.
    """
    folder = sources.find_folder(source)
    if folder is None:
        return tuple(named.list_class_names(os.fspath(source), data_dir))
    names = layout.list_classes(folder)
    for split in ("train", "test"):
        base, paths = layout.find_files(folder, split)
        if any(path.relative_to(base).parts[0] not in names for path in paths):
            return ()
    return tuple(names)


def make_batches(
    data: Sequence[sources.Source],
    value_range: tuple[float, float],
    batch_size: int,
    shuffle: bool,
    seed: int,
    initial_epoch: int,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """Returns batches whose components are those of all sources, one after the other.

    Each source has its own order; an epoch is as long as the longest, and the others
    repeat. The attribute `in_memory` says whether they are kept there.
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
        make_epoch = augment_epochs(make_epoch, augmentation, seed)
    batches = pipeline.repeat_epochs(
        make_epoch, num_examples, batch_size, value_range, initial_epoch
    )
    batches.in_memory = in_memory
    return batches


def collect(
    batches: tf.data.Dataset, num_examples: int | None, batch_size: int
) -> tuple[np.ndarray, ...]:
    """Returns the first examples as one array for each component."""
    parts = list(take(batches, num_examples, batch_size).as_numpy_iterator())
    if not isinstance(parts[0], tuple):
        return (np.concatenate(parts),)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def take(
    batches: tf.data.Dataset, num_examples: int | None, batch_size: int
) -> tf.data.Dataset:
    """Returns batches of the first examples; all batches as they are for None."""
    if num_examples is None:
        return batches
    return batches.unbatch().take(num_examples).batch(batch_size)


def _open(
    source: str | os.PathLike,
    split: str,
    fit: Fit,
    labels: bool,
    data_dir: str | os.PathLike | None,
    skip_bad_images: bool,
    classes: Sequence[str | int] | None,
) -> sources.Source:
    check_split(split)
    folder = sources.find_folder(source)
    if classes is not None:
        classes = find_classes(source, classes, class_names(source, data_dir))
    if folder is None:
        name = os.fspath(source)
        return named.open_named(name, split, fit, labels, data_dir, classes)
    return folders.open_folder(folder, split, fit, labels, skip_bad_images, classes)
