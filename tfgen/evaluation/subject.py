"""What a model is measured on: its test split, and what several measures need of it.

The test split is read in batches, so that a set larger than memory streams.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tfgen.errors import UserError
from tfgen.evaluation.features import FEATURES
from tfgen.latent.encoding import Encoding, encode_images
from tfgen.progress import Progress, no_progress

MOST_PAIRED = 5000  # of what is compared pair by pair: time grows with the square
NUM_NEIGHBORS = 5  # of density and coverage
_BATCH_SIZE = 100
_MOST_TRAIN, _TRAIN_BYTES = 10_000, 2**29


@dataclasses.dataclass(eq=False)
class Subject:
    """A model that is measured, with what several groups need, made once.

    Args:
        run: A `tfgen.Run`.
        num_images, num_samples, num_generated, features, seed, progress: As in
            `evaluate`.
        anomalies: A data set or folder of unusual images; else they are those of the
            classes that the run was trained without, if there are such.

    Attributes:
        notes: Sentences that the reader of the figures is told.
        rocs: Of anomalies: score -> `tfgen.metrics.Roc`.
        translation: Direction -> row -> figure; None for a model of images.
        truncation: Points of precision against recall, of a model that samples latents.
    """

    run: Any
    _: dataclasses.KW_ONLY
    num_images: int | None = None
    num_samples: int = 100
    num_generated: int = MOST_PAIRED
    features: str = "data"
    anomalies: str | None = None
    seed: int = 0
    progress: Progress = no_progress

    def __post_init__(self) -> None:
        run, anomalies = self.run, self.anomalies
        self.config, self.model, self.endpoints = run.config, run.model, run.endpoints
        self.unusual = anomalies  # what they are called
        if not anomalies and run.config.held_out_classes:
            self.unusual = f"held-out classes ({run.config.held_out_classes})"
        self.is_labelled = self.endpoints.takes_labels
        self.encodes = self.endpoints.has_latents
        # The model's kind decides: a paired model may draw, but from an image.
        self.generates = run.kind == "images" and "sample" in self.endpoints
        # Whether it says of an image how unusual it is.
        self.gives_scores = "reconstruct" in self.endpoints and not self.is_labelled
        if anomalies and not self.gives_scores:
            raise UserError(
                "--anomalies: the model must be a VAE or an autoencoder without "
                "labels: others give an image no score"
            )
        self.notes: list[str] = []
        self.rocs: dict[str, Any] = {}
        self.translation: dict[str, Any] | None = None
        self.truncation: list[Any] = []

    def note(self, text: str) -> None:
        """Adds a note once."""
        if text not in self.notes:
            self.notes.append(text)

    def test_batches(self, labels: bool = False) -> Any:
        """Returns the dataset of test images, one for all who ask: decoded once."""
        return self.run.in_order("test", self.num_images, labels)

    def batches(self, description: str, labels: bool | None = None) -> Iterable[Any]:
        """Returns batches of test images, with labels if the model takes them."""
        labels = self.is_labelled if labels is None else labels
        return self.progress(self.test_batches(labels), description)

    @functools.cached_property
    def encoded(self) -> Encoding:
        """All test images."""
        return encode_images(
            self.endpoints, self.run, "test", self.num_images, self.progress
        )

    @property
    def latents(self) -> np.ndarray:
        """Latents of all test images: the means of posteriors, if there are any."""
        return self.encoded.latents

    @functools.cached_property
    def log_weights(self) -> Any:
        """`VAE.log_weights` as one graph, for any number of images and samples."""
        import tensorflow as tf

        shape = self.run.image_shape
        specs = [((None, *shape), tf.float32), ((), tf.int32), ((2,), tf.int32)]
        specs += [((None,), tf.int32)] * self.is_labelled
        signature = [tf.TensorSpec(*spec) for spec in specs]
        return tf.function(self.model.log_weights, input_signature=signature)

    @functools.cached_property
    def feature_network(self) -> Any:
        """The network whose features images are compared by."""
        return FEATURES[self.features](self.run)

    @functools.cached_property
    def test_features(self) -> np.ndarray:
        """Features of all test images."""
        return self._extract(self.batches("features of test images", labels=False))

    @functools.cached_property
    def train_images(self) -> np.ndarray:
        """Training images, as many as fit in memory."""
        num_bytes = 4 * math.prod(self.run.image_shape)
        count = max(1, min(_MOST_TRAIN, _TRAIN_BYTES // num_bytes))
        return self.run.train_images(count)

    @functools.cached_property
    def train_features(self) -> np.ndarray:
        """Features of `train_images`."""
        starts = range(0, len(self.train_images), _BATCH_SIZE)
        places = self.progress(starts, "features of training images", len(starts))
        return self._extract(self.train_images[i : i + _BATCH_SIZE] for i in places)

    @functools.cached_property
    def drawn_features(self) -> np.ndarray:
        """Features of images drawn from the model, half as many as there are real."""
        return self.draw_features()

    def draw_features(self, truncation: float | None = None) -> np.ndarray:
        """Returns features of as many images, drawn from truncated latents."""
        count = max(2, min(self.num_generated, len(self.test_features) // 2))
        starts = range(0, count, _BATCH_SIZE)
        what = "drawing images"
        what += "" if truncation is None else f", truncation {truncation:g}"
        return self._extract(
            self.draw(start, min(_BATCH_SIZE, count - start), truncation)
            for start in self.progress(starts, what, len(starts))
        )

    def draw(
        self, start: int, count: int, truncation: float | None = None
    ) -> np.ndarray:
        """Returns images `start` to `start + count` of those drawn from the prior.

        A model without a prior is given the normal fitted to its latents of test
        images, variable by variable.
        """
        if "sample" in self.endpoints:
            labels = self._draw_labels(start + count)
            options = (self.seed, labels, start, truncation)
            return self.endpoints.sample(start + count, *options)
        rng = np.random.default_rng([self.seed, start])
        noise = rng.normal(size=(count, self.latents.shape[1]))
        latents = self.latents.mean(axis=0) + self.latents.std(axis=0) * noise
        labels = self._draw_labels(count) if self.is_labelled else None
        labels = self.endpoints.labels(count, labels)
        return self.endpoints.run("decode", latents, labels)["images"]

    def _draw_labels(self, count: int) -> np.ndarray | None:
        """Returns the classes that the model knows in turn; None for all there are."""
        classes = self.run.known_classes() if self.is_labelled else None
        return None if classes is None else np.resize(classes, count)

    def halves(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns features of test images in two halves of `count`, at random."""
        rng = np.random.default_rng(self.seed)
        shuffled = rng.permutation(self.test_features)
        return shuffled[:count], shuffled[count : 2 * count]

    def suffices(self) -> bool:
        """Returns whether images suffice to compare distributions; if not, notes it."""
        count = len(self.test_features)
        if count // 2 > NUM_NEIGHBORS:
            return True
        self.note(f"{count} test images are too few to compare distributions of images")
        return False

    def _extract(self, batches: Iterable[Any]) -> np.ndarray:
        from tfgen.metrics import extract_features

        return extract_features(iter(batches), self._compiled_features)

    @functools.cached_property
    def _compiled_features(self) -> Callable[[Any], Any]:
        from tfgen.metrics import compile_network

        return compile_network(self.feature_network)
