"""Drawn images against real ones, by the features of a network."""

import warnings

import numpy as np

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import Subject
from tfgen.evaluation.truncation import measure_truncation


def measure_samples(subject: Subject) -> Figures | None:
    """Measures drawn images against test images, beside other test images."""
    if not subject.generates or not subject.suffices():
        return None
    from tfgen.metrics import compare_samples

    drawn, real = subject.drawn_features, subject.test_features
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = compare_samples(real, drawn, lambda x: x, seed=subject.seed)
    for warning in caught:
        subject.note(str(warning.message))
    network = subject.feature_network
    # FID and KID are names of distances of Inception's features only.
    names = {} if network.name != "inception_v3" else _INCEPTION_NAMES
    figures = [
        Figure("feature_network", network.name, f"{real.shape[1]} features an image"),
        Figure("num_generated", scores.num_samples, "drawn images, and real ones"),
    ]
    for name, value in scores.scores.items():
        if name.endswith("_error"):
            continue
        figures.append(
            Figure(
                names.get(name, name),
                value,
                _SAMPLES[name],
                scores.scores.get(f"{name}_error"),
                scores.floors[name],
            )
        )
    figures.append(
        Figure(
            "nearest_training_ratio",
            _nearest(drawn, subject) / _nearest(real, subject),
            "how far drawn images are from the nearest training image, over how far "
            "test images are: far below 1, they are copies",
            floor=1.0,
        )
    )
    if "sample" in subject.endpoints and subject.model.can_truncate:
        figures += measure_truncation(subject, scores.scores)
    return figures


def _nearest(features: np.ndarray, subject: Subject) -> float:
    """Returns the median distance to the nearest training image's features."""
    distances, _ = nearest_training(features, subject)
    return max(float(np.median(distances)), 1e-12)


def nearest_training(
    features: np.ndarray, subject: Subject
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distance and place of the nearest of `subject.train_images`."""
    from tfgen.errors import import_sklearn

    search = import_sklearn("neighbors").NearestNeighbors(n_neighbors=1)
    distances, places = search.fit(subject.train_features).kneighbors(features)
    return distances[:, 0], places[:, 0]


_INCEPTION_NAMES = {
    "frechet_distance": "fid",
    "frechet_distance_infinity": "fid_infinity",
    "kernel_distance": "kid",
}


_SAMPLES = {
    "frechet_distance": "of the features' Gaussians: lower is better",
    "frechet_distance_infinity": "the same, extrapolated to infinitely many images",
    "kernel_distance": "squared MMD of the features, without bias: lower is better",
    "precision": "share of drawn images among the real ones",
    "recall": "share of real images among the drawn ones",
    "density": "how densely real images lie around drawn ones",
    "coverage": "share of real images with a drawn one near",
}
