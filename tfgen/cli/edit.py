"""`tfgen edit RUN`: give images an attribute, or take it away."""

from typing import Any

import click

from tfgen.cli.options import PATH, data_options, draw, picture_option, run_argument


@click.command("edit", short_help="Give test images an attribute, or other codes.")
@run_argument
@click.option(
    "--attribute",
    help="A class, by name or number, or a known factor=value, such as shape=arrow.",
)
@click.option(
    "--from", "origin", help="Another such: else all images without the attribute."
)
@click.option(
    "--image",
    "images",
    type=click.IntRange(0),
    multiple=True,
    help="Of the test split; may be repeated. [default: the first without it]",
)
@click.option(
    "--photo",
    "photos",
    type=PATH,
    multiple=True,
    help="An image file, in place of test images; may be repeated.",
)
@click.option(
    "--region",
    help="Of a model with discrete codes: rows and columns, such as 2:6,0:4.",
)
@click.option("--donor", type=click.IntRange(0), help="A test image, for --region.")
@click.option("--donor-photo", type=PATH, help="An image file, in place of --donor.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=7, show_default=True)
@click.option("--span", type=float, default=1.5, show_default=True)
@click.option("--num-images", type=click.IntRange(2), default=10_000, show_default=True)
@picture_option("edit.png")
@data_options
def command(
    attribute: str | None, region: str | None, seed: int, **options: Any
) -> None:
    """Move the latents of test images towards an attribute, and away from it.

    The direction is the mean latent of training images with ATTRIBUTE less that of
    those without, or of those with FROM, among the first NUM_IMAGES. A row is a test
    image and what is decoded of its latent plus -span to +span times the direction. A
    conditional model keeps the image's class. Of a GAN the direction is that of drawn
    images, as a classifier of the data sees them, and images are inverted.

    Of a model with discrete codes, those of a REGION are swapped for a donor's, or
    without one drawn from the prior, STEPS times, given all others.
    """
    if (attribute is None) == (region is None):
        raise click.UsageError("pass --attribute, or --region of discrete codes")
    of_attributes, of_codes = ("origin", "span", "num_images"), ("donor", "donor_photo")
    for name in of_codes if region is None else of_attributes:
        source = click.get_current_context().get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE:
            flag = {"origin": "from"}.get(name, name.replace("_", "-"))
            other = "--region" if region is None else "--attribute"
            raise click.UsageError(f"--{flag} goes with {other}")
        options.pop(name)
    if region is None:
        draw("edit", attribute=attribute, **options)
    else:
        draw("edit_codes", region=region, seed=seed, **options)
