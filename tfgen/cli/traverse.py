"""`tfgen traverse RUN`: what each latent variable means."""

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


@click.command("traverse", short_help="Perturb the latent variables.")
@run_argument
@click.option("--image", type=click.IntRange(0), help="Start: a test image.")
@click.option("--photo", type=PATH, help="Start: an image file.")
@click.option("--seed", type=int, help="Start: a draw of the prior; -1, its mean.")
@click.option(
    "--directions",
    type=click.Choice(("latents", "sefa", "ganspace", "random", "codes")),
)
@click.option("--rows", type=click.IntRange(1), default=16, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--span", type=float, default=3.0, show_default=True)
@picture_option("traversal.png")
@film_options
@data_options
def command(**options: Any) -> None:
    """Perturb one latent variable a row, from -span to +span standard deviations.

    The other variables stay as they are at the start: test image 0, or draw 0 of the
    prior for a GAN. Rows are ordered by how much their variable matters: its KL to the
    prior for a VAE, its spread for an autoencoder. Where the factors of the data are
    known, a row names the one that its variable tells most of, and what share of it;
    where classes are, from which to which it leads, and what share of the variance
    along it lies between classes. Of a GAN a classifier of the data, trained once and
    kept, tells the classes of samples.

    DIRECTIONS in place of variables are found without labels: sefa (those that move a
    network's first features most; a GAN's default), ganspace (principal components of
    its middle features), random ones to compare with. A row says which share of the
    variance of images goes with its direction. Of a GAN that was trained with
    --auxiliary codes they are its codes, a row each, by name.
    """
    draw_or_film("traversal", **options)
