"""`tfgen reconstruct RUN`: test images beside what is decoded from their latents."""

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.figures import pictures
from tfgen.training.run import attribution, load_test_images


@click.command("reconstruct", short_help="Encode test images and decode them.")
@click.argument("run")
@click.option("--num", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--out", default="reconstructions.png", show_default=True, help="A PNG file."
)
def command(run: str, num: int, out: str) -> None:
    """Encode test images and decode them again."""
    import tfgen
    from tfgen.figures.panels import reconstruction_panels
    from tfgen.inference import Endpoints

    import_tensorflow()
    endpoints = Endpoints(tfgen.load(run))
    endpoints.require("reconstruct", why="it does not encode images")
    labelled = endpoints.labels(1) is not None
    test = load_test_images(run, num, labelled)
    images, labels = test if labelled else (test, None)
    picture = pictures.compose(
        reconstruction_panels(endpoints, images, labels), attribution(run)
    )
    click.echo(pictures.save_picture(picture, out))
