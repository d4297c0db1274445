"""How long work tells how far it is."""

from collections.abc import Callable, Iterable

# From an iterable, a description and a total to the same items: a progress bar, say.
Progress = Callable[..., Iterable]


def no_progress(
    iterable: Iterable, description: str, total: int | None = None
) -> Iterable:
    """Returns the iterable: nothing is shown."""
    return iterable
