"""Whether each latent variable follows one known factor of the data."""

import numpy as np

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import MOST_PAIRED, Subject

_LEAST_IMAGES = 20  # that classifiers are fitted to, and tested on


def measure_factors(subject: Subject) -> Figures | None:
    """Measures whether each latent variable follows one known factor of the data.

    The floor is that of the same codes in another order: what chance gives.
    """
    if not subject.encodes:
        return None
    from tfgen import metrics

    known = subject.run.known_factors("test", subject.num_images)
    if known is None:
        return None
    count = len(known.values)
    if count < _LEAST_IMAGES:
        subject.note(f"{count} test images are too few to tell factors by")
        return None
    codes, factors = subject.latents[:MOST_PAIRED], known.values[:MOST_PAIRED]
    by_chance = np.random.default_rng(subject.seed).permutation(codes)

    def score(codes: np.ndarray) -> dict[str, float]:
        scores = metrics.dci(codes, factors, seed=subject.seed)
        return {
            "mig": metrics.mig(codes, factors),
            "sap": metrics.sap(codes, factors, known.categorical),
            "modularity": metrics.modularity(codes, factors),
            **{f"dci_{name}": value for name, value in scores._asdict().items()},
            "factor_vae_score": metrics.factor_vae_score(
                codes, factors, seed=subject.seed
            ),
            "beta_vae_score": metrics.beta_vae_score(codes, factors, seed=subject.seed),
        }

    floors = score(by_chance)
    return [
        Figure(name, value, _FACTORS[name], floor=floors[name])
        for name, value in score(codes).items()
    ]


_FACTORS = {
    "mig": "mutual information gap, 0 to 1",
    "sap": "separated attribute predictability, 0 to 1",
    "modularity": "each variable follows one factor, 0 to 1",
    "dci_disentanglement": "each variable is used for one factor, 0 to 1",
    "dci_completeness": "each factor is read from one variable, 0 to 1",
    "dci_informativeness": "accuracy of factors predicted from all variables",
    "factor_vae_score": "accuracy, 0 to 1",
    "beta_vae_score": "accuracy, 0 to 1",
}
