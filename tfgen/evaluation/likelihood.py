"""The likelihood of test images under a VAE."""

import math
from collections.abc import Iterable
from typing import Any

from tfgen.evaluation.figure import Figure, Figures, standard_error
from tfgen.evaluation.subject import Subject


def measure_likelihood(subject: Subject) -> Figures | None:
    """Measures the ELBO and the importance-weighted bound, in nats and in bits."""
    model = subject.model
    if not hasattr(model, "log_weights"):
        return None
    if not model.has_density:
        subject.note(
            "the model compares images otherwise than by a likelihood that sums to 1: "
            "there is no bound on log p(x)"
        )
        return None
    from tfgen.metrics import bits_per_dim

    bounds = estimate(subject, subject.batches("likelihood"))
    num_dims = math.prod(subject.run.image_shape)
    elbo, log_likelihood = (
        float(bounds.elbo.mean()),
        float(bounds.log_likelihood.mean()),
    )
    is_density = model.pixel_likelihood.is_density
    levels, unit = (256, ", of 256 levels") if is_density else (None, "")
    kind = "of a density of pixels" if is_density else "of grey values, not binarised"
    bits = [float(bits_per_dim(x, num_dims, levels)) for x in (elbo, log_likelihood)]
    bound = (
        f"importance-weighted bound on log p(x), {subject.num_samples} samples an "
        "image, nats per image"
    )
    errors = [standard_error(x) for x in (bounds.elbo, bounds.log_likelihood)]
    return [
        Figure("elbo", elbo, "nats per image", errors[0]),
        Figure("log_likelihood", log_likelihood, bound, errors[1]),
        Figure("num_samples", subject.num_samples, "importance samples per image"),
        Figure("elbo_bits_per_dim", bits[0], f"-elbo in bits per pixel value{unit}"),
        Figure("bits_per_dim", bits[1], f"-log_likelihood in bits likewise{unit}"),
        Figure("pixel_likelihood", model.pixel_likelihood.name, kind),
        Figure("num_images", len(bounds.elbo), "test images"),
    ]


def estimate(subject: Subject, batches: Iterable[Any]) -> Any:
    """Returns the `LikelihoodEstimate` of batches."""
    from tfgen.metrics import estimate_log_likelihood

    return estimate_log_likelihood(
        subject.log_weights, batches, subject.num_samples, seed=subject.seed
    )
