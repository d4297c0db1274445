"""Which classes are meant: each by its name or, if none is called so, by its number."""

import os
from collections.abc import Sequence

from tfgen.errors import UserError

_MAX_LISTED = 12  # names: more are listed as from the first to the last


def find_classes(
    source: str | os.PathLike, classes: Sequence[str | int], names: Sequence[str]
) -> tuple[int, ...]:
    """Returns the numbers of classes, sorted, each once.

    Args:
        source: The data set or folder, for messages.
        classes: Names, or numbers from 0.
        names: Of all classes, in their order; none where there are no labels.

    Raises:
        UserError: No class is given, one is unknown, or there are no labels.
    """
    if isinstance(classes, str) or not hasattr(classes, "__len__") or not len(classes):
        raise UserError(
            "classes must be names or numbers of classes, one or more. "
            f"Received: {classes!r}"
        )
    if not names:
        raise UserError(
            f"{source} has no labels to choose classes by: choose a data set with "
            "labels, or a folder with every image in a class's sub-folder"
        )
    numbers = set()
    for name in map(str, classes):
        number = find_name(name, names)
        if number is None:
            known = list_names(names)
            raise UserError(f"{source} has no class {name!r}: choose of {known}")
        numbers.add(number)
    return tuple(sorted(numbers))


def find_name(text: str, names: Sequence[str]) -> int | None:
    """Returns the place of a name, or the number that the text is; None if neither."""
    if text in names:
        return list(names).index(text)
    is_number = text.isdecimal() and int(text) < len(names)
    return int(text) if is_number else None


def list_names(names: Sequence[str]) -> str:
    """Returns names separated by commas; of many the first and the last."""
    if len(names) > _MAX_LISTED:
        return f"{names[0]}, {names[1]}, ... {names[-1]}"
    return ", ".join(names)
