"""Counts active latent variables and warns of posterior collapse."""

import warnings

import keras
import numpy as np

from tfgen.metrics import active_units


class LatentDiagnostics(keras.callbacks.Callback):
    """Reports `active_units` and the KL of each latent variable after every epoch.

    A latent variable whose posterior equals the prior for every image carries no
    information (posterior collapse). If that is so for more than half of them during
    `patience` epochs, the callback warns once. `kl_per_dim`, an array `(latent_dim,)`
    in nats, is that of the last epoch; the logs of `fit` have `active_units`.

    Args:
        images: `(n, height, width, channels)` in `[0, 1]`, a few hundred.
        labels: Integers `(n,)` if the model is conditional.
        patience: Integer, epochs of collapse before the warning.

    References:
        [Burda et al., 2016](https://arxiv.org/abs/1509.00519), sec. 5.2: active units.
    """

    def __init__(self, images, labels=None, patience=3):
        super().__init__()
        self.images = images
        self.labels = labels
        self.patience = patience
        self.kl_per_dim = None
        self.collapsed_epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        means = np.asarray(self.model.encode(self.images, self.labels)[0])
        self.kl_per_dim = np.asarray(self.model.kl_per_dim(self.images, self.labels))
        active = active_units(means)
        if logs is not None:
            logs["active_units"] = active
        collapsed = active < means.shape[-1] / 2
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs == self.patience:
            warnings.warn(
                f"Posterior collapse: {active} of {means.shape[-1]} latent variables "
                "are active. Lower `beta` or `latent_dim`, or use BetaWarmup or "
                "`free_bits`.",
                stacklevel=2,
            )
