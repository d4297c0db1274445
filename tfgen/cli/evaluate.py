"""`tfgen evaluate RUN`: how good the model is on images that it has not seen."""

import pathlib
from typing import Any

import click

from tfgen.cli.quiet import import_tensorflow
from tfgen.cli.run import Config, load_arrays, write_json


@click.command("evaluate", short_help="Measure on the test split.")
@click.argument("run")
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Importance samples an image, for the log-likelihood.",
)
@click.option("--num-images", type=click.IntRange(1), help="[default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def command(run: str, num_samples: int, num_images: int | None, seed: int) -> None:
    """Measure on the test split; writes RUN/metrics.json."""
    import_tensorflow()
    show(evaluate(run, num_samples, num_images, seed))


def evaluate(
    run: str, num_samples: int, num_images: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Returns the figures of a run on its test split, and writes `metrics.json`."""
    import tfgen
    from tfgen.cli import translation
    from tfgen.cli.panels import Translator

    config = Config.read(run)
    model = tfgen.load(run)
    labelled = getattr(model, "num_classes", None) is not None
    test = load_arrays(config, "test", num_images, labelled)
    images, labels = test if isinstance(test, tuple) else (test, None)
    count = len(images) if config.kind == "images" else min(map(len, test))
    terms = model.evaluate(
        images[:count],
        None if labels is None else labels[:count],
        batch_size=config.batch_size,
        return_dict=True,
        verbose=0,
    )
    figures = {"num_images": len(images), **{k: float(v) for k, v in terms.items()}}
    if hasattr(model, "log_weights"):
        figures |= _likelihoods(model, images, labels, terms, num_samples, seed)
    if config.kind != "images":
        translator = Translator(model, config.direction, seed)
        figures["translation"] = translation.evaluate(translator, config, *test)
    write_json(figures, pathlib.Path(run) / "metrics.json")
    return figures


def _likelihoods(
    model: Any, images: Any, labels: Any, terms: dict, num_samples: int, seed: int
) -> dict[str, Any]:
    import math

    import tensorflow as tf

    from tfgen.metrics import likelihood

    num_dims = math.prod(images.shape[1:])
    found = likelihood.estimate_log_likelihood(
        tf.function(model.log_weights), images, num_samples, labels=labels, seed=seed
    )
    log_likelihood = float(found.log_likelihood.mean())
    elbo = -float(terms["reconstruction_loss"] + terms["kl_loss"])
    return {
        "elbo": elbo,
        "log_likelihood": log_likelihood,
        "num_samples": num_samples,
        "elbo_bits_per_dim": likelihood.bits_per_dim(elbo, num_dims),
        "bits_per_dim": likelihood.bits_per_dim(log_likelihood, num_dims),
        "pixel_likelihood": model.likelihood,
    }


_MEANING = {
    "num_images": "test images",
    "loss": "what training minimises",
    "reconstruction_loss": "-E[log p(x|z)], nats per image",
    "kl_loss": "KL(q(z|x) || p(z)), nats per image",
    "elbo": "nats per image",
    "log_likelihood": "importance-weighted bound on log p(x), nats per image",
    "num_samples": "importance samples per image",
    "elbo_bits_per_dim": "-elbo in bits per pixel value",
    "bits_per_dim": "-log_likelihood in bits per pixel value",
    "generator_loss": "what the generators minimise",
    "discriminator_loss": "what the discriminator minimises",
    "l1_loss": "mean absolute error, of images in [-1, 1]",
    "cycle_loss": "there and back, both ways, of images in [-1, 1]",
    "identity_loss": "of images of the target domain, both ways",
    "adversarial_loss": "how little the discriminator is fooled",
    "adversarial_ab_loss": "how little discriminator b is fooled",
    "adversarial_ba_loss": "how little discriminator a is fooled",
    "discriminator_a_loss": "what discriminator a minimises",
    "discriminator_b_loss": "what discriminator b minimises",
    "pixel_likelihood": "bernoulli: on grey values in [0, 1], not binarised",
}


def show(figures: dict[str, Any]) -> None:
    """Prints the figures and what they are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tfgen.cli import translation

    table = Table("metric", "value", "what it is")
    for name, value in figures.items():
        if name == "translation":
            continue
        text = f"{value:.4f}" if isinstance(value, float) else str(value)
        table.add_row(name, text, escape(_MEANING.get(name, "")))
    console = Console()
    console.print(table)
    if "translation" in figures:
        console.print(translation.table(figures["translation"]))
