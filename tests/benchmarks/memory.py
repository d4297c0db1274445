"""Resident memory over 1,000 training steps: python tests/benchmarks/memory.py

Trains a small convolutional VAE by `fit`, over several epochs, on noise of 32 x 32
pixels in a TFDS set of 16 shard files, written to a temporary folder: from memory,
streamed through a shuffle buffer of a tenth of the set, and streamed from a set twice
as large. Each case has its own process, and glibc's malloc is configured in three ways:

- `default`: unchanged;
- `command line`: as `tfgen train` sets it: two arenas instead of eight per processor;
- `returned`: large blocks are returned to the system as soon as they are free (slow).

Growth in the first and not in the last is not a leak, but memory that malloc retains.

`--sets [N]` measures instead the peak of reading a set that is kept in memory, of N
images of the TFDS set.

`--recompute` measures instead the memory of the gradient of a chain of residual blocks,
with and without `tfgen.layers.Recompute`.

Reads /proc, so it needs Linux.
"""

import argparse
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import rich.console
import rich.table
import tensorflow_datasets as tfds
from rounds import resident

SIZE = 32  # pixels
NUM_IMAGES = 14_000
NUM_SHARDS = 16
BATCH_SIZE = 64
WARM_UP = 250  # steps: more than an epoch
CASES = ("memory", "stream", "stream 2x")
MALLOC = {
    "default": {},
    "command line": {"AS_COMMAND_LINE": "1"},
    "returned": {"MALLOC_MMAP_THRESHOLD_": "131072"},  # bytes
}
# Large batches, beside which the graph that TensorFlow makes of a step is small.


class Noise(tfds.core.GeneratorBasedBuilder):
    """Images of noise, for `prepare`."""

    VERSION = tfds.core.Version("1.0.0")
    num_images = NUM_IMAGES

    def _info(self):
        image = tfds.features.Image(shape=(SIZE, SIZE, 3))
        features = tfds.features.FeaturesDict({"image": image})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(self.num_images),
                "test": self._generate_examples(NUM_SHARDS)}  # fmt: skip

    def _generate_examples(self, count):
        rng = np.random.default_rng(0)
        for i in range(count):
            yield i, {"image": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)}


def prepare(folder, num_images):
    """Writes noise as a TFDS set of many shards."""
    builder = Noise(data_dir=folder)
    builder.num_images = num_images
    config = tfds.download.DownloadConfig(num_shards=NUM_SHARDS)
    builder.download_and_prepare(download_config=config)


def build_model(name):
    import keras

    import tfgen
    from tfgen import networks

    if name == "dcgan_64":
        shape = (64, 64, 3)
        model = tfgen.GAN(
            networks.build_dcgan_generator(64, shape, filters=32),
            networks.build_dcgan_discriminator(shape, filters=32),
            seed=0,
        )
        model.compile(*(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)))
        return model
    shape = (SIZE, SIZE, 3)
    encoder = networks.build_conv_encoder(shape, 2 * 16, filters=(16, 32))
    decoder = networks.build_conv_decoder(16, shape, filters=(32, 16))
    model = tfgen.VAE(encoder, decoder, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def train(case, folder):
    """Prints memory in MB: at the start, after warm-up, 1,000 steps later, peak."""
    import keras

    from tfgen import data
    from tfgen.data import loading
    from tfgen.data.builders import records

    if case != "memory":
        loading.IN_MEMORY_BYTES = 0
        records.SHUFFLE_BYTES = NUM_IMAGES * SIZE * SIZE * 3 // 10
    batches = data.load_images("noise", batch_size=BATCH_SIZE, data_dir=folder)
    model = build_model("conv_vae")
    values = {}

    class Watch(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps in (1, WARM_UP, WARM_UP + 500, WARM_UP + 1000):
                values[self.steps] = resident()
            self.model.stop_training = self.steps >= WARM_UP + 1000

    model.fit(batches, epochs=100, shuffle=False, verbose=0, callbacks=[Watch()])
    print(len(batches), *values.values(), resident(peak=True))


def make_sets(folder, num_images):
    """Writes a few and many images: copies of one file, and a TFDS set."""
    import PIL.Image

    rng = np.random.default_rng(0)
    for kind, width in (("folder", 128), ("pairs", 256)):
        file = os.path.join(folder, f"{kind}.png")
        pixels = rng.integers(0, 256, (128, width, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(file)
        for name, count in (("few", 20), ("many", 3000)):
            for split in ("train", "test"):
                os.makedirs(os.path.join(folder, kind, name, split))
                os.link(file, os.path.join(folder, kind, name, split, "0.png"))
            for i in range(1, count):
                os.link(file, os.path.join(folder, kind, name, "train", f"{i}.png"))
    prepare(os.path.join(folder, "TFDS", "few"), NUM_SHARDS)
    prepare(os.path.join(folder, "TFDS", "many"), num_images)


def read_set(kind, folder):
    """Prints MB that the images of a set take, and how far the peak is above before."""
    from tfgen import data

    load = {
        "folder": lambda path: data.load_images(path, batch_size=8),
        "pairs": lambda path: data.load_pairs(path, batch_size=8),
        "TFDS": lambda path: data.load_images("noise", data_dir=path, batch_size=8),
    }[kind]
    for name in ("few", "many"):  # the first warms everything up
        before, size = resident(), 0
        for batch in load(os.path.join(folder, kind, name)):
            images = batch if isinstance(batch, tuple) else (batch,)
            size += sum(int(np.prod(part.shape)) for part in images)
    print(size / 2**20, resident(peak=True) - before)


def differentiate(case):
    """Prints MB that the gradient of 12 residual blocks took, and its norm."""
    import keras
    import tensorflow as tf

    from tfgen.layers import InstanceNormalization, Recompute

    def make_block(shape):
        images = keras.Input(shape)
        features = images
        for activation in ("relu", None):
            features = keras.layers.Conv2D(16, 3, padding="same")(features)
            features = InstanceNormalization()(features)
            features = keras.layers.Activation(activation)(features)
        return keras.Model(images, keras.layers.Add()([images, features]))

    keras.utils.set_random_seed(0)
    images = features = keras.Input((64, 64, 16))
    for _ in range(12):
        block = make_block(images.shape[1:])
        features = (Recompute(block) if case == "again" else block)(features)
    network = keras.Model(images, features)

    @tf.function(input_signature=[tf.TensorSpec((None, 64, 64, 16))])
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(batch, training=True) ** 2)
        return tf.linalg.global_norm(tape.gradient(loss, network.trainable_variables))

    batch = tf.random.stateless_uniform((32, 64, 64, 16), (0, 0))
    step(batch[:1])
    before = resident(peak=True)
    norm = float(step(batch))
    print(resident(peak=True) - before, norm)


def run_worker(*arguments, **variables):
    """Returns the numbers that a process of its own prints last."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | variables
    )
    if done.returncode:
        sys.exit(done.stderr)
    return [float(value) for value in done.stdout.splitlines()[-1].split()]


def print_growth(console, mallocs):
    table = rich.table.Table("data", "malloc", "steps", "MB at 1",
                             "warm", "+500", "+1,000", "growth", "peak")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        paths = {case: os.path.join(folder, "small") for case in CASES}
        prepare(paths["stream"], NUM_IMAGES)
        paths["stream 2x"] = os.path.join(folder, "large")
        prepare(paths["stream 2x"], 2 * NUM_IMAGES)
        for case, path in paths.items():
            for malloc in mallocs:
                arguments = ("--train", case, "--data-dir", path)
                steps, *values = run_worker(*arguments, **MALLOC[malloc])
                texts = [f"{value:.0f}" for value in values]
                growth = f"{values[3] - values[1]:+.1f}"
                row = (f"{steps:.0f}", *texts[:4], growth, texts[4])
                table.add_row(case, malloc, *row)
    console.print(table)


def print_sets(console, num_images):
    table = rich.table.Table("set", "MB as uint8", "peak, MB", "times")
    with tempfile.TemporaryDirectory() as folder:
        make_sets(folder, num_images)
        for kind in ("folder", "pairs", "TFDS"):
            size, peak = run_worker("--read", kind, "--data-dir", folder)
            table.add_row(kind, f"{size:.0f}", f"{peak:.0f}", f"{peak / size:.2f}")
    console.print(table)


def print_recomputed(console):
    table = rich.table.Table("12 residual blocks", "MB", "norm of the gradient")
    for case in ("kept", "again"):
        grown, norm = run_worker("--differentiate", case)
        table.add_row(f"activations {case}", f"{grown:.0f}", f"{norm:.6f}")
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--data-dir", help=argparse.SUPPRESS)
    parser.add_argument("--differentiate", help=argparse.SUPPRESS)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--sets", type=int, nargs="?", const=2 * NUM_IMAGES)
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--malloc", choices=MALLOC, action="append")
    options = parser.parse_args()
    if "AS_COMMAND_LINE" in os.environ:
        from tfgen.cli.quiet import import_tensorflow

        import_tensorflow()
    if options.train:
        train(options.train, options.data_dir)
    elif options.differentiate:
        differentiate(options.differentiate)
    elif options.read:
        read_set(options.read, options.data_dir)
    elif options.sets:
        print_sets(rich.console.Console(), options.sets)
    elif options.recompute:
        print_recomputed(rich.console.Console())
    else:
        console = rich.console.Console()
        print_growth(console, options.malloc or list(MALLOC))


if __name__ == "__main__":
    main()
