"""How a label enters a network: beside features, in their scale, or as a projection."""

from collections.abc import Callable
from typing import Any

import keras

from tfgen.networks.normalization import normalize, spectral

_CONDITIONINGS = ("latents", "normalization")


def add_labels(
    features: keras.KerasTensor, inputs: keras.KerasTensor, num_classes: int | None
) -> tuple[keras.KerasTensor, Any]:
    """Returns features `(batch, units [+ num_classes])` and the network's inputs.

    Args:
        features: `(batch, units)`.
        inputs: The network's first input.
        num_classes: Integer, or `None` for features and inputs as they are.
    """
    if num_classes is None:
        return features, inputs
    labels, codes = _label_codes(features, num_classes)
    return keras.layers.Concatenate()([features, codes]), [inputs, labels]


def condition_generator(
    latents: keras.KerasTensor, num_classes: int | None, conditioning: str
) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Returns features, inputs, and a function: the network's batch normalisation.

    Args:
        latents: `(batch, latent_dim)`.
        num_classes: Integer, or `None` for a network without labels.
        conditioning: `"latents"`, where the label stands beside them; or
            `"normalization"`, where each class has a scale and a shift of its own
            after every batch normalisation.

    Reference: [Dumoulin et al., 2017](https://arxiv.org/abs/1610.07629), eq. 5, and
    [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637), sec. 5.
    """
    if conditioning not in _CONDITIONINGS:
        raise ValueError(
            f"`conditioning` must be one of {_CONDITIONINGS}. Received: "
            f"{conditioning!r}"
        )
    if num_classes is None or conditioning == "latents":
        features, inputs = add_labels(latents, latents, num_classes)
        return features, inputs, lambda features: normalize(features, "batch")
    labels, codes = _label_codes(latents, num_classes)
    return latents, [latents, labels], lambda features: _by_class(features, codes)


def _by_class(features: keras.KerasTensor, codes: keras.KerasTensor) -> Any:
    """Returns features normalised over the batch, then scaled and shifted by class."""
    channels = features.shape[-1]
    features = normalize(features, "batch", affine=False)
    for start, merge in (("ones", "Multiply"), ("zeros", "Add")):
        table = keras.layers.Dense(channels, use_bias=False, kernel_initializer=start)
        values = keras.layers.Reshape((1, 1, channels))(table(codes))
        features = getattr(keras.layers, merge)()([features, values])
    return features


def _label_codes(features: keras.KerasTensor, num_classes: int) -> tuple[Any, Any]:
    labels = keras.Input((), dtype="int32", name="labels")
    return labels, keras.ops.one_hot(labels, num_classes, dtype=features.dtype)


def project_labels(
    logits: keras.KerasTensor,
    features: keras.KerasTensor,
    inputs: keras.KerasTensor,
    num_classes: int | None,
    normalization: str | None = None,
) -> tuple[keras.KerasTensor, Any]:
    """Returns logits `+ <embedding(label), features>` and the network's inputs.

    Args:
        logits: `(batch, 1)`.
        features: `(batch, units)`.
        inputs: The network's first input.
        num_classes: Integer, or `None` for logits and inputs as they are.
        normalization: `"spectral"` normalises the embedding too.

    Reference: [Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637), eq. 3.
    """
    if num_classes is None:
        return logits, inputs
    labels, codes = _label_codes(features, num_classes)
    embedding = keras.layers.Dense(features.shape[-1], use_bias=False)
    codes = spectral(embedding, normalization)(codes)
    projection = keras.layers.Dot(axes=1)([codes, features])
    return keras.layers.Add()([logits, projection]), [inputs, labels]


def add_output(
    logits: keras.KerasTensor, features: keras.KerasTensor, num_outputs: int | None
) -> Any:
    """Returns the logits, or with `num_outputs` also an affine map of the features.

    Args:
        logits: `(batch, 1)`.
        features: `(batch, units)`.
        num_outputs: Integer, numbers of the second output; or `None`.

    Reference: [Chen et al., 2016](https://arxiv.org/abs/1606.03657), sec. 6.
    """
    if num_outputs is None:
        return logits
    return [logits, keras.layers.Dense(num_outputs)(features)]
