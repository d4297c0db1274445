"""`tfgen reconstruct RUN`: test images beside what is decoded from their latents."""

import click

from tfgen.cli.options import data_options, open_run, picture_option, run_argument, save


@click.command("reconstruct", short_help="Encode test images and decode them.")
@run_argument
@click.option("--num", type=click.IntRange(1), default=40, show_default=True)
@picture_option("reconstructions.png")
@data_options
def command(
    run: str, num: int, out: str, data: str | None, data_dir: str | None
) -> None:
    """Encode test images and decode them again."""
    opened = open_run(run, data, data_dir)
    from tfgen.figures import gallery

    save(gallery.reconstructions(opened, num), out)
