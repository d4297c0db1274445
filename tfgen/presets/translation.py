"""What the presets that translate images share: arguments, the papers' optimizers."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

from tfgen.presets.preset import AT_LEAST_0, AT_LEAST_1, POSITIVE, SHARE, Range

Channels = Annotated[int, "1 grey, 3 colour; other numbers of TIFF or .npy", AT_LEAST_1]
NumBlocks = Annotated[int, "residual blocks: 9 for 256 pixels, 6 for 128", AT_LEAST_0]
Padding = Annotated[str, "of the generator", ("reflect", "zero")]
Upsampling = Annotated[
    str, "of the generator; bilinear leaves no texture", ("transposed", "bilinear")
]
DiscriminatorFilters = Annotated[int, "of the first stage of D", AT_LEAST_1]
PatchLayers = Annotated[int, "of D: 0, 1, 3, 5 see 1, 16, 70, 286 pixels", Range(0, 5)]
NumScales = Annotated[int, "at which a D judges; pix2pixHD: 3", AT_LEAST_1]
Normalization = Annotated[str | None, "of all networks", ("instance", "batch")]
Loss = Annotated[str, "adversarial loss", ("least_squares", "non_saturating")]
EmaDecay = Annotated[float | None, "of the moving average of the generator", SHARE]
Convolution = Annotated[
    str, "of the generators; separable is for phones", ("plain", "separable")
]
InitialStddev = Annotated[float, "of the weights before training", POSITIVE]
LearningRate = Annotated[float, "of both Adams, in the first half", POSITIVE]
Beta1 = Annotated[float, "of both Adams", SHARE]
NumSteps = Annotated[int | None, "steps until the rate is 0; none keeps it", AT_LEAST_1]
Recompute = Annotated[bool, "compute activations twice: less memory, longer steps"]


def residual_builders(
    shape: tuple[int, ...],
    *,
    discriminator_filters: int,
    patch_layers: int,
    num_scales: int,
    normalization: str | None,
    initial_stddev: float,
    **generator: Any,
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns functions that build a residual generator, and a PatchGAN of its images.

    Args:
        shape: `(height, width, channels)` of both domains.
        discriminator_filters: Integer, of the first stage of the PatchGAN.
        patch_layers: Integer.
        num_scales: Integer, at which the PatchGAN judges.
        normalization: As in `tfgen.networks.build_resnet_generator`.
        initial_stddev: Float, of all kernels.
        generator: The other arguments of `build_resnet_generator`.
    """
    from tfgen import networks

    shared = {"normalization": normalization, "initial_stddev": initial_stddev}
    sizes = {"filters": discriminator_filters, "num_layers": patch_layers}
    sizes["num_scales"] = num_scales
    return (
        functools.partial(
            networks.build_resnet_generator, shape, **generator, **shared
        ),
        functools.partial(
            networks.build_patchgan_discriminator, shape, **sizes, **shared
        ),
    )


def compile_with_adams(
    model: Any, learning_rate: float, beta_1: float, num_steps: int | None
) -> None:
    """Compiles a model with two Adams whose learning rate ends at 0.

    Args:
        model: A `Pix2Pix`, a `CycleGAN` or a `CUT`.
        learning_rate: Float, of the first half of training.
        beta_1: Float.
        num_steps: Integer, steps of training; `None` keeps the learning rate.
    """
    from tfgen.optimizers import FusedAdam, LinearDecay

    def make_adam() -> Any:
        rate = LinearDecay(learning_rate, num_steps) if num_steps else learning_rate
        return FusedAdam(rate, beta_1)

    model.compile(make_adam(), make_adam())
