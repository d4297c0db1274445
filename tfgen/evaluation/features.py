"""The networks whose features images are compared by."""

from collections.abc import Callable
from typing import Any

_BATCH_SIZE = 100
_MOST_CLASSIFIED = 20_000  # training images at most, of the classifier of the data
_UNEVEN = ("openmoji",)  # data with classes, more than half of their images in one


def _data_features(run: Any) -> Any:
    """A classifier of the data; random features where classes are none, or `_UNEVEN`.

    Of all classes, also those held out: runs on the same data compare.
    """
    from tfgen import data
    from tfgen.data.loading import collect
    from tfgen.metrics import build_feature_network

    config = run.config
    num_classes = data.describe(config.data, config.data_dir).num_classes
    if num_classes is None or str(config.data).split("/")[0] in _UNEVEN:
        return _random_features(run)
    batches = data.load_images(
        config.data,
        "train",
        batch_size=_BATCH_SIZE,
        seed=0,  # files may lie class by class
        labels=True,
        image_size=config.image_size,
        channels=config.channels,
        data_dir=config.data_dir,
        skip_bad_images=config.skip_bad_images,
        source_range=config.value_range,
        resize=config.resize,
        depth=config.depth,
    )
    return build_feature_network(*collect(batches, _MOST_CLASSIFIED, _BATCH_SIZE))


def _random_features(run: Any) -> Any:
    from tfgen.metrics import build_random_features

    return build_random_features(run.image_shape)


def _inception(run: Any) -> Any:
    from tfgen.metrics import inception_v3

    return inception_v3(run.image_shape)


def _mobilenet(run: Any) -> Any:
    from tfgen.metrics import mobilenet_v2

    return mobilenet_v2(run.image_shape)


# Name -> function of a `tfgen.Run`.
FEATURES: dict[str, Callable[[Any], Any]] = {
    "data": _data_features,
    "random": _random_features,
    "inception_v3": _inception,
    "mobilenet_v2": _mobilenet,
}
