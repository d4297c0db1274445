"""A bar on the terminal, of what takes long."""

from collections.abc import Iterable
from typing import Any


def track(batches: Iterable[Any], what: str, count: int | None = None) -> Iterable[Any]:
    """Returns the same batches; on a terminal a bar shows how far they are.

    Args:
        batches: Of what is done.
        what: Is done with them.
        count: Integer, how many batches there are, of a generator.
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return batches
    return track(batches, what, count, console=console, transient=True)
