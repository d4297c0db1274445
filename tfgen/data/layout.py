"""Where the splits and classes of a folder of images lie.

Splits: `train/` beside `test/` (or `validation/`, `val/`) are used as they are. In any
other folder a tenth of the images, chosen by a hash of their relative path, is "test"
and the rest is "train": where there are a few dozen images or more, adding some never
moves another from one split to the other.

Labels: one class a sub-folder, numbered in the order of their sorted names.
"""

import hashlib
import os
from pathlib import Path

from tfgen.data import images
from tfgen.errors import UserError

_TEST_NAMES = ("test", "validation", "val")
_TEST_SHARE = 10  # one image in so many is held out where there is no test folder


def find_files(folder: Path, split: str) -> tuple[Path, list[Path]]:
    """Returns the folder that the split lies in and its image files, sorted."""
    base, is_test = locate_split(folder, split)
    paths = {path.relative_to(base).as_posix(): path for path in list_images(base)}
    chosen = choose_part(list(paths), is_test, folder, split)
    return base, [paths[name] for name in chosen]


def list_classes(folder: Path) -> list[str]:
    """Returns the sorted names of the sub-folders that are classes; may be empty."""
    bases = list(split_folders(folder).values()) or [folder]
    return sorted({name for base in bases for name in sub_folders(base)})


def split_folders(folder: Path) -> dict[str, Path]:
    """Returns the sub-folders that are splits by name; empty where none is."""
    parts = sub_folders(folder)
    # A class may well be called "train": alone among classes it is no split.
    is_split = "train" in parts and (len(parts) == 1 or parts.keys() & {*_TEST_NAMES})
    return parts if is_split else {}


def sub_folders(folder: Path) -> dict[str, Path]:
    """Returns the sub-folders by name, hidden ones left out."""
    parts = (part for part in folder.iterdir() if part.is_dir())
    return {part.name: part for part in parts if not part.name.startswith(".")}


def locate_split(folder: Path, split: str) -> tuple[Path, bool | None]:
    """Returns a folder and, if a part of it is held out, whether the split is that."""
    parts = split_folders(folder)
    name, is_test = resolve_split(folder, set(parts), split)
    return parts.get(name, folder), is_test


def resolve_split(folder: Path, names: set[str], split: str) -> tuple[str, bool | None]:
    """Returns one of `names` and, if a part of it is held out, whether it is that.

    Raises:
        UserError: There is no such split.
    """
    test_names = [name for name in _TEST_NAMES if name in names]
    if split in names and (split != "train" or test_names):
        return split, None
    if split == "test" and test_names:
        return test_names[0], None
    if split in ("train", "test"):
        return "train", split == "test"
    known = ", ".join(sorted({"train", "test", *names}))
    raise UserError(f"{folder} has no split {split!r}: choose one of {known}")


def list_images(base: Path) -> list[Path]:
    """Returns the image files below `base`, in one order on every file system.

    Raises:
        UserError: There are none.
    """
    found = []
    for root, _, files in os.walk(base):
        for name in files:
            ending = os.path.splitext(name)[1].lower()
            if ending in images.EXTENSIONS and not name.startswith("."):
                found.append(Path(root, name))
    if not found:
        endings = " ".join(sorted(images.EXTENSIONS))
        raise UserError(f"{base} holds no images: expected files ending in {endings}")
    return sorted(found, key=lambda path: path.relative_to(base).as_posix())


def choose_part(
    names: list[str], is_test: bool | None, folder: Path, split: str
) -> list[str]:
    """Returns those names that are held out, or the others, or all where None are.

    Raises:
        UserError: Nothing is left.
    """
    if is_test is None:
        return names
    held_out = _hold_out(names)
    chosen = [name for name in names if (name in held_out) == is_test]
    if not chosen:
        raise UserError(
            f"No image of {folder} falls to the split {split!r}: add images, or make "
            "the folders train/ and test/"
        )
    return chosen


def _hold_out(names: list[str]) -> set[str]:
    def rank(name: str) -> int:
        return int(hashlib.sha256(name.encode()).hexdigest(), 16)

    chosen = {name for name in names if rank(name) % _TEST_SHARE == 0}
    return chosen or {min(names, key=rank)}  # a handful of images has a test set too
