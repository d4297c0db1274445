"""`tfgen sample RUN`: images from the prior."""

import math

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.figures import pictures
from tfgen.training.run import attribution


@click.command("sample", short_help="Draw images from the model.")
@click.argument("run")
@click.option("--num", type=click.IntRange(1), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", type=click.IntRange(0), help="Class, if the model has any.")
@click.option("--out", default="samples.png", show_default=True, help="A PNG file.")
def command(run: str, num: int, seed: int, label: int | None, out: str) -> None:
    """Draw images from the model.

    Image i of a seed is what the served `sample` makes of seed * 2**32 + i.
    """
    import numpy as np

    import tfgen
    from tfgen.cli.progress import track
    from tfgen.errors import UserError
    from tfgen.inference import BATCH_SIZE, Endpoints

    import_tensorflow()
    endpoints = Endpoints(tfgen.load(run))
    endpoints.require("sample", why="nothing says where its latents lie; train a VAE")
    num_classes = getattr(endpoints.model, "num_classes", None)
    if label is not None and (num_classes is None or label >= num_classes):
        raise UserError(f"--label {label}: the model has {num_classes or 'no'} classes")
    labels = None if label is None else np.full(num, label, "int32")
    batches = endpoints.iterate_samples(num, seed, labels)
    batches = track(batches, "drawing", math.ceil(num / BATCH_SIZE))
    columns = None if label is not None else num_classes
    images = pictures.tile_batches(batches, num, columns)
    title = f"{num} samples, seed {seed}"
    picture = pictures.compose({title: images}, attribution(run))
    click.echo(pictures.save_picture(picture, out))
