"""`tfgen latents RUN`: the test set as latents, for programs and to be looked at."""

import pathlib

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.files import replaced_folder
from tfgen.training.run import Config, attribution, load_known_factors, new_directory

_WRITTEN = {"latents.npz", "projection.png", "density.png", "projector"}


@click.command("latents", short_help="Encode the test set and picture the latents.")
@click.argument("run")
@click.option("--out", required=True, help="A folder.")
@click.option("--num-images", type=click.IntRange(1), help="[default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace what --out held.")
def command(
    run: str, out: str, num_images: int | None, seed: int, overwrite: bool
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
    folder = _check_folder(out, overwrite)
    import_tensorflow()
    import numpy as np

    import tfgen
    from tfgen import data
    from tfgen.figures import latent_plots, pictures, projector
    from tfgen.inference import Endpoints
    from tfgen.latent.encoding import encode_test_images

    endpoints = Endpoints(tfgen.load(run))
    found = encode_test_images(endpoints, run, num_images)
    config = Config.read(run)
    factors = load_known_factors(config, "test", num_images)
    names = data.class_names(config.data, config.data_dir)
    arrays = {"latents": found.latents}
    if found.stddev is not None:
        arrays |= {"stddev": found.stddev, "kl": found.importance}
    if found.classes is not None:
        arrays |= {"labels": found.classes, "class_names": np.array(names)}
    if factors:
        arrays |= {
            "factors": factors.values,
            "factor_names": np.array(factors.names),
        }
    plots = {
        "projection.png": latent_plots.plot_projection(found, names),
        "density.png": latent_plots.plot_density(found, seed),
    }
    with replaced_folder(folder) as temporary:
        np.savez(temporary / "latents.npz", **arrays)
        for name, (title, plot) in plots.items():
            picture = pictures.compose({title: plot}, attribution(run))
            pictures.save_picture(picture, temporary / name)
        projector.write(temporary / "projector", found, config, names, factors)
    click.echo(folder)


def _check_folder(out: str, overwrite: bool) -> pathlib.Path:
    """Returns the folder to write, of which nothing else would be lost."""
    folder = new_directory(out, out, overwrite)
    others = {p.name for p in folder.iterdir()} if folder.exists() else set()
    others -= _WRITTEN
    if others:
        raise UserError(
            f"{folder} holds {min(others)}, which `tfgen latents` did not write and "
            "--overwrite would remove: choose another --out"
        )
    return folder
