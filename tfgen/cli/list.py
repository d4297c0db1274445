"""`tfgen list`: the presets, and whom their data are from."""

import json
import textwrap

import click

from tfgen.attributions import ATTRIBUTIONS
from tfgen.presets import Preset, presets

_WIDTH = 79


@click.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="All that a preset says, as JSON."
)
def command(as_json: bool) -> None:
    """Show the presets."""
    if as_json:
        click.echo(json.dumps([_describe(p) for p in presets().values()], indent=2))
        return
    click.echo(f"{'PRESET':<34}{'DATA':<20}{'EPOCHS':>8}")
    for preset in presets().values():
        data = preset.data or f"(your {preset.kind})"
        click.echo(f"{preset.name:<34}{data:<20}{preset.epochs:>8}")
        click.echo(_wrap(f"{preset.summary} ({preset.paper})", "    "))
    click.echo("\nData that come with tfgen:")
    for name, attribution in ATTRIBUTIONS.items():
        click.echo(_wrap(f"{name}: {attribution}", ""))


def _wrap(text: str, indent: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent or "    "
    )


def _describe(preset: Preset) -> dict:
    names = ("name", "summary", "paper", "kind", "data", "epochs", "batch_size")
    arguments = {
        argument.name: {
            "default": argument.default,
            "expected": argument.expected,
            "help": argument.help,
        }
        for argument in preset.arguments.values()
    }
    return {name: getattr(preset, name) for name in names} | {"arguments": arguments}
