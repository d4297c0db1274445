"""What latents know of labels, beside raw pixels and principal components."""

import math
from typing import Any, NamedTuple

import numpy as np

from tfgen.evaluation.figure import Figure, Figures
from tfgen.evaluation.subject import Subject

_NUM_LEARNED, _NUM_TOLD = 1000, 500  # images with labels, and images to be labelled
_MOST_READ = 10_000  # test images that those are drawn from: they may lie by class
_NUM_STEPS = 100  # of an inversion
_GRID = 4  # a discriminator's features are pooled to 4 x 4, as in Radford et al.


class Images(NamedTuple):
    """Some images: `(n, height, width, channels)`, and what they show.

    `labels` are integers `(n,)` that a conditional model takes, or None; `targets` are
    to be predicted: name -> integers `(n,)`.
    """

    images: np.ndarray
    labels: np.ndarray | None
    targets: dict[str, np.ndarray]


def measure_probe(subject: Subject) -> Figures | None:
    """Measures how well classes, or known factors, are told from features.

    Of an autoencoder these are its latents or codes; of a GAN the last grid of its
    discriminator, and the latents that its generator makes most similar images of.
    """
    run = subject.run
    if run.kind != "images":
        return None
    sets = _read_factors(subject) or (run.class_names and _read_classes(subject))
    if not sets:
        subject.note("the data have neither classes nor known factors")
        return None
    known, unknown = sets
    features, figures = _extract(subject, known, unknown)
    if not features:
        return None
    size = next(iter(features.values()))[0].shape[1]
    pixels = [x.images.reshape(len(x.images), -1) for x in sets]
    features |= {"pixels": pixels, "pca": _principal(pixels, size)}
    for name, pair in features.items():
        figures += _figures(subject, name, pair, known.targets, unknown.targets)
    return figures


# ---- Images and what they show -------------------------------------------------------


def _read_factors(subject: Subject) -> list[Images] | None:
    run, sets = subject.run, []
    for split, count in (("train", _NUM_LEARNED), ("test", _num_told(subject))):
        factors = run.known_factors(split, count)
        if factors is None:
            return None
        images = run.arrays(split, len(factors.values))
        columns = zip(factors.names, factors.values.T, strict=True)
        sets.append(Images(images, None, dict(columns)))
    varying = [n for n, x in sets[0].targets.items() if np.ptp(x) > 0]
    return [x._replace(targets={n: x.targets[n] for n in varying}) for x in sets]


def _read_classes(subject: Subject) -> list[Images]:
    from tfgen.data.loading import collect

    run = subject.run
    batches = run.batches("train", labels=True)  # files may lie class by class
    learned = collect(batches, _NUM_LEARNED, run.config.batch_size)
    images, labels = run.arrays("test", _MOST_READ, labels=True)
    rows = np.random.default_rng(subject.seed).permutation(len(images))
    rows = rows[: _num_told(subject)]
    return [
        Images(x, y if subject.is_labelled else None, {"class": y})
        for x, y in (learned, (images[rows], labels[rows]))
    ]


def _num_told(subject: Subject) -> int:
    return min(_NUM_TOLD, subject.num_images or _NUM_TOLD)


# ---- Features ------------------------------------------------------------------------


def _extract(subject: Subject, *sets: Images) -> tuple[dict[str, list], Figures]:
    """Returns features of both sets by name, the model's latents first, and figures."""
    endpoints = subject.endpoints
    if "generate" in endpoints:
        inversions = [_invert(subject, x) for x in sets]
        features = {"inverted": [x.latents for x in inversions]}
        grids = [_judge(subject.model, x) for x in sets]
        if grids[0] is not None:
            features["discriminator"] = grids
        value = float(np.median(inversions[1].psnr))
        text = f"dB, median of test images inverted by {_NUM_STEPS} steps"
        return features, [Figure("probe_inversion_psnr", value, text)]
    if "encode" in endpoints and endpoints.has_codes:
        codes = [endpoints.run("encode", x.images)["codes"] for x in sets]
        vectors = [np.asarray(subject.model.quantizer.decode(x)) for x in codes]
        return {"codes": [x.reshape(len(x), -1) for x in vectors]}, []
    if subject.encodes:
        outputs = [endpoints.run("encode", x.images, x.labels) for x in sets]
        key = "mean" if "mean" in outputs[0] else "latents"
        return {"latents": [x[key] for x in outputs]}, []
    return {}, []


def _judge(model: Any, images: Images) -> np.ndarray | None:
    """Returns the discriminator's last grid of features; None if it has no grid."""
    import keras
    import tensorflow as tf

    from tfgen.models.batches import to_signed

    network = model.discriminator
    grids = [x.output for x in network.layers if len(x.output.shape) == 4]
    grids = [x for x in grids if x.shape[-1] > 1]
    if not grids:
        return None
    sides = [math.ceil(side / _GRID) for side in grids[-1].shape[1:3]]
    pooled = keras.layers.MaxPooling2D(sides, padding="same")(grids[-1])
    features = keras.Model(network.inputs, keras.layers.Flatten()(pooled))
    inputs = [to_signed(tf.constant(images.images))]
    if images.labels is not None:  # which the grid does not see
        inputs.append(tf.zeros(len(images.images), tf.int32))
    return features.predict(inputs, verbose=0)


def _invert(subject: Subject, images: Images) -> Any:
    from tfgen.latent import invert

    return invert(
        subject.model,
        images.images,
        images.labels,
        num_steps=_NUM_STEPS,
        num_starts=1,
        seed=subject.seed,
        progress=subject.progress,
    )


def _principal(pixels: list[np.ndarray], size: int) -> list[np.ndarray]:
    from tfgen.errors import import_sklearn

    size = min(size, *pixels[0].shape)
    pca = import_sklearn("decomposition").PCA(size, random_state=0).fit(pixels[0])
    return [pca.transform(x) for x in pixels]


# ---- Figures -------------------------------------------------------------------------


def _figures(
    subject: Subject,
    name: str,
    features: list[np.ndarray],
    learned: dict[str, np.ndarray],
    told: dict[str, np.ndarray],
) -> Figures:
    from tfgen.metrics import probe

    probes = {
        target: probe(features[0], labels, features[1], told[target], seed=subject.seed)
        for target, labels in learned.items()
    }
    what = " and ".join(probes) if len(probes) < 3 else f"{len(probes)} factors"
    size, count = features[0].shape[1], len(features[1])
    where = f"{what} of {count} test images told from {_MEANINGS[name]}, {size} numbers"
    if subject.is_labelled and name in ("latents", "inverted"):
        where += " (the model is given the class: little should be left in them)"
    figures = []
    for kind, way in _WAYS.items():
        shares = [getattr(x, kind) for x in probes.values()]
        mean, chance = np.mean(shares), np.mean([x.chance for x in probes.values()])
        error = math.sqrt(mean * (1.0 - mean) / count)
        text = f"share right: {where}, {way}"
        figure = Figure(f"probe_{kind}_{name}", float(mean), text, error, float(chance))
        figures.append(figure)
    if len(probes) > 1 and name not in ("pixels", "pca"):
        figures += [
            Figure(f"probe_linear_{name}_{x}", y.linear, "", floor=y.chance)
            for x, y in probes.items()
        ]
    return figures


_WAYS = {
    "linear": f"by a linear probe of {_NUM_LEARNED} training images",
    "neighbors": "by the nearest of these",
}
_MEANINGS = {
    "latents": "latents",
    "codes": "the vectors of codes",
    "discriminator": "the discriminator's last grid",
    "inverted": "inverted latents",
    "pixels": "raw pixels",
    "pca": "principal components",
}
