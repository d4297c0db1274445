"""The effect of the discriminator of pix2pix: the same U-Net, trained on L1 alone.

    python tests/benchmarks/l1_unet.py RUN [--out l1.png]

Trains it as the pix2pix run RUN was trained (data, direction, epochs, batches, seed,
learning rate), and prints for both, and for the truth, on the test split: the mean
absolute error, the share of vivid pixels (of which the largest of red, green and blue
exceeds the smallest by 0.7 or more), the sharpness (mean absolute difference of
neighbouring pixels), and the kernel distance of translations to real targets. The
picture shows, from above: inputs, L1, pix2pix, truth.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np

import tfgen
from tfgen import networks
from tfgen.figures import pictures
from tfgen.metrics import build_random_features, kernel_distance
from tfgen.optimizers import FusedAdam
from tfgen.presets import get_preset
from tfgen.training import Run


class L1UNet(keras.Model):
    """A U-Net from images to targets in [0, 1]; its dropout draws in training only."""

    def __init__(self, network, seed):
        super().__init__()
        self.network = network
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        inputs = 2.0 * images - 1.0
        if len(self.network.inputs) > 1:
            shape = (keras.ops.shape(images)[0], self.network.inputs[1].shape[-1])
            noise = keras.random.uniform(shape, seed=self.seed_generator)
            inputs = [inputs, noise if training else None]
        return 0.5 * self.network(inputs, training=training) + 0.5


def train_l1(run):
    """Returns a U-Net trained on the L1 term alone, as the run was trained."""
    config = run.config
    values = get_preset(config.preset).resolve(config.overrides)
    keras.utils.set_random_seed(config.seed)
    network = networks.build_unet_generator(
        run.image_shape,
        output_channels=config.channels,
        filters=values["filters"],
        dropout=values["dropout"],
        initial_stddev=values["initial_stddev"],
    )
    model = L1UNet(network, config.seed)
    data = run.batches("train")
    steps = config.epochs * int(data.cardinality())
    rate = tfgen.LinearDecay(values["learning_rate"], steps)
    model.compile(FusedAdam(rate, values["beta_1"]), loss="mae", jit_compile=False)
    model.fit(data, epochs=config.epochs, shuffle=False, verbose=2)
    return model


def figures(images, truth, real, features):
    gaps = [np.abs(np.diff(images, axis=axis)).mean() for axis in (1, 2)]
    image_features = features.predict(images, batch_size=64, verbose=0)
    distance = kernel_distance(image_features, real)
    return (
        np.abs(images - truth).mean(),
        (np.ptp(images, axis=-1) >= 0.7).mean(),
        np.mean(gaps),
        f"{distance.value:.4f} ± {distance.standard_error:.4f}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--out", default="l1.png")
    options = parser.parse_args()
    run = Run(options.run)
    inputs, truth = run.arrays("test")
    rows = {
        "input": inputs,
        "L1 alone": train_l1(run).predict(inputs, batch_size=64, verbose=0),
        "pix2pix": np.asarray(tfgen.load(options.run).translate(inputs)),
        "truth": truth,
    }
    features = build_random_features(truth.shape[1:])
    real = run.arrays("train")[1]
    real = features.predict(real, batch_size=64, verbose=0)
    print("images, mean absolute error, vivid pixels, sharpness, kernel distance")
    for name, images in rows.items():
        error, vivid, sharp, distance = figures(images, truth, real, features)
        print(f"{name:8}  {error:.4f}  {vivid:.4f}  {sharp:.4f}  {distance}")
    chosen = np.random.default_rng(0).permutation(len(truth))[:10]
    tiles = np.concatenate([images[chosen] for images in rows.values()])
    panel = {f"from above: {', '.join(rows)}": pictures.tile(tiles, columns=10)}
    print(pictures.save_picture(pictures.compose(panel, run.attribution), options.out))


if __name__ == "__main__":
    main()
