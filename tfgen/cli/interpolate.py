"""`tfgen interpolate RUN`: the way from one image to another."""

from typing import Any

import click

from tfgen.cli.options import data_options, draw, picture_option, run_argument


@click.command("interpolate", short_help="Decode the way between images.")
@run_argument
@click.option("--rows", type=click.IntRange(1), default=6, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@picture_option("interpolation.png")
@data_options
def command(**options: Any) -> None:
    """Decode points between the latents of two images, a pair a row.

    On the line between the latents of two test images; for a model that does not
    encode images (a GAN), on the great circle between two latents of the prior. A
    conditional model keeps the class of the first image of the pair.
    """
    draw("interpolation", **options)
