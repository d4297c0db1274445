"""How well a model tells unusual images from those it was trained on."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.likelihood import estimate
from tfgen.evaluation.subject import Subject


def measure_anomalies(subject: Subject) -> Figures | None:
    """Measures how well scores tell unusual images from test images."""
    if subject.unusual is None or not subject.gives_scores:
        return None
    from tfgen.data.loading import take
    from tfgen.metrics import anomaly_roc

    try:
        batches = _load_anomalies(subject)
    except UserError as error:
        if subject.anomalies is not None:
            raise
        subject.note(str(error))  # of a small class there may be no test image
        return None
    usual = _anomaly_scores(subject, subject.batches("scores of test images"))
    count = len(next(iter(usual.values())))
    if subject.anomalies is not None:
        batches = take(batches, count, subject.config.batch_size)
    batches = subject.progress(batches, "scores of anomalies")
    unusual = _anomaly_scores(subject, batches)
    num_unusual = len(next(iter(unusual.values())))
    is_anomaly = np.repeat([False, True], [count, num_unusual])
    figures = []
    for name, meaning in _ANOMALIES.items():
        if name in usual:
            scores = np.concatenate([usual[name], unusual[name]])
            roc = subject.rocs[name] = anomaly_roc(scores, is_anomaly)
            text = f"area under the ROC, {subject.unusual} as anomalies: {meaning}"
            figures.append(Figure(f"anomaly_auc_{name}", roc.auc, text, floor=0.5))
    return figures


def _load_anomalies(subject: Subject) -> Any:
    from tfgen import data

    config = subject.config
    if subject.anomalies is None:
        return subject.run.in_order("test", subject.num_images, held_out=True)
    return data.load_images(
        subject.anomalies,
        "test",
        image_size=config.image_size,
        channels=config.channels,
        batch_size=config.batch_size,
        shuffle=False,
        data_dir=config.data_dir,
        skip_bad_images=config.skip_bad_images,
        source_range=config.value_range,
        resize=config.resize,
        depth=config.depth,
    )


def _anomaly_scores(subject: Subject, batches: Iterable[Any]) -> dict[str, np.ndarray]:
    """Returns scores by name, each `(num_images,)`."""
    from tfgen.metrics import complexity, likelihood_ratio

    errors, sizes = [], []

    def scored() -> Iterator[np.ndarray]:
        for batch in batches:
            images = np.asarray(batch)
            outputs = subject.endpoints.run("reconstruct", images)["images"]
            errors.append(np.square(outputs - images).mean(axis=(1, 2, 3)))
            sizes.append(complexity(images))
            yield images

    if not getattr(subject.model, "has_density", False):
        for _ in scored():
            pass
        return {"reconstruction_error": np.concatenate(errors)}
    bounds = estimate(subject, scored())
    return {
        "negative_elbo": -bounds.elbo,
        "likelihood_ratio": likelihood_ratio(
            bounds.log_likelihood, -np.concatenate(sizes)
        ),
        "reconstruction_error": np.concatenate(errors),
    }


_ANOMALIES = {
    "negative_elbo": "-ELBO",
    "likelihood_ratio": "likelihood against the size of the image as PNG",
    "reconstruction_error": "mean squared error of the reconstruction",
}
