"""`tfgen show PRESET`: its card, and a picture of what it draws."""

import textwrap

import click

from tfgen.cli.options import PATH, data_options, open_run
from tfgen.evaluation.figure import format_figure
from tfgen.presets import read_card
from tfgen.presets.words import card_lines

_WIDTH = 79


@click.command("show", short_help="Show the card of a trained preset.")
@click.argument("preset")
@click.option("--out", type=PATH, help="A PNG file of samples to write.")
@data_options
def command(
    preset: str, out: str | None, data: str | None, data_dir: str | None
) -> None:
    """Show the card of a trained preset: data, licence, training, figures, limits.

    A picture of samples, reconstructions or translations is written to --out.
    """
    card = read_card(preset)
    for name, text in card_lines(card):
        click.echo(
            textwrap.fill(
                text,
                _WIDTH,
                initial_indent=f"{name:<10}",
                subsequent_indent=" " * 10,
                break_on_hyphens=False,
            )
        )
    click.echo(f"\n{'FIGURE ON THE TEST SET':<34}{'VALUE':<28}FLOOR")
    figures = card["figures"]
    for name, value in figures.items():
        if isinstance(value, float) and not name.endswith(("_error", "_floor")):
            shown = format_figure(value, figures.get(f"{name}_error"))
            floor = format_figure(figures.get(f"{name}_floor"))
            click.echo(f"{name:<34}{shown:<28}{floor}".rstrip())
    for direction, rows in figures.get("translation", {}).items():
        for row, values in rows.items():
            words = ", ".join(f"{k} {format_figure(v)}" for k, v in values.items())
            click.echo(textwrap.fill(f"{direction} {row}: {words}", _WIDTH))
    if out is None:
        click.echo(f"\nA picture: tfgen show {preset} --out samples.png")
        return
    opened = open_run(preset, data, data_dir)
    name = "reconstructions"
    if opened.kind != "images":
        name = "translations"
    elif "sample" in opened.endpoints:
        name = "samples"
    from tfgen.figures import gallery, pictures

    click.echo(pictures.save_picture(getattr(gallery, name)(opened), out))
