"""`tfgen reconstruct RUN`: test images beside what is decoded from their latents."""

from typing import Any

import click

from tfgen.cli.options import data_options, draw, picture_option, run_argument
from tfgen.cli.progress import track


@click.command("reconstruct", short_help="Encode test images and decode them.")
@run_argument
@click.option("--num", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--encoder",
    is_flag=True,
    help="Of a GAN: train an encoder of its samples first, to start from.",
)
@picture_option("reconstructions.png")
@data_options
def command(**options: Any) -> None:
    """Encode test images and decode them again.

    Of a GAN, the latents that come nearest to each image are searched for.
    """
    draw("reconstructions", progress=track, **options)
