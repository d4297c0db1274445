"""Training throughput of tfgen beside the step of the Keras examples.

    python tests/benchmarks/train.py [MODEL ...] [--rounds 5] [--seconds 10]

The same networks, optimizer and batch size, on the 4,000 digits of mnist_5k:

- `tfgen`: `model.fit` on the pipeline of `load_images`, as the presets compile it;
- `tutorial fit`: the VAE of the Keras examples (its own Sampling layer and losses),
  `fit` on a NumPy array, `compile(optimizer)` with Keras's defaults;
- `tutorial fit, no XLA`: the same with `jit_compile=False`;
- `tutorial loop`: the same step in a `tf.function`, called over a tf.data pipeline.

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

MODELS = ("mlp_vae", "conv_vae")
VARIANTS = ("tfgen", "tutorial fit", "tutorial fit, no XLA", "tutorial loop")
BATCH_SIZE = 128
NUM_IMAGES = 4000
LATENT_DIM = 16


def build_networks(name):
    from tfgen import networks

    kind = name.removesuffix("_vae")
    encoder = getattr(networks, f"build_{kind}_encoder")
    decoder = getattr(networks, f"build_{kind}_decoder")
    shape = (28, 28, 1)
    return encoder(shape, 2 * LATENT_DIM), decoder(LATENT_DIM, shape)


def tutorial_model(encoder, decoder):
    import keras
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
            import tensorflow as tf

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
            self.optimizer.apply_gradients(
                zip(gradients, self.trainable_weights, strict=True)
            )
            for tracker, value in zip(
                self.means, (total, reconstruction, kl), strict=True
            ):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.means}

    return Tutorial()


def images():
    import tfgen

    return tfgen.data.load_array("mnist_5k", split="train")


def epoch_function(model_name, variant):
    """Returns a function that trains one epoch of NUM_IMAGES images."""
    import keras
    import tensorflow as tf

    encoder, decoder = build_networks(model_name)
    if variant == "tfgen":
        import tfgen

        model = tfgen.VAE(encoder, decoder, seed=0)
        model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=8)
        data = tfgen.data.load_images("mnist_5k", batch_size=BATCH_SIZE)
        return lambda: model.fit(data, verbose=0, shuffle=False)
    model = tutorial_model(encoder, decoder)
    if variant == "tutorial loop":
        model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
        model.optimizer.build(model.trainable_weights)
        step = tf.function(model.train_step)
        data = tf.data.Dataset.from_tensor_slices(images())
        data = data.shuffle(NUM_IMAGES).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

        def epoch():
            for batch in data:
                step(batch)

        return epoch
    jit = "auto" if variant == "tutorial fit" else False
    model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=jit)
    array = images()
    return lambda: model.fit(array, batch_size=BATCH_SIZE, verbose=0)


def measure(model_name, variant, seconds):
    """Prints the images per second of a steady state of about `seconds`."""
    epoch = epoch_function(model_name, variant)
    epoch()
    epochs, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        epoch()
        epochs += 1
    print(epochs * NUM_IMAGES / (time.perf_counter() - start))


def run_round(model_name, seconds):
    """Measures every variant once, in random order, each in its own process."""
    rates = {}
    for variant in random.sample(VARIANTS, len(VARIANTS)):
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
        for variant in VARIANTS:
            rate = statistics.median(rates[variant] for rates in rounds)
            ratios = [rates["tfgen"] / rates[variant] for rates in rounds]
            print(
                f"  {variant:22} {rate:9.0f} images/s   tfgen is "
                f"{statistics.median(ratios):.2f} times as fast "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
