"""The known factors that images of a data set were made from."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from tfgen.data.builders.preparing import make_builder, prepare, resolve_split
from tfgen.data.builders.records import Records
from tfgen.data.description import find_classes
from tfgen.data.loading import (
    PathLike,
    Size,
    check_integer,
    check_split,
    find_folder,
    make_fit,
)
from tfgen.data.pixels import Fit
from tfgen.errors import UserError

_PREFIX = "label_"
# Last words of factors without an order whose values dsprites and others number.
_CATEGORIES = {"category", "color", "identity", "lighting", "object", "shape", "type"}


class Factors(NamedTuple):
    """What `load_factors` returns.

    Attributes:
        names: Of the factors, k of them, in alphabetical order.
        values: int32 `(num_images, k)`, each column numbered from 0.
        num_values: How many values each factor can have, k integers.
        value_names: What the values of each factor are called, k tuples of texts:
            numbers from 0 where the data set names none.
        categorical: Columns of `values` without an order: factors whose values have
            names, and those called "shape", "category" and the like.
    """

    names: tuple[str, ...]
    values: np.ndarray
    num_values: tuple[int, ...]
    value_names: tuple[tuple[str, ...], ...]
    categorical: tuple[int, ...] = ()


def has_factors(
    source: PathLike, data_dir: PathLike | None = None, image_size: Size = None
) -> bool:
    """Returns whether `load_factors` knows factors of a source; prepares nothing.

    Args:
        source, data_dir: As in `load_images`.
        image_size: As in `load_images`: it may choose the configuration.

    Raises:
        UserError: There is no such source.
    """
    return bool(_find(source, data_dir, image_size)[1])


def load_factors(
    source: PathLike,
    split: str = "test",
    num_images: int | None = None,
    image_size: Size = None,
    data_dir: PathLike | None = None,
    classes: Sequence[str | int] | None = None,
) -> Factors:
    """Loads the factors of the images that `load_array` returns, in the same order.

    Factors are the class labels of a data set called `label_<factor>`, as those of
    `sprites`, `dsprites` and `shapes3d` are.

    Args:
        source: The TFDS name of a data set.
        split: As in `load_images`.
        num_images: How many images at most; None for all.
        image_size: As in `load_images`: it may choose the configuration.
        data_dir, classes: As in `load_images`.

    Raises:
        UserError: The source has no such factors, or as in `load_images`.
    """
    check_split(split)
    if num_images is not None:
        check_integer("num_images", num_images, 1)
    builder, features = _find(source, data_dir, image_size)
    if not features:
        raise UserError(
            f"The factors of {source} are not known: choose a data set whose examples "
            "have labels called label_<factor>, such as sprites"
        )
    prepare(builder)
    split = resolve_split(builder, split)
    if classes is not None:
        classes = find_classes(source, classes, data_dir)
    columns = [
        _read(builder, split, _PREFIX + name, classes)[:num_images] for name in features
    ]
    value_names = tuple(tuple(feature.names) for feature in features.values())
    num_values = tuple(len(names) for names in value_names)
    categorical = tuple(
        column
        for column, (name, values) in enumerate(zip(features, value_names, strict=True))
        if name.rpartition("_")[2] in _CATEGORIES
        or not all(value.isdecimal() for value in values)
    )
    values = np.stack(columns, axis=1)
    return Factors(tuple(features), values, num_values, value_names, categorical)


def _find(
    source: PathLike, data_dir: PathLike | None, image_size: Size
) -> tuple[tfds.core.DatasetBuilder | None, dict[str, tfds.features.ClassLabel]]:
    """Returns a builder and its factors by name: of a folder neither."""
    if find_folder(source) is not None:
        return None, {}
    size = make_fit(image_size, channels=None).size
    builder = make_builder(os.fspath(source), data_dir, size)
    features = {
        key.removeprefix(_PREFIX): feature
        for key, feature in sorted(builder.info.features.items())
        if key.startswith(_PREFIX) and isinstance(feature, tfds.features.ClassLabel)
    }
    return builder, features


def _read(
    builder: tfds.core.DatasetBuilder,
    split: str,
    key: str,
    classes: tuple[int, ...] | None,
) -> np.ndarray:
    # Read as a label is, so that the order is that of the images.
    (values,) = Records(builder, split, (), key, Fit(), (), classes=classes).read()
    return values
