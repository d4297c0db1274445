"""Every model against the contracts: one row a variant."""

import functools

import keras
import pytest

import tfgen
from tests import contracts
from tests.models import small
from tfgen import augmentation, auxiliary, distributions
from tfgen.distributions import FreeBits
from tfgen.layers import CausalTransformer, InstanceNormalization, NoiseDropout
from tfgen.networks import (
    build_conv_decoder,
    build_conv_encoder,
    build_mlp_decoder,
    build_mlp_encoder,
    build_patch_projector,
    build_style_generator,
)
from tfgen.networks.conditioning import add_output, project_labels


def make_autoencoder(**kwargs):
    def make():
        small.seeded()
        model = tfgen.Autoencoder(
            build_mlp_encoder(small.IMAGE_SHAPE, small.LATENT_DIM, hidden_units=(16,)),
            build_mlp_decoder(small.LATENT_DIM, small.IMAGE_SHAPE, hidden_units=(16,)),
            seed=0,
            **kwargs,
        )
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    return make


def make_vae(conv=False, dropout=False, **kwargs):
    def make():
        small.seeded()
        num_classes = kwargs.get("num_classes")
        shape, latent_dim = small.IMAGE_SHAPE, small.LATENT_DIM
        if conv:
            encoder = build_conv_encoder(
                shape, 2 * latent_dim, filters=(4, 8), num_classes=num_classes
            )
            decoder = build_conv_decoder(
                latent_dim, shape, filters=(8, 4), num_classes=num_classes
            )
        else:
            build = {"hidden_units": (16,), "num_classes": num_classes}
            likelihood, posterior = (
                getattr(distributions, part)(kwargs.get(part, default))
                for part, default in (
                    ("likelihood", "bernoulli"),
                    ("posterior", "diagonal"),
                )
            )
            outputs = (*shape[:2], shape[2] * likelihood.params_per_channel)
            size = posterior.num_params(latent_dim)
            encoder = build_mlp_encoder(shape, size, **build)
            decoder = build_mlp_decoder(latent_dim, outputs, **build)
        if dropout:
            noisy = keras.layers.Dropout(0.2)(encoder.outputs[0])
            encoder = keras.Model(encoder.inputs, noisy)
        model = tfgen.VAE(encoder, decoder, seed=0, **kwargs)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    return make


def make_discriminator(num_classes=None, num_outputs=None):
    """A small one without normalisation, so that replicas agree."""
    images = keras.Input(small.IMAGE_SHAPE)
    features = keras.layers.Dense(16, "leaky_relu", name="features")(
        keras.layers.Flatten()(images)
    )
    logits = keras.layers.Dense(1)(features)
    logits, inputs = project_labels(logits, features, images, num_classes)
    return keras.Model(inputs, add_output(logits, features, num_outputs))


def make_gan(style=False, num_outputs=None, **kwargs):
    def make():
        small.seeded()
        num_classes = kwargs.get("num_classes")
        sizes = (5 if num_outputs else small.LATENT_DIM, small.IMAGE_SHAPE)
        if style:
            build = {"filters": 4, "style_dim": 8, "num_mapping_layers": 1}
            generator = build_style_generator(*sizes, num_classes=num_classes, **build)
        else:
            build = {"hidden_units": (16,), "num_classes": num_classes}
            generator = build_mlp_decoder(*sizes, **build)
        taken = None if kwargs.get("auxiliary") == "classes" else num_classes
        discriminator = make_discriminator(taken, num_outputs)
        model = tfgen.GAN(generator, discriminator, seed=0, **kwargs)
        return compile_adversarial(model)

    return make


def make_vaegan(conditional=False, **kwargs):
    def make():
        small.seeded()
        num_classes = 3 if conditional else None
        judge = make_discriminator(num_classes)
        features = judge.get_layer("features").output
        outputs = {"features": [[features]], "logits": [judge.output]}
        build = {"hidden_units": (16,), "num_classes": num_classes}
        model = tfgen.VAEGAN(
            build_mlp_encoder(small.IMAGE_SHAPE, 2 * small.LATENT_DIM, **build),
            build_mlp_decoder(small.LATENT_DIM, small.IMAGE_SHAPE, **build),
            keras.Model(judge.inputs, outputs),
            adversarial_weight=5.0,
            num_classes=num_classes,
            seed=0,
            **kwargs,
        )
        return compile_adversarial(model)

    return make


def make_translator(out_channels=1, noisy=False):
    """A small generator, the same for every replica."""
    inputs = images = keras.Input(small.IMAGE_SHAPE)
    features = keras.layers.Conv2D(6, 3, padding="same", use_bias=False)(images)
    features = keras.layers.LeakyReLU()(InstanceNormalization()(features))
    if noisy:
        noise = keras.Input((8 * 8 * 6,), name="noise", optional=True)
        features = NoiseDropout(0.5)([features, noise])
        inputs = [images, noise]
    outputs = keras.layers.Conv2D(out_channels, 3, padding="same", activation="tanh")
    return keras.Model(inputs, outputs(features))


def make_patch_discriminator(channels=1, num_scales=0):
    """Of so many scales, with their features; of 0 it has logits alone."""
    images = keras.Input((*small.IMAGE_SHAPE[:2], channels))
    stages = []
    for size in range(1, max(1, num_scales) + 1):
        pixels = keras.layers.AveragePooling2D(size)(images) if size > 1 else images
        stages.append(
            keras.layers.Conv2D(6, 4, strides=2, activation="leaky_relu")(pixels)
        )
    logits = [keras.layers.Conv2D(1, 1 if num_scales else 2)(x) for x in stages]
    if not num_scales:
        return keras.Model(images, logits[0])
    features = [[stage] for stage in stages]
    return keras.Model(images, {"features": features, "logits": logits})


def compile_adversarial(model):
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(1e-3),
    )
    return model


def make_pix2pix(num_scales=0, perceives=False, **kwargs):
    def make():
        small.seeded()
        discriminator = make_patch_discriminator(2, num_scales)
        networks = make_translator(noisy=True), discriminator
        more = {"perceptual": make_patch_discriminator()} if perceives else {}
        return compile_adversarial(tfgen.Pix2Pix(*networks, seed=0, **more, **kwargs))

    return make


def make_cyclegan(**kwargs):
    def make():
        small.seeded()
        generators = make_translator(), make_translator()
        discriminators = make_patch_discriminator(), make_patch_discriminator()
        model = tfgen.CycleGAN(*generators, *discriminators, seed=0, **kwargs)
        return compile_adversarial(model)

    return make


def make_cut(**kwargs):
    def make():
        small.seeded()
        generator = make_translator()
        layers = [generator.layers[i].name for i in (0, 1)]
        projector = build_patch_projector(generator, layers, units=4)
        networks = generator, make_patch_discriminator(), projector
        model = tfgen.CUT(*networks, num_patches=20, seed=0, **kwargs)
        return compile_adversarial(model)

    return make


def make_vqvae(dim=2, **kwargs):
    def make():
        small.seeded()
        images, codes = keras.Input(small.IMAGE_SHAPE), keras.Input((2, 2, dim))
        features = keras.layers.Conv2D(dim, 4, strides=4)(images)
        decoded = keras.layers.Conv2DTranspose(1, 4, strides=4)(codes)
        model = tfgen.VQVAE(
            keras.Model(images, features),
            keras.Model(codes, decoded),
            levels=(4, 3),
            num_codes=6,
            prior=CausalTransformer(width=4, num_blocks=1, num_heads=1),
            seed=0,
            **kwargs,
        )
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    return make


# Every part of a VAE at least once: all checks of them are `large`.
PARTS = {
    "vamp": {"prior": "vamp", "likelihood": "pixel_gaussian"},
    "vamp_classes": {"prior": "vamp", "num_classes": 3, "divergence": "beta_tc"},
    "vamp_full": {"prior": "vamp", "posterior": "full_covariance"},
    "mixture": {"prior": "gaussian_mixture"},
    "mmd": {"divergence": "mmd"},
    "mixture_classes": {"prior": "gaussian_mixture", "num_classes": 3},
    "normal": {"prior": "learned_normal", "divergence": "free_bits"},
    "realnvp": {"prior": "realnvp", "num_importance_samples": 2},
    "autoregressive": {"prior": "masked_autoregressive", "num_classes": 3},
    "flow_posterior": {
        "posterior": "inverse_autoregressive_flow",
        "num_importance_samples": 2,
        "num_batches_of_samples": 2,
    },
    "full": {"posterior": "full_covariance", "divergence": "factor"},
    "capacity": {"divergence": "capacity", "likelihood": "laplace"},
    "dip": {"divergence": "dip", "likelihood": "beta"},
    "adversarial": {"divergence": "adversarial", "likelihood": "categorical"},
    "continuous": {"likelihood": "continuous_bernoulli"},
    "levels": {"likelihood": "discretized_logistic"},
    "mixture_of_levels": {"likelihood": "logistic_mixture"},
}
MODELS = {
    # Together they have every loss and every penalty.
    "gan": make_gan(ema_decay=0.9, augment="color,translation,cutout"),
    "minimax_dragan": make_gan(loss="minimax", gradient_penalty="dragan"),
    "least_squares_gan": make_gan(
        loss="least_squares", gradient_penalty="r1", penalty_interval=2
    ),
    "conditional_hinge_gan": make_gan(loss="hinge", num_classes=3, ema_decay=0.5),
    "wgan_gp": make_gan(
        loss="wasserstein", gradient_penalty="wgan_gp", discriminator_steps=2
    ),
    "relativistic_gan": make_gan(
        loss="relativistic", gradient_penalty="r1_r2", num_classes=3
    ),
    "adaptive_gan": make_gan(augment=[augmentation.Adaptive(num_images=50)]),
    # Codes and styles, with averages; classes, and styles of classes.
    "style_infogan": make_gan(
        style=True, num_outputs=5, auxiliary=auxiliary.Codes((3,), 1), ema_decay=0.9
    ),
    "acgan": make_gan(
        num_outputs=3, auxiliary="classes", num_classes=3, gradient_penalty="r1"
    ),
    "conditional_style_gan": make_gan(style=True, num_classes=3, loss="relativistic"),
    "autoencoder": make_autoencoder(),
    "denoising": make_autoencoder(
        reconstruction="binary_crossentropy", noise_stddev=0.2
    ),
    "vae": make_vae(),
    "conv_vae": make_vae(conv=True, beta=4.0),
    "gaussian_vae": make_vae(likelihood="gaussian", divergence=FreeBits(0.5)),
    "importance_weighted_vae": make_vae(num_importance_samples=3),
    "conditional_vae": make_vae(num_classes=3, conv=True),
    "vaegan": make_vaegan(prior="gaussian_mixture"),
    "conditional_vaegan": make_vaegan(
        conditional=True, loss="relativistic", divergence="factor", beta=2.0
    ),
    "vqvae": make_vqvae(quantizer="vq", dim=3),
    "conditional_fsq": make_vqvae(num_classes=3),
    **{f"vae_{name}": make_vae(**parts) for name, parts in PARTS.items()},
    "pix2pix": make_pix2pix(ema_decay=0.9),
    "noisy_pix2pix": make_pix2pix(
        num_scales=2,
        loss="least_squares",
        dropout_at_inference=True,
        lambda_feature_matching=1.0,
        lambda_diversity=1.0,
        augment="color,translation,cutout",
    ),
    "perceptual_pix2pix": make_pix2pix(
        num_scales=1,
        perceives=True,
        lambda_feature_matching=10.0,
        augment=[augmentation.Adaptive(num_images=50)],
    ),
    # 20 images: the history is filled, and exchanged.
    "cyclegan": make_cyclegan(pool_size=5, ema_decay=0.9),
    "cut": make_cut(ema_decay=0.9),
    "fast_cut": make_cut(lambda_nce=10.0, lambda_identity_nce=0.0),
    "plain_cyclegan": make_cyclegan(
        loss="non_saturating", lambda_identity=0.0, pool_size=0
    ),
}


# One of each model passes the contracts by default, those that compile for long where
# no other model has it in common; of its variants those that differ most look.
FIRST = ("gan", "autoencoder", "vae", "pix2pix", "cyclegan", "vqvae", "cut")
FIRST += ("vaegan",)
HEADS = ("acgan", "conditional_style_gan")  # beside `style_infogan`, all of them large
# Variants of which most is in others.
HEADS += ("conditional_vaegan", "adaptive_gan", "fast_cut", "minimax_dragan")
HEADS += ("noisy_pix2pix", "plain_cyclegan", "relativistic_gan", "conv_vae")
# What these have in common with VAE, GAN and pix2pix.
COMMON = ("autoencoder", "cyclegan", "vqvae", "cut", "vaegan")
LARGE = [(name, contracts.check_mirrored_strategy) for name in COMMON]
LARGE += [(name, contracts.check_jit_and_steps_per_execution) for name in COMMON[2:]]
# XLA compiles each shape of a batch anew.
LARGE += [(n, contracts.check_jit_of_what_remains) for n in FIRST if n != "autoencoder"]
# Odd, so that the last of three batches does not divide by two replicas; but every step
# of two of the discriminator gets its share.
NUM_IMAGES = {name: 20 if name == "wgan_gp" else 19 for name in MODELS}


def cases():
    """Pairs of a variant and a check, the longest of them marked `large`."""
    for name in MODELS:
        for check in (*contracts.LOOKING, *contracts.COMPILING):
            is_large = name not in FIRST and check in contracts.COMPILING
            is_large |= name.removeprefix("vae_") in (*PARTS, "perceptual_pix2pix")
            is_large |= name in HEADS
            is_large |= (name, check) in LARGE
            marks = [pytest.mark.large] if is_large else []
            label = check.__name__.removeprefix("check_")
            yield pytest.param(name, check, id=f"{name}-{label}", marks=marks)


def images_of(name):
    return small.images(NUM_IMAGES[name])


@functools.cache
def labels_of(name, count=20):
    """Labels, targets or nothing: what the variant is trained on beside images."""
    if any(family in name for family in ("pix2pix", "cyclegan", "cut")):
        return small.targets(count)
    return small.labels(count) if MODELS[name]().num_classes else None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Function of a variant's name that trains it once."""

    @functools.cache
    def train(name):
        folder, images = tmp_path_factory.mktemp(name), images_of(name)
        labels = labels_of(name, NUM_IMAGES[name])
        return contracts.Trained(MODELS[name], images, labels, folder)

    return train


@pytest.mark.parametrize(("name", "check"), cases())
def test_trained(name, check, trained):
    check(trained(name))


# A dozen run as users' do: with graphs that TensorFlow rewrites, which conftest.py
# switches off for speed. Beside these the steps, in `check_rewritten_graphs`.
REWRITTEN = [(name, contracts.check_signatures) for name in FIRST]
REWRITTEN += [(name, contracts.check_predict) for name in FIRST[::2]]


@pytest.mark.parametrize(("name", "check"), REWRITTEN)
def test_with_rewritten_graphs(name, check, trained):
    with contracts.rewriting():
        check(trained(name))


def policies():
    for policy in ("mixed_float16", "mixed_bfloat16"):
        for name in MODELS:
            is_large = name not in FIRST or name in COMMON
            is_large |= policy == "mixed_bfloat16"
            marks = [pytest.mark.large] if is_large else []
            yield pytest.param(policy, name, marks=marks)


@pytest.mark.parametrize(("policy", "name"), policies())
def test_mixed_precision(policy, name):
    images, labels = small.images(), labels_of(name)
    contracts.check_mixed_precision(MODELS[name], images, labels, policy)


def test_dropout_resumes_to_the_bit(tmp_path):
    make_model = make_vae(dropout=True)
    path = tmp_path / "model.keras"
    contracts.check_keras_round_trip(make_model, small.images(), None, path)
