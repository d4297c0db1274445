"""Image translation between two domains, without pairs."""

from typing import Annotated, Any

from tfgen.presets import translation
from tfgen.presets.preset import AT_LEAST_0, AT_LEAST_1, SEED, ImageSize, Preset
from tfgen.sizes import both_sides


def build(
    image_size: ImageSize = 256,
    channels: translation.Channels = 3,
    filters: Annotated[int, "of the first stage of the generators", AT_LEAST_1] = 64,
    num_blocks: translation.NumBlocks = 9,
    padding: translation.Padding = "reflect",
    upsampling: translation.Upsampling = "transposed",
    convolution: translation.Convolution = "plain",
    discriminator_filters: translation.DiscriminatorFilters = 64,
    patch_layers: translation.PatchLayers = 3,
    num_scales: translation.NumScales = 1,
    normalization: translation.Normalization = "instance",
    lambda_cycle: Annotated[float, "weight of the cycle term", AT_LEAST_0] = 10.0,
    lambda_identity: Annotated[
        float, "of the identity term, times that", AT_LEAST_0
    ] = 0.5,
    pool_size: Annotated[int, "generated images kept for D", AT_LEAST_0] = 50,
    loss: translation.Loss = "least_squares",
    ema_decay: translation.EmaDecay = None,
    initial_stddev: translation.InitialStddev = 0.02,
    learning_rate: translation.LearningRate = 2e-4,
    beta_1: translation.Beta1 = 0.5,
    num_steps: translation.NumSteps = None,
    recompute: translation.Recompute = False,
    seed: Annotated[int | None, "of weights and history", SEED] = None,
) -> Any:
    """Builds two residual generators against two PatchGANs."""
    from tfgen.models.cyclegan import CycleGAN

    build_generator, build_discriminator = translation.residual_builders(
        (*both_sides(image_size), channels),
        filters=filters,
        num_blocks=num_blocks,
        padding=padding,
        upsampling=upsampling,
        convolution=convolution,
        recompute=recompute,
        discriminator_filters=discriminator_filters,
        patch_layers=patch_layers,
        num_scales=num_scales,
        normalization=normalization,
        initial_stddev=initial_stddev,
    )
    model = CycleGAN(
        *(build_generator() for _ in range(2)),
        *(build_discriminator() for _ in range(2)),
        lambda_cycle=lambda_cycle,
        lambda_identity=lambda_identity,
        pool_size=pool_size,
        loss=loss,
        ema_decay=ema_decay,
        seed=seed,
    )
    translation.compile_with_adams(model, learning_rate, beta_1, num_steps)
    return model


PRESETS = (
    Preset(
        name="cyclegan_openmoji_64",
        summary="Line drawings of emoji to colour and back, no pairs",
        build=build,
        data="openmoji",
        epochs=12,
        batch_size=4,
        paper="Zhu et al., 2017",
        kind="domains",
        defaults={
            "image_size": 64,
            "filters": 16,
            "num_blocks": 6,
            "upsampling": "bilinear",
            "ema_decay": 0.999,
            "discriminator_filters": 32,
            "patch_layers": 2,
            "learning_rate": 4e-4,
        },
        mirror=True,
    ),
    Preset(
        name="cyclegan_256",
        summary="Your two domains, with the paper's settings",
        build=build,
        data=None,
        epochs=200,
        batch_size=1,
        paper="Zhu et al., 2017",
        kind="domains",
        load_scale=286 / 256,
        mirror=True,
    ),
)
