"""Image translation: pairs, and two domains without pairs, as batches or arrays."""

import os
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfgen.data.builders import tfds_source
from tfgen.data.builders.preparing import make_builder
from tfgen.data.folders.listing import scan
from tfgen.data.folders.pairs import has_pairs
from tfgen.data.loading import (
    PathLike,
    Size,
    check_order,
    collect,
    find_folder,
    make_batches,
    small_batch,
)
from tfgen.data.pipeline import Augmentation
from tfgen.data.query import Query
from tfgen.degradations import has_step, read_steps
from tfgen.errors import UserError
from tfgen.progress import Progress, no_progress

_Range = tuple[float, float]


def load_pairs(
    source: PathLike,
    split: str = "train",
    image_size: Size = None,
    channels: int | None = 3,
    value_range: _Range = (0.0, 1.0),
    batch_size: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    data_dir: PathLike | None = None,
    direction: Literal["ab", "ba"] = "ab",
    *,
    degrade: str | None = None,
    load_size: Size = None,
    mirror: bool = False,
    skip_bad_images: bool = False,
    initial_epoch: int = 0,
    source_range: _Range | None = None,
    resize: str = "crop",
    depth: int = 8,
    progress: Progress = no_progress,
) -> tf.data.Dataset:
    """Loads batches of pairs of images, the same scene twice.

    Order, memory and epochs are as in `load_images`. The draws of crops and mirror
    images, too, depend on `seed` and the epoch alone.

    Args:
        source: A TFDS name of a set with two images an example (`"openmoji"`: line
            drawing and colour; A is the first of its supervised keys, or else of the
            names) or a folder: of files with two images side by side (the left half is
            A), or with the sub-folders `a/` and `b/` of files with equal names. The
            splits are found as by `load_images`: `train/` and `test/`, `train/a` and
            `train/b` and so on, or a tenth is held out.
        split, image_size, value_range, shuffle, data_dir: As in `load_images`.
        channels: 1, 3 or 4: images are converted; None: as they are, all equal.
        batch_size: Integer, the pairs of a batch.
        seed: Integer seed of the orders, the crops and the mirror images.
        direction: "ab" for A as inputs and B as targets, "ba" for the contrary.
        degrade: Makes the inputs from the targets, which are the images of any source
            of `load_images`: "gray", "downscale4" (times), "mask25" (per cent),
            "noise25" (standard deviation, of 255), "jpeg10" (quality), "blur2" (pixels,
            standard deviation), or several joined by commas. The draws for an image
            depend on the seed and its number; with `shuffle` also on the epoch.
        load_size: Integer or `(height, width)`, at least `image_size`: images are
            brought to this size first, and each time `image_size` is cropped from it
            at a random place, the same for both images of a pair. None: no crop.
        mirror: Whether every other pair, at random, is mirrored left to right.
        skip_bad_images: As in `load_images`; a pair with such a file is left out.
        initial_epoch, source_range, resize, depth, progress: As in `load_images`.

    Returns:
        A `tf.data.Dataset` of `(inputs, targets)`, both
        `(batch, height, width, channels)` float32 in `value_range`.

    Raises:
        UserError: A mistake in an argument or in the data, in one line.

    Example:
        >>> pairs = tfgen.data.load_pairs("openmoji", image_size=64)
        >>> inputs, targets = next(iter(pairs))
        >>> inputs.shape, targets.shape
        (TensorShape([1, 64, 64, 3]), TensorShape([1, 64, 64, 3]))
    """
    if direction not in ("ab", "ba"):
        raise UserError(f"direction must be 'ab' or 'ba'. Received: {direction!r}")
    check_order(value_range, batch_size, seed, initial_epoch)
    options = (image_size, channels, data_dir, skip_bad_images, source_range)
    options += (resize, depth)
    query = Query(source, split, *options, progress, load_size)
    steps = read_steps(degrade) if degrade is not None else ()
    if steps and direction != "ab":
        raise UserError("degrade makes inputs from targets: leave direction out")
    data = query.open_images() if steps else query.open_pairs()
    if has_step(degrade, "jpeg") and data.image_shape[-1] not in (1, 3):
        raise UserError(
            "degrade=jpeg takes images of 1 or 3 channels: pass channels=3 (--channels "
            "3), or leave jpeg out"
        )
    if direction == "ba":
        data = data.swap()
    augmentation = Augmentation(load_size and query.fit.size, mirror)
    order = (batch_size, shuffle, seed, initial_epoch, augmentation, steps)
    return make_batches([data], value_range, *order)


def load_domains(
    source: PathLike,
    split: str = "train",
    image_size: Size = None,
    channels: int | None = 3,
    value_range: _Range = (0.0, 1.0),
    batch_size: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    data_dir: PathLike | None = None,
    *,
    load_size: Size = None,
    mirror: bool = False,
    skip_bad_images: bool = False,
    initial_epoch: int = 0,
    source_range: _Range | None = None,
    resize: str = "crop",
    depth: int = 8,
    progress: Progress = no_progress,
) -> tf.data.Dataset:
    """Loads batches of images of two domains that do not belong together.

    An epoch is as long as the larger domain. The other one is repeated, each time in
    an order of its own (or, without shuffling, in the same).

    Any source of pairs will do. For training one half of the pairs gives A and the
    other gives B, so that no pair is ever seen; emoji drawn alike are in one half.
    Other splits are the pairs, aligned, and so give the truth.

    Args:
        source: A TFDS name of a set with the splits `trainA`, `trainB`, `testA` and
            `testB` (`"cycle_gan/horse2zebra"`), a folder with such sub-folders, or
            a source of pairs, as in `load_pairs`.
        split: "train" for `trainA` and `trainB`, and so on. Where a folder has no test
            split, a tenth is held out.
        image_size, channels, value_range, seed, data_dir: As in `load_pairs`.
        batch_size: Integer, the images of each domain in a batch.
        shuffle: As in `load_images`; the domains are shuffled independently, pairs that
            give the truth together.
        load_size: As in `load_pairs`; each image has a crop of its own.
        mirror: As in `load_pairs`; each image by a draw of its own.
        skip_bad_images, initial_epoch, source_range, resize, depth, progress: As in
            `load_images`.

    Returns:
        A `tf.data.Dataset` of `(images_a, images_b)`, both
        `(batch, height, width, channels)` float32 in `value_range`.
    """
    check_order(value_range, batch_size, seed, initial_epoch)
    options = (image_size, channels, data_dir, skip_bad_images, source_range)
    options += (resize, depth)
    query = Query(source, split, *options, progress, load_size)
    data = query.open_domains()
    augmentation = Augmentation(load_size and query.fit.size, mirror, joint=False)
    return make_batches(
        data, value_range, batch_size, shuffle, seed, initial_epoch, augmentation
    )


def load_pair_arrays(
    source: PathLike, split: str = "test", num_images: int | None = None, **kwargs: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Loads the first pairs of a split, in its fixed order, as two arrays.

    Args:
        source, split: As in `load_pairs`.
        num_images: How many pairs at most; None for all.
        **kwargs: `image_size`, `channels`, `value_range`, `data_dir`, `direction`,
            `degrade`, `seed`, `skip_bad_images`, `source_range`, `resize`,
            `depth` and `progress` of `load_pairs`.

    Returns:
        Inputs and targets `(num_images, height, width, channels)` float32.
    """
    batch_size = small_batch(num_images)
    pairs = load_pairs(source, split, batch_size=batch_size, shuffle=False, **kwargs)
    return collect(pairs, num_images, batch_size)


def load_domain_arrays(
    source: PathLike,
    split: str = "test",
    num_images: int | None = None,
    *,
    value_range: _Range = (0.0, 1.0),
    **kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Loads the first images of two domains, in their fixed order, as two arrays.

    Args:
        source, split, value_range: As in `load_domains`.
        num_images: How many images of each domain at most; None for all.
        **kwargs: `image_size`, `channels`, `data_dir`, `skip_bad_images`,
            `source_range`, `resize`, `depth` and `progress` of
            `load_domains`.

    Returns:
        Images of A and of B `(num_images, height, width, channels)` float32. The
        domains may differ in number: none is repeated.
    """
    batch_size = small_batch(num_images)
    check_order(value_range, batch_size, 0, 0)
    order = (value_range, batch_size, False, 0, 0)
    arrays = [
        array
        for domain in Query(source, split, **kwargs).open_domains()
        for array in collect(make_batches([domain], *order), num_images, batch_size)
    ]  # of pairs, one source gives both
    return arrays[0], arrays[1]


def count_domains(
    source: PathLike, split: str = "test", **kwargs: Any
) -> tuple[int, int]:
    """Returns how many images of A and of B a split has; in training the fewer repeat.

    Arguments are those of `load_domain_arrays`.
    """
    data = Query(source, split, **kwargs).open_domains()
    return data[0].num_examples, data[-1].num_examples  # of pairs there is one source


def is_paired(source: PathLike, data_dir: PathLike | None = None) -> bool:
    """Whether a source has pairs, so that the truth of a translation is known.

    Nothing is prepared or decoded. Of a folder of single files the first decides: it is
    taken for two images side by side if it is wider than high and of an even width.
    """
    folder = find_folder(source)
    if folder is None:
        builder = make_builder(os.fspath(source), data_dir)
        return tfds_source.find_pair(builder) is not None
    return has_pairs(scan(folder))
