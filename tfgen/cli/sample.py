"""`tfgen sample RUN`: images from the prior."""

from typing import Any

import click

from tfgen.cli.options import draw, picture_option, run_argument
from tfgen.cli.progress import track


@click.command("sample", short_help="Draw images from the model.")
@run_argument
@click.option("--num", type=click.IntRange(1), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", help="A class by name or number, if the model has any.")
@click.option(
    "--truncation",
    type=click.FloatRange(0.0, 1.0),
    help="Below 1: more typical and less varied; latents' distances from their mean "
    "are multiplied by it.",
)
@picture_option("samples.png")
def command(**options: Any) -> None:
    """Draw images from the model.

    Image i of a seed is what the served `sample` makes of seed * 2**32 + i.
    """
    draw("samples", progress=track, **options)
