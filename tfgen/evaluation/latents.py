"""What the latent variables of a VAE are used for."""

import math

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import MOST_PAIRED, Subject


def measure_latents(subject: Subject) -> Figures | None:
    """Measures what the latent variables of a VAE are used for."""
    if not subject.encodes or subject.encoded.stddev is None:
        return None
    from tfgen.metrics import active_units, decompose_kl

    means = subject.encoded.latents[:MOST_PAIRED]
    if len(means) < 2:
        subject.note("1 test image is too few to compare latents of images")
        return None
    stddevs = subject.encoded.stddev[:MOST_PAIRED]
    terms = decompose_kl(means, stddevs, seed=subject.seed)
    units = active_units(subject.encoded.latents)
    return [
        Figure("active_units", units, f"of {means.shape[1]} latent variables"),
        Figure(
            "mutual_information",
            terms.mutual_information,
            "I(image; z), nats: what latents tell of images, at most "
            f"{math.log(len(means)):.2f}",
        ),
        Figure(
            "aggregate_kl",
            terms.aggregate_kl,
            "KL(q(z) || p(z)), nats: how far latents of all images are from the prior",
        ),
    ]
