"""Pairs and domains as sources, whether of a TFDS data set or of a folder."""

import os
from typing import Any

from tfgen.data import folder_source, tfds_source
from tfgen.data.builders.preparing import make_builder
from tfgen.data.loading import (
    PathLike,
    Size,
    Source,
    check_split,
    find_folder,
    make_fit,
    make_size,
)
from tfgen.data.pixels import Fit
from tfgen.errors import UserError


def open_pairs(
    source: PathLike,
    split: str,
    fit: Fit,
    size: tuple[int, int] | None,
    data_dir: PathLike | None,
    *options: Any,
) -> Source:
    """Returns the pairs of one split; `size` is that of the images in the end."""
    check_split(split)
    folder = find_folder(source)
    if folder is None:
        builder = make_builder(os.fspath(source), data_dir, size)
        return tfds_source.open_named_pairs(builder, split, fit)
    return folder_source.open_pair_folder(folder, split, fit, *options)


def open_domains(
    source: PathLike,
    split: str,
    fit: Fit,
    size: tuple[int, int] | None,
    data_dir: PathLike | None,
    *options: Any,
) -> list[Source]:
    """Returns domains A and B of one split, or its pairs as one source."""
    check_split(split)
    folder = find_folder(source)
    if folder is None:
        builder = make_builder(os.fspath(source), data_dir, size)
        data = tfds_source.open_named_domains(builder, split, fit)
    else:
        data = folder_source.open_domain_folder(folder, split, fit, *options)
    if len({part.image_shape for part in data}) > 1:
        shapes = " and ".join(str(part.image_shape) for part in data)
        raise UserError(
            f"The domains of {source} differ in shape (height, width, channels): "
            f"{shapes}. Pass image_size and channels to make them equal"
        )
    return data


def fit_of_crops(
    image_size: Size,
    load_size: Size,
    channels: int | None,
    source_range: tuple[float, float] | None,
) -> tuple[Fit, tuple[int, int] | None]:
    """Returns what images are made to be at first, and `image_size` as a tuple."""
    fit = make_fit(image_size, channels, source_range)
    if load_size is None:
        return fit, fit.size
    size = make_size("load_size", load_size)
    if fit.size is None:
        raise UserError(
            "load_size needs image_size, the size that is cropped from it: pass both"
        )
    if size[0] < fit.size[0] or size[1] < fit.size[1]:
        raise UserError(
            "load_size must be at least image_size, which is cropped from it. "
            f"Received: load_size={load_size} and image_size={image_size}"
        )
    return fit._replace(size=size), fit.size
