"""Training throughput of tfgen beside the step of the Keras examples.

    python tests/benchmarks/train.py [MODEL ...] [--rounds 5] [--seconds 10]

The same networks, optimizer and batch size, on the 4,000 digits of mnist_5k:

- `tfgen`: `model.fit` on the pipeline of `load_images`, as the presets compile it; the
  dense networks with `jit_compile=True`;
- `tutorial fit`: the step of the Keras examples (the VAE's own Sampling layer and
  losses; the GAN's generator run once for each network), `fit` on a NumPy array,
  `compile` with Keras's defaults;
- `tutorial fit, no XLA`: the same with `jit_compile=False`;
- `tutorial loop`: the same step in a `tf.function`, called over a tf.data pipeline.

For GANs also what each saving of tfgen's step is worth, by undoing it:

- `two generator passes`: new images for the generator's step;
- `two discriminator calls`: real and fake images apart.

Each measurement is a process of its own; rounds are interleaved in random order. The
table gives the median images per second, and the median and range of the ratio of
tfgen to the variant within a round.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MODELS = ("mlp_vae", "conv_vae", "gan", "wgan_gp")
TUTORIALS = ("tutorial fit", "tutorial fit, no XLA", "tutorial loop")
SAVINGS = ("two generator passes", "two discriminator calls")
VARIANTS = {
    "mlp_vae": ("tfgen", *TUTORIALS),
    "conv_vae": ("tfgen", *TUTORIALS),
    "gan": ("tfgen", *TUTORIALS, *SAVINGS),
    "wgan_gp": ("tfgen", *SAVINGS),
}
BATCH_SIZE = 128
NUM_IMAGES = 4000
LATENT_DIM = 16


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


def tutorial_vae(encoder, decoder):
    import keras
    import tensorflow as tf
    from keras import ops

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.seed_generator = keras.random.SeedGenerator(0)
            names = ("total_loss", "reconstruction_loss", "kl_loss")
            self.means = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self):
            return self.means

        def train_step(self, data):
            with tf.GradientTape() as tape:
                mean, log_var = ops.split(self.encoder(data), 2, axis=-1)
                noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
                logits = self.decoder(mean + ops.exp(0.5 * log_var) * noise)
                errors = keras.losses.binary_crossentropy(data, logits, True)
                reconstruction = ops.mean(ops.sum(errors, axis=(1, 2)))
                kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
                kl = ops.mean(ops.sum(kl, axis=1))
                total = reconstruction + kl
            gradients = tape.gradient(total, self.trainable_weights)
            pairs = zip(gradients, self.trainable_weights, strict=True)
            self.optimizer.apply_gradients(pairs)
            values = (total, reconstruction, kl)
            for tracker, value in zip(self.means, values, strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.means}

        def prepare(self, jit_compile):
            self.compile(keras.optimizers.Adam(1e-3), jit_compile=jit_compile)
            self.optimizer.build(self.trainable_weights)

    return Tutorial()


def tutorial_gan(generator, discriminator):
    import keras
    import tensorflow as tf
    from keras import ops

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.seed_generator = keras.random.SeedGenerator(0)
            self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            self.means = [keras.metrics.Mean(name=name) for name in ("d", "g")]

        @property
        def metrics(self):
            return self.means

        def train_step(self, real):
            real = 2.0 * real - 1.0
            size = ops.shape(real)[0]
            shape = (size, LATENT_DIM)
            latents = keras.random.normal(shape, seed=self.seed_generator)
            both = ops.concatenate([self.generator(latents, training=True), real])
            targets = ops.concatenate([ops.zeros((size, 1)), ops.ones((size, 1))])
            with tf.GradientTape() as tape:
                d_loss = self.entropy(targets, self.discriminator(both, training=True))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
            latents = keras.random.normal(shape, seed=self.seed_generator)
            with tf.GradientTape() as tape:
                fake = self.generator(latents, training=True)
                logits = self.discriminator(fake, training=True)
                g_loss = self.entropy(ops.ones((size, 1)), logits)
            weights = self.generator.trainable_weights
            self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
            for tracker, value in zip(self.means, (d_loss, g_loss), strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.means}

        def prepare(self, jit_compile):
            self.compile(jit_compile=jit_compile)
            self.d_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
            self.g_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
            self.d_optimizer.build(self.discriminator.trainable_weights)
            self.g_optimizer.build(self.generator.trainable_weights)

    return Tutorial()


def plainer_gan(variant):
    """Returns the GAN class with one saving undone."""
    import tfgen

    class TwoGeneratorPasses(tfgen.GAN):
        def generator_terms(self, batch, fake, training):
            # The same objective; nothing of `fake`'s forward pass is used.
            fake = self._fake(batch, training)
            return super().generator_terms(batch, fake, training)

    class TwoDiscriminatorCalls(tfgen.GAN):
        _mixes_images = True

        def _check_arguments(self):
            pass  # it would refuse a penalty with a discriminator that mixes images

    classes = {
        "two generator passes": TwoGeneratorPasses,
        "two discriminator calls": TwoDiscriminatorCalls,
    }
    return classes.get(variant, tfgen.GAN)


def tfgen_model(model_name, variant):
    import keras

    import tfgen

    if model_name.endswith("vae"):
        model = tfgen.VAE(*build_vae_networks(model_name), seed=0)
        # On CPUs XLA speeds dense networks up, and slows convolutions down.
        dense = model_name == "mlp_vae"
        adam = keras.optimizers.Adam(1e-3)
        model.compile(adam, jit_compile=dense, steps_per_execution=8)
        return model
    kwargs = {}
    if model_name == "wgan_gp":
        kwargs = {"loss": "wasserstein", "gradient_penalty": "wgan_gp"}
    model = plainer_gan(variant)(*build_gan_networks(), seed=0, **kwargs)
    adams = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    model.compile(*adams, steps_per_execution=4)
    return model


def images():
    import tfgen

    return tfgen.data.load_array("mnist_5k", split="train")


def training_function(model_name, variant):
    """Returns a function that trains until its argument says so, asked every epoch."""
    import tensorflow as tf

    import tfgen

    if variant not in TUTORIALS:
        model = tfgen_model(model_name, variant)
        data = tfgen.data.load_images("mnist_5k", batch_size=BATCH_SIZE)
        return lambda stop: fit(model, stop, data, shuffle=False)
    if model_name == "gan":
        model = tutorial_gan(*build_gan_networks())
    else:
        model = tutorial_vae(*build_vae_networks(model_name))
    model.prepare(jit_compile="auto" if variant == "tutorial fit" else False)
    array = images()
    if variant != "tutorial loop":
        return lambda stop: fit(model, stop, array, batch_size=BATCH_SIZE)
    step = tf.function(model.train_step)
    data = tf.data.Dataset.from_tensor_slices(array)
    data = data.shuffle(NUM_IMAGES).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

    def loop(stop):
        while not stop():
            for batch in data:
                step(batch)

    return loop


def fit(model, stop, *data, **kwargs):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = stop()

    # The epoch that is told to stop is still trained, after the clock has.
    model.fit(*data, epochs=10**6, verbose=0, callbacks=[Stop()], **kwargs)


def measure(model_name, variant, seconds):
    """Prints the images per second of the epochs after the first."""
    starts = []

    def stop():
        starts.append(time.perf_counter())
        return len(starts) > 2 and starts[-1] - starts[1] > seconds

    training_function(model_name, variant)(stop)
    print((len(starts) - 2) * NUM_IMAGES / (starts[-1] - starts[1]))


def run_round(model_name, seconds):
    """Measures every variant once, in random order, each in its own process."""
    rates = {}
    variants = VARIANTS[model_name]
    for variant in random.sample(variants, len(variants)):
        command = [sys.executable, __file__, model_name, "--worker", variant]
        command += ["--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        rates[variant] = float(done.stdout.split()[-1])
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        measure(options.models[0], options.worker, options.seconds)
        return
    for model_name in options.models:
        rounds = [run_round(model_name, options.seconds) for _ in range(options.rounds)]
        print(f"{model_name}: {options.rounds} rounds of {options.seconds:g} s")
        for variant in VARIANTS[model_name]:
            rate = statistics.median(rates[variant] for rates in rounds)
            ratios = [rates["tfgen"] / rates[variant] for rates in rounds]
            print(
                f"  {variant:23} {rate:9.0f} images/s   tfgen is "
                f"{statistics.median(ratios):.2f} times as fast "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
