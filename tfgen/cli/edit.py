"""`tfgen edit RUN`: give images an attribute, or take it away."""

from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.training.run import Config, attribution, load_arrays, load_known_factors

_NUM_TEST_IMAGES = 512  # among which those to edit are chosen
_NUM_ROWS = 6


@click.command("edit", short_help="Give test images an attribute.")
@click.argument("run")
@click.option(
    "--attribute",
    required=True,
    help="A class, by name or number, or a known factor=value, such as shape=arrow.",
)
@click.option(
    "--from", "origin", help="Another such: else all images without the attribute."
)
@click.option(
    "--image",
    type=click.IntRange(0),
    multiple=True,
    help="Of the test split; may be repeated. [default: the first without it]",
)
@click.option("--steps", type=click.IntRange(2), default=7, show_default=True)
@click.option("--span", type=float, default=1.5, show_default=True)
@click.option("--num-images", type=click.IntRange(2), default=10_000, show_default=True)
@click.option("--out", default="edit.png", show_default=True, help="A PNG file.")
def command(
    run: str,
    attribute: str,
    origin: str | None,
    image: tuple[int, ...],
    steps: int,
    span: float,
    num_images: int,
    out: str,
) -> None:
    """Move the latents of test images towards an attribute, and away from it.

    The direction is the mean latent of training images with ATTRIBUTE less that of
    those without, or of those with FROM, among the first NUM_IMAGES. A row is a test
    image and what is decoded of its latent plus -span to +span times the direction. A
    conditional model keeps the image's class.
    """
    import numpy as np

    import tfgen
    from tfgen.inference import Endpoints

    import_tensorflow()
    endpoints = Endpoints(tfgen.load(run))
    endpoints.require("encode", "decode", why="it has no latents to move along")
    way = _Way(endpoints, run, attribute, origin, num_images)
    found, rows = way.choose_images(image)
    multiples = np.linspace(-span, span, steps)[:, np.newaxis]
    moved = found.latents[rows, np.newaxis] + multiples * way.direction
    labels = None if found.labels is None else np.repeat(found.labels[rows], steps)
    flat = moved.reshape(-1, moved.shape[-1])
    decoded = endpoints.run("decode", flat, labels)["images"]
    originals = load_arrays(way.config, "test", max(rows) + 1)[rows]
    shape = originals.shape[1:]
    parts = originals[:, np.newaxis], decoded.reshape(len(rows), steps, *shape)
    cells = np.concatenate(parts, axis=1).reshape(-1, *shape)
    tiled = pictures.tile(cells, columns=1 + steps)
    name = f"towards {attribute}" if origin is None else f"from {origin} to {attribute}"
    title = f"test images, and {-span:g} to {span:g} times the way {name}"
    picture = pictures.compose({title: tiled}, attribution(run))
    click.echo(pictures.save_picture(picture, out))


class _Way:
    """The direction from an attribute to another, and test images to go along it."""

    def __init__(
        self, endpoints: Any, run: str, wanted: str, start: str | None, num: int
    ) -> None:
        from tfgen import data
        from tfgen.latent.attributes import Choices, find_direction
        from tfgen.latent.encoding import encode_images

        self.endpoints, self.config = endpoints, Config.read(run)
        factors = load_known_factors(self.config, "train", num)
        names = data.class_names(self.config.data, self.config.data_dir)
        choices = Choices(names, factors)
        self.wanted = choices.find("--attribute", wanted)
        self.start = None if start is None else choices.find("--from", start)
        found = encode_images(endpoints, self.config, "train", num)
        self.direction = find_direction(found, factors, self.wanted, self.start)

    def choose_images(self, asked: tuple[int, ...]) -> tuple[Any, list[int]]:
        """Returns encoded test images, and which: those asked for, or at the start."""
        import numpy as np

        from tfgen.latent.encoding import encode_images

        num = max(_NUM_TEST_IMAGES, 1 + max(asked, default=0))
        found = encode_images(self.endpoints, self.config, "test", num)
        count = len(found.latents)
        if asked:
            if max(asked) >= count:
                raise UserError(
                    f"--image {max(asked)}: the test split has {count} images, from 0"
                )
            return found, list(asked)
        factors = load_known_factors(self.config, "test", num)
        mask = ~self.wanted.of(found, factors)
        if self.start is not None:
            mask = self.start.of(found, factors)
        # If all test images have it already, they are drawn.
        rows = np.flatnonzero(mask) if mask.any() else np.arange(count)
        return found, rows[:_NUM_ROWS].tolist()
