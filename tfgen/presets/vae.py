"""Variational autoencoders."""

from typing import Annotated, Any

from tfgen.presets.preset import (
    AT_LEAST_0,
    AT_LEAST_1,
    SEED,
    Channels,
    ImageSize,
    LatentDim,
    LearningRate,
    NumClasses,
    Preset,
)
from tfgen.sizes import both_sides

# The rows of tfgen/distributions, which are too heavy to import for a list.
LIKELIHOODS = (
    "bernoulli",
    "gaussian",
    "pixel_gaussian",
    "laplace",
    "beta",
    "continuous_bernoulli",
    "categorical",
    "discretized_logistic",
    "logistic_mixture",
    "ms_ssim",
    "perceptual",
)
POSTERIORS = ("diagonal", "full_covariance", "inverse_autoregressive_flow")
PRIORS = (
    "standard_normal",
    "learned_normal",
    "gaussian_mixture",
    "vamp",
    "realnvp",
    "masked_autoregressive",
)
DIVERGENCES = (
    "kl",
    "free_bits",
    "capacity",
    "beta_tc",
    "dip",
    "mmd",
    "factor",
    "adversarial",
)


def build(
    image_size: ImageSize = 28,
    channels: Channels = 1,
    latent_dim: LatentDim = 8,
    network: Annotated[str, "architecture", ("conv", "resnet")] = "conv",
    filters: Annotated[int, "channels of the first convolution", AT_LEAST_1] = 32,
    hidden_units: Annotated[
        int | None, "of two dense layers each, in place of convolutions", AT_LEAST_1
    ] = None,
    likelihood: Annotated[
        str, "of pixels; the last two are more than that", LIKELIHOODS
    ] = "bernoulli",
    distance_weight: Annotated[
        float | None, "of ms_ssim and perceptual, nats a pixel value", AT_LEAST_0
    ] = None,
    perceptual_network: Annotated[
        str | None, "a .keras file, images in [0, 1] to features; none: random ones"
    ] = None,
    posterior: Annotated[str, "of latents, given an image", POSTERIORS] = "diagonal",
    prior: Annotated[str, "of latents", PRIORS] = "standard_normal",
    divergence: Annotated[str, "what the posterior is charged", DIVERGENCES] = "kl",
    beta: Annotated[float, "weight of the divergence", AT_LEAST_0] = 1.0,
    num_importance_samples: Annotated[
        int, "more than 1: the tighter bound", AT_LEAST_1
    ] = 1,
    free_bits: Annotated[
        float, "nats not charged for, per latent dimension", AT_LEAST_0
    ] = 0.0,
    num_classes: NumClasses = None,
    learning_rate: LearningRate = 1e-3,
    seed: Annotated[int | None, "of weights and latent samples", SEED] = None,
) -> Any:
    """Builds a VAE: convolutions, as many as the image is large, or dense layers."""
    from tfgen import distributions, networks
    from tfgen.models.vae import VAE
    from tfgen.optimizers import FusedAdam

    pixels = _likelihood(likelihood, distance_weight, perceptual_network)
    latents = distributions.posterior(posterior)
    if free_bits:
        divergence = _free_bits(divergence, free_bits)
    size = both_sides(image_size)
    kind, options = network, {"filters": filters}
    if hidden_units:
        kind, options = "mlp", {"hidden_units": (hidden_units, hidden_units)}
    build_encoder = getattr(networks, f"build_{kind}_encoder")
    build_decoder = getattr(networks, f"build_{kind}_decoder")
    options["num_classes"] = num_classes
    model = VAE(
        build_encoder((*size, channels), latents.num_params(latent_dim), **options),
        build_decoder(
            latent_dim, (*size, channels * pixels.params_per_channel), **options
        ),
        likelihood=pixels,
        posterior=latents,
        prior=prior,
        divergence=divergence,
        beta=beta,
        num_importance_samples=num_importance_samples,
        num_classes=num_classes,
        seed=seed,
    )
    model.compile(FusedAdam(learning_rate), steps_per_execution=8)
    return model


def _likelihood(name: Any, weight: float | None, network: str | None) -> Any:
    """Returns a likelihood, with the settings of those that charge a distance."""
    from tfgen import distributions

    options: dict[str, Any] = {} if weight is None else {"weight": weight}
    if network is not None:
        options["network"] = _load_network(network)
    takes = {"ms_ssim": ("weight",), "perceptual": ("weight", "network")}
    if set(options) - set(takes.get(name, ())):
        raise ValueError(
            "`distance_weight` goes with likelihood='ms_ssim' or 'perceptual', "
            f"`perceptual_network` with 'perceptual'. Received: {name!r}"
        )
    if not options:
        return distributions.likelihood(name)
    return distributions.LIKELIHOODS[name](**options)


def _load_network(path: str) -> Any:
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError) as error:
        line = str(error).strip().splitlines()[0]
        raise ValueError(f"`perceptual_network`: {line}") from error


def _free_bits(divergence: Any, nats: float) -> Any:
    from tfgen.distributions import FreeBits

    if divergence not in ("kl", "free_bits"):
        raise ValueError(
            "`free_bits` is a divergence of its own. Received: divergence="
            f"{divergence!r}"
        )
    return FreeBits(nats)


_PHOTOGRAPHS = {
    "channels": 3,
    "network": "resnet",
    "filters": 16,
    "likelihood": "gaussian",
    "learning_rate": 5e-4,
}
PRESETS = (
    Preset(
        name="vae_mnist_5k",
        summary="VAE on 5,000 MNIST digits",
        build=build,
        data="mnist_5k",
        epochs=50,
        batch_size=128,
        paper="Kingma & Welling, 2014",
    ),
    Preset(
        name="vae_mnist",
        summary="VAE on 60,000 digits of two values, by a published protocol",
        build=build,
        data="binary_mnist",
        epochs=70,
        batch_size=128,
        paper="Kingma & Welling, 2014",
        defaults={"latent_dim": 128, "hidden_units": 256},
    ),
    Preset(
        name="conditional_vae_mnist_5k",
        summary="VAE that makes the digit it is asked for",
        build=build,
        data="mnist_5k",
        epochs=50,
        batch_size=128,
        paper="Sohn et al., 2015",
        defaults={"num_classes": 10},
    ),
    Preset(
        name="vae_fashion_mnist",
        summary="VAE on 60,000 Fashion-MNIST images",
        build=build,
        data="fashion_mnist",
        epochs=10,
        batch_size=128,
        paper="Kingma & Welling, 2014",
        defaults={"latent_dim": 16},
    ),
    Preset(
        name="vae_sprites",
        summary="beta-VAE on sprites, whose factors are known",
        build=build,
        data="sprites",
        epochs=20,
        batch_size=128,
        paper="Higgins et al., 2017",
        defaults={"image_size": 32, "latent_dim": 10, "beta": 4.0},
    ),
    Preset(
        name="vae_openmoji_64",
        summary="VAE of residual networks on colour emoji",
        build=build,
        data="openmoji",
        epochs=25,
        batch_size=32,
        paper="Kingma & Welling, 2014",
        defaults={
            **_PHOTOGRAPHS,
            "image_size": 64,
            "latent_dim": 128,
            "prior": "realnvp",
            "learning_rate": 1e-3,
        },
    ),
    Preset(
        name="vae_128",
        summary="VAE of your photographs",
        build=build,
        data=None,
        epochs=100,
        batch_size=32,
        paper="Kingma & Welling, 2014",
        defaults={"image_size": 128, "latent_dim": 128, **_PHOTOGRAPHS},
    ),
    Preset(
        name="beta_tc_vae_sprites",
        summary="VAE that charges what its latents know of each other, on sprites",
        build=build,
        data="sprites",
        epochs=60,
        batch_size=128,
        paper="Chen et al., 2018",
        defaults={
            "image_size": 32,
            "latent_dim": 10,
            "divergence": "beta_tc",
            "beta": 6.0,
        },
    ),
)
