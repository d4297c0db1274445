"""`tfgen translate RUN INPUT OUT`: images of one domain into the other."""

from typing import Any

import click

from tfgen.cli.options import PATH, open_run, run_argument
from tfgen.cli.progress import track
from tfgen.cli.quiet import return_memory


@click.command("translate", short_help="Translate images into the other domain.")
@run_argument
@click.argument("input", metavar="INPUT", type=PATH)
@click.argument("out", metavar="OUT", type=PATH)
@click.option(
    "--direction",
    type=click.Choice(["ab", "ba"]),
    help="[default: what the run was trained on; ab if both]",
)
@click.option("--tile", is_flag=True, help="Tile by tile at full size, not shrunk.")
@click.option(
    "--num",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Outputs for an image, of a model with noise, and a grid of them.",
)
@click.option("--overwrite", is_flag=True, help="Replace files in OUT.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def command(run: str, input: str, out: str, **options: Any) -> None:
    """Translate an image file, or every image in a folder, to OUT.

    Images of any size are shrunk or enlarged, without distortion, to what the model
    sees, and the translation to the size of the image; with --tile, a fully
    convolutional generator translates them piece by piece, in all their detail. Files
    keep their names; one that cannot be read is passed over, named at the end, and
    makes the exit code 1. The seed is of the noise of a model with noise; with --num 4
    cat.png becomes cat-1.png to cat-4.png, of the seeds from --seed on, and
    cat-grid.png, which shows them beside the input.
    """
    return_memory()
    opened = open_run(run)
    from tfgen.inference.files import translate_files

    result = translate_files(opened, input, out, progress=track, **options)
    count = len(result.written)
    is_single = count == 1 and not result.problems
    click.echo(result.written[0] if is_single else f"{count} images in {out}")
    if result.problems:
        for problem in result.problems.values():
            click.echo(f"left out: {problem}", err=True)
        per_file = 1 if options["num"] == 1 else options["num"] + 1
        total = count // per_file + len(result.problems)
        click.echo(f"{len(result.problems)} of {total} files were left out", err=True)
        raise click.exceptions.Exit(1)
