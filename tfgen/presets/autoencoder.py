"""Autoencoders."""

from typing import Annotated, Any

from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    SEED,
    Channels,
    ImageSize,
    LatentDim,
    LearningRate,
    Preset,
)
from tfgen.sizes import both_sides


def build(
    image_size: ImageSize = 28,
    channels: Channels = 1,
    latent_dim: LatentDim = 8,
    filters: Annotated[int, "channels of the first convolution", AT_LEAST_1] = 32,
    reconstruction: Annotated[
        str, "reconstruction loss", ("mse", "binary_crossentropy")
    ] = "mse",
    noise_stddev: Annotated[
        float, "noise on the encoder's images in training", AT_LEAST_0
    ] = 0.0,
    learning_rate: LearningRate = 1e-3,
    seed: Annotated[int | None, "of weights and noise", SEED] = None,
) -> Any:
    """Builds a convolutional autoencoder, as deep as the images are large."""
    from tfgen.models.autoencoder import Autoencoder
    from tfgen.networks import build_conv_decoder, build_conv_encoder
    from tfgen.optimizers import FusedAdam

    image_shape = (*both_sides(image_size), channels)
    model = Autoencoder(
        build_conv_encoder(image_shape, latent_dim, filters=filters),
        build_conv_decoder(latent_dim, image_shape, filters=filters),
        reconstruction=reconstruction,
        noise_stddev=noise_stddev,
        seed=seed,
    )
    model.compile(FusedAdam(learning_rate), steps_per_execution=8)
    return model


PRESETS = (
    Preset(
        name="autoencoder_mnist_5k",
        summary="Autoencoder on 5,000 MNIST digits",
        build=build,
        data="mnist_5k",
        epochs=30,
        batch_size=128,
        paper="Hinton & Salakhutdinov, 2006",
    ),
)
