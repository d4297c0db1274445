"""Generative adversarial networks."""

import inspect
from typing import Annotated, Any

from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SEED,
    SHARE,
    Channels,
    ImageSize,
    LatentDim,
    NumClasses,
    Preset,
    Range,
)
from tfgen.sizes import both_sides

_LOSSES = (
    *("minimax", "non_saturating", "least_squares"),
    *("hinge", "wasserstein", "relativistic"),
)
_HEADS = ("codes", "classes")
_PENALTIES = ("wgan_gp", "r1", "r1_r2", "dragan")
_WIDEST = 4  # times the channels next to the image: most that a residual block has


def build(
    image_size: ImageSize = 28,
    channels: Channels = 1,
    latent_dim: LatentDim = 64,
    architecture: Annotated[
        str,
        "stages of DCGAN, residual blocks, or these against a style generator",
        ("dcgan", "resnet", "style"),
    ] = "dcgan",
    filters: Annotated[int, "channels next to the image", AT_LEAST_1] = 32,
    upsampling: Annotated[
        str, "of DCGAN's generator", ("transposed", "bilinear")
    ] = "transposed",
    attention: Annotated[bool, "of residual networks, on the grid of 16"] = False,
    conditioning: Annotated[
        str, "how a label enters the generator", ("latents", "normalization")
    ] = "latents",
    auxiliary: Annotated[
        str | None, "what D tells besides: InfoGAN's codes, ACGAN's classes", _HEADS
    ] = None,
    num_categories: Annotated[int, "values of InfoGAN's first code", Range(2)] = 10,
    num_continuous: Annotated[int, "InfoGAN's codes that are numbers", AT_LEAST_0] = 2,
    loss: Annotated[str, "adversarial loss", _LOSSES] = "non_saturating",
    normalization: Annotated[
        str | None, "of D", ("batch", "layer", "spectral")
    ] = "batch",
    gradient_penalty: Annotated[str | None, "of D", _PENALTIES] = None,
    penalty_weight: Annotated[
        float | None, "of the gradient penalty", AT_LEAST_0
    ] = None,
    penalty_interval: Annotated[
        int, "steps of D from one penalty to the next", AT_LEAST_1
    ] = 1,
    discriminator_steps: Annotated[
        int, "steps of D for each of the generator", AT_LEAST_1
    ] = 1,
    ema_decay: Annotated[
        float | None, "of the moving average of the generator", SHARE
    ] = 0.99,
    augment: Annotated[
        str | None, "adaptive; or color, translation, cutout, joined by commas"
    ] = None,
    num_classes: NumClasses = None,
    learning_rate: Annotated[
        float, "of both Adams, in the first half", POSITIVE
    ] = 2e-4,
    beta_1: Annotated[float, "of both Adams", SHARE] = 0.5,
    beta_2: Annotated[float, "of both Adams", SHARE] = 0.999,
    num_steps: Annotated[
        int | None, "steps until the rate is 0; none keeps it", AT_LEAST_1
    ] = None,
    seed: Annotated[int | None, "of weights and draws", SEED] = None,
) -> Any:
    """Builds a GAN."""
    from tfgen.models.gan import GAN
    from tfgen.optimizers import FusedAdam, LinearDecay

    image_shape = (*both_sides(image_size), channels)
    head = _head(auxiliary, num_categories, num_continuous)
    arguments = {
        "filters": filters,
        "max_filters": _WIDEST * filters,
        "attention": attention,
        "conditioning": conditioning,
        "upsampling": upsampling,
        "normalization": normalization,
        "num_classes": num_classes,
        "num_outputs": None if head is None else head.num_outputs(num_classes),
    }
    build_generator, build_discriminator = _builders(architecture)
    generator = _call(build_generator, (latent_dim, image_shape), arguments)
    if auxiliary == "classes":  # told, not taken
        arguments["num_classes"] = None
    model = GAN(
        generator,
        _call(build_discriminator, (image_shape,), arguments),
        loss=loss,
        gradient_penalty=gradient_penalty,
        penalty_weight=penalty_weight,
        penalty_interval=penalty_interval,
        discriminator_steps=discriminator_steps,
        ema_decay=ema_decay,
        augment=augment,
        num_classes=num_classes,
        auxiliary=head,
        seed=seed,
    )
    optimizers = []
    for steps in (1, discriminator_steps):  # of each, in one step of the model
        rate = learning_rate
        if num_steps:
            rate = LinearDecay(learning_rate, steps * num_steps)
        optimizers.append(FusedAdam(rate, beta_1, beta_2))
    model.compile(*optimizers, steps_per_execution=4)
    return model


def _builders(architecture: str) -> tuple[Any, Any]:
    from tfgen import networks

    return {
        "dcgan": (networks.build_dcgan_generator, networks.build_dcgan_discriminator),
        "resnet": (
            networks.build_resnet_gan_generator,
            networks.build_resnet_gan_discriminator,
        ),
        "style": (
            networks.build_style_generator,
            networks.build_resnet_gan_discriminator,
        ),
    }[architecture]


def _call(builder: Any, shapes: tuple, arguments: dict[str, Any]) -> Any:
    """Calls a builder with those of the arguments that it takes."""
    taken = inspect.signature(builder).parameters
    return builder(*shapes, **{k: v for k, v in arguments.items() if k in taken})


def _head(name: str | None, num_categories: int, num_continuous: int) -> Any:
    """Returns the `auxiliary.Auxiliary` of a name, or `None`."""
    from tfgen import auxiliary

    if name == "codes":
        return auxiliary.Codes((num_categories,), num_continuous)
    return auxiliary.get(name)


PRESETS = (
    Preset(
        name="dcgan_mnist_5k",
        summary="DCGAN on 5,000 MNIST digits",
        build=build,
        data="mnist_5k",
        epochs=100,
        batch_size=64,
        paper="Radford et al., 2016",
    ),
    Preset(
        name="conditional_gan_mnist",
        summary="GAN that makes the digit it is asked for",
        build=build,
        data="mnist",
        epochs=30,
        batch_size=64,
        paper="Miyato & Koyama, 2018",
        defaults={
            "num_classes": 10,
            "ema_decay": 0.999,
        },
    ),
    Preset(
        name="wgan_gp_mnist_5k",
        summary="Wasserstein GAN with gradient penalty",
        build=build,
        data="mnist_5k",
        epochs=150,
        batch_size=160,  # five discriminator steps of 32
        paper="Gulrajani et al., 2017",
        defaults={
            "loss": "wasserstein",
            "normalization": "layer",
            "gradient_penalty": "wgan_gp",
            "discriminator_steps": 5,
            "beta_2": 0.9,
        },
    ),
    Preset(
        name="sngan_fashion_mnist",
        summary="Residual GAN with spectral normalisation and hinge loss",
        build=build,
        data="fashion_mnist",
        epochs=12,
        batch_size=64,
        paper="Miyato et al., 2018",
        defaults={
            "architecture": "resnet",
            "loss": "hinge",
            "normalization": "spectral",
            "ema_decay": 0.999,
        },
    ),
    Preset(
        name="conditional_gan_fashion_mnist",
        summary="GAN that makes the garment it is asked for",
        build=build,
        data="fashion_mnist",
        epochs=20,
        batch_size=64,
        paper="Miyato & Koyama, 2018",
        defaults={
            "num_classes": 10,
            "ema_decay": 0.999,
        },
    ),
    Preset(
        name="dcgan_openmoji_64",
        summary="Relativistic GAN on colour emoji, with adaptive augmentation",
        build=build,
        data="openmoji",
        epochs=36,
        batch_size=32,
        paper="Huang et al., 2024",
        defaults={
            "image_size": 64,
            "channels": 3,
            "filters": 24,
            "loss": "relativistic",
            "normalization": None,
            "gradient_penalty": "r1_r2",
            "penalty_interval": 8,
            "ema_decay": 0.999,
            "augment": "adaptive",
            "learning_rate": 1e-3,
            "beta_1": 0.0,
            "beta_2": 0.99,
        },
    ),
)
