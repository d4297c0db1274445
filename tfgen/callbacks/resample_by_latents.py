"""Draws images with rare latents more often."""

import math

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import UserError
from tfgen.latent import neighbor_resampling_weights

_ENCODED_AT_ONCE = 256
_PREFETCHED_BATCHES = 4


class ResampleByLatents(keras.callbacks.Callback):
    """Provides the batches of `fit`, in which rare images are more frequent.

    At the start of an epoch it encodes all images, and `weights` maps their latents to
    probabilities. Systematic resampling draws an image with probability `p` either
    `floor(n p)` or `ceil(n p)` times in `n` draws. Before `start_epoch` each image is
    drawn once.

    Rare is what has few others near it in latent space: of a rare class that the model
    takes for another, or that lies among others, no more is drawn than before. What is
    common is drawn less often, and is learned a little worse.

    What is drawn depends on `seed`, the epoch and the weights alone, and training that
    `ExactBackup` resumes goes on to the bit: put this callback in its `callbacks`.

    Do not pass `steps_per_epoch` to `fit`: an epoch is one pass over `dataset`.

    Args:
        images: `(n, height, width, channels)` in `[0, 1]`, the training data; they are
            held in memory as float32.
        labels: Integers `(n,)`: if given, batches are `(images, labels)`.
        batch_size: Integer; the last batch may be smaller.
        weights: Function from latent means `(n, latent_dim)` to probabilities `(n,)`,
            such as a `functools.partial` of those in `tfgen.latent`.
        start_epoch: Integer, the first epoch, counted from 0, that is drawn by weights:
            latents of a model that has learned nothing say nothing.
        every: Integer, epochs from one encoding to the next.
        encode: Function from images `(batch, ...)`, and their labels if there are any,
            to latent means. None: the endpoint `encode` of the model's `signatures()`,
            its output `mean` or `latents`.
        seed: Integer.

    Attributes:
        dataset: `tf.data.Dataset`, what `fit` is to be called with.
        probabilities: float64 `(n,)`, those of the epoch under way; None before
            `start_epoch`.

    Raises:
        UserError: An argument is out of its range.

    Example:
        >>> images = tfgen.data.load_array("mnist_5k", "train")
        >>> resample = tfgen.callbacks.ResampleByLatents(images)
        >>> model.fit(resample.dataset, epochs=20, shuffle=False, callbacks=[resample])

    References:
        [Amini et al., 2019](https://doi.org/10.1145/3306618.3314243), alg. 1; their
        weights are `tfgen.latent.resampling_weights`.
    """

    def __init__(
        self,
        images,
        labels=None,
        batch_size=128,
        weights=neighbor_resampling_weights,
        start_epoch=1,
        every=1,
        encode=None,
        seed=0,
    ):
        super().__init__()
        self.images = np.asarray(images, "float32")
        self.labels = None if labels is None else np.asarray(labels, "int32")
        if labels is not None and self.labels.shape != self.images.shape[:1]:
            raise UserError(
                f"`labels` must be one for each of the {len(self.images)} images. "
                f"Received: {self.labels.shape}"
            )
        if min(len(self.images), batch_size, every) < 1 or start_epoch < 0:
            raise UserError(
                "`images`, `batch_size` and `every` must be at least 1, `start_epoch` "
                f"at least 0. Received: {len(self.images)} images, {batch_size}, "
                f"{every}, {start_epoch}"
            )
        self.batch_size = batch_size
        self.weights = weights
        self.start_epoch = start_epoch
        self.every = every
        self.encode = encode
        self.seed = seed
        self.probabilities = None
        self._epoch = None  # whose `probabilities` these are
        self._encode_batch = None  # of one `fit`: an endpoint is traced once
        with tf.device("CPU:0"):  # tf.data runs there
            self._order = tf.Variable(self._draw(0), trainable=False)
        self.dataset = self._make_dataset()

    # ---- What `fit` calls ---------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._epoch = self._encode_batch = None

    def on_epoch_begin(self, epoch, logs=None):
        is_restored = self._epoch == epoch  # by an ExactBackup that comes before
        self._epoch = epoch
        if epoch < self.start_epoch:
            self.probabilities = None
        elif not is_restored and (self._renews(epoch) or self.probabilities is None):
            self.probabilities = self._weigh()
        self._order.assign(self._draw(epoch))  # a pass begins after this

    # ---- What ExactBackup calls ---------------------------------------------------

    def get_state(self):
        """Returns the state that a checkpoint stores."""
        return {"epoch": self._epoch, "probabilities": self.probabilities}

    def set_state(self, state):
        """Restores the probabilities of a checkpoint if they are still valid.

        They are not if the checkpoint is from the end of an epoch and the next epoch
        has computed its own.
        """
        begun = self._epoch
        if begun in (None, state["epoch"]) or not self._renews(begun):
            self.probabilities = state["probabilities"]
        if begun is None:
            self._epoch = state["epoch"]
        else:
            self._order.assign(self._draw(begun))

    # ---- Drawing ------------------------------------------------------------------

    def _renews(self, epoch):
        return (epoch - self.start_epoch) % self.every == 0

    def _weigh(self):
        weights = np.asarray(self.weights(self._encode()), "float64")
        count = len(self.images)
        is_valid = weights.shape == (count,) and np.isfinite(weights).all()
        if not (is_valid and weights.min() >= 0.0 and abs(weights.sum() - 1.0) < 1e-6):
            raise UserError(
                f"`weights` must return {count} probabilities, of sum 1. Received: "
                f"{weights.shape}, of sum {weights.sum()}"
            )
        return weights

    def _encode(self):
        """Returns the latent means of all images: `(n, latent_dim)`."""
        if self._encode_batch is None:
            self._encode_batch = self.encode or self._find_endpoint()
        arrays = [x for x in (self.images, self.labels) if x is not None]
        starts = range(0, len(self.images), _ENCODED_AT_ONCE)
        rows = [slice(start, start + _ENCODED_AT_ONCE) for start in starts]
        means = [np.asarray(self._encode_batch(*(x[i] for x in arrays))) for i in rows]
        return np.concatenate(means)

    def _find_endpoint(self):
        endpoint = getattr(self.model, "signatures", dict)().get("encode")
        if endpoint is None:
            raise UserError(
                f"{type(self.model).__name__} has no encode endpoint: pass `encode`"
            )

        def encode(*arrays):
            # A model without classes leaves labels alone.
            inputs = map(tf.constant, arrays[: len(endpoint.input_signature)])
            outputs = endpoint(*inputs)
            return outputs["mean"] if "mean" in outputs else outputs["latents"]

        return encode

    def _draw(self, epoch):
        """Returns the order of the images in an epoch: int64 indices `(n,)`."""
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.images))
        if self.probabilities is None:
            return order
        # Systematic resampling: equidistant points on the cumulative probabilities.
        ends = np.cumsum(self.probabilities[order])
        points = (np.arange(len(order)) + rng.uniform()) / len(order) * ends[-1]
        drawn = np.searchsorted(ends, points, side="right")
        return rng.permutation(order[np.minimum(drawn, len(order) - 1)])

    def _make_dataset(self):
        from tfgen.data import pipeline

        count = len(self.images)
        arrays = [x for x in (self.images, self.labels) if x is not None]
        with tf.device("CPU:0"):  # on a GPU they would take the model's memory
            tensors = tuple(tf.constant(array) for array in arrays)

        def indices(_):
            order = tf.data.Dataset.from_tensor_slices(self._order.read_value())
            return order.batch(self.batch_size)

        def gather(rows):
            batch = tuple(tf.gather(tensor, rows) for tensor in tensors)
            return batch if len(batch) > 1 else batch[0]

        batches = tf.data.Dataset.range(1).flat_map(indices).map(gather)
        num_batches = math.ceil(count / self.batch_size)
        batches = batches.apply(tf.data.experimental.assert_cardinality(num_batches))
        batches = batches.prefetch(_PREFETCHED_BATCHES)
        return batches.with_options(pipeline.dataset_options())
