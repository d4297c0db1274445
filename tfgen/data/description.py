"""What is known of a source without decoding it: counts, classes, a fingerprint."""

import hashlib
import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfgen.data.builders import tfds_source
from tfgen.data.builders.preparing import make_builder, prepare
from tfgen.data.decode import printable
from tfgen.data.folders import pairs as pair_layout
from tfgen.data.folders import splits
from tfgen.data.folders.image_files import part_shape
from tfgen.data.folders.listing import Listing, describe_left_out, scan
from tfgen.data.loading import PathLike, find_folder
from tfgen.data.pixels import WHOLE
from tfgen.errors import UserError
from tfgen.names import find_name, list_names

_SPLITS = ("train", "test")
_OUTSIDE = "outside of the splits"
_MAX_LISTED = 10  # classes with their counts


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
        summary: One line for the start of training: how many images of which classes
            there are, and which files of a folder are left out.
    """

    name: str
    num_train: int | None
    num_test: int | None
    image_shape: tuple[int | None, ...]
    num_classes: int | None
    attribution: str | None
    summary: str


class Fingerprint(NamedTuple):
    """Tells whether data are those that a run was trained on.

    Attributes:
        source: The full TFDS name, or the absolute path of the folder.
        num_train, num_test: As in `Description`.
        split_rule: By what rule images are in the split that they are in.
        digest: SHA-256, in hexadecimal, of the relative names and the sizes of the
            files in both splits: the same wherever the folder lies. Of a data set of
            TFDS it covers the name and the counts.
    """

    source: str
    num_train: int
    num_test: int
    split_rule: str
    digest: str


def describe(
    source: PathLike, data_dir: PathLike | None = None, translation: bool = False
) -> Description:
    """Describes a source without downloading or decoding it.

    Args:
        source: As in `load_images`, `load_pairs` or `load_domains`.
        data_dir: As in `load_images`.
        translation: Whether the source is read by `load_pairs` or `load_domains`.
            Pairs then count as one, of two domains the larger counts, the shape of
            two images in one file is that of a half, and labels don't count.

    Raises:
        UserError: There is no such source, or it has no images.
    """
    folder = find_folder(source)
    if folder is None:
        fields = tfds_source.describe_named(os.fspath(source), data_dir, translation)
        return Description(*fields, _summarize_named(fields, translation))
    listing = scan(folder)
    examples = {x: _list_examples(listing, x, translation) for x in _SPLITS}
    counts = [_count(examples[split]) for split in _SPLITS]
    first, parts = examples["train"][0][0], (WHOLE,)
    if translation and pair_layout.kind_of(listing) != pair_layout.DOMAINS:
        parts = pair_layout.find_pairs(listing, "train")[1]
    names = () if translation else _class_names(listing)
    shape = part_shape(first[0], parts)
    summary = _summarize_folder(listing, examples, names, translation)
    return Description(str(folder), *counts, shape, len(names) or None, None, summary)


def fingerprint(
    source: PathLike, data_dir: PathLike | None = None, translation: bool = False
) -> Fingerprint:
    """Returns what tells whether data are those that a run was trained on.

    Files are not read: one whose content changes and whose size does not goes
    unnoticed. A data set of TFDS is prepared.

    Args:
        source, data_dir, translation: As in `describe`.

    Raises:
        UserError: As in `describe`.
    """
    folder = find_folder(source)
    if folder is None:
        prepare(make_builder(os.fspath(source), data_dir))
        description = describe(source, data_dir, translation)
        fields = description.name, description.num_train, description.num_test
        digest = hashlib.sha256(repr(fields).encode()).hexdigest()
        return Fingerprint(*fields, "as TFDS has them", digest)
    listing, digest, counts = scan(folder), hashlib.sha256(), []
    for split in _SPLITS:
        examples = _list_examples(listing, split, translation)
        counts.append(_count(examples))
        for path in itertools.chain(*itertools.chain(*examples)):
            name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
            size = path.stat().st_size if path.exists() else 0  # a broken link
            digest.update(os.fsencode(f"{split}\0{name}\0{size}\n"))
    rule = _split_rule(listing, translation)
    return Fingerprint(str(folder.absolute()), *counts, rule, digest.hexdigest())


def class_names(source: PathLike, data_dir: PathLike | None = None) -> tuple[str, ...]:
    """Returns what the classes are called that labels number, in their order.

    Args:
        source, data_dir: As in `load_images`.

    Returns:
        Texts: numbers where a data set names none, none where there are no labels or,
        in a folder, an image lies outside the classes' sub-folders.

    Raises:
        UserError: There is no such source, or it has no images.
    """
    folder = find_folder(source)
    if folder is None:
        return tuple(tfds_source.list_class_names(os.fspath(source), data_dir))
    return _class_names(scan(folder))


def find_classes(
    source: PathLike, classes: Sequence[str | int], data_dir: PathLike | None = None
) -> tuple[int, ...]:
    """Returns the numbers of classes, sorted, each once.

    Args:
        source, data_dir: As in `load_images`.
        classes: Names, or numbers from 0.

    Raises:
        UserError: No class is given, one is unknown, or there are no labels.
    """
    if isinstance(classes, str) or not hasattr(classes, "__len__") or not len(classes):
        raise UserError(
            "classes must be names or numbers of classes, one or more. "
            f"Received: {classes!r}"
        )
    names = class_names(source, data_dir)
    if not names:
        raise UserError(
            f"{source} has no labels to choose classes by: choose a data set with "
            "labels, or a folder with every image in a class's sub-folder"
        )
    numbers = {str(name): find_name(str(name), names) for name in classes}
    for name, number in numbers.items():
        if number is None:
            known = list_names(names)
            raise UserError(f"{source} has no class {name!r}: choose of {known}")
    return tuple(sorted(set(numbers.values())))


def _class_names(listing: Listing) -> tuple[str, ...]:
    chosen = (splits.find_split(listing, split) for split in _SPLITS)
    is_labelled = all("/" in name for part in chosen for name in part.names)
    return tuple(splits.list_classes(listing)) if is_labelled else ()


def _list_examples(
    listing: Listing, split: str, translation: bool
) -> list[list[tuple[Path, ...]]]:
    """Returns the files of each example of a split; of two domains, one list each."""
    if not translation:
        return [[(path,) for path in splits.find_split(listing, split).paths]]
    if pair_layout.kind_of(listing) == pair_layout.DOMAINS:
        domains = pair_layout.find_domains(listing, split)
        return [[(path,) for path in domain.paths] for domain in domains]
    return [list(pair_layout.find_pairs(listing, split)[0].values())]


def _count(examples: list[list[tuple[Path, ...]]]) -> int:
    return max(map(len, examples))


def _split_rule(listing: Listing, translation: bool) -> str:
    if translation and pair_layout.kind_of(listing) != pair_layout.SIDE_BY_SIDE:
        return pair_layout.split_rule(listing)
    return splits.split_rule(listing)


# ---- Summaries -----------------------------------------------------------------------


def _summarize_named(fields: tuple, translation: bool) -> str:
    name, num_train, num_test, _, num_classes, _ = fields
    if num_train is None:
        return f"{name} of TFDS, not prepared yet"
    noun = "examples" if translation else "images"
    classes = f" of {num_classes:,} classes" if num_classes else ""
    return (
        f"{num_train + num_test:,} {noun}{classes}, {_of_splits(num_train, num_test)} "
        f"({name} of TFDS)"
    )


def _summarize_folder(
    listing: Listing,
    examples: dict[str, list[list[tuple[Path, ...]]]],
    names: tuple[str, ...],
    translation: bool,
) -> str:
    """Returns "24 images of 2 classes (cats 9, dogs 15), ...; 3 files left out"."""
    domains = [train + test for train, test in zip(*examples.values(), strict=True)]
    total = sum(map(len, domains))
    if not translation:
        contents = f"{_plural(total, 'image')}{_of_classes(listing, names)}"
    elif len(domains) == 2:
        counts = f"A {len(domains[0]):,}, B {len(domains[1]):,}"
        contents = f"{_plural(total, 'image')} of two domains ({counts})"
    elif len(domains[0][0]) == 2:
        contents = f"{_plural(total, 'pair')} of images in a/ and b/"
    else:
        contents = (
            f"{_plural(total, 'file')}, each taken for two images side by side, the "
            "left half A and the right half B"
        )
    of_splits = _of_splits(*(sum(map(len, examples[split])) for split in _SPLITS))
    num_files = sum(len(paths) for domain in domains for paths in domain)
    left_out = listing.left_out + Counter({_OUTSIDE: len(listing.names) - num_files})
    reasons = f"; {describe_left_out(left_out)}" if left_out else ""
    return f"{contents}, {of_splits}{reasons}"


def _of_classes(listing: Listing, names: tuple[str, ...]) -> str:
    if not names:
        return ""
    chosen = (splits.find_split(listing, split) for split in _SPLITS)
    counts = Counter(name.partition("/")[0] for part in chosen for name in part.names)
    listed = [f"{printable(name)} {counts[name]:,}" for name in names[:_MAX_LISTED]]
    more = [f"and {len(names) - _MAX_LISTED:,} more"] * (len(names) > _MAX_LISTED)
    noun = "class" if len(names) == 1 else "classes"
    return f" of {len(names):,} {noun} ({', '.join(listed + more)})"


def _of_splits(num_train: int, num_test: int) -> str:
    return f"{num_train:,} to train and {num_test:,} to test"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
