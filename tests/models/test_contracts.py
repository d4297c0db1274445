"""Every model against the contracts: one row a variant."""

import functools

import keras
import pytest

import tfgen
from tests import contracts
from tests.models import small
from tfgen.layers import InstanceNormalization, NoiseDropout
from tfgen.networks import (
    build_conv_decoder,
    build_conv_encoder,
    build_mlp_decoder,
    build_mlp_encoder,
)
from tfgen.networks.conditioning import project_labels


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
            encoder = build_mlp_encoder(shape, 2 * latent_dim, **build)
            decoder = build_mlp_decoder(latent_dim, shape, **build)
        if dropout:
            noisy = keras.layers.Dropout(0.2)(encoder.outputs[0])
            encoder = keras.Model(encoder.inputs, noisy)
        model = tfgen.VAE(encoder, decoder, seed=0, **kwargs)
        model.compile(keras.optimizers.Adam(1e-2))
        return model

    return make


def make_discriminator(num_classes=None):
    """A small one without normalisation, so that replicas agree."""
    images = keras.Input(small.IMAGE_SHAPE)
    features = keras.layers.Dense(16, "leaky_relu")(keras.layers.Flatten()(images))
    logits = keras.layers.Dense(1)(features)
    logits, inputs = project_labels(logits, features, images, num_classes)
    return keras.Model(inputs, logits)


def make_gan(**kwargs):
    def make():
        small.seeded()
        num_classes = kwargs.get("num_classes")
        build = {"hidden_units": (16,), "num_classes": num_classes}
        model = tfgen.GAN(
            build_mlp_decoder(small.LATENT_DIM, small.IMAGE_SHAPE, **build),
            make_discriminator(num_classes),
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


def make_patch_discriminator(channels=1):
    images = keras.Input((*small.IMAGE_SHAPE[:2], channels))
    features = keras.layers.Conv2D(6, 4, strides=2, activation="leaky_relu")(images)
    return keras.Model(images, keras.layers.Conv2D(1, 2)(features))


def compile_adversarial(model):
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(1e-3),
    )
    return model


def make_pix2pix(**kwargs):
    def make():
        small.seeded()
        networks = make_translator(noisy=True), make_patch_discriminator(2)
        return compile_adversarial(tfgen.Pix2Pix(*networks, seed=0, **kwargs))

    return make


def make_cyclegan(**kwargs):
    def make():
        small.seeded()
        generators = make_translator(), make_translator()
        discriminators = make_patch_discriminator(), make_patch_discriminator()
        model = tfgen.CycleGAN(*generators, *discriminators, seed=0, **kwargs)
        return compile_adversarial(model)

    return make


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
    "autoencoder": make_autoencoder(),
    "denoising": make_autoencoder(
        reconstruction="binary_crossentropy", noise_stddev=0.2
    ),
    "vae": make_vae(),
    "conv_vae": make_vae(conv=True, beta=4.0),
    "gaussian_vae": make_vae(likelihood="gaussian", free_bits=0.5),
    "importance_weighted_vae": make_vae(num_importance_samples=3),
    "conditional_vae": make_vae(num_classes=3, conv=True),
    "pix2pix": make_pix2pix(),
    "noisy_pix2pix": make_pix2pix(loss="least_squares", dropout_at_inference=True),
    # 20 images: the history is filled, and exchanged.
    "cyclegan": make_cyclegan(pool_size=5),
    "plain_cyclegan": make_cyclegan(
        loss="non_saturating", lambda_identity=0.0, pool_size=0
    ),
}


# One of each model passes all contracts by default. Of its variants, and of contracts
# that compile with XLA, those that take longest are `large`.
FIRST = ("gan", "autoencoder", "vae", "pix2pix", "cyclegan")
LONG = ("jit_compile", "mirrored_strategy", "mixed_precision", "steps_per_execution")
LONG += ("float16_overflow_is_skipped", "ragged_last_batch", "labelled_and_unlabelled")
LONG += ("same_seed_same_training", "evaluation_repeats_and_leaves_no_trace")
LONG += ("fit_evaluate_predict", "exact_resume")
# Of the VAE alone by default.
LONGEST = [(x, "jit_compile") for x in ("gan", "autoencoder", "pix2pix", "cyclegan")]
# Pix2pix or the VAE has them in common with the others, by the same code. The pool of
# replicas is in test_image_pool.py, and what they resume of their own in round trips.
SHARED = ("mixed_precision", "steps_per_execution", "same_seed_same_training")
SHARED += ("evaluation_repeats_and_leaves_no_trace", "exact_resume")
SHARED += ("ragged_last_batch",)
LONGEST += [(x, c) for x in ("gan", "autoencoder", "cyclegan") for c in SHARED]
# Not CycleGAN: its step scales the generators' loss itself.
SCALED = ("float16_overflow_is_skipped", "labelled_and_unlabelled")
LONGEST += [(x, contract) for x in ("gan", "autoencoder") for contract in SCALED]
LONGEST += [(x, "mirrored_strategy") for x in ("autoencoder", "cyclegan")]
LONGEST += [("vae", "exact_resume")]  # test_exact_backup.py kills the same one
# They have no state that others lack.
STATELESS = ("minimax_dragan", "conv_vae", "gaussian_vae", "importance_weighted_vae")
STATELESS += ("least_squares_gan", "conditional_hinge_gan", "wgan_gp", "noisy_pix2pix")
LONGEST += [(name, "keras_round_trip") for name in STATELESS]
LONGEST += [("plain_cyclegan", contract) for contract in contracts.CONTRACTS]


def cases():
    for name in MODELS:
        for contract in contracts.CONTRACTS:
            is_large = name not in FIRST and contract in LONG
            is_large |= (name, contract) in LONGEST
            marks = [pytest.mark.large] if is_large else []
            yield pytest.param(name, contract, id=f"{name}-{contract}", marks=marks)


@functools.cache
def labels_of(name):
    """Labels, targets or nothing: what the variant is trained on beside images."""
    if "pix2pix" in name or "cyclegan" in name:
        return small.targets()
    return small.labels() if MODELS[name]().num_classes else None


@pytest.mark.parametrize(("name", "contract"), cases())
def test_contract(name, contract, tmp_path):
    images, labels = small.images(), labels_of(name)
    contracts.run_contract(contract, MODELS[name], images, labels, tmp_path)


def test_dropout_resumes_to_the_bit(tmp_path):
    make_model = make_vae(dropout=True)
    path = tmp_path / "model.keras"
    contracts.check_keras_round_trip(make_model, small.images(), None, path)
