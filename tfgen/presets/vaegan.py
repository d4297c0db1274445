"""VAEs with a discriminator."""

from typing import Annotated, Any

from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SEED,
    Channels,
    ImageSize,
    LatentDim,
    LearningRate,
    NumClasses,
    Preset,
)
from tfgen.presets.vae import DIVERGENCES, POSTERIORS, PRIORS
from tfgen.sizes import both_sides


def build(
    image_size: ImageSize = 64,
    channels: Channels = 3,
    latent_dim: LatentDim = 64,
    filters: Annotated[int, "channels next to the image", AT_LEAST_1] = 16,
    discriminator_filters: Annotated[
        int, "channels after the first stage", AT_LEAST_1
    ] = 32,
    loss: Annotated[
        str, "adversarial", ("non_saturating", "least_squares", "hinge", "relativistic")
    ] = "non_saturating",
    adversarial_weight: Annotated[
        float, "of the decoder's adversarial loss", AT_LEAST_0
    ] = 1000.0,
    feature_scale: Annotated[float, "std. dev. of features", POSITIVE] = 1.0,
    posterior: Annotated[str, "of latents, given an image", POSTERIORS] = "diagonal",
    prior: Annotated[str, "of latents", PRIORS] = "standard_normal",
    divergence: Annotated[str, "what the posterior is charged", DIVERGENCES] = "kl",
    beta: Annotated[float, "weight of the divergence", AT_LEAST_0] = 1.0,
    num_classes: NumClasses = None,
    learning_rate: LearningRate = 3e-4,
    seed: Annotated[int | None, "of weights and latent samples", SEED] = None,
) -> Any:
    """Builds a residual VAE against a DCGAN's discriminator."""
    from tfgen import distributions, networks
    from tfgen.models.vaegan import VAEGAN
    from tfgen.optimizers import FusedAdam

    shape = (*both_sides(image_size), channels)
    latents = distributions.posterior(posterior)
    options = {"filters": filters, "num_classes": num_classes}
    model = VAEGAN(
        networks.build_resnet_encoder(shape, latents.num_params(latent_dim), **options),
        networks.build_resnet_decoder(latent_dim, shape, **options),
        networks.build_dcgan_discriminator(
            shape,
            filters=discriminator_filters,
            num_classes=num_classes,
            with_features=True,
        ),
        loss=loss,
        adversarial_weight=adversarial_weight,
        feature_scale=feature_scale,
        posterior=latents,
        prior=prior,
        divergence=divergence,
        beta=beta,
        num_classes=num_classes,
        seed=seed,
    )
    optimizers = (FusedAdam(learning_rate, beta_1=0.5) for _ in range(2))
    model.compile(*optimizers, steps_per_execution=4)
    return model


PRESETS = (
    Preset(
        name="vaegan_64",
        summary="VAE of your pictures, judged by a discriminator",
        build=build,
        data=None,
        epochs=100,
        batch_size=64,
        paper="Larsen et al., 2016",
    ),
)
