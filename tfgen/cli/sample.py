"""`tfgen sample RUN`: images from the prior."""

import click

from tfgen.cli.options import open_run, picture_option, run_argument, save
from tfgen.cli.progress import track


@click.command("sample", short_help="Draw images from the model.")
@run_argument
@click.option("--num", type=click.IntRange(1), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", type=click.IntRange(0), help="Class, if the model has any.")
@picture_option("samples.png")
def command(run: str, num: int, seed: int, label: int | None, out: str) -> None:
    """Draw images from the model.

    Image i of a seed is what the served `sample` makes of seed * 2**32 + i.
    """
    opened = open_run(run)
    from tfgen.figures import gallery

    save(gallery.samples(opened, num, seed, label, progress=track), out)
