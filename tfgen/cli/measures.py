"""What `tfgen evaluate` measures: groups of figures, a function each.

A function returns `None` where its group does not suit the model or the data.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tfgen.cli.run import load_arrays, load_known_factors
from tfgen.cli.subject import MOST_PAIRED, Figure, Subject, image_shape

_BATCH_SIZE = 100
_NUM_PATHS, _NUM_STEPS = 100, 32
_NUM_NEIGHBORS = 5  # of density and coverage

Figures = list[Figure]


def measure_losses(subject: Subject) -> Figures | None:
    """What training minimises, of test images."""
    if subject.config.kind == "images":
        data: Any = subject.batches("losses")
    else:
        images, targets = load_arrays(subject.config, "test", subject.num_images)
        count = min(len(images), len(targets))
        data = _pairs(images[:count], targets[:count], subject.config.batch_size)
    found = subject.model.evaluate(data, return_dict=True, verbose=0)
    return [Figure(k, float(v), _LOSSES.get(k, "")) for k, v in found.items()]


def _pairs(images: np.ndarray, targets: np.ndarray, batch_size: int) -> Any:
    """Returns a dataset of pairs."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((images, targets)).batch(batch_size)


def measure_likelihood(subject: Subject) -> Figures | None:
    """ELBO and the importance-weighted bound, in nats and in bits."""
    model = subject.model
    if not hasattr(model, "log_weights"):
        return None
    from tfgen.metrics import bits_per_dim

    found = _estimate(subject, subject.batches("likelihood"))
    num_dims = math.prod(image_shape(subject.config))
    elbo, log_likelihood = float(found.elbo.mean()), float(found.log_likelihood.mean())
    count = len(found.elbo)
    return [
        Figure("elbo", elbo, "nats per image", _standard_error(found.elbo)),
        Figure(
            "log_likelihood",
            log_likelihood,
            f"importance-weighted bound on log p(x), {subject.num_samples} samples an "
            "image, nats per image",
            _standard_error(found.log_likelihood),
        ),
        Figure("num_samples", subject.num_samples, "importance samples per image"),
        Figure(
            "elbo_bits_per_dim",
            float(bits_per_dim(elbo, num_dims)),
            "-elbo in bits per pixel value",
        ),
        Figure(
            "bits_per_dim",
            float(bits_per_dim(log_likelihood, num_dims)),
            "-log_likelihood in bits per pixel value",
        ),
        Figure(
            "pixel_likelihood",
            model.likelihood,
            "bernoulli: on grey values in [0, 1], not binarised",
        ),
        Figure("num_images", count, "test images"),
    ]


def measure_latents(subject: Subject) -> Figures | None:
    """What the latent variables of a VAE are used for."""
    if not (subject.encodes and "stddev" in subject.encoded):
        return None
    from tfgen.metrics import active_units, decompose_kl

    means, scales = subject.encoded["mean"], subject.encoded["stddev"]
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


def measure_samples(subject: Subject) -> Figures | None:
    """Drawn images against test images, beside other test images."""
    if not subject.generates or not _suffices(subject):
        return None
    from tfgen.metrics import compare_samples

    drawn, real = subject.drawn_features, subject.test_features
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = compare_samples(real, drawn, lambda x: x, seed=subject.seed)
    subject.notes += dict.fromkeys(str(warning.message) for warning in caught)
    network = subject.feature_network
    # FID and KID are names of distances of Inception's features only.
    short = {} if network.name != "inception_v3" else _INCEPTION_NAMES
    figures = [
        Figure("feature_network", network.name, f"{real.shape[1]} features an image"),
        Figure("num_generated", found.num_samples, "drawn images, and real ones"),
    ]
    for name, value in found.scores.items():
        if name.endswith("_error"):
            continue
        figures.append(
            Figure(
                short.get(name, name),
                value,
                _SAMPLES[name],
                found.scores.get(f"{name}_error"),
                found.floors[name],
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
    return figures


def measure_latent_space(subject: Subject) -> Figures | None:
    """Continuity and completeness: whether one can walk, and draw, in latent space."""
    if not subject.encodes or not _suffices(subject):
        return None
    return _measure_continuity(subject) + _measure_completeness(subject)


def _measure_continuity(subject: Subject) -> Figures:
    from tfgen.latents import lerp
    from tfgen.metrics import continuity

    test = load_arrays(subject.config, "test", 2000, subject.is_labelled)
    images, labels = test if subject.is_labelled else (test, None)
    images = images[: len(subject.latents)]
    count = min(_NUM_PATHS, len(images) // 2)
    ends = subject.latents[: 2 * count]
    paths = lerp(ends[:count], ends[count:], np.linspace(0.0, 1.0, _NUM_STEPS + 1))
    # A conditional model keeps the class of where a path starts; it is asked in order.
    classes = iter([] if labels is None else labels[:count])

    def decode(path: np.ndarray) -> np.ndarray:
        label = next(classes, None)
        others = None if label is None else np.full(len(path), label)
        return subject.endpoints.run("decode", path, others)["images"]

    found = continuity(decode, paths, images)
    where = f"{count} ways of {_NUM_STEPS} steps between latents of test images"
    error = _standard_error(found.steps.mean(axis=1))
    figures = [
        Figure(
            "continuity_step",
            found.step,
            f"mean change of the decoded image a step, {where}; 1: as far as the "
            "nearest other image",
            error,
        ),
        Figure(
            "continuity_jump",
            found.jump,
            "the largest step of a way",
            _standard_error(found.steps.max(axis=1)),
        ),
    ]
    if math.isfinite(found.detour):  # the ends of some way differ
        meaning = (
            "length of the decoded way over the distance of its ends: 1 is straight"
        )
        figures.append(Figure("continuity_detour", found.detour, meaning, floor=1.0))
    return figures


def _measure_completeness(subject: Subject) -> Figures:
    from tfgen.metrics import completeness

    drawn = subject.drawn_features
    count = min(len(drawn), len(subject.test_features) // 2)
    reference, others = subject.halves(count)
    found = completeness(drawn[:count], reference, lambda x: x, _NUM_NEIGHBORS)
    real = completeness(others, reference, lambda x: x, _NUM_NEIGHBORS)
    prior = "the prior" if "sample" in subject.endpoints else "a normal fitted to it"
    meanings = (
        f"share of images decoded from draws of {prior} that lie among test images",
        "how densely test images lie around those",
        "share of the test images that have one of those near",
    )
    return [
        Figure(f"completeness_{name}", value, meaning, floor=floor)
        for name, value, floor, meaning in zip(
            found._fields, found, real, meanings, strict=True
        )
    ]


def measure_factors(subject: Subject) -> Figures | None:
    """Whether each latent variable follows one factor of data whose factors are known.

    The floor is that of the same codes in another order: what chance gives.
    """
    if not subject.encodes:
        return None
    from tfgen import metrics

    known = load_known_factors(subject.config, "test", subject.num_images)
    if known is None:
        return None
    codes, factors = subject.latents[:MOST_PAIRED], known.values[:MOST_PAIRED]
    by_chance = np.random.default_rng(subject.seed).permutation(codes)

    def score(codes: np.ndarray) -> dict[str, float]:
        parts = metrics.dci(codes, factors, seed=subject.seed)
        return {
            "mig": metrics.mig(codes, factors),
            "sap": metrics.sap(codes, factors),
            "modularity": metrics.modularity(codes, factors),
            **{f"dci_{name}": value for name, value in parts._asdict().items()},
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


def measure_anomalies(subject: Subject) -> Figures | None:
    """How well scores tell images of another source from test images."""
    if subject.anomalies is None:
        return None
    from tfgen.metrics import anomaly_roc

    usual = _anomaly_scores(subject, subject.batches("scores of test images"))
    count = len(next(iter(usual.values())))
    others = _anomaly_scores(subject, _load_anomalies(subject, count))
    is_anomaly = np.repeat([False, True], [count, len(next(iter(others.values())))])
    figures = []
    for name, meaning in _ANOMALIES.items():
        if name in usual:
            scores = np.concatenate([usual[name], others[name]])
            roc = subject.rocs[name] = anomaly_roc(scores, is_anomaly)
            text = f"area under the ROC, {subject.anomalies} as anomalies: {meaning}"
            figures.append(Figure(f"anomaly_auc_{name}", roc.auc, text, floor=0.5))
    return figures


def _load_anomalies(subject: Subject, num_images: int) -> Iterable[Any]:
    from tfgen import data

    config = subject.config
    batches = data.load_images(
        subject.anomalies,
        "test",
        image_size=config.image_size,
        channels=config.channels,
        batch_size=_BATCH_SIZE,
        shuffle=False,
        data_dir=config.data_dir,
    )
    some = batches.unbatch().take(num_images).batch(_BATCH_SIZE)
    return subject.track(some, "scores of anomalies")


def _anomaly_scores(subject: Subject, batches: Iterable[Any]) -> dict[str, np.ndarray]:
    """Returns scores by name, each `(num_images,)`."""
    from tfgen.metrics import complexity, likelihood_ratio

    seen, errors, sizes = [], [], []

    def scored() -> Iterator[np.ndarray]:
        for batch in batches:
            images = np.asarray(batch)
            outputs = subject.endpoints.run("reconstruct", images)["images"]
            errors.append(np.square(outputs - images).mean(axis=(1, 2, 3)))
            sizes.append(complexity(images))
            seen.append(len(images))
            yield images

    if not hasattr(subject.model, "log_weights"):
        for _ in scored():
            pass
        return {"reconstruction_error": np.concatenate(errors)}
    found = _estimate(subject, scored())
    return {
        "negative_elbo": -found.elbo,
        "likelihood_ratio": likelihood_ratio(
            found.log_likelihood, -np.concatenate(sizes)
        ),
        "reconstruction_error": np.concatenate(errors),
    }


def measure_translation(subject: Subject) -> Figures | None:
    """Translations against the truth, or the target domain: a table of its own."""
    if subject.config.kind == "images":
        return None
    from tfgen.cli import translation
    from tfgen.cli.panels import Translator

    config = subject.config
    translator = Translator(subject.model, config.direction, subject.seed)
    arrays = load_arrays(config, "test", subject.num_images)
    subject.translation = translation.evaluate(translator, config, *arrays)
    return [Figure("num_images", len(arrays[0]), "test images")]


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


def _suffices(subject: Subject) -> bool:
    """Returns whether there are images to compare distributions by; notes if not."""
    count = len(subject.test_features)
    if count // 2 > _NUM_NEIGHBORS:
        return True
    note = f"{count} test images are too few to compare distributions of images"
    if note not in subject.notes:
        subject.notes.append(note)
    return False


def _estimate(subject: Subject, batches: Iterable[Any]) -> Any:
    import tensorflow as tf

    from tfgen.metrics import estimate_log_likelihood

    return estimate_log_likelihood(
        tf.function(subject.model.log_weights, reduce_retracing=True),
        batches,
        subject.num_samples,
        seed=subject.seed,
    )


def _nearest(features: np.ndarray, subject: Subject) -> float:
    """Returns the median distance to the nearest training image's features."""
    distances, _ = nearest_training(features, subject)
    return max(float(np.median(distances)), 1e-12)


def nearest_training(
    features: np.ndarray, subject: Subject
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distance and place of the nearest of `subject.train_images`."""
    from tfgen.extras import import_sklearn

    search = import_sklearn("neighbors").NearestNeighbors(n_neighbors=1)
    distances, places = search.fit(subject.train_features).kneighbors(features)
    return distances[:, 0], places[:, 0]


def _standard_error(values: np.ndarray) -> float | None:
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))


# ---- what they are -------------------------------------------------------------------

_LOSSES = {
    "loss": "what training minimises",
    "reconstruction_loss": "-E[log p(x|z)], nats per image",
    "kl_loss": "KL(q(z|x) || p(z)), nats per image",
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
}
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
_ANOMALIES = {
    "negative_elbo": "-ELBO",
    "likelihood_ratio": "likelihood against the size of the image as PNG",
    "reconstruction_error": "mean squared error of the reconstruction",
}
