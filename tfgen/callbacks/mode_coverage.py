"""Counts the classes that samples cover and warns of mode collapse."""

import warnings

import keras
import numpy as np

from tfgen.metrics import mode_coverage


class ModeCoverage(keras.callbacks.Callback):
    """Reports `modes` and `mode_entropy` (nats) of samples after every epoch.

    If samples cover fewer than half of the classes during `patience` epochs (mode
    collapse), the callback warns once. `shares`, an array `(num_classes,)`, is each
    class's share of the samples of the last epoch. A conditional model draws its
    classes in turn.

    Args:
        classifier: A `keras.Model`, or a function, from images in `[0, 1]` to scores
            `(batch, num_classes)`: logits or probabilities.
        num_samples: Integer.
        seed: Integer seed of the samples: the same latents at every epoch.
        batch_size: Integer, samples at a time.
        min_share: Float, the least share of the samples that makes a mode.
        patience: Integer, epochs of collapse before the warning.

    References:
        [Metz et al., 2017](https://arxiv.org/abs/1611.02163), sec. 3.3.
    """

    def __init__(
        self,
        classifier,
        num_samples=1000,
        seed=0,
        batch_size=250,
        min_share=0.01,
        patience=3,
    ):
        super().__init__()
        if min(num_samples, batch_size, patience) < 1:
            raise ValueError(
                "`num_samples`, `batch_size` and `patience` must be at least 1. "
                f"Received: {num_samples}, {batch_size}, {patience}"
            )
        self.classifier = classifier
        self.num_samples = num_samples
        self.seed = seed
        self.batch_size = batch_size
        self.min_share = min_share
        self.patience = patience
        self.shares = None
        self.collapsed_epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        scores = self._scores()
        num_classes = scores.shape[-1]
        coverage = mode_coverage(scores.argmax(-1), num_classes, self.min_share)
        self.shares = coverage.shares
        if logs is not None:
            logs["modes"] = coverage.modes
            logs["mode_entropy"] = coverage.entropy
        collapsed = coverage.modes < num_classes / 2
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs == self.patience:
            warnings.warn(
                f"Mode collapse: {coverage.modes} of {num_classes} classes are in "
                "samples. Use a gradient penalty, spectral normalisation or a lower "
                "learning rate.",
                stacklevel=2,
            )

    def _scores(self):
        """Returns the classifier's scores of the samples: `(num_samples, classes)`."""
        scores = []
        for index, start in enumerate(range(0, self.num_samples, self.batch_size)):
            count = min(self.batch_size, self.num_samples - start)
            arguments = {"seed": self.seed + index}  # other latents in each batch
            if getattr(self.model, "num_classes", None) is not None:
                labels = np.arange(start, start + count) % self.model.num_classes
                arguments["labels"] = labels.astype("int32")
            images = self.model.sample(count, **arguments)
            scores.append(np.asarray(self.classifier(images)))
        return np.concatenate(scores)
