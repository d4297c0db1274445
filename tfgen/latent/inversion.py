"""The latents of given images, for a model that decodes and does not encode.

References:
- [Creswell & Bharath, 2018](https://arxiv.org/abs/1611.05644), alg. 1: by gradients.
- [Zhu et al., 2016](https://arxiv.org/abs/1609.03552), sec. 3.2: an encoder trained on
  images, as the start.
- [Abdal et al., 2019](https://arxiv.org/abs/1904.03189), sec. 3.3: pixels and features.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgen.progress import Progress, no_progress

_BATCH_SIZE = 256  # latents that are optimised at a time
_POOL = 1024  # draws among which starts are looked for
_RATE = 0.1


class Inversion(NamedTuple):
    """What `invert` returns.

    Attributes:
        latents: float32 `(n, latent_dim)`.
        images: What they decode to, `(n, height, width, channels)`.
        psnr: Of those against the given images, in dB, `(n,)`.
        feature_distance: Mean squared distance of features over their mean square,
            `(n,)`; None without a feature network.
    """

    latents: np.ndarray
    images: np.ndarray
    psnr: np.ndarray
    feature_distance: np.ndarray | None


def invert(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    num_steps: int = 300,
    num_starts: int = 4,
    feature_network: Callable | None = None,
    feature_weight: float = 0.1,
    encoder: Any = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Inversion:
    """Finds the latents that a model decodes to given images, by gradient descent.

        argmin_z  ||G(z) - x||^2 / pixels + weight ||F(G(z)) - F(x)||^2 / ||F(x)||^2

    Of several starts the best is kept: the nearest of many draws from the prior, and
    what an encoder says.

    Args:
        model: A model with `generate` or `decode`: latents[, labels] to images.
        images: `(n, height, width, channels)` in [0, 1].
        labels: Integers `(n,)`, for a conditional model.
        num_steps: Integer, of Adam, with a rate that falls to 0.
        num_starts: Integer, latents an image that are optimised.
        feature_network: Images to features, such as that of
            `tfgen.metrics.build_feature_network`; None for pixels alone.
        feature_weight: Float, of the features.
        encoder: Images to latents, such as `train_encoder` returns: one more start.
        seed: Integer, of the draws.
        progress: Function `(iterable, description, total) -> iterable`.
    """
    images = np.asarray(images, np.float32)
    decode, pool = _decoder(model), _draw_pool(model, seed)
    loss = _loss(feature_network, feature_weight)
    size = max(1, _BATCH_SIZE // (num_starts + (encoder is not None)))
    first_rows = range(0, len(images), size)
    batches = []
    for first in progress(first_rows, "inverting", len(first_rows)):
        rows = slice(first, first + size)
        wanted, classes = images[rows], None if labels is None else labels[rows]
        starts = _nearest(pool, wanted, classes, num_starts)
        if encoder is not None:
            guess = np.asarray(encoder(wanted, training=False))
            starts = np.concatenate([starts, guess[:, np.newaxis]], axis=1)
        batches.append(_descend(decode, loss, wanted, classes, starts, num_steps))
    latents = np.concatenate(batches)
    return _judge(decode, latents, images, labels, feature_network)


def train_encoder(
    model: Any,
    encoder: keras.Model,
    *,
    num_steps: int = 1000,
    batch_size: int = 64,
    seed: int = 0,
    progress: Progress = no_progress,
) -> keras.Model:
    """Trains an encoder on a model's own samples: images to their latents.

    Args:
        model: As in `invert`, with `latent_dim`.
        encoder: A network from images to latents, such as
            `build_conv_encoder(model.image_shape, model.latent_dim)`. Its kernels are
            drawn anew, by `seed`.
        num_steps: Integer.
        batch_size: Integer.
        seed: Integer, of kernels and samples.
        progress: As in `invert`.

    Returns:
        `encoder`, trained.
    """
    for index, kernel in enumerate(w for w in encoder.weights if len(w.shape) > 1):
        kernel.assign(keras.initializers.GlorotUniform(seed + index)(kernel.shape))
    encoder.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    decode, rng = _decoder(model), np.random.default_rng(seed)
    draw = tf.function(decode, autograph=False)
    for _ in progress(range(num_steps), "training an encoder", num_steps):
        latents, labels = _draw(model, batch_size, rng)
        encoder.train_on_batch(draw(latents, labels), latents)
    return encoder


def _decoder(model: Any) -> Callable:
    return getattr(model, "generate", None) or model.decode


def _draw(model: Any, count: int, rng: np.random.Generator) -> tuple:
    """Returns latents of the prior, and labels in turn if the model takes them."""
    latents = rng.normal(size=(count, model.latent_dim)).astype(np.float32)
    if getattr(model, "codes", None) is not None:
        latents = np.asarray(model.draw_latents(latents))
    num_classes = getattr(model, "num_classes", None)
    if num_classes is None:
        return latents, None
    return latents, np.arange(count, dtype=np.int32) % num_classes


def _draw_pool(model: Any, seed: int) -> tuple:
    latents, labels = _draw(model, _POOL, np.random.default_rng(seed))
    return latents, labels, np.asarray(_decoder(model)(latents, labels))


def _nearest(pool: tuple, images: np.ndarray, labels: Any, count: int) -> np.ndarray:
    """Returns the latents of the nearest drawn images: `(n, count, latent_dim)`."""
    latents, pool_labels, drawn = pool
    flat, known = images.reshape(len(images), -1), drawn.reshape(len(drawn), -1)
    distances = np.square(known).sum(1) - 2.0 * flat @ known.T
    if labels is not None:
        distances[np.asarray(labels)[:, np.newaxis] != pool_labels] = np.inf
    return latents[np.argsort(distances, axis=1)[:, :count]]


def _loss(feature_network: Callable | None, weight: float) -> Callable:
    """Returns the function of outputs and images to a loss a row."""

    def loss(outputs: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        error = tf.reduce_mean(tf.square(outputs - images), axis=(1, 2, 3))
        if feature_network is None:
            return error
        return error + weight * feature_distance(feature_network, outputs, images)

    return loss


def feature_distance(network: Callable, images: Any, others: Any) -> tf.Tensor:
    """Returns how far features of images are from those of others, `(n,)`.

    Args:
        network: Images to features `(n, num_features)`.
        images: `(n, height, width, channels)` in [0, 1].
        others: As many; the squared distance is a share of their features' square.
    """
    ours, theirs = network(images), network(others)
    square = tf.reduce_sum(tf.square(theirs), axis=-1)
    return tf.reduce_sum(tf.square(ours - theirs), axis=-1) / (square + 1e-12)


def _descend(
    decode: Callable,
    loss: Callable,
    images: np.ndarray,
    labels: Any,
    starts: np.ndarray,
    num_steps: int,
) -> np.ndarray:
    """Returns the best latents of each image, of all starts `(n, starts, dim)`."""
    count = starts.shape[1]
    latents = tf.Variable(starts.reshape(-1, starts.shape[-1]))
    wanted = tf.constant(np.repeat(images, count, axis=0))
    classes = None if labels is None else tf.constant(np.repeat(labels, count))
    rate = keras.optimizers.schedules.CosineDecay(_RATE, num_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build([latents])

    def losses() -> tf.Tensor:
        return loss(decode(latents, classes), wanted)

    @tf.function(autograph=False, jit_compile=False)
    def step() -> None:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(losses())
        optimizer.apply([tape.gradient(total, latents)], [latents])

    for _ in range(num_steps):
        step()
    best = losses().numpy().reshape(len(images), count).argmin(axis=1)
    ends = latents.numpy().reshape(starts.shape)
    return ends[np.arange(len(images)), best]


def _judge(
    decode: Callable, latents: np.ndarray, images: np.ndarray, labels: Any, network: Any
) -> Inversion:
    rows = [slice(i, i + _BATCH_SIZE) for i in range(0, len(images), _BATCH_SIZE)]
    outputs = [
        np.asarray(decode(latents[x], None if labels is None else labels[x]))
        for x in rows
    ]
    outputs = np.concatenate(outputs)
    error = np.square(outputs - images).mean(axis=(1, 2, 3), dtype=np.float64)
    psnr = -10.0 * np.log10(np.maximum(error, 1e-12))
    distance = None
    if network is not None:
        distances = [feature_distance(network, outputs[x], images[x]) for x in rows]
        distance = np.concatenate(distances)
    return Inversion(latents, outputs, psnr, distance)
