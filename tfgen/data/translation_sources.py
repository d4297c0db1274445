"""Pairs and domains as sources, whether of a TFDS data set or of a folder."""

import os
from dataclasses import replace

from tfgen.data import folders, named
from tfgen.data.arguments import check_split
from tfgen.data.images import Fit
from tfgen.data.preparing import make_builder
from tfgen.data.sources import Source, find_folder
from tfgen.errors import UserError


def open_pairs(
    source: str | os.PathLike,
    split: str,
    fit: Fit,
    size: tuple[int, int] | None,
    data_dir: str | os.PathLike | None,
    skip_bad_images: bool,
) -> Source:
    """Returns the pairs of one split; `size` is that of the images in the end.

    Raises:
        UserError: No such source or split, or a mistake in the data.
    """
    check_split(split)
    folder = find_folder(source)
    if folder is None:
        builder = make_builder(os.fspath(source), data_dir, size)
        return named.open_named_pairs(builder, split, fit)
    return folders.open_pair_folder(folder, split, fit, skip_bad_images)


def open_domains(
    source: str | os.PathLike,
    split: str,
    fit: Fit,
    size: tuple[int, int] | None,
    data_dir: str | os.PathLike | None,
    skip_bad_images: bool,
) -> list[Source]:
    """Returns domains A and B of one split, or its pairs as one source.

    Raises:
        UserError: As of `open_pairs`; or the domains differ in shape.
    """
    check_split(split)
    folder = find_folder(source)
    if folder is None:
        builder = make_builder(os.fspath(source), data_dir, size)
        data = named.open_named_domains(builder, split, fit)
    else:
        data = folders.open_domain_folder(folder, split, fit, skip_bad_images)
    if len({part.image_shape for part in data}) > 1:
        shapes = " and ".join(str(part.image_shape) for part in data)
        raise UserError(
            f"The domains of {source} differ in shape (height, width, channels): "
            f"{shapes}. Pass image_size and channels to make them equal"
        )
    return data


def swap(pairs: Source) -> Source:
    """Returns the pairs with B first."""
    return replace(
        pairs,
        read=lambda: pairs.read()[::-1],
        stream=lambda seed: pairs.stream(seed).map(lambda a, b: (b, a)),
    )
