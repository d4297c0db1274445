"""`tfgen interpolate RUN`: the way from one image to another."""

from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.training.run import attribution


@click.command("interpolate", short_help="Decode the way between images.")
@click.argument("run")
@click.option("--rows", type=click.IntRange(1), default=6, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--out", default="interpolation.png", show_default=True, help="A PNG file."
)
def command(run: str, rows: int, steps: int, seed: int, out: str) -> None:
    """Decode points between the latents of two images, a pair a row.

    On the line between the latents of two test images; for a model that does not
    encode images (a GAN), on the great circle between two latents of the prior. A
    conditional model keeps the class of the first image of the pair.
    """
    import tfgen
    from tfgen.inference import Endpoints

    import_tensorflow()
    endpoints = Endpoints(tfgen.load(run))
    if "generate" in endpoints:
        title, images = _between_draws(endpoints, rows, steps, seed)
    else:
        title, images = _between_test_images(endpoints, run, rows, steps)
    tiled = pictures.tile(images.reshape((-1, *images.shape[2:])), columns=steps)
    click.echo(
        pictures.save_picture(pictures.compose({title: tiled}, attribution(run)), out)
    )


def _between_draws(endpoints: Any, rows: int, steps: int, seed: int) -> tuple:
    import numpy as np

    from tfgen.latent.walks import interpolate

    shape = (2, rows, endpoints.model.latent_dim)
    starts, ends = np.random.default_rng(seed).normal(size=shape).astype("float32")
    labels = endpoints.labels(rows)
    repeated = None if labels is None else np.repeat(labels, steps)

    def decode(latents: np.ndarray) -> np.ndarray:
        return endpoints.run("generate", latents, repeated)["images"]

    images = interpolate(decode, starts, ends, steps, spherical=True)
    return "between draws from the prior", images


def _between_test_images(endpoints: Any, run: str, rows: int, steps: int) -> tuple:
    import numpy as np

    from tfgen.latent.encoding import encode_test_images
    from tfgen.latent.walks import interpolate

    found = encode_test_images(endpoints, run, 2 * rows)
    pairs = len(found.latents) // 2
    if not pairs:
        raise UserError("the test split has a single image: there is nothing between")
    starts, ends = found.latents[0 : 2 * pairs : 2], found.latents[1 : 2 * pairs : 2]
    labels = None
    if found.labels is not None:
        labels = np.repeat(found.labels[0 : 2 * pairs : 2], steps)

    def decode(latents: np.ndarray) -> np.ndarray:
        return endpoints.run("decode", latents, labels)["images"]

    images = interpolate(decode, starts, ends, steps)
    return "from one test image to another", images
