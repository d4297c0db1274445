"""`tfgen fit-prior RUN`: where the latents of a trained model lie."""

from typing import Any

import click

from tfgen.cli.options import data_options, open_run, run_argument
from tfgen.cli.progress import track


@click.command("fit-prior", short_help="Fit a prior to the latents of a run.")
@run_argument
@click.option(
    "--kind",
    type=click.Choice(("gaussian_mixture", "flow")),
    default="gaussian_mixture",
    show_default=True,
)
@click.option(
    "--num-components",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Of the mixture.",
)
@click.option(
    "--num-steps",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Of the flow's training.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@data_options
def command(run: str, data: str | None, data_dir: str | None, **options: Any) -> None:
    """Fit a prior to the latents of training images, and save it in the run.

    The run then draws images by it, an autoencoder too: `tfgen sample`, `tfgen
    evaluate`, and exports. A conditional model gets a prior for each class. Training
    that goes on (`--resume`) starts from checkpoints, which do not have this prior.
    """
    opened = open_run(run, data, data_dir)
    from tfgen.latent import fit_prior

    fit_prior(opened, progress=track, **options)
    click.echo(opened.path / "model.keras")
