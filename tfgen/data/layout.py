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
    base, is_test = _locate_split(folder, split)
    paths = _list_images(base)
    if not paths:
        endings = " ".join(sorted(images.EXTENSIONS))
        raise UserError(f"{base} holds no images: expected files ending in {endings}")
    if is_test is not None:
        test_paths = _hold_out(paths, base)
        paths = [path for path in paths if (path in test_paths) == is_test]
    if not paths:
        raise UserError(
            f"No image of {folder} falls to the split {split!r}: add images, or make "
            "the folders train/ and test/"
        )
    return base, paths


def list_classes(folder: Path) -> list[str]:
    """Returns the sorted names of the sub-folders that are classes; may be empty."""
    bases = list(_split_folders(folder).values()) or [folder]
    return sorted({name for base in bases for name in _sub_folders(base)})


def _split_folders(folder: Path) -> dict[str, Path]:
    parts = _sub_folders(folder)
    # A class may well be called "train": alone among classes it is no split.
    is_split = "train" in parts and (len(parts) == 1 or parts.keys() & {*_TEST_NAMES})
    return parts if is_split else {}


def _sub_folders(folder: Path) -> dict[str, Path]:
    parts = (part for part in folder.iterdir() if part.is_dir())
    return {part.name: part for part in parts if not part.name.startswith(".")}


def _locate_split(folder: Path, split: str) -> tuple[Path, bool | None]:
    """Returns a folder and, if a part of it is held out, whether the split is that."""
    parts = _split_folders(folder)
    test_names = [name for name in _TEST_NAMES if name in parts]
    if split in parts and (split != "train" or test_names):
        return parts[split], None
    if split == "test" and test_names:
        return parts[test_names[0]], None
    if split in ("train", "test"):
        return parts.get("train", folder), split == "test"
    known = ", ".join(sorted({"train", "test", *parts}))
    raise UserError(f"{folder} has no split {split!r}: choose one of {known}")


def _list_images(base: Path) -> list[Path]:
    """Returns the image files below `base`, in one order on every file system."""
    found = []
    for root, _, files in os.walk(base):
        for name in files:
            ending = os.path.splitext(name)[1].lower()
            if ending in images.EXTENSIONS and not name.startswith("."):
                found.append(Path(root, name))
    return sorted(found, key=lambda path: path.relative_to(base).as_posix())


def _hold_out(paths: list[Path], base: Path) -> set[Path]:
    def rank(path: Path) -> int:
        name = path.relative_to(base).as_posix()
        return int(hashlib.sha256(name.encode()).hexdigest(), 16)

    chosen = {path for path in paths if rank(path) % _TEST_SHARE == 0}
    return chosen or {min(paths, key=rank)}  # a handful of images has a test set too
