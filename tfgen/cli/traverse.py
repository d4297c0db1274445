"""`tfgen traverse RUN`: what each latent variable means."""

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.errors import UserError
from tfgen.figures import pictures
from tfgen.training.run import Config, attribution, load_known_factors

_NUM_IMAGES = 512  # of the test split, of which the figures are
_NUM_FACTOR_IMAGES = 5_000  # likewise: a share of few images is high by chance


@click.command("traverse", short_help="Perturb the latent variables.")
@click.argument("run")
@click.option("--image", type=click.IntRange(0), default=0, show_default=True)
@click.option("--rows", type=click.IntRange(1), default=16, show_default=True)
@click.option("--steps", type=click.IntRange(2), default=11, show_default=True)
@click.option("--span", type=float, default=3.0, show_default=True)
@click.option("--out", default="traversal.png", show_default=True, help="A PNG file.")
def command(run: str, image: int, rows: int, steps: int, span: float, out: str) -> None:
    """Perturb one latent variable a row, from -span to +span standard deviations.

    The other variables stay as they are in test image number IMAGE. Rows are ordered by
    how much their variable matters: its KL to the prior for a VAE, its spread for an
    autoencoder. Where the factors of the data are known, a row names the one that its
    variable tells most of, and what share of it.
    """
    import_tensorflow()
    import numpy as np

    import tfgen
    from tfgen.inference import Endpoints
    from tfgen.latent.encoding import encode_test_images, name_factors
    from tfgen.latent.walks import traverse

    endpoints = Endpoints(tfgen.load(run))
    factors = load_known_factors(Config.read(run), "test", _NUM_FACTOR_IMAGES)
    num = _NUM_FACTOR_IMAGES if factors else _NUM_IMAGES
    found = encode_test_images(endpoints, run, max(num, image + 1))
    if image >= len(found.latents):
        count = len(found.latents)
        raise UserError(f"--image {image}: the test split has {count} images, from 0")
    latent = found.latents[image]
    label = None if found.labels is None else found.labels[image]

    def decode(latents: np.ndarray) -> np.ndarray:
        labels = None if label is None else np.full(len(latents), label)
        return endpoints.run("decode", latents, labels)["images"]

    panels, follows = {}, [""] * len(latent)
    if factors:
        follows = name_factors(found.latents[: len(factors.values)], factors)
    for dim in np.argsort(-found.importance)[:rows]:
        offsets = np.linspace(-span, span, steps) * found.spread[dim]
        images = traverse(decode, latent, [int(dim)], found.centre[dim] + offsets)
        title = f"latent {dim}: {found.importance[dim]:.2f} {found.unit}{follows[dim]}"
        panels[title] = pictures.tile(images[0], columns=steps)
    click.echo(pictures.save_picture(pictures.compose(panels, attribution(run)), out))
