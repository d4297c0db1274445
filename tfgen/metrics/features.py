"""Images to features: by any function, a random network, or one trained on ImageNet.

The Frechet distance of Inception's features is called FID, the kernel distance KID.
Published figures use other weights of Inception (of 2015, with a resize of their own):
those of Keras give figures that are comparable among themselves only.

The features of a network that was never trained compare images of any kind without a
download. `kernel_distance` of them sees colours, contrast, edges and texture, not what
an image shows. Figures are comparable among runs with the same image shape and seed.

References:
- [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567): Inception v3.
- [Sandler et al., 2018](https://arxiv.org/abs/1801.04381): MobileNet v2.
- [Parmar et al., 2022](https://arxiv.org/abs/2104.11222): why to resize antialiased.
- [Naeem et al., 2020](https://arxiv.org/abs/2002.09797), on random embeddings, which
  suit images unlike ImageNet's better than trained ones.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import UserError

_RANDOM_CHANNELS = (16, 16, 16, 16)
_URL = "https://storage.googleapis.com/tensorflow/keras-applications"


class _Pretrained(NamedTuple):
    build: Callable[..., keras.Model]
    size: int
    folder: str
    file: str


_INCEPTION_V3 = _Pretrained(
    keras.applications.InceptionV3,
    299,
    "inception_v3",
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
_MOBILENET_V2 = _Pretrained(
    keras.applications.MobileNetV2,
    224,
    "mobilenet_v2",
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
)


def extract_features(
    images: npt.ArrayLike | Iterable[Any],
    network: Callable[[Any], Any],
    batch_size: int = 100,
) -> np.ndarray:
    """Returns the features of all images: `(num_images, d)`.

    Args:
        images: `(num_images, ...)`, or an iterable of batches, such as a
            `tf.data.Dataset` or a generator that samples: then not all are in memory.
        network: A `keras.Model` or a function, `(batch, ...)` to `(batch, d)`.
        batch_size: Integer, images of an array at a time.
    """
    batches = images
    if hasattr(images, "shape"):
        starts = range(0, len(images), batch_size)
        batches = (images[start : start + batch_size] for start in starts)
    function = compile_network(network)
    features = [np.asarray(function(batch)) for batch in batches]
    if not features or any(batch.ndim != 2 for batch in features):
        shape = features[0].shape if features else "no images"
        raise ValueError(f"Features must be (batch, d). Received: {shape}")
    return np.concatenate(features)


def compile_network(network: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns a network as one graph, for batches of any size; a function as it is.

    `extract_features` does so at every call: to call it often, compile once beforehand.
    """
    inputs = getattr(network, "inputs", None)
    if not isinstance(network, keras.Model) or not inputs:
        return network
    spec = tf.TensorSpec(inputs[0].shape, inputs[0].dtype)
    graph = tf.function(lambda x: network(x, training=False), input_signature=[spec])
    return lambda batch: graph(keras.ops.cast(batch, spec.dtype))


def build_random_features(
    image_shape: tuple[int, int, int], seed: int = 0
) -> keras.Model:
    """Builds a fixed network: four stages of convolution 3x3, stride 2, and ReLU.

    Kernels are normal with variance 2 / inputs (He), so that every stage keeps the
    scale of the pixels. Features are each stage's channel means over the image, and
    their standard deviations over it.

    Args:
        image_shape: `(height, width, channels)`.
        seed: Integer, of the weights, which are the same on every machine.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 128)`,
        float32 whatever the global dtype policy.
    """
    rng = np.random.default_rng(seed)
    images = keras.Input(image_shape, name="images")
    hidden = keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32")(images)
    features, kernels = [], []
    for channels in _RANDOM_CHANNELS:
        shape = (3, 3, hidden.shape[-1], channels)
        scale = np.sqrt(2.0 / np.prod(shape[:3]))
        kernels.append((scale * rng.standard_normal(shape)).astype(np.float32))
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=2,
            padding="same",
            activation="relu",
            use_bias=False,
            dtype="float32",
        )(hidden)
        features += [
            keras.ops.mean(hidden, axis=(1, 2)),
            keras.ops.std(hidden, axis=(1, 2)),
        ]
    model = keras.Model(
        images, keras.ops.concatenate(features, axis=-1), name="random_features"
    )
    model.set_weights(kernels)
    model.trainable = False
    return model


def inception_v3(
    image_shape: tuple[int | None, int | None, int], weights: str | None = "imagenet"
) -> keras.Model:
    """Builds Inception v3 up to its last pooling: 2,048 features.

    Args:
        image_shape: `(height, width, channels)`, 1 or 3 channels; None for any side.
            Images are resized to 299 x 299.
        weights: "imagenet", downloaded by Keras once; None for random ones.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 2048)`,
        float32 whatever the global dtype policy.

    Raises:
        UserError: The weights can't be loaded or downloaded; or the channels are
            neither 1 nor 3.
    """
    return _build(_INCEPTION_V3, image_shape, weights)


def mobilenet_v2(
    image_shape: tuple[int | None, int | None, int], weights: str | None = "imagenet"
) -> keras.Model:
    """Builds MobileNet v2 up to its last pooling: 1,280 features.

    Some ten times faster than `inception_v3`.

    Args:
        image_shape: As in `inception_v3`. Images are resized to 224 x 224.
        weights: As in `inception_v3`.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 1280)`,
        float32 whatever the global dtype policy.

    Raises:
        UserError: As in `inception_v3`.
    """
    return _build(_MOBILENET_V2, image_shape, weights)


def _build(
    pretrained: _Pretrained,
    image_shape: tuple[int | None, int | None, int],
    weights: str | None,
) -> keras.Model:
    channels, size = image_shape[-1], pretrained.size
    if channels not in (1, 3):
        raise UserError(f"images must have 1 or 3 channels. Received: {channels}")
    with _float32():
        images = keras.Input(image_shape, name="images")
        resize = keras.layers.Resizing(size, size, antialias=True)
        hidden = keras.layers.Rescaling(2.0, offset=-1.0)(resize(images))
        if channels == 1:
            hidden = keras.layers.Concatenate()([hidden] * 3)
        network = _load(pretrained, weights)
        # Without weights, the name must not look like that of a trained network.
        name = f"{pretrained.folder}_{weights or 'untrained'}"
        model = keras.Model(images, network(hidden, training=False), name=name)
    model.trainable = False
    return model


def _load(pretrained: _Pretrained, weights: str | None) -> keras.Model:
    shape = (pretrained.size, pretrained.size, 3)
    arguments = {"include_top": False, "pooling": "avg", "input_shape": shape}
    if weights not in ("imagenet", None):
        raise UserError(f'weights must be "imagenet" or None. Received: {weights!r}')
    try:
        return pretrained.build(weights=weights, **arguments)
    except Exception as error:  # Keras raises no narrower one where a download fails
        folder = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras"), "models")
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"the weights of {pretrained.folder} can't be loaded ({reason}): download "
            f"{_URL}/{pretrained.folder}/{pretrained.file} on a machine with a network "
            f"and put it at {folder / pretrained.file}"
        ) from error


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Builds in float32: networks of `keras.applications` take no dtype."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
