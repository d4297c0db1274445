"""A data set of TFDS as a source: single images, pairs, or two domains."""

import numpy as np
import tensorflow_datasets as tfds

from tfgen.data.builders.preparing import make_builder, prepare, resolve_split
from tfgen.data.builders.records import LABEL, Records
from tfgen.data.loading import PathLike, Source, no_such_images
from tfgen.data.pixels import Fit
from tfgen.errors import UserError

_Builder = tfds.core.DatasetBuilder


def open_named(
    name: str,
    split: str,
    fit: Fit,
    labels: bool,
    data_dir: PathLike | None,
    classes: tuple[int, ...] | None = None,
) -> Source:
    """Returns one split of a data set by its TFDS name, preparing it if need be.

    Raises:
        UserError: No such data set, configuration or split; it cannot be prepared; it
            has no images, no labels or none of the classes; or its images differ in
            size or channels where `fit` does not settle it.
    """
    builder = make_builder(name, data_dir, fit.size)
    image_key, label_key = _find_image(builder), _find_label(builder)
    if labels and label_key is None:
        raise UserError(f"{name} has no labels: leave out labels=True")
    label_key = label_key if labels else None
    return _open(builder, split, (image_key,), fit, label_key, classes=classes)


def open_named_pairs(builder: _Builder, split: str, fit: Fit) -> Source:
    """Returns the pairs of one split of a data set, preparing it if need be.

    Raises:
        UserError: As in `open_named`; or it does not have exactly two images.
    """
    keys = find_pair(builder)
    if keys is None:
        raise UserError(
            f"{builder.info.full_name} has no pairs: a data set of pairs has exactly "
            "two images an example"
        )
    return _open(builder, split, keys, fit)


def open_named_domains(builder: _Builder, split: str, fit: Fit) -> list[Source]:
    """Returns the domains A and B of one split, or its pairs as one source.

    Pairs for training are divided: one half gives A, the other gives B.

    Raises:
        UserError: As in `open_named`; or there are neither domains nor pairs.
    """
    keys = find_pair(builder)
    if keys is None:
        return _open_domain_splits(builder, split, fit)
    if not split.startswith("train"):
        return [_open(builder, split, keys, fit)]
    halves = [_open(builder, split, (keys[i],), fit, half=i) for i in (0, 1)]
    if not all(half.num_examples for half in halves):
        raise UserError(
            f"The split {split!r} of {builder.info.full_name} is too small for two "
            "domains without a common pair: choose a larger one, or use load_pairs"
        )
    return halves


def find_pair(builder: _Builder) -> tuple[str, str] | None:
    """Returns the features of the images A and B, or None where there are no pairs."""
    names = _list_images(builder)
    if len(names) != 2:
        return None
    keys = builder.info.supervised_keys
    a, b = keys if keys and set(keys) == set(names) else sorted(names)
    return a, b


def describe_named(
    name: str, data_dir: PathLike | None, translation: bool = False
) -> tuple:
    """Returns the fields of `Description` but its summary; prepares nothing."""
    builder = make_builder(name, data_dir)
    info = builder.info
    image_key, label_key = _find_image(builder), _find_label(builder)
    counts = [None, None]
    if info.splits:
        counts = [_count_examples(builder, split) for split in ("train", "test")]
    if translation and (keys := find_pair(builder)):
        image_key = keys[0]
    shape = info.features[image_key].shape
    has_labels = label_key and not translation
    num_classes = info.features[label_key].num_classes if has_labels else None
    attribution = info.redistribution_info.license or None
    return (info.full_name, *counts, shape, num_classes, attribution)


def list_class_names(name: str, data_dir: PathLike | None) -> list[str]:
    """Returns what the values of the label are called; prepares nothing."""
    builder = make_builder(name, data_dir)
    key = _find_label(builder)
    return builder.info.features[key].names or [] if key else []


def _open(
    builder: _Builder,
    split: str,
    image_keys: tuple[str, ...],
    fit: Fit,
    label_key: str | None = None,
    half: int | None = None,
    classes: tuple[int, ...] | None = None,
) -> Source:
    shape = _fitted_shape(builder, image_keys, fit)
    prepare(builder)
    split = resolve_split(builder, split)
    name = builder.info.full_name
    if not builder.info.splits[split].num_examples:
        raise UserError(f"The split {split!r} of {name} is empty: choose another")
    records = Records(builder, split, image_keys, label_key, fit, shape, half, classes)
    if classes is not None and not records.num_examples:
        raise no_such_images(name, split)
    return records.as_source()


def _open_domain_splits(builder: _Builder, split: str, fit: Fit) -> list[Source]:
    key = _find_image(builder)
    _fitted_shape(builder, (key,), fit)
    prepare(builder)
    if not _has_domain_splits(builder):
        raise UserError(
            f"{builder.info.full_name} has neither pairs (two images an example) nor "
            "the splits trainA and trainB of two domains: choose another data set"
        )
    name, bracket, rest = split.partition("[")
    splits = (f"{name}{domain}{bracket}{rest}" for domain in "AB")
    return [_open(builder, split, (key,), fit) for split in splits]


def _has_domain_splits(builder: _Builder) -> bool:
    return {"trainA", "trainB"} <= builder.info.splits.keys()


def _count_examples(builder: _Builder, split: str) -> int:
    """Returns the examples of a split; of two domains those of the larger."""
    splits = builder.info.splits
    names = [split]
    if _has_domain_splits(builder):
        names = [f"{split}A", f"{split}B"]
    return max(splits[resolve_split(builder, name)].num_examples for name in names)


def _list_images(builder: _Builder) -> list[str]:
    features = builder.info.features
    entries = features if isinstance(features, tfds.features.FeaturesDict) else {}
    return [k for k, v in entries.items() if isinstance(v, tfds.features.Image)]


def _find_image(builder: _Builder) -> str:
    names = _list_images(builder)
    if not names:
        raise UserError(
            f"{builder.info.full_name} has no images: choose a data set of images"
        )
    return "image" if "image" in names else min(names)


def _find_label(builder: _Builder) -> str | None:
    feature = dict(builder.info.features.items()).get(LABEL)
    return LABEL if isinstance(feature, tfds.features.ClassLabel) else None


def _fitted_shape(
    builder: _Builder, image_keys: tuple[str, ...], fit: Fit
) -> tuple[int, int, int]:
    name, features = builder.info.full_name, builder.info.features
    for key in image_keys:
        if features[key].np_dtype != np.uint8:
            raise UserError(
                f"The images of {name} are {features[key].np_dtype}, not uint8: choose "
                "another configuration, or save them as files and pass the folder"
            )
    shapes = {fit.shape_of(*features[key].shape) for key in image_keys}
    sizes, channels = {shape[:2] for shape in shapes}, {shape[2] for shape in shapes}
    if len(sizes) > 1 or None in sizes.copy().pop():
        raise UserError(
            f"The images of {name} differ in size: pass image_size to crop and resize "
            "them"
        )
    if len(channels) > 1 or None in channels:
        raise UserError(
            f"The images of {name} differ in channels: pass channels=1, 3 or 4 to "
            "convert them"
        )
    return shapes.pop()
