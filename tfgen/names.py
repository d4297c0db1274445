"""Names that a user chooses by: each may be given by its number instead."""

from collections.abc import Sequence

_MAX_LISTED = 12  # of more names the first and the last are listed


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
