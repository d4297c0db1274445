"""`tfgen list`: the presets, and whom their data are from."""

import click

from tfgen.data.builders.attributions import ATTRIBUTIONS
from tfgen.presets.registry import presets


@click.command("list")
def command() -> None:
    """Show the presets."""
    from rich.console import Console
    from rich.table import Table

    table = Table("preset", "what", "data", "epochs", box=None, padding=(0, 2, 0, 0))
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    for preset in presets().values():
        what = f"{preset.summary} ({preset.paper})"
        table.add_row(preset.name, what, preset.data or "(yours)", str(preset.epochs))
    console = Console()
    console.print(table, highlight=False)
    console.print("\nData that come with tfgen:")
    for name, attribution in ATTRIBUTIONS.items():
        console.print(f"{name}: {attribution}", highlight=False)
