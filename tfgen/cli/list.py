"""`tfgen list`: the presets, and whom their data are from."""

import json
import textwrap
from typing import Any

import click

from tfgen.attributions import ATTRIBUTIONS
from tfgen.presets import Preset, list_presets, presets, read_card
from tfgen.presets.words import headline_of

_WIDTH = 79


@click.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="All that a preset says, as JSON."
)
def command(as_json: bool) -> None:
    """Show the presets: what each does, and how good its trained weights are."""
    trained = list_presets(trained=True)
    cards = {name: read_card(name) for name in trained}
    if as_json:
        rows = [_describe(p) | {"card": cards.get(p.name)} for p in presets().values()]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'PRESET':<31}{'TRAINED':<40}{'SIZE':>8}")
    for preset in presets().values():
        trained_words, size = _summarize(preset, cards.get(preset.name))
        click.echo(f"{preset.name:<31}{trained_words:<40}{size:>8}".rstrip())
        click.echo(_wrap(f"{preset.summary} ({preset.paper})", "    "))
    click.echo("\nTrained presets go wherever a run goes: tfgen sample, show, export.")
    click.echo("Data that come with tfgen:")
    for name, attribution in ATTRIBUTIONS.items():
        click.echo(_wrap(f"{name}: {attribution}", ""))


def _summarize(preset: Preset, card: dict[str, Any] | None) -> tuple[str, str]:
    if card is None:
        data = "" if preset.data else f", on your {preset.takes}"
        return f"not yet{data}", ""
    minutes = f"{card['training']['minutes']:g} min"
    size = f"{card['weights']['bytes'] / 1e6:.1f} MB"
    return f"{minutes}, {headline_of(card)}", size


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
