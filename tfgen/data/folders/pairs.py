"""Where the pairs or the two domains of a folder lie.

Pairs: files of two images side by side (the left half is A), in a folder as in
`splits`; or the sub-folders `a/` and `b/` with files of equal names, in the folder of
each split, around the folders of the splits, or without. Two domains: the folders
`trainA trainB testA testB`. Names of folders are compared without case.
"""

import unicodedata
from collections.abc import Collection
from pathlib import Path

from tfgen.data import decode
from tfgen.data.folders import splits
from tfgen.data.folders.listing import Listing
from tfgen.data.pixels import LEFT, RIGHT, WHOLE
from tfgen.errors import UserError

_NAMES = {"a", "b"} | {
    split + domain for split in ("train", *splits.TEST_NAMES) for domain in "ab"
}
DOMAINS, FOLDERS, SIDE_BY_SIDE = "domains", "folders", "side by side"


def kind_of(listing: Listing) -> str:
    """Returns `DOMAINS`, `FOLDERS` or, of any other folder, `SIDE_BY_SIDE`."""
    if {"traina", "trainb"} & _lower_folders(listing).keys():
        return DOMAINS
    bases = [listing, *splits.split_folders(listing).values()]
    return FOLDERS if any(map(_two_folders, bases)) else SIDE_BY_SIDE


def has_pairs(listing: Listing) -> bool:
    """Whether a folder holds pairs. Of side-by-side files one header is read."""
    kind = kind_of(listing)
    if kind != SIDE_BY_SIDE:
        return kind == FOLDERS
    first = splits.locate_split(listing, "train")[0].paths[0]
    return decode.is_side_by_side(decode.read_header(first).shape)


def find_pairs(
    listing: Listing, split: str
) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    """Returns the files of each pair by its name, and which parts of them are images.

    Raises:
        UserError: No such split, a file without a partner, or two domains.
    """
    kind = kind_of(listing)
    if kind == DOMAINS:
        raise UserError(
            f"{listing.folder} holds two domains (trainA, trainB), not pairs: use "
            "load_domains, or a folder with the sub-folders a/ and b/ of files with "
            "equal names"
        )
    if kind == SIDE_BY_SIDE:
        chosen = splits.find_split(listing, split)
        pairs = zip(chosen.names, chosen.paths, strict=True)
        return {name: (path,) for name, path in pairs}, (LEFT, RIGHT)
    (base_a, base_b), is_test = _locate_two_folders(listing, split)
    stems_a, stems_b = _list_stems(base_a), _list_stems(base_b)
    _check_partners(stems_a, base_b.folder, stems_b)
    _check_partners(stems_b, base_a.folder, stems_a)
    chosen = splits.choose_part(listing.choose(stems_a), is_test, split)
    pairs = {stem: (stems_a[stem], stems_b[stem]) for stem in chosen.names}
    return pairs, (WHOLE,)


def find_domains(listing: Listing, split: str) -> tuple[Listing, Listing]:
    """Returns the files of the domains A and B of one split.

    Raises:
        UserError: No such split, or one of the folders is missing or without images.
    """
    folders = _lower_folders(listing)
    for name in ("train", *splits.TEST_NAMES):
        _check_both_domains(listing.folder, name, folders)
    names = {name[:-1] for name in folders if name[-1] in "ab"}
    names = {name for name in names if {f"{name}a", f"{name}b"} <= folders.keys()}
    name, is_test = splits.resolve_split(listing.folder, names, split)
    a, b = (
        splits.choose_part(folders[name + domain], is_test, split) for domain in "ab"
    )
    return a, b


def split_rule(listing: Listing) -> str:
    """Returns by what rule the images of `a/` and `b/`, or of domains, are split."""
    if kind_of(listing) == DOMAINS:
        folders = _lower_folders(listing)
        has_test = any(f"{name}a" in folders for name in splits.TEST_NAMES)
    else:
        has_test = _locate_two_folders(listing, "test")[1] is None
    return splits.FOLDERS if has_test else splits.HELD_OUT


def halve(folder: Path, names: Collection[str]) -> tuple[list[str], list[str]]:
    """Divides pairs by a hash of their name; adding some moves no other.

    Raises:
        UserError: There is one pair only.
    """

    def rank(name: str) -> bytes:  # not the hash that holds out, which favours a half
        return splits.hash_name(name, salt="half ")

    if len(names) < 2:
        raise UserError(
            f"{folder} has too few pairs for two domains without a common pair: add "
            "some, or use load_pairs"
        )
    halves = tuple([x for x in names if rank(x)[0] % 2 == half] for half in (0, 1))
    for half, other in (halves, halves[::-1]):
        if not half:  # a handful of pairs
            half.append(min(other, key=rank))
            other.remove(half[0])
    return halves


def _two_folders(base: Listing) -> tuple[Listing, Listing] | None:
    folders = _lower_folders(base)
    return (folders["a"], folders["b"]) if {"a", "b"} <= folders.keys() else None


def _locate_two_folders(
    listing: Listing, split: str
) -> tuple[tuple[Listing, Listing], bool | None]:
    bases = _two_folders(listing)
    if bases is not None:  # each may have the folders of the splits
        (a, is_test), (b, _) = (splits.locate_split(base, split) for base in bases)
        return (a, b), is_test
    base, is_test = splits.locate_split(listing, split)
    bases = _two_folders(base)
    if bases is None:
        raise UserError(
            f"{base.folder} has no sub-folders a/ and b/ of images, as another split "
            "has: add them"
        )
    return bases, is_test


def _lower_folders(base: Listing) -> dict[str, Listing]:
    folders: dict[str, Listing] = {}
    for name, listing in base.sub_folders().items():
        other = folders.setdefault(name.lower(), listing)
        if other is not listing and name.lower() in _NAMES:
            raise UserError(
                f"{listing.folder} and {other.folder} differ in case only: which holds "
                "the images is not known. Move the images into one of them"
            )
    return folders


def _check_both_domains(folder: Path, split: str, folders: dict) -> None:
    names = [f"{split}A", f"{split}B"]
    names.sort(key=lambda name: name.lower() not in folders)
    if [name.lower() in folders for name in names] == [True, False]:
        raise UserError(
            f"{folder} has images in {names[0]} and none in {names[1]}: two domains "
            "are the sub-folders trainA and trainB, with testA and testB beside them "
            "or with neither (a tenth of each is held out then)"
        )


def _stem(name: str) -> str:
    # macOS writes accents as characters of their own: the partner may not.
    return unicodedata.normalize("NFC", name.rpartition(".")[0])


def _list_stems(base: Listing) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for name, path in zip(base.names, base.paths, strict=True):
        other = stems.setdefault(_stem(name), path)
        if other != path:
            raise UserError(
                f"{path} and {other} have one name: which belongs to a pair is not "
                "known. Remove or rename one"
            )
    return stems


def _check_partners(stems: dict[str, Path], other: Path, partners: dict) -> None:
    alone = [path for stem, path in stems.items() if stem not in partners]
    if alone:
        raise UserError(
            f"{alone[0]} has no partner of the same name in {other}, one of "
            f"{len(alone)} such files: add the partners, or remove the files"
        )
