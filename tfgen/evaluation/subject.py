"""What a model is measured on: its test split, and what several measures need of it.

The test split is read in batches, so that a set larger than memory streams.
"""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tfgen.errors import UserError
from tfgen.inference import Endpoints
from tfgen.latent.encoding import Encoding, Track, encode_images
from tfgen.training.run import Config, known_classes, load_arrays, load_in_order

MOST_PAIRED = 5000  # of what is compared pair by pair: time grows with the square
NUM_NEIGHBORS = 5  # of density and coverage
_BATCH_SIZE = 100
_MOST_CLASSIFIED = 20_000  # images that a feature network is trained on
_MOST_TRAIN, _TRAIN_BYTES = 10_000, 2**29


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
        name: Its key in `metrics.json`.
        value: A number, or a word.
        meaning: What it is, and its unit.
        error: Standard error of the value, where one is known.
        floor: What real images, or chance, would get: what to read the value beside.
    """

    name: str
    value: Any
    meaning: str
    error: float | None = None
    floor: float | None = None


Figures = list[Figure]


class Subject:
    """A model that is measured, with what several groups need, made once.

    Args:
        config: Of the run.
        model: The run's model.
        num_images: Test images at most; `None` for all.
        num_samples: Importance samples an image.
        num_generated: Images drawn from the model at most.
        features: A key of `FEATURES`.
        anomalies: A data set or folder of unusual images; else they are those of the
            classes that the run was trained without, if there are such.
        seed: Of all draws.
        track: From batches, and what is done with them, to the same batches, shown.
    """

    def __init__(
        self,
        config: Config,
        model: Any,
        *,
        num_images: int | None = None,
        num_samples: int = 100,
        num_generated: int = MOST_PAIRED,
        features: str = "data",
        anomalies: str | None = None,
        seed: int = 0,
        track: Track = lambda batches, _: batches,
    ) -> None:
        self.config, self.model, self.endpoints = config, model, Endpoints(model)
        self.num_images, self.num_samples = num_images, num_samples
        self.num_generated, self.features = num_generated, features
        self.anomalies, self.seed, self.track = anomalies, seed, track
        self.unusual = anomalies  # what they are called
        if not anomalies and config.held_out_classes:
            self.unusual = f"held-out classes ({config.held_out_classes})"
        self.is_labelled = getattr(model, "num_classes", None) is not None
        self.encodes = {"encode", "decode"} <= set(self.endpoints.functions)
        # The model's kind decides: a paired model may draw, but from an image.
        self.generates = config.kind == "images" and "sample" in self.endpoints
        # Whether it says of an image how unusual it is.
        self.gives_scores = "reconstruct" in self.endpoints and not self.is_labelled
        if anomalies and not self.gives_scores:
            raise UserError(
                "--anomalies: the model must be a VAE or an autoencoder without "
                "labels: others give an image no score"
            )
        self._datasets: dict[bool, Any] = {}  # with labels, and without
        self.notes: list[str] = []
        self.rocs: dict[str, Any] = {}  # of anomalies: score -> `Roc`
        self.translation: dict[str, Any] | None = None  # a table of its own

    def test_batches(self, labels: bool = False) -> Any:
        """Returns the dataset of test images, one for all who ask: decoded once."""
        if labels not in self._datasets:
            found = load_in_order(self.config, "test", self.num_images, labels)
            self._datasets[labels] = found
        return self._datasets[labels]

    def batches(self, what: str, labels: bool | None = None) -> Iterable[Any]:
        """Returns batches of test images, with labels if the model takes them."""
        labels = self.is_labelled if labels is None else labels
        return self.track(self.test_batches(labels), what)

    @functools.cached_property
    def encoded(self) -> Encoding:
        """All test images."""
        return encode_images(
            self.endpoints, self.config, "test", self.num_images, self.track
        )

    @property
    def latents(self) -> np.ndarray:
        """Latents of all test images: the means of posteriors, if there are any."""
        return self.encoded.latents

    @functools.cached_property
    def log_weights(self) -> Any:
        """`VAE.log_weights` as one graph, for any number of images and samples."""
        import tensorflow as tf

        shape = image_shape(self.config)
        specs = [((None, *shape), tf.float32), ((), tf.int32), ((2,), tf.int32)]
        specs += [((None,), tf.int32)] * self.is_labelled
        signature = [tf.TensorSpec(*spec) for spec in specs]
        return tf.function(self.model.log_weights, input_signature=signature)

    @functools.cached_property
    def feature_network(self) -> Any:
        """The network whose features images are compared by."""
        return FEATURES[self.features](self.config)

    @functools.cached_property
    def test_features(self) -> np.ndarray:
        """Features of all test images."""
        return self._extract(self.batches("features of test images", labels=False))

    @functools.cached_property
    def train_images(self) -> np.ndarray:
        """Training images, as many as fit in memory."""
        size = 4 * self.config.image_size**2 * self.config.channels
        count = max(1, min(_MOST_TRAIN, _TRAIN_BYTES // size))
        return load_arrays(self.config, "train", count)

    @functools.cached_property
    def train_features(self) -> np.ndarray:
        """Features of `train_images`."""
        starts = range(0, len(self.train_images), _BATCH_SIZE)
        batches = (self.train_images[i : i + _BATCH_SIZE] for i in starts)
        return self._extract(self.track(list(batches), "features of training images"))

    @functools.cached_property
    def drawn_features(self) -> np.ndarray:
        """Features of images drawn from the model, half as many as there are real."""
        count = max(2, min(self.num_generated, len(self.test_features) // 2))
        starts = range(0, count, _BATCH_SIZE)
        sizes = [min(_BATCH_SIZE, count - start) for start in starts]
        places = list(zip(starts, sizes, strict=True))
        return self._extract(
            self.draw(start, size)
            for start, size in self.track(places, "drawing images")
        )

    def draw(self, start: int, count: int) -> np.ndarray:
        """Returns images `start` to `start + count` of those drawn from the prior.

        A model without a prior is given the normal fitted to its latents of test
        images, variable by variable.
        """
        if "sample" in self.endpoints:
            labels = self._draw_labels(start + count)
            return self.endpoints.sample(start + count, self.seed, labels, start)
        rng = np.random.default_rng([self.seed, start])
        noise = rng.normal(size=(count, self.latents.shape[1]))
        latents = self.latents.mean(axis=0) + self.latents.std(axis=0) * noise
        return self.endpoints.run("decode", latents)["images"]

    def _draw_labels(self, count: int) -> np.ndarray | None:
        """Returns the classes that the model knows in turn; None for all there are."""
        classes = known_classes(self.config) if self.is_labelled else None
        return None if classes is None else np.resize(classes, count)

    def halves(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns features of test images in two parts of `count`, at random."""
        rng = np.random.default_rng(self.seed)
        shuffled = rng.permutation(self.test_features)
        return shuffled[:count], shuffled[count : 2 * count]

    def _extract(self, batches: Iterable[Any]) -> np.ndarray:
        from tfgen.metrics import extract_features

        return extract_features(iter(batches), self._compiled_features)

    @functools.cached_property
    def _compiled_features(self) -> Callable[[Any], Any]:
        from tfgen.metrics import compile_network

        return compile_network(self.feature_network)


def _data_features(config: Config) -> Any:
    """A classifier of the data; random features where the data has no classes.

    Of all classes, also those held out: runs on the same data compare.
    """
    from tfgen import data
    from tfgen.data.loading import collect
    from tfgen.metrics import build_feature_network

    if data.describe(config.data, config.data_dir).num_classes is None:
        return _random_features(config)
    batches = data.load_images(
        config.data,
        "train",
        batch_size=_BATCH_SIZE,
        seed=0,  # files may lie class by class
        labels=True,
        image_size=config.image_size,
        channels=config.channels,
        data_dir=config.data_dir,
        skip_bad_images=config.skip_bad_images,
        source_range=config.value_range,
    )
    return build_feature_network(*collect(batches, _MOST_CLASSIFIED, _BATCH_SIZE))


def image_shape(config: Config) -> tuple[int, int, int]:
    """Returns `(height, width, channels)` of a run's images."""
    return config.image_size, config.image_size, config.channels


def _random_features(config: Config) -> Any:
    from tfgen.metrics import build_random_features

    return build_random_features(image_shape(config))


def _inception(config: Config) -> Any:
    from tfgen.metrics import inception_v3

    return inception_v3(image_shape(config))


def _mobilenet(config: Config) -> Any:
    from tfgen.metrics import mobilenet_v2

    return mobilenet_v2(image_shape(config))


FEATURES: dict[str, Callable[[Config], Any]] = {
    "data": _data_features,
    "random": _random_features,
    "inception_v3": _inception,
    "mobilenet_v2": _mobilenet,
}


def suffices(subject: Subject) -> bool:
    """Returns whether there are images to compare distributions by; notes if not."""
    count = len(subject.test_features)
    if count // 2 > NUM_NEIGHBORS:
        return True
    note = f"{count} test images are too few to compare distributions of images"
    if note not in subject.notes:
        subject.notes.append(note)
    return False


def standard_error(values: np.ndarray) -> float | None:
    """Returns the standard error of the mean of values `(n,)`; None of one value."""
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))
