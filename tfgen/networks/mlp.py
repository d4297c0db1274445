"""Multi-layer perceptrons: any image, seen as one row of pixels."""

import math
from collections.abc import Sequence

import keras

from tfgen.networks.conditioning import add_labels


def build_mlp_encoder(
    image_shape: Sequence[int],
    output_dim: int,
    *,
    hidden_units: Sequence[int] = (512, 256),
    activation: str = "relu",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds an encoder from images to `(batch, output_dim)`, without squashing.

    Args:
        image_shape: `(height, width, channels)`.
        output_dim: Integer: `latent_dim` for an autoencoder, twice that for a VAE.
        hidden_units: Width of each hidden layer.
        activation: Name of the hidden layers' activation.
        num_classes: Integer for a network that takes `[images, labels]`.
    """
    images = keras.Input(image_shape, name="images")
    features = keras.layers.Flatten(data_format="channels_last")(images)
    features, inputs = add_labels(features, images, num_classes)
    for units in hidden_units:
        features = keras.layers.Dense(units, activation)(features)
    outputs = keras.layers.Dense(output_dim)(features)
    return keras.Model(inputs, outputs, name="mlp_encoder")


def build_mlp_decoder(
    latent_dim: int,
    image_shape: Sequence[int],
    *,
    hidden_units: Sequence[int] = (256, 512),
    activation: str = "relu",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a decoder from latents to image-shaped logits or means, unsquashed.

    Args:
        latent_dim: Integer, size of a latent.
        image_shape: `(height, width, channels)`.
        hidden_units: Width of each hidden layer.
        activation: Name of the hidden layers' activation.
        num_classes: Integer for a network that takes `[latents, labels]`.
    """
    latents = keras.Input((latent_dim,), name="latents")
    features, inputs = add_labels(latents, latents, num_classes)
    for units in hidden_units:
        features = keras.layers.Dense(units, activation)(features)
    features = keras.layers.Dense(math.prod(image_shape))(features)
    outputs = keras.layers.Reshape(image_shape)(features)
    return keras.Model(inputs, outputs, name="mlp_decoder")
