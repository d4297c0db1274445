"""Dropout whose noise can be an input.

pix2pix draws its noise by dropout, in inference too. Given from outside, the noise is
the same in Keras, in every exported file and on every replica.

    with noise(network, draws):
        images = network(images)
"""

import contextlib
import math
import threading

import keras
import tensorflow as tf

# Not an attribute of the layers: MirroredStrategy traces each replica in a thread.
_given = threading.local()


@keras.saving.register_keras_serializable(package="tfgen")
class NoiseDropout(keras.layers.Dropout):
    """Dropout that takes the draws of an enclosing `noise`, whatever `training` is.

    Outside of `noise` it is `keras.layers.Dropout`, active in training alone.

    Args:
        rate: Float in `[0, 1)`, the part of the features to drop.
        seed: Integer or `None`, of the draws outside of `noise`.

    Call arguments:
        inputs: `(batch, ...)`.
        training: Whether to drop features outside of `noise`.

    Returns:
        `inputs / (1 - rate)` where the draw is at least `rate`, else 0.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1). Received: {rate}")

    def call(self, inputs, training=False):
        draws = _current().get(self)
        if draws is None:
            return super().call(inputs, training=training)
        keep = tf.cast(
            tf.reshape(draws, (-1, *inputs.shape[1:])) >= self.rate, tf.float32
        )
        return inputs * tf.cast(keep / (1.0 - self.rate), inputs.dtype)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]  # each feature has its own draw
        return config


def noise_dim(network):
    """Returns how many draws an image needs: 0 without `NoiseDropout` layers.

    Args:
        network: A built functional or sequential `keras.Model`.
    """
    return sum(_count(layer) for layer in _noise_layers(network))


@contextlib.contextmanager
def noise(network, draws):
    """Within it, the network's `NoiseDropout` layers take these draws.

    It holds for this thread: enter it where the network is called, in the function that
    `strategy.run` runs, not around that.

    Args:
        network: A built functional or sequential `keras.Model`.
        draws: Uniform draws in (0, 1), `(batch, noise_dim(network))`. Each layer takes
            its own slice, in the order of the layers.

    Raises:
        ValueError: If the draws are not as many as the network needs.
    """
    layers = _noise_layers(network)
    counts = [_count(layer) for layer in layers]
    if draws.shape[-1] != sum(counts):
        raise ValueError(
            f"`draws` must be (batch, {sum(counts)}) for network '{network.name}'. "
            f"Received: shape={tuple(draws.shape)}"
        )
    before = _current()
    parts = tf.split(draws, counts, axis=1) if layers else []
    _given.draws = {**before, **dict(zip(layers, parts, strict=True))}
    try:
        yield
    finally:
        _given.draws = before


def _current():
    return getattr(_given, "draws", {})


def _noise_layers(network):
    """Returns the `NoiseDropout` layers in order, those of nested networks included."""
    layers = []
    for layer in network.layers:
        if isinstance(layer, NoiseDropout):
            layers.append(layer)
        elif isinstance(layer, keras.Model):
            layers += _noise_layers(layer)
    return list(dict.fromkeys(layers))  # a network that is used twice: once


def _count(layer):
    shape = layer.output.shape[1:]
    if None in shape:
        raise ValueError(
            f"`NoiseDropout` needs a fixed size to be given draws. Received: {shape}"
        )
    return math.prod(shape)
