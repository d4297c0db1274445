"""Where the pairs or the two domains of a folder lie.

Pairs: files of two images side by side (the left half is A), in a folder as of
`layout`; or the sub-folders `a/` and `b/` with files of equal names, in the folder of
each split, around the folders of the splits, or without. Two domains: the folders
`trainA trainB testA testB`. Names of folders are compared without case.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path

from tfgen.data import images, layout
from tfgen.errors import UserError

DOMAINS, FOLDERS, SIDE_BY_SIDE = "domains", "folders", "side by side"


def kind_of(folder: Path) -> str:
    """Returns `DOMAINS`, `FOLDERS` or, of any other folder, `SIDE_BY_SIDE`."""
    if {"traina", "trainb"} <= _lower_folders(folder).keys():
        return DOMAINS
    bases = [folder, *layout.split_folders(folder).values()]
    return FOLDERS if any(map(_two_folders, bases)) else SIDE_BY_SIDE


def has_pairs(folder: Path) -> bool:
    """Whether a folder holds pairs. Of side-by-side files one header is read."""
    kind = kind_of(folder)
    if kind != SIDE_BY_SIDE:
        return kind == FOLDERS
    first = layout.list_images(layout.locate_split(folder, "train")[0])[0]
    return images.is_side_by_side(images.read_shape(first))


def find_pairs(
    folder: Path, split: str
) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    """Returns the files of each pair by its name, and which parts of them are images.

    Raises:
        UserError: No such split, no images, a file without a partner, two domains.
    """
    kind = kind_of(folder)
    if kind == DOMAINS:
        raise UserError(
            f"{folder} holds two domains (trainA, trainB), not pairs: use load_domains "
            "or a folder with the sub-folders a/ and b/ of files with equal names"
        )
    if kind == SIDE_BY_SIDE:
        base, paths = layout.find_files(folder, split)
        pairs = {path.relative_to(base).as_posix(): (path,) for path in paths}
        return pairs, (images.LEFT, images.RIGHT)
    bases, is_test = _locate_two_folders(folder, split)
    stems_a, stems_b = (_list_stems(base) for base in bases)
    _check_partners(stems_a, bases[1], stems_b)
    _check_partners(stems_b, bases[0], stems_a)
    pairs = {stem: (path, stems_b[stem]) for stem, path in stems_a.items()}
    chosen = layout.choose_part(list(pairs), is_test, folder, split)
    return {stem: pairs[stem] for stem in chosen}, (images.WHOLE,)


def find_domains(folder: Path, split: str) -> tuple[list[Path], list[Path]]:
    """Returns the files of the domains A and B of one split.

    Raises:
        UserError: No such split, or no images.
    """
    parts = _lower_folders(folder)
    splits = {name[:-1] for name in parts if name[-1] in "ab"}
    splits = {name for name in splits if {f"{name}a", f"{name}b"} <= parts.keys()}
    name, is_test = layout.resolve_split(folder, splits, split)
    return tuple(
        _find_part(parts[name + domain], is_test, folder, split) for domain in "ab"
    )


def halve(folder: Path, names: Collection[str]) -> tuple[list[str], list[str]]:
    """Divides pairs by a hash of their name; adding some moves no other.

    Raises:
        UserError: There is one pair only.
    """

    def rank(name: str) -> bytes:  # not the hash that holds out, which favours a half
        return hashlib.sha256(f"half {name}".encode()).digest()

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


def _two_folders(base: Path) -> tuple[Path, Path] | None:
    parts = _lower_folders(base)
    return (parts["a"], parts["b"]) if {"a", "b"} <= parts.keys() else None


def _locate_two_folders(
    folder: Path, split: str
) -> tuple[tuple[Path, Path], bool | None]:
    bases = _two_folders(folder)
    if bases is not None:  # each may have the folders of the splits
        (a, is_test), (b, _) = (layout.locate_split(base, split) for base in bases)
        return (a, b), is_test
    base, is_test = layout.locate_split(folder, split)
    bases = _two_folders(base)
    if bases is None:
        raise UserError(f"{base} has no sub-folders a/ and b/, as another split has")
    return bases, is_test


def _lower_folders(base: Path) -> dict[str, Path]:
    return {name.lower(): path for name, path in layout.sub_folders(base).items()}


def _stem(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def _list_stems(base: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in layout.list_images(base):
        other = stems.setdefault(_stem(path, base), path)
        if other != path:
            raise UserError(
                f"{path} and {other} have one name: which belongs to a pair is not "
                "known. Remove or rename one"
            )
    return stems


def _check_partners(stems: dict[str, Path], other: Path, others: dict) -> None:
    alone = [path for stem, path in stems.items() if stem not in others]
    if alone:
        raise UserError(
            f"{alone[0]} has no partner of the same name in {other}, one of "
            f"{len(alone)} such files: add the partners, or remove the files"
        )


def _find_part(
    base: Path, is_test: bool | None, folder: Path, split: str
) -> list[Path]:
    paths = {
        path.relative_to(base).as_posix(): path for path in layout.list_images(base)
    }
    chosen = layout.choose_part(list(paths), is_test, folder, split)
    return [paths[name] for name in chosen]
