"""`tfgen latents RUN`: the test set as latents, for programs and to be looked at."""

import click

from tfgen.cli.options import PATH, data_options, open_run, run_argument


@click.command("latents", short_help="Encode the test set and picture the latents.")
@run_argument
@click.option("--out", type=PATH, required=True, help="A folder.")
@click.option("--num-images", type=click.IntRange(1), help="[default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace what --out held.")
@data_options
def command(
    run: str,
    out: str,
    num_images: int | None,
    seed: int,
    overwrite: bool,
    data: str | None,
    data_dir: str | None,
) -> None:
    """Encode the test set and write what it became into a folder.

    \b
    latents.npz     arrays: latents (posterior means) and, where there are any,
                    stddev, kl (nats, a variable each), labels, class_names,
                    factors, factor_names
    projection.png  the two principal components, a colour for each class
    density.png     the density of each latent variable; of a VAE that of
                    posterior samples, drawn with SEED, beside the prior
    projector/      for TensorBoard: tensorboard --logdir OUT/projector
    """
    opened = open_run(run, data, data_dir)
    from tfgen.figures.latent_folder import write_latents

    click.echo(write_latents(opened, out, num_images, seed, overwrite))
