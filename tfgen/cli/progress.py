"""A progress bar on the terminal."""

from collections.abc import Iterable
from typing import Any


def track(batches: Iterable[Any], what: str, count: int | None = None) -> Iterable[Any]:
    """Returns the same batches; on a terminal a bar shows how far they are.

    Args:
        batches: Any iterable.
        what: A description, beside the bar.
        count: Integer, the number of batches, where a generator does not tell it.
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return batches
    return track(batches, what, count, console=console, transient=True)
