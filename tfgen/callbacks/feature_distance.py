"""How far what a model makes is from held-out images, while it trains."""

import keras
import numpy as np

from tfgen.metrics import (
    build_random_features,
    compile_network,
    extract_features,
    kernel_distance,
)


class FeatureDistance(keras.callbacks.Callback):
    """Reports `val_kernel_distance` every few epochs: lower is better.

    It is the squared MMD of a network's features, without bias, between held-out
    images and what the model makes. In the epochs between, the last figure is repeated,
    so that `EarlyStopping("val_kernel_distance", mode="min")` has one at every epoch.

    Args:
        images: Held-out images `(n, height, width, channels)` in `[0, 1]`, from some
            hundreds on.
        make_images: Function of no arguments that returns images to be compared, such
            as `lambda: model.translate(inputs)`; `None` for as many samples of the
            model, the same latents each time.
        network: A `keras.Model` or a function, from images to features; `None` for
            `tfgen.metrics.build_random_features`.
        every: Integer, epochs from one measurement to the next.
        seed: Integer seed of the samples.
        batch_size: Integer, images at a time.

    References:
        [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401), sec. 4.1.
    """

    def __init__(
        self,
        images,
        make_images=None,
        network=None,
        every=1,
        seed=0,
        batch_size=100,
    ):
        super().__init__()
        if every < 1 or len(images) < 3:
            raise ValueError(
                "`every` must be at least 1, and `images` 3 or more. Received: "
                f"{every}, {len(images)}"
            )
        self.images = images
        self.make_images = make_images
        self.network = network
        self.every = every
        self.seed = seed
        self.batch_size = batch_size
        self.distance = None  # the last one: `ExactBackup` keeps it
        self._features = None

    def on_epoch_end(self, epoch, logs=None):
        if self.distance is None or (epoch + 1) % self.every == 0:
            self.distance = self._measure()
        if logs is not None:
            logs["val_kernel_distance"] = self.distance

    def _measure(self):
        if self._features is None:
            network = self.network or build_random_features(self.images.shape[1:])
            self._network = compile_network(network)
            self._features = self._extract(self.images)
        make_images = self.make_images or self._sample
        return float(kernel_distance(self._extract(make_images()), self._features)[0])

    def _extract(self, images):
        return extract_features(images, self._network, self.batch_size)

    def _sample(self):
        """Yields batches of samples; a conditional model's go through its classes."""
        num_classes = getattr(self.model, "num_classes", None)
        for index, start in enumerate(range(0, len(self.images), self.batch_size)):
            count = min(self.batch_size, len(self.images) - start)
            labels = {}
            if num_classes is not None:
                classes = np.arange(start, start + count) % num_classes
                labels = {"labels": classes.astype("int32")}
            yield self.model.sample(count, seed=self.seed + index, **labels)
