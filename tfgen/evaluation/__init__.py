"""What `tfgen evaluate` measures: groups of figures, a function each.

A function returns `None` where its group does not suit the model or the data.
"""

from collections.abc import Callable

from tfgen.evaluation.anomalies import measure_anomalies
from tfgen.evaluation.factors import measure_factors
from tfgen.evaluation.latent_space import measure_latent_space
from tfgen.evaluation.likelihood import (
    measure_latents,
    measure_likelihood,
    measure_losses,
)
from tfgen.evaluation.samples import measure_samples, nearest_training
from tfgen.evaluation.subject import FEATURES, Figure, Figures, Subject
from tfgen.evaluation.translation import measure_translation

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
