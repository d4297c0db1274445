"""`tfgen interpolate RUN`: the way from one test image to another."""

import click

from tfgen import pictures
from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError


@click.command("interpolate", short_help="Decode the way between images.")
@click.argument("run")
@click.option("--rows", type=click.IntRange(1), default=6, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option(
    "--out", default="interpolation.png", show_default=True, help="A PNG file."
)
def command(run: str, rows: int, steps: int, out: str) -> None:
    """Decode points on the line between the latents of two test images, a pair a row.

    A conditional model keeps the class of the first image of the pair.
    """
    import numpy as np

    import tfgen
    from tfgen.cli.encoding import encode_test_images
    from tfgen.cli.panels import Endpoints
    from tfgen.latents import interpolate

    import_tensorflow()
    endpoints = Endpoints(tfgen.load(run))
    found = encode_test_images(endpoints, run, 2 * rows)
    pairs = len(found.latents) // 2
    if not pairs:
        raise UserError("the test split has a single image: there is nothing between")
    starts, ends = found.latents[0 : 2 * pairs : 2], found.latents[1 : 2 * pairs : 2]

    def decode(latents: np.ndarray) -> np.ndarray:
        labels = None
        if found.labels is not None:
            labels = np.repeat(found.labels[0 : 2 * pairs : 2], steps)
        return endpoints.run("decode", latents, labels)["images"]

    images = interpolate(decode, starts, ends, steps)
    tiled = pictures.tile(images.reshape((-1, *images.shape[2:])), columns=steps)
    picture = pictures.compose({"from one test image to another": tiled})
    click.echo(pictures.save_png(picture, out))
