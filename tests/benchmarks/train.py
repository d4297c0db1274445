"""Training throughput of tfgen beside the step of the Keras examples.

    python tests/benchmarks/train.py [MODEL ...] [--rounds 5] [--seconds 10]
                                     [--variants "tfgen;tutorial loop"]

The same networks, optimizer and batch size, on the 4,000 digits of mnist_5k, or on
pairs of 128x128 (pix2pix) or 64x64 pixels (CycleGAN), at batch 1:

- `tfgen`: `model.fit` on the pipeline of `load_images`, as the presets compile it; the
  dense networks with `jit_compile=True`;
- `tutorial fit`: the step of the Keras examples (the VAE's own Sampling layer and
  losses; the GAN's generator run once for each network), `fit` on a NumPy array,
  `compile` with Keras's defaults;
- `tutorial fit, no XLA`: the same with `jit_compile=False`;
- `tutorial loop`: the same step in a `tf.function`, called over a tf.data pipeline.

For translation also `Keras's Adam`: the same with it in place of the fused one. For
GANs also what each saving of tfgen's step is worth, by undoing it:

- `two generator passes`: new images for the generator's step;
- `two discriminator calls`: real and fake images apart.

Each measurement is a process of its own; rounds are interleaved in random order. The
table gives the median images per second, and the median and range of the ratio of
tfgen to the variant within a round.
"""

import argparse
import os
import statistics

from rounds import EpochClock, run_round

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # for all variants

MODELS = ("mlp_vae", "conv_vae", "gan", "wgan_gp", "pix2pix", "cyclegan")
TUTORIALS = ("tutorial fit", "tutorial fit, no XLA", "tutorial loop")
SAVINGS = ("two generator passes", "two discriminator calls")
VARIANTS = {
    "mlp_vae": ("tfgen", *TUTORIALS),
    "conv_vae": ("tfgen", *TUTORIALS),
    "gan": ("tfgen", *TUTORIALS, *SAVINGS),
    "wgan_gp": ("tfgen", *SAVINGS),
    "pix2pix": ("tfgen", *TUTORIALS, "Keras's Adam"),
    "cyclegan": ("tfgen", *TUTORIALS, "Keras's Adam"),
}
TRANSLATORS = ("pix2pix", "cyclegan")
BATCH_SIZE = 128  # of digits; pairs come one by one, as in the papers
NUM_DIGITS, NUM_PAIRS = 4000, 8
LATENT_DIM = 16
PAIR_SIZES = {"pix2pix": 128, "cyclegan": 64}


def build_vae_networks(name):
    from tfgen import networks

    kind = name.removesuffix("_vae")
    encoder = getattr(networks, f"build_{kind}_encoder")
    decoder = getattr(networks, f"build_{kind}_decoder")
    shape = (28, 28, 1)
    return encoder(shape, 2 * LATENT_DIM), decoder(LATENT_DIM, shape)


def build_gan_networks():
    """Without batch normalisation in the discriminator, as in the Keras example."""
    from tfgen import networks

    shape = (28, 28, 1)
    generator = networks.build_dcgan_generator(LATENT_DIM, shape, 32)
    return generator, networks.build_dcgan_discriminator(shape, 32, normalization=None)


def build_translators(name):
    """The papers' networks: U-Net, or residual with six blocks; 70x70 PatchGANs."""
    from tfgen import networks

    size = PAIR_SIZES[name]
    discriminator = networks.build_patchgan_discriminator
    if name == "pix2pix":
        # Without dropout: the tutorial's would be of other draws.
        generator = networks.build_unet_generator((size, size, 3), dropout=0.0)
        return generator, discriminator((size, size, 6))
    shape = (size, size, 3)
    generators = (
        networks.build_resnet_generator(shape, num_blocks=6) for _ in range(2)
    )
    return *generators, discriminator(shape), discriminator(shape)


def plainer_gan(variant):
    """Returns the GAN class with one saving undone."""
    import tfgen

    class TwoGeneratorPasses(tfgen.GAN):
        def generator_terms(self, batch, fake, training):
            # The same objective; nothing of `fake`'s forward pass is used.
            fake = self._fake(batch, training)
            return super().generator_terms(batch, fake, training)

    class TwoDiscriminatorCalls(tfgen.GAN):
        def _run_both(self, network, one, other, labels, training):
            return [self._run(network, x, labels, training) for x in (one, other)]

    classes = {
        "two generator passes": TwoGeneratorPasses,
        "two discriminator calls": TwoDiscriminatorCalls,
    }
    return classes.get(variant, tfgen.GAN)


def tfgen_model(model_name, variant):
    import keras

    import tfgen
    from tfgen.optimizers import FusedAdam

    if model_name.endswith("vae"):
        model = tfgen.VAE(*build_vae_networks(model_name), seed=0)
        # On CPUs XLA speeds dense networks up, and slows convolutions down.
        dense = model_name == "mlp_vae"
        adam = keras.optimizers.Adam(1e-3)
        model.compile(adam, jit_compile=dense, steps_per_execution=8)
        return model
    if model_name in TRANSLATORS:
        classes = {"pix2pix": tfgen.Pix2Pix, "cyclegan": tfgen.CycleGAN}
        model = classes[model_name](*build_translators(model_name), seed=0)
        adam = keras.optimizers.Adam if variant == "Keras's Adam" else FusedAdam
        model.compile(*(adam(2e-4, beta_1=0.5) for _ in range(2)))
        return model
    kwargs = {}
    if model_name == "wgan_gp":
        kwargs = {"loss": "wasserstein", "gradient_penalty": "wgan_gp"}
    model = plainer_gan(variant)(*build_gan_networks(), seed=0, **kwargs)
    adams = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    model.compile(*adams, steps_per_execution=4)
    return model


def digits():
    import tfgen

    return tfgen.data.load_array("mnist_5k", split="train")


def pairs(name):
    """Noise: what is in an image takes no time."""
    import numpy as np

    shape = (NUM_PAIRS, PAIR_SIZES[name], PAIR_SIZES[name], 3)
    return [np.random.default_rng(i).random(shape, "float32") for i in range(2)]


def training_function(model_name, variant):
    """Returns a function that trains until its argument says so, asked every epoch."""
    import tensorflow as tf

    import tfgen

    is_translator = model_name in TRANSLATORS
    batch_size = 1 if is_translator else BATCH_SIZE
    if variant not in TUTORIALS:
        model = tfgen_model(model_name, variant)
        if is_translator:
            # As `load_pairs` does: from memory, with tf.data's autotuning off.
            batches = tf.data.Dataset.from_tensor_slices(tuple(pairs(model_name)))
            data = batches.batch(1).prefetch(4)
        else:
            data = tfgen.data.load_images("mnist_5k", batch_size=batch_size)
        return lambda stop: fit(model, stop, data, shuffle=False)
    model = tutorial_model(model_name)
    model.prepare(jit_compile="auto" if variant == "tutorial fit" else False)
    arrays = pairs(model_name) if is_translator else [digits()]
    if variant != "tutorial loop":
        return lambda stop: fit(model, stop, *arrays, batch_size=batch_size)
    step = tf.function(model.train_step)
    parts = tuple(arrays) if is_translator else arrays[0]
    data = tf.data.Dataset.from_tensor_slices(parts).shuffle(len(arrays[0]))
    data = data.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def loop(stop):
        while not stop():
            for batch in data:
                step(batch)

    return loop


def tutorial_model(name):
    import tutorials

    if name in TRANSLATORS:
        return getattr(tutorials, name)(*build_translators(name))
    if name == "gan":
        return tutorials.gan(*build_gan_networks())
    return tutorials.vae(*build_vae_networks(name))


def fit(model, stop, *data, **kwargs):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = stop()

    # The epoch that is told to stop is still trained, after the clock has.
    model.fit(*data, epochs=10**6, verbose=0, callbacks=[Stop()], **kwargs)


def measure(model_name, variant, seconds):
    """Prints the images per second of the epochs after the first."""
    clock = EpochClock(seconds)
    training_function(model_name, variant)(clock)
    num_images = NUM_PAIRS if model_name in TRANSLATORS else NUM_DIGITS
    print(clock.rate(num_images))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--variants", help="only these, separated by semicolons")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        measure(options.models[0], options.worker, options.seconds)
        return
    for model_name in options.models:
        variants = VARIANTS[model_name]
        if options.variants:
            variants = [v for v in variants if v in options.variants.split(";")]
        rounds = [
            run_round(__file__, model_name, variants, options.seconds)
            for _ in range(options.rounds)
        ]
        print(f"{model_name}: {options.rounds} rounds of {options.seconds:g} s")
        for variant in variants:
            rate = statistics.median(rates[variant] for rates in rounds)
            ratios = [rates["tfgen"] / rates[variant] for rates in rounds]
            print(
                f"  {variant:23} {rate:9.1f} images/s   tfgen is "
                f"{statistics.median(ratios):.2f} times as fast "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
