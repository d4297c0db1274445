"""What a model is trained for: losses, likelihoods, what its KL term is spent on."""

import math
import sys
from collections.abc import Iterable
from typing import Any

from tfgen.evaluation.subject import (
    MOST_PAIRED,
    Figure,
    Figures,
    Subject,
    image_shape,
    standard_error,
)


def measure_losses(subject: Subject) -> Figures | None:
    """What training minimises, of test images."""
    data = subject.test_batches(subject.is_labelled)
    # Keras takes no generator of images alone, as `track` may be, and has its own bar.
    verbose = int(sys.stdout.isatty())
    found = subject.model.evaluate(data, return_dict=True, verbose=verbose)
    return [Figure(k, float(v), _LOSSES.get(k, "")) for k, v in found.items()]


def measure_likelihood(subject: Subject) -> Figures | None:
    """ELBO and the importance-weighted bound, in nats and in bits."""
    model = subject.model
    if not hasattr(model, "log_weights"):
        return None
    from tfgen.metrics import bits_per_dim

    found = estimate(subject, subject.batches("likelihood"))
    num_dims = math.prod(image_shape(subject.config))
    elbo, log_likelihood = float(found.elbo.mean()), float(found.log_likelihood.mean())
    is_density = model.pixel_likelihood.is_density
    levels, unit = (256, ", of 256 levels") if is_density else (None, "")
    kind = "of a density of pixels" if is_density else "of grey values, not binarised"
    bits = [float(bits_per_dim(x, num_dims, levels)) for x in (elbo, log_likelihood)]
    bound = (
        f"importance-weighted bound on log p(x), {subject.num_samples} samples an "
        "image, nats per image"
    )
    errors = [standard_error(x) for x in (found.elbo, found.log_likelihood)]
    return [
        Figure("elbo", elbo, "nats per image", errors[0]),
        Figure("log_likelihood", log_likelihood, bound, errors[1]),
        Figure("num_samples", subject.num_samples, "importance samples per image"),
        Figure("elbo_bits_per_dim", bits[0], f"-elbo in bits per pixel value{unit}"),
        Figure("bits_per_dim", bits[1], f"-log_likelihood in bits likewise{unit}"),
        Figure("pixel_likelihood", model.pixel_likelihood.name, kind),
        Figure("num_images", len(found.elbo), "test images"),
    ]


def measure_latents(subject: Subject) -> Figures | None:
    """What the latent variables of a VAE are used for."""
    if not subject.encodes or subject.encoded.stddev is None:
        return None
    from tfgen.metrics import active_units, decompose_kl

    means, scales = subject.encoded.latents, subject.encoded.stddev
    parts = decompose_kl(means[:MOST_PAIRED], scales[:MOST_PAIRED], seed=subject.seed)
    return [
        Figure("active_units", active_units(means), f"of {means.shape[1]} variables"),
        Figure(
            "mutual_information",
            parts.mutual_information,
            "I(image; z), nats: what latents tell of images, at most "
            f"{math.log(len(means[:MOST_PAIRED])):.2f}",
        ),
        Figure(
            "aggregate_kl",
            parts.aggregate_kl,
            "KL(q(z) || p(z)), nats: how far latents of all images are from the prior",
        ),
    ]


def estimate(subject: Subject, batches: Iterable[Any]) -> Any:
    """Returns the `LikelihoodEstimate` of batches."""
    from tfgen.metrics import estimate_log_likelihood

    return estimate_log_likelihood(
        subject.log_weights, batches, subject.num_samples, seed=subject.seed
    )


_LOSSES = {
    "loss": "what training minimises",
    "reconstruction_loss": "-E[log p(x|z)], nats per image",
    "kl_loss": "KL(q(z|x) || p(z)), nats per image",
    "generator_loss": "what the generator minimises, or both together",
    "discriminator_loss": "what the discriminator minimises",
    "discriminator_accuracy": "share of images, real and drawn, told apart",
    "real_logits": "mean of the discriminator's logits of real images",
    "fake_logits": "mean of the discriminator's logits of drawn images",
    "gradient_penalty": "before its weight; 0: there is none",
    "l1_loss": "mean absolute error, of images in [-1, 1]",
    "cycle_loss": "there and back, both ways, of images in [-1, 1]",
    "identity_loss": "of images of the target domain, both ways",
    "adversarial_loss": "how little the discriminator is fooled",
    "adversarial_ab_loss": "how little discriminator b is fooled",
    "adversarial_ba_loss": "how little discriminator a is fooled",
    "discriminator_a_loss": "what discriminator a minimises",
    "discriminator_b_loss": "what discriminator b minimises",
}
