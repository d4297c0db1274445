"""Features that know the data set: of a small classifier, trained on it once.

Networks trained on ImageNet look for what is in photographs. A classifier of the data
itself tells its classes apart, wants no download, and is small. Figures are comparable
among runs with the network of one name: the name has the hash of data and code in it.
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
from tfgen.metrics.random_features import build_random_features

_NUM_FEATURES = 64
_SMALLEST_SIDE = 4
_BATCH_SIZE = 64


def build_feature_network(
    source: str | os.PathLike,
    num_images: int = 20_000,
    epochs: int = 5,
    seed: int = 0,
    cache_dir: str | os.PathLike | None = None,
    **kwargs: Any,
) -> keras.Model:
    """Returns the features of a classifier of the "train" split, trained if need be.

    It is kept in `cache_dir` under a hash of the images, the labels, the arguments and
    this file: training again is not needed, and no change goes unnoticed. Without
    labels it is `build_random_features`, whose name says so.

    Args:
        source: A data set or a folder, as of `tfgen.data.load_images`.
        num_images: Integer, how many images at most it is trained on.
        epochs: Integer, how often it sees each.
        seed: Integer, of the initial weights and the order.
        cache_dir: Folder of the trained networks; by default `tfgen/feature_networks`
            in `$XDG_CACHE_HOME`, or in `~/.cache`.
        **kwargs: `image_size`, `channels`, `data_dir` and `skip_bad_images` of
            `tfgen.data.load_images`.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 64)`
        (128 without labels), float32 whatever the global dtype policy.

    Raises:
        UserError: A mistake in an argument or in the data; or `cache_dir` can't be
            written.
    """
    if min(num_images, epochs) < 1:
        raise UserError(
            "num_images and epochs must be at least 1. "
            f"Received: {num_images}, {epochs}"
        )
    images, labels = _load(source, num_images, seed, kwargs)
    if labels is None:
        return build_random_features(images.shape[1:], seed)
    digest = _hash(images, labels, epochs, seed)
    file = _cache_folder(cache_dir) / f"{digest}.keras"
    classifier = _read(file)
    if classifier is None:
        classifier = _train(images, labels, epochs, seed)
        _write(classifier, file)
    features = classifier.get_layer("features").output
    network = keras.Model(classifier.input, features, name=f"classifier_{digest[:8]}")
    network.trainable = False
    return network


def _load(
    source: str | os.PathLike, num_images: int, seed: int, kwargs: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns images in an order of `seed`, for files may lie class by class."""
    from tfgen import data  # imports TFDS, which the other metrics do not need
    from tfgen.data.loading import collect

    data_dir = kwargs.get("data_dir")
    if data.describe(source, data_dir).num_classes is None:
        return data.load_array(source, "train", 1, **kwargs), None
    batches = data.load_images(
        source, "train", batch_size=_BATCH_SIZE, seed=seed, labels=True, **kwargs
    )
    return collect(batches, num_images, _BATCH_SIZE)


def _train(
    images: np.ndarray, labels: np.ndarray, epochs: int, seed: int
) -> keras.Model:
    classifier = _build_classifier(images.shape[1:], int(labels.max()) + 1, seed)
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
    return classifier


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


def _hash(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> str:
    arguments = (images.shape, epochs, seed, keras.__version__)
    digest = hashlib.sha256(repr(arguments).encode())
    digest.update(pathlib.Path(__file__).read_bytes())
    for array in (images, labels):
        digest.update(np.ascontiguousarray(array))
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
