"""`tfgen traverse RUN`: what each latent variable means."""

from typing import Any

import click

from tfgen.cli.options import data_options, draw, picture_option, run_argument


@click.command("traverse", short_help="Perturb the latent variables.")
@run_argument
@click.option("--image", type=click.IntRange(0), default=0, show_default=True)
@click.option("--rows", type=click.IntRange(1), default=16, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--span", type=float, default=3.0, show_default=True)
@picture_option("traversal.png")
@data_options
def command(**options: Any) -> None:
    """Perturb one latent variable a row, from -span to +span standard deviations.

    The other variables stay as they are in test image number IMAGE. Rows are ordered by
    how much their variable matters: its KL to the prior for a VAE, its spread for an
    autoencoder. Where the factors of the data are known, a row names the one that its
    variable tells most of, and what share of it.
    """
    draw("traversal", **options)
