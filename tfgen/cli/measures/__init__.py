"""What `tfgen evaluate` measures: groups of figures, a function each.

A function returns `None` where its group does not suit the model or the data.
"""

from collections.abc import Callable

from tfgen.cli.measures.anomalies import measure_anomalies
from tfgen.cli.measures.factors import measure_factors
from tfgen.cli.measures.latent_space import measure_latent_space
from tfgen.cli.measures.likelihood import (
    measure_latents,
    measure_likelihood,
    measure_losses,
)
from tfgen.cli.measures.samples import measure_samples, nearest_training
from tfgen.cli.measures.subject import FEATURES, Figure, Figures, Subject
from tfgen.cli.measures.translation import measure_translation

__all__ = ["FEATURES", "MEASURES", "Figure", "Figures", "Subject", "nearest_training"]

MEASURES: dict[str, Callable[[Subject], Figures | None]] = {
    "losses": measure_losses,
    "likelihood": measure_likelihood,
    "latents": measure_latents,
    "samples": measure_samples,
    "latent_space": measure_latent_space,
    "factors": measure_factors,
    "anomalies": measure_anomalies,
    "translation": measure_translation,
}
