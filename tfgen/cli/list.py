"""`tfgen list`: the presets."""

import click

from tfgen.presets.registry import presets


@click.command("list")
def command() -> None:
    """Show the presets."""
    from rich.console import Console
    from rich.table import Table

    table = Table("preset", "what", "data", "epochs", "paper")
    table.columns[0].no_wrap = True
    for preset in presets().values():
        row = (preset.name, preset.summary, preset.data, str(preset.epochs))
        table.add_row(*row, preset.paper)
    Console().print(table)
