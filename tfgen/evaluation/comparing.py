"""Two sets of images against each other: no model is needed."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgen.errors import UserError

_MOST_IMAGES = 10_000  # of each set: distances of all pairs are taken
_MOST_CLASSIFIED = 20_000  # images that the classifier of the data is trained on
FEATURES = ("data", "random", "inception_v3", "mobilenet_v2")


def compare(
    real: Any,
    fake: Any,
    *,
    features: str | Callable[[Any], Any] = "random",
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike | None = None,
    num_images: int = _MOST_IMAGES,
    seed: int = 0,
) -> Any:
    """Scores a set of images beside another one, as `evaluate` scores samples.

    The real images are divided: one half is what the fake ones, and for the floors the
    other half, are compared with, in equal numbers.

    Args:
        real: Images `(n, height, width, channels)` in [0, 1]; a folder, of which all
            images are taken; or the name of data, of which the test images are.
        fake: Likewise. Files are resized to the size of the real images.
        features: `"random"`, a fixed network; `"data"`, a classifier of the real data's
            classes, trained here; `"inception_v3"`, `"mobilenet_v2"`; a `.keras` or
            `.onnx` file of a network of images in [0, 1] (as uint8, if that is what an
            ONNX network takes); or such a function.
        image_size: Integer or `(height, width)` of the real images; `None` as they are.
        data_dir: Where TFDS keeps its data sets.
        num_images: Integer, of each set at most.
        seed: Integer, of the division.

    Returns:
        A `tfgen.metrics.Comparison`.

    Raises:
        UserError: A mistake in an argument or in the data, in one line.

    Example:
        >>> scores = tfgen.evaluation.compare("photos", "samples").scores
        >>> scores["kernel_distance"]
        0.0123
    """
    from tfgen.metrics import compare_samples

    real_images = _load(real, num_images, data_dir, image_size)
    size, channels = real_images.shape[1:3], real_images.shape[3]
    fake_images = _load(fake, num_images, data_dir, size, channels)
    if fake_images.shape[1:] != real_images.shape[1:]:
        raise UserError(
            "both sets must have images of one shape. Received: "
            f"{real_images.shape[1:]} and {fake_images.shape[1:]}"
        )
    if min(len(real_images) // 2, len(fake_images)) < 10:
        raise UserError(
            "a comparison needs 20 real images and 10 others, and means little below "
            f"hundreds. Received: {len(real_images)} and {len(fake_images)}"
        )
    network = features
    if isinstance(features, str):
        network = _open_network(features, real, real_images.shape[1:], data_dir)
    return compare_samples(real_images, fake_images, network, seed=seed)


def _load(
    source: Any, count: int, data_dir: Any, size: Any, channels: Any = None
) -> Any:
    """Returns images of an array, of a folder, or of data by name."""
    if not isinstance(source, str | os.PathLike):
        return np.asarray(source, "float32")[:count]
    from tfgen.data import load_array

    options = {"image_size": size, "channels": channels, "data_dir": data_dir}
    options |= {"num_images": count}
    if not os.path.isdir(os.path.expanduser(source)):
        return load_array(source, "test", **options)
    folder = os.path.abspath(os.path.expanduser(source))
    splits = [load_array(folder, split, **options) for split in ("train", "test")]
    if splits[0].shape[1:] != splits[1].shape[1:]:
        raise UserError(f"{source}: images differ in size: pass --image-size")
    return np.concatenate(splits)[:count]


def _open_network(name: str, real: Any, shape: Any, data_dir: Any) -> Any:
    """Returns a network of images in [0, 1], by its name or from its file."""
    from tfgen import metrics

    if name == "random":
        return metrics.build_random_features(shape)
    if name in ("inception_v3", "mobilenet_v2"):
        return getattr(metrics, name)(shape)
    if name == "data":
        return _train_classifier(real, shape, data_dir)
    openers = {".keras": _open_keras, ".onnx": _open_onnx}
    opener = openers.get(os.path.splitext(name)[1])
    if opener is None:
        raise UserError(
            f"--features must be one of {', '.join(FEATURES)}, or a .keras or .onnx "
            f"file. Received: {name!r}"
        )
    if not os.path.isfile(name):
        raise UserError(f"--features {name}: there is no such file")
    return opener(name)


def _train_classifier(real: Any, shape: Any, data_dir: Any) -> Any:
    from tfgen.data import load_array
    from tfgen.metrics import build_feature_network

    if not isinstance(real, str | os.PathLike):
        raise UserError("--features data needs the real images' name or folder")
    size, channels = shape[:2], shape[2]
    options = {"image_size": size, "channels": channels, "data_dir": data_dir}
    images, labels = load_array(real, "train", _MOST_CLASSIFIED, labels=True, **options)
    return build_feature_network(images, labels)


def _open_keras(path: str) -> Any:
    import keras

    network = keras.saving.load_model(path)
    size = network.inputs[0].shape[1:3]

    def features(images: Any) -> Any:
        return _flat(network(_fit(images, size), training=False))

    features.__name__ = os.path.basename(path)
    return features


def _open_onnx(path: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("an .onnx file needs onnxruntime: tfgen[onnx]") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    is_first = taken.shape[1] in (1, 3)  # channels before height and width
    size = taken.shape[2:4] if is_first else taken.shape[1:3]

    def features(images: Any) -> Any:
        values = np.asarray(_fit(images, size))
        if "uint8" in taken.type:
            values = np.clip(values * 255.0 + 0.5, 0.0, 255.0).astype("uint8")
        if is_first:
            values = np.moveaxis(values, -1, 1)
        outputs = session.run(None, {taken.name: values})[0]
        return _flat(np.moveaxis(outputs, 1, -1) if is_first else outputs)

    features.__name__ = os.path.basename(path)
    return features


def _fit(images: Any, size: Any) -> Any:
    """Returns images resized to what a network takes, if it takes one size."""
    import tensorflow as tf

    size = tuple(size)
    if not all(isinstance(side, int) for side in size) or size == images.shape[1:3]:
        return tf.convert_to_tensor(images, tf.float32)
    return tf.image.resize(images, size, antialias=True)


def _flat(features: Any) -> np.ndarray:
    """Returns means over the grid of features `(batch, height, width, channels)`."""
    features = np.asarray(features)
    return features.mean(axis=(1, 2)) if features.ndim == 4 else features
