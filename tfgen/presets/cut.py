"""Image translation from one domain to another, without pairs, by one generator."""

from typing import Annotated, Any

from tfgen.presets import translation
from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SEED,
    ImageSize,
    Preset,
)
from tfgen.sizes import both_sides

_FARTHEST_BLOCK = 5  # of the generator, whose features are compared


def build(
    image_size: ImageSize = 256,
    channels: translation.Channels = 3,
    filters: Annotated[int, "of the first stage of the generator", AT_LEAST_1] = 64,
    num_blocks: translation.NumBlocks = 9,
    padding: translation.Padding = "reflect",
    upsampling: translation.Upsampling = "transposed",
    convolution: translation.Convolution = "plain",
    discriminator_filters: translation.DiscriminatorFilters = 64,
    patch_layers: translation.PatchLayers = 3,
    num_scales: translation.NumScales = 1,
    normalization: translation.Normalization = "instance",
    lambda_nce: Annotated[float, "weight of the patches of A", AT_LEAST_0] = 1.0,
    lambda_identity_nce: Annotated[
        float, "of those of B; FastCUT has 10 and 0", AT_LEAST_0
    ] = 1.0,
    temperature: Annotated[float, "of the patches' products", POSITIVE] = 0.07,
    num_patches: Annotated[int, "places of each layer", AT_LEAST_1] = 256,
    projection_units: Annotated[int, "numbers of a place", AT_LEAST_1] = 256,
    loss: translation.Loss = "least_squares",
    ema_decay: translation.EmaDecay = None,
    initial_stddev: translation.InitialStddev = 0.02,
    learning_rate: translation.LearningRate = 2e-4,
    beta_1: translation.Beta1 = 0.5,
    num_steps: translation.NumSteps = None,
    recompute: translation.Recompute = False,
    seed: Annotated[int | None, "of weights and places", SEED] = None,
) -> Any:
    """Builds a residual generator against a PatchGAN."""
    from tfgen.models.cut import CUT
    from tfgen.networks import build_patch_projector

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
    generator = build_generator()
    blocks = sorted({min(block, num_blocks) for block in (1, _FARTHEST_BLOCK)} - {0})
    layers = ("images", "down_1", "down_2", *(f"block_{block}" for block in blocks))
    model = CUT(
        generator,
        build_discriminator(),
        build_patch_projector(
            generator, layers, units=projection_units, initial_stddev=initial_stddev
        ),
        lambda_nce=lambda_nce,
        lambda_identity_nce=lambda_identity_nce,
        temperature=temperature,
        num_patches=num_patches,
        loss=loss,
        ema_decay=ema_decay,
        seed=seed,
    )
    translation.compile_with_adams(model, learning_rate, beta_1, num_steps)
    return model


PRESETS = (
    Preset(
        name="cut_openmoji_64",
        summary="Line drawings of emoji to colour, no pairs, by one generator",
        build=build,
        data="openmoji",
        epochs=10,
        batch_size=4,
        paper="Park et al., 2020",
        kind="domains",
        defaults={
            "image_size": 64,
            "filters": 16,
            "num_blocks": 6,
            "upsampling": "bilinear",
            "ema_decay": 0.999,
            "discriminator_filters": 32,
            "patch_layers": 2,
            "projection_units": 64,
        },
        mirror=True,
    ),
    Preset(
        name="cut_256",
        summary="Your two domains, one way, with the paper's settings",
        build=build,
        data=None,
        epochs=400,
        batch_size=1,
        paper="Park et al., 2020",
        kind="domains",
        load_scale=286 / 256,
        mirror=True,
    ),
)
