"""`tfgen interpolate RUN`: the way from one image to another."""

from typing import Any

import click

from tfgen.cli.options import (
    PATH,
    data_options,
    draw_or_film,
    film_options,
    picture_option,
    run_argument,
)


@click.command("interpolate", short_help="Decode the way between images.")
@run_argument
@click.option("--rows", type=click.IntRange(1), default=6, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--from", "start", type=PATH, help="An image file, with --to another.")
@click.option("--to", "end", type=PATH, help="An image file.")
@picture_option("interpolation.png")
@film_options
@data_options
def command(start: str | None, end: str | None, **options: Any) -> None:
    """Decode points between the latents of two images, a pair a row.

    On the line between the latents of two test images; for a model that does not
    encode images (a GAN), on the great circle between two latents of the prior. A
    conditional model keeps the class of the first image of the pair.

    With --from and --to between two pictures of your own, which a GAN's latents are
    searched for. A film is a smooth closed way through ROWS draws of the prior, or test
    images.
    """
    if (start is None) != (end is None):
        raise click.UsageError("--from and --to go together")
    photos = () if start is None else (start, end)
    draw_or_film("interpolation", photos=photos, **options)
