"""Autoencoders with discrete codes."""

from collections.abc import Sequence
from typing import Annotated, Any

from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    SEED,
    Channels,
    ImageSize,
    LearningRate,
    Preset,
)
from tfgen.sizes import both_sides

_LEVELS = (8, 5, 5, 5)  # 1,000 codes
_CODE_DIM = 16  # of a codebook's vectors


def build(
    image_size: ImageSize = 64,
    channels: Channels = 3,
    grid: Annotated[int, "codes along the shorter side", AT_LEAST_1] = 8,
    filters: Annotated[int, "channels next to the image", AT_LEAST_1] = 16,
    num_blocks: Annotated[int, "residual blocks of each grid", AT_LEAST_1] = 1,
    quantizer: Annotated[str, "of features", ("fsq", "vq")] = "fsq",
    num_codes: Annotated[int, "rows of the codebook of vq", AT_LEAST_1] = 512,
    commitment: Annotated[float, "weight of features' distance", AT_LEAST_0] = 0.25,
    likelihood: Annotated[
        str, "of a pixel", ("bernoulli", "gaussian", "laplace")
    ] = "gaussian",
    prior: Annotated[str | None, "of codes", ("transformer",)] = "transformer",
    prior_width: Annotated[int, "of a token, a multiple of 4", AT_LEAST_1] = 128,
    num_classes: Annotated[
        int | None, "classes of a conditional prior", AT_LEAST_1
    ] = None,
    learning_rate: LearningRate = 1e-3,
    seed: Annotated[int | None, "of weights, restarts and samples", SEED] = None,
) -> Any:
    """Builds a residual autoencoder with discrete codes, and a prior over them."""
    from tfgen.layers import CausalTransformer
    from tfgen.models.vqvae import VQVAE
    from tfgen.networks import build_resnet_decoder, build_resnet_encoder
    from tfgen.optimizers import FusedAdam

    image_shape = (*both_sides(image_size), channels)
    code_dim = len(_LEVELS) if quantizer == "fsq" else _CODE_DIM
    codes = (*_grid(image_shape, grid), code_dim)
    options = {"filters": filters, "num_blocks": num_blocks}
    if prior == "transformer":
        prior = CausalTransformer(width=prior_width)
    model = VQVAE(
        build_resnet_encoder(image_shape, codes, **options),
        build_resnet_decoder(codes, image_shape, **options),
        quantizer=quantizer,
        levels=_LEVELS,
        num_codes=num_codes,
        commitment=commitment,
        likelihood=likelihood,
        prior=prior,
        num_classes=num_classes,
        seed=seed,
    )
    model.compile(FusedAdam(learning_rate), steps_per_execution=4)
    return model


def _grid(image_shape: Sequence[int], grid: int) -> tuple[int, int]:
    """Returns rows and columns of codes, the longer side in proportion."""
    sides = image_shape[:2]
    rows, columns = (round(grid * side / min(sides)) for side in sides)
    return rows, columns


PRESETS = (
    Preset(
        name="vqvae_openmoji_64",
        summary="Colour emoji as 8x8 discrete codes, and their prior",
        build=build,
        data="openmoji",
        epochs=22,
        batch_size=32,
        paper="Mentzer et al., 2024",
    ),
)
