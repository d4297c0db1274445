"""Features that know the data set: of a small classifier, trained on it once.

Networks trained on ImageNet look for what is in photographs. A classifier of the data
itself tells its classes apart, wants no download, and is small. Figures are comparable
among runs whose network has the same name: the name holds a hash of all that the
network depends on.
"""

import hashlib
import math
import os
import pathlib
from typing import Any

import keras
import numpy as np

from tfgen.errors import UserError
from tfgen.files import replaced

_VERSION = 1  # raise it with changes to training, or to what `_hash` does not see
_NUM_FEATURES = 64
_SMALLEST_SIDE = 4
_BATCH_SIZE = 64


def build_feature_network(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int = 5,
    seed: int = 0,
    cache_dir: str | os.PathLike | None = None,
) -> keras.Model:
    """Returns the features of a classifier of `images`, which is trained if need be.

    The classifier is kept in `cache_dir` under a hash of its architecture, the images,
    the labels, the epochs, the seed, and the version number of the training.

    Args:
        images: Training images `(num_images, height, width, channels)` in [0, 1].
        labels: Their classes, integers `(num_images,)` from 0.
        epochs: Integer, how often the classifier sees each image.
        seed: Integer, of the initial weights and the order of the images.
        cache_dir: Folder of the trained networks; by default `tfgen/feature_networks`
            in `$XDG_CACHE_HOME`, or in `~/.cache`.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 64)`,
        float32 whatever the global dtype policy.

    Raises:
        UserError: An argument is wrong, or `cache_dir` can't be written.
    """
    images, labels = _checked(images, labels)
    if epochs < 1:
        raise UserError(f"epochs must be at least 1. Received: {epochs}")
    classifier = _build_classifier(images.shape[1:], int(labels.max()) + 1, seed)
    digest = _hash(classifier, images, labels, epochs, seed)
    file = _cache_folder(cache_dir) / f"{digest}.keras"
    cached = _read(file)
    if cached is None:
        _train(classifier, images, labels, epochs, seed)
        _write(classifier, file)
    else:
        classifier = cached
    features = classifier.get_layer("features").output
    network = keras.Model(classifier.input, features, name=f"classifier_{digest[:8]}")
    network.trainable = False
    return network


def _checked(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(images):
        raise UserError(
            "images must be (num_images, height, width, channels) and labels "
            f"(num_images,). Received: {images.shape} and {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise UserError(f"labels must be integers from 0. Received: {labels.dtype}")
    return images, labels


def _train(
    classifier: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    seed: int,
) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA slows convolutions on CPUs down.
    classifier.compile("adam", loss, jit_compile=False)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        # An order of our own, for that of `fit` depends on global state.
        order = rng.permutation(len(images))
        classifier.fit(
            images[order], labels[order], _BATCH_SIZE, shuffle=False, verbose=0
        )


def _build_classifier(
    image_shape: tuple[int, ...], num_classes: int, seed: int
) -> keras.Model:
    """Halves the image until it is small, then two dense layers: images to logits."""
    rng = np.random.default_rng(seed)

    def arguments() -> dict[str, Any]:
        initializer = keras.initializers.HeNormal(int(rng.integers(2**31)))
        return {"kernel_initializer": initializer, "dtype": "float32"}

    images = keras.Input(image_shape, name="images")
    hidden = keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32")(images)
    halvings = math.ceil(math.log2(max(1.0, min(image_shape[:2]) / _SMALLEST_SIDE)))
    for i in range(halvings):
        hidden = keras.layers.Conv2D(
            min(32 * 2**i, 128), 3, 2, "same", activation="relu", **arguments()
        )(hidden)
    hidden = keras.layers.Flatten(dtype="float32")(hidden)
    hidden = keras.layers.Dense(_NUM_FEATURES, activation="relu", **arguments())(hidden)
    # Of mean square 1 whatever the data: the kernel distance depends on the scale.
    hidden = keras.layers.LayerNormalization(
        center=False, scale=False, dtype="float32", name="features"
    )(hidden)
    logits = keras.layers.Dense(num_classes, name="logits", **arguments())(hidden)
    return keras.Model(images, logits, name="classifier")


def _hash(
    classifier: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    seed: int,
) -> str:
    """Returns a hash of all that a trained classifier depends on."""
    layers = [
        (
            type(layer).__name__,
            layer.output.shape,
            [weight.shape for weight in layer.weights],
            getattr(getattr(layer, "activation", None), "__name__", None),
        )
        for layer in classifier.layers
    ]
    arguments = (_VERSION, layers, _BATCH_SIZE, images.shape, epochs, seed)
    digest = hashlib.sha256(repr(arguments).encode())
    digest.update(np.ascontiguousarray(images, np.float32))
    digest.update(np.ascontiguousarray(labels, np.int64))
    return digest.hexdigest()[:32]


def _cache_folder(cache_dir: str | os.PathLike | None) -> pathlib.Path:
    if cache_dir is not None:
        return pathlib.Path(cache_dir).expanduser()
    # Empty counts as unset, as the XDG specification says.
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(root).expanduser() / "tfgen" / "feature_networks"


def _read(file: pathlib.Path) -> keras.Model | None:
    """Returns the network in the file, or None where there is none that is whole."""
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError):
        return None


def _write(model: keras.Model, file: pathlib.Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replaced(file) as temporary:
            model.save(temporary)
    except OSError as error:
        raise UserError(
            f"{file.parent} can't be written ({error.strerror or error}): pass "
            "cache_dir, or set XDG_CACHE_HOME"
        ) from error
