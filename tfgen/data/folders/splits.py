"""Where the splits and classes of a folder of images lie.

Splits: `train/` beside `test/` (or `validation/`, `valid/`, `val/`, `dev/`) are used
as they are, and so is `training/` beside `testing/`, in capitals or not. In any other
folder a tenth of the images, chosen by a hash of their relative path, is "test" and the
rest is "train": where there are a few dozen images or more, adding some never moves
another from one split to the other.

Labels: one class a sub-folder, numbered in the order of their sorted names.
"""

import hashlib
import os
import unicodedata
from pathlib import Path

from tfgen.data.folders.listing import Listing
from tfgen.errors import UserError

HELD_OUT = "a tenth by SHA-256 of the relative path is test"
FOLDERS = "a folder each"

TEST_NAMES = ("test", "validation", "valid", "val", "dev")
_ALIASES = {"training": "train", "testing": "test"}
_TEST_SHARE = 10  # one image in so many is held out where there is no test folder


def find_split(listing: Listing, split: str) -> Listing:
    """Returns the images of a split, in the folder that the split lies in.

    Raises:
        UserError: There is no such split, or it is empty.
    """
    part, is_test = locate_split(listing, split)
    return choose_part(part, is_test, split)


def split_rule(listing: Listing) -> str:
    """Returns by what rule images are in the split that they are in."""
    return HELD_OUT if locate_split(listing, "test")[1] else FOLDERS


def list_classes(listing: Listing) -> list[str]:
    """Returns the sorted names of the sub-folders that are classes; may be empty."""
    bases = list(split_folders(listing).values()) or [listing]
    return sorted({name for base in bases for name in base.sub_folders()})


def split_folders(listing: Listing) -> dict[str, Listing]:
    """Returns the sub-folders by the splits' names; empty where none is a split.

    Raises:
        UserError: Two of them are one split.
    """
    folders: dict[str, Listing] = {}
    for folder in listing.sub_folders().values():
        other = folders.setdefault(_split_name(folder.folder.name), folder)
        if other is not folder:
            raise UserError(
                f"{other.folder} and {folder.folder} are one split: which holds its "
                "images is not known. Move them into one of the folders"
            )
    # A class may well be called "train": alone among classes it is not a split.
    has_test = folders.keys() & {*TEST_NAMES}
    return folders if "train" in folders and (len(folders) == 1 or has_test) else {}


def _split_name(folder: str) -> str:
    """Returns the split that a folder's name means, or the name."""
    name = _ALIASES.get(folder.lower(), folder.lower())
    return name if name in ("train", *TEST_NAMES) else folder


def locate_split(listing: Listing, split: str) -> tuple[Listing, bool | None]:
    """Returns a folder and, if a part of it is held out, whether the split is that."""
    folders = split_folders(listing)
    name, is_test = resolve_split(listing.folder, set(folders), split)
    return folders.get(name, listing), is_test


def resolve_split(folder: Path, names: set[str], split: str) -> tuple[str, bool | None]:
    """Returns one of `names` and, if a part of it is held out, whether it is that.

    Raises:
        UserError: There is no such split.
    """
    test_names = [name for name in TEST_NAMES if name in names]
    if split in names and (split != "train" or test_names):
        return split, None
    if split == "test" and test_names:
        return test_names[0], None
    if split in ("train", "test"):
        return "train", split == "test"
    known = ", ".join(sorted({"train", "test", *names}))
    raise UserError(f"{folder} has no split {split!r}: choose one of {known}")


def choose_part(listing: Listing, is_test: bool | None, split: str) -> Listing:
    """Returns the images that are held out, or the others, or all where None are.

    Raises:
        UserError: Nothing is left.
    """
    if is_test is None:
        return listing
    held_out = _hold_out(listing.names)
    chosen = [name for name in listing.names if (name in held_out) == is_test]
    if not chosen:
        raise UserError(
            f"{listing.folder} has {len(listing.names)} image: too few for the split "
            f"{split!r}, since one is held out for testing. Add images, or a folder of "
            "test images beside those to train on"
        )
    return listing.choose(chosen)


def hash_name(name: str, salt: str = "") -> bytes:
    """Returns the SHA-256 of a file's name, on every system alike.

    A name need not be UTF-8, and macOS writes accents as characters of their own.
    """
    name = unicodedata.normalize("NFC", name)
    return hashlib.sha256(salt.encode() + os.fsencode(name)).digest()


def _hold_out(names: tuple[str, ...]) -> set[str]:
    def rank(name: str) -> int:
        return int.from_bytes(hash_name(name), "big")

    chosen = {name for name in names if rank(name) % _TEST_SHARE == 0}
    return chosen or {min(names, key=rank)}  # a handful of images has a test set too
