"""What a model refuses, in one line each: arguments, data, inputs of endpoints.

Shapes and types are known when a step is traced and cost nothing later. Values are
looked at in the first batch alone (first_batch.py), where a wrong range shows, and in
what an endpoint is called on in Python.
"""

import contextlib
import re

import numpy as np
import tensorflow as tf

from tfgen.models.options import required_of

TOLERANCE = 1e-3  # of [0, 1]: what rounding and resizing may leave
_MARKED = re.compile(r"tfgen\{(.*?)\}tfgen", re.DOTALL)

_RANGE = (
    "must be finite and in [0, 1]: divide values of 0..255 by 255, map [-1, 1] by "
    "(x + 1) / 2. Received values from {} to {}"
)
_INDICES = "`%s` must be in [0, %s=%s). Received: {} to {}"
_COUNTS = {"labels": "num_classes", "codes": "num_codes"}  # of indices, by input


# ---- Arguments -----------------------------------------------------------------------


def choice(name, value, choices):
    """Raises a `ValueError` that lists the choices if `value` is not one of them."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {value!r}")


def at_least(minimum, **values):
    """Raises a `ValueError` if a number is below the minimum, or no number."""
    for name, value in values.items():
        if not value >= minimum:
            raise ValueError(f"`{name}` must be at least {minimum}. Received: {value}")


def below_one(**values):
    """Raises a `ValueError` if a number is not in [0, 1)."""
    for name, value in values.items():
        if not 0.0 <= value < 1.0:
            raise ValueError(f"`{name}` must be in [0, 1). Received: {value}")


def same_shape(model, name, other_name):
    """Raises a `ValueError` unless one network returns images that another takes."""
    returned = tuple(getattr(model, name).output_shape[1:])
    taken = tuple(getattr(model, other_name).inputs[0].shape[1:])
    if returned != taken:
        raise ValueError(
            f"`{name}` must return images shaped like those of `{other_name}`. "
            f"Received: {returned} and {taken}"
        )


def channels(model, side, **expected):
    """Raises a `ValueError` unless networks have as many channels on a side."""
    for name, count in expected.items():
        shape = getattr(getattr(model, name), f"{side}_shape")
        if shape[-1] != count:
            raise ValueError(
                f"`{name}` must have images of {count} channels. Received: {shape[-1]}"
            )


def autoencoder(model, num_outputs, params_per_channel=1):
    """Raises a `ValueError` unless encoder and decoder fit each other."""
    networks(model, model.encoder, model.decoder)
    if model.encoder.output_shape[-1] != num_outputs:
        raise ValueError(
            f"`encoder` must return {num_outputs} numbers for the {model.latent_dim} "
            f"latents of `decoder`. Received: {model.encoder.output_shape[-1]}"
        )
    image_decoder(model, params_per_channel)


def image_decoder(model, params_per_channel):
    """Raises a `ValueError` unless the decoder returns what the likelihood takes."""
    *size, channels = model.image_shape
    expected = (*size, channels * params_per_channel)
    if model.decoder.output_shape[1:] != expected:
        each = f", {params_per_channel} numbers a channel" * (params_per_channel > 1)
        raise ValueError(
            f"`decoder` must return images shaped like those of `encoder`{each}. "
            f"Received: {model.decoder.output_shape[1:]} and {expected}"
        )


def networks(model, *built, with_labels=True):
    """Raises a `ValueError` if a network takes other inputs than the model gives."""
    num_inputs = 1 if model.num_classes is None or not with_labels else 2
    for network in built:
        received = len(required_of(network))
        if received != num_inputs:
            raise ValueError(
                f"`{network.name}` must take {num_inputs} input(s) with "
                f"num_classes={model.num_classes}. Received: {received}"
            )
        for layer in network.layers:
            if getattr(layer, "data_format", None) == "channels_first":
                raise ValueError(
                    f"`{network.name}` has layers for channels_first images, and "
                    "models take (batch, height, width, channels). Build it after "
                    "keras.config.set_image_data_format('channels_last')."
                )


def objective_is_own(model, arguments):
    """Raises a `ValueError` if `compile` was given a loss that nothing would use."""
    refused = ("loss", "loss_weights", "metrics", "weighted_metrics")
    if any(arguments.get(name) is not None for name in refused):
        raise ValueError(
            f"{type(model).__name__} computes its own objective: call `compile` "
            f"without {', '.join(refused)}. It reports {model.term_names}."
        )


def of_keras_3(*optimizers):
    """Raises a `ValueError` if an optimizer is one of Keras 2."""
    for optimizer in optimizers:
        package, name = type(optimizer).__module__.partition(".")[0], type(optimizer)
        if package == "tf_keras":
            raise ValueError(
                f"{package}.optimizers.{name.__name__} is of Keras 2: take "
                f"keras.optimizers.{name.__name__}"
            )


def two_optimizers(model, generator_optimizer, discriminator_optimizer, arguments):
    """Raises a `ValueError` if `compile` was given one optimizer for two networks."""
    is_shared = generator_optimizer is discriminator_optimizer
    is_shared &= not isinstance(generator_optimizer, str)
    if is_shared or "optimizer" in arguments:
        raise ValueError(
            f"{type(model).__name__} takes two optimizers, each with its own state: "
            "compile(generator_optimizer=..., discriminator_optimizer=...). Received "
            "one for both."
        )


# ---- Inputs: shapes and types --------------------------------------------------------


def unpack(model, data):
    """Returns what `fit` was given for x and y, the second one `None` if absent."""
    parts = _flat(data)
    if len(parts) > 3:
        raise ValueError(
            f"{type(model).__name__} takes images, alone or with labels or targets. "
            f"Received data of {len(parts)} parts"
        )
    x, y, weights = (*parts, None, None)[:3]
    no_weights(model, "data of three parts, weights the last", weights)
    if isinstance(x, dict) or isinstance(y, dict):
        raise ValueError(
            f"{type(model).__name__} takes images, or (images, labels), not a dict. "
            "Received a dict: data.map(lambda row: (row['image'], row['label'])) makes "
            "pairs of it."
        )
    return x, y


def _flat(data):
    """Returns the parts of data that Keras may have put into tuples in tuples."""
    if not isinstance(data, (tuple, list)):
        return [data]
    return [part for one in data for part in _flat(one) if part is not None]


def no_weights(model, received, *weights):
    """Raises a `ValueError` if there are weights of samples or classes."""
    if any(weight is not None for weight in weights):
        raise ValueError(
            f"{type(model).__name__} takes no sample weights. Received {received}: "
            "repeat or resample the images instead."
        )


def some_arrays(model, x, parts):
    """Raises a `ValueError` for lists of single images, and for no images."""
    are_arrays = [isinstance(part, np.ndarray | tf.Tensor) for part in parts]
    if isinstance(x, list) and not (len(x) <= 2 and all(are_arrays)):
        raise ValueError(
            f"{type(model).__name__} takes an array of all images. Received a list of "
            f"{len(x)}: np.stack(images) makes an array of it."
        )
    if parts and are_arrays[0] and not len(parts[0]):
        raise ValueError(f"{type(model).__name__} needs images. Received none.")


def as_input(model, key, value):
    """Returns an input as a tensor of its specification; raises a `ValueError`."""
    if key not in model.input_specs:
        raise ValueError(f"This {type(model).__name__} takes no {key}.")
    spec = model.input_specs[key]
    value = tf.convert_to_tensor(value)
    if key == "labels":
        return _as_labels(model, value)
    if spec.dtype.is_floating and not value.dtype.is_floating:
        raise ValueError(
            f"`{spec.name}` must be of floats. Received: {value.dtype.name}"
            + (", to be divided by 255" if value.dtype.is_integer else "")
        )
    if spec.dtype.is_integer and not value.dtype.is_integer:
        raise ValueError(
            f"`{spec.name}` must be integers. Received: {value.dtype.name}"
        )
    if not spec.shape.is_compatible_with(value.shape):
        axes = "(batch, height, width, channels)" if spec.shape.rank == 4 else ""
        advice = ""
        if spec.shape[1:].is_compatible_with(value.shape):
            advice = f". Add the batch axis: {spec.name}[None]"
        elif spec.shape.rank == 4 and value.shape.rank == 3:
            advice = f". Add the channel axis: {spec.name}[..., None]"
        raise ValueError(
            f"`{spec.name}` must be {axes or tuple(spec.shape)}, here "
            f"{tuple(spec.shape)}. Received: {tuple(value.shape)}{advice}"
        )
    if spec.shape.rank == 4 and tf.executing_eagerly():
        with one_line():
            assert_images(spec.name, value)
    if key in model.index_limits and tf.executing_eagerly():
        with one_line():
            assert_indices(model, key, value)
    return tf.cast(value, spec.dtype)


def _as_labels(model, labels):
    if labels.shape.rank == 2 and labels.shape[1] == 1:  # as keras.datasets has them
        labels = labels[:, 0]
    if labels.shape.rank not in (1, None) or not labels.dtype.is_integer:
        raise ValueError(
            "`labels` must be integers of shape (batch,), of one-hot codes the argmax. "
            f"Received: {labels.dtype.name} of shape {tuple(labels.shape)}"
        )
    if tf.executing_eagerly():
        with one_line():
            assert_indices(model, "labels", labels)
    return tf.cast(labels, tf.int32)


def assert_input(model, key, tensor):
    """Returns a served input that is checked when the graph runs."""
    tensor = tf.ensure_shape(tensor, model.input_specs[key].shape)
    if key not in model.index_limits:
        return tensor
    with tf.control_dependencies([assert_indices(model, key, tensor)]):
        return tf.identity(tensor)


# ---- Inputs: values ------------------------------------------------------------------


def assert_images(name, images):
    """Asserts, in a graph or eagerly, that images are finite and in [0, 1]."""
    inside = (images >= -TOLERANCE) & (images <= 1.0 + TOLERANCE)
    return _assert(inside, f"`{name}` {_RANGE}", images)


def assert_indices(model, key, values):
    """Asserts, in a graph or eagerly, that labels are of classes, codes of vectors."""
    limit = model.index_limits[key]
    inside = (values >= 0) & (values < limit)
    return _assert(inside, _INDICES % (key, _COUNTS[key], limit), values)


def _assert(conditions, message, values):
    limits = (tf.reduce_min(values), tf.reduce_max(values))
    line = tf.strings.format("tfgen{" + message + "}tfgen", limits)
    return tf.debugging.Assert(tf.reduce_all(conditions), [line])


@contextlib.contextmanager
def one_line():
    """Raises a `ValueError` of the line that an assertion in a graph holds."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if line := _MARKED.search(str(error)):
            raise ValueError(line[1]) from None
        raise
