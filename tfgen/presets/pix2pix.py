"""Paired image translation."""

from typing import Annotated, Any

from tfgen.presets import translation
from tfgen.presets.preset import AT_LEAST_0, AT_LEAST_1, SEED, SHARE, ImageSize, Preset
from tfgen.sizes import both_sides


def build(
    image_size: ImageSize = 256,
    channels: translation.Channels = 3,
    filters: Annotated[int, "of the first stage of the U-Net", AT_LEAST_1] = 64,
    max_filters: Annotated[
        int | None, "of any stage; none: 8 times `filters`", AT_LEAST_1
    ] = None,
    upsampling: translation.Upsampling = "transposed",
    convolution: translation.Convolution = "plain",
    dropout: Annotated[
        float, "rate of the dropout of the U-Net, the noise", SHARE
    ] = 0.5,
    noise_dim: Annotated[
        int, "of a latent in place of dropout: several outputs", AT_LEAST_0
    ] = 0,
    dropout_at_inference: Annotated[bool, "whether dropout stays on"] = False,
    discriminator_filters: translation.DiscriminatorFilters = 64,
    patch_layers: translation.PatchLayers = 3,
    num_scales: translation.NumScales = 1,
    normalization: translation.Normalization = "instance",
    lambda_l1: Annotated[float, "weight of the L1 term", AT_LEAST_0] = 100.0,
    lambda_feature_matching: Annotated[
        float, "of distances of D's features; pix2pixHD: 10", AT_LEAST_0
    ] = 0.0,
    perceptual: Annotated[
        str | None, "a distance besides; ms_ssim: of structure", ("ms_ssim",)
    ] = None,
    lambda_perceptual: Annotated[float, "its weight", AT_LEAST_0] = 10.0,
    lambda_diversity: Annotated[
        float, "of distances of outputs for two draws of noise", AT_LEAST_0
    ] = 0.0,
    augment: Annotated[
        str | None, "for few pairs: color,translation,cutout or adaptive"
    ] = None,
    loss: translation.Loss = "non_saturating",
    ema_decay: translation.EmaDecay = None,
    initial_stddev: translation.InitialStddev = 0.02,
    learning_rate: translation.LearningRate = 2e-4,
    beta_1: translation.Beta1 = 0.5,
    num_steps: translation.NumSteps = None,
    recompute: translation.Recompute = False,
    seed: Annotated[int | None, "of weights and dropout", SEED] = None,
) -> Any:
    """Builds a U-Net against a PatchGAN."""
    from tfgen.models.pix2pix import Pix2Pix
    from tfgen.networks import build_patchgan_discriminator, build_unet_generator

    shape = both_sides(image_size)
    shared = {"normalization": normalization, "initial_stddev": initial_stddev}
    generator = build_unet_generator(
        (*shape, channels),
        filters=filters,
        max_filters=max_filters,
        upsampling=upsampling,
        convolution=convolution,
        dropout=dropout,
        noise_dim=noise_dim,
        recompute=recompute,
        **shared,
    )
    discriminator = build_patchgan_discriminator(
        (*shape, 2 * channels),
        filters=discriminator_filters,
        num_layers=patch_layers,
        num_scales=num_scales,
        with_features=lambda_feature_matching > 0,
        **shared,
    )
    model = Pix2Pix(
        generator,
        discriminator,
        lambda_l1=lambda_l1,
        lambda_feature_matching=lambda_feature_matching,
        perceptual=perceptual,
        lambda_perceptual=lambda_perceptual,
        lambda_diversity=lambda_diversity,
        augment=augment,
        loss=loss,
        ema_decay=ema_decay,
        seed=seed,
        dropout_at_inference=dropout_at_inference or noise_dim > 0,
    )
    translation.compile_with_adams(model, learning_rate, beta_1, num_steps)
    return model


_OPENMOJI = {
    "image_size": 64,
    "filters": 32,
    "max_filters": 160,
    "upsampling": "bilinear",
    "discriminator_filters": 32,
    "patch_layers": 2,
}
# What is asked for is the picture itself, less one of its like: no noise, much L1.
_RESTORATION = {"dropout": 0.0, "lambda_l1": 1000.0}


def _restoration(task: str, summary: str, degrade: str) -> tuple[Preset, Preset]:
    """Returns the presets of emoji and of photographs, whose inputs are made."""
    shared = {"build": build, "paper": "Isola et al., 2017", "kind": "pairs"}
    shared |= {"mirror": True, "degrade": degrade}
    return (
        Preset(
            name=f"{task}_openmoji_64",
            summary=f"Emoji, {summary}",
            data="openmoji",
            epochs=12,
            batch_size=16,
            defaults={**_OPENMOJI, **_RESTORATION, "learning_rate": 1.5e-3},
            **shared,
        ),
        Preset(
            name=f"{task}_256",
            summary=f"Your photographs, {summary}",
            data=None,
            epochs=100,
            batch_size=1,
            defaults=_RESTORATION,
            load_scale=286 / 256,
            **shared,
        ),
    )


PRESETS = (
    Preset(
        name="pix2pix_openmoji_64",
        summary="Line drawings of emoji to colour, from pairs",
        build=build,
        data="openmoji",
        epochs=10,
        batch_size=16,
        paper="Isola et al., 2017",
        kind="pairs",
        defaults=_OPENMOJI,
        mirror=True,
    ),
    Preset(
        name="pix2pix_256",
        summary="Your pairs, with the paper's settings",
        build=build,
        data=None,
        epochs=200,
        batch_size=1,
        paper="Isola et al., 2017",
        kind="pairs",
        load_scale=286 / 256,
        mirror=True,
    ),
    *_restoration("colorize", "from grey to colour", "gray"),
    *_restoration("superres4", "four times as fine", "downscale4"),
    *_restoration("inpaint", "a hole filled", "mask25"),
)
