"""What each further means of pix2pix gives, in equal minutes.

    python -m tests.benchmarks.pix2pix_means --minutes 10 --seeds 0 1 2
    python -m tests.benchmarks.pix2pix_means --pairs 100 --rows base augment
    python -m tests.benchmarks.pix2pix_means --out means.jsonl --seeds 0 1 2

Trains the networks of `pix2pix_openmoji_64` on pairs of emoji, with the same data,
order and rate, kept constant; only the means differ. After the minutes, of training
alone, it prints for each row and seed, on the test split: steps, mean absolute error,
PSNR, kernel distance of translations to real training targets with its standard error,
and where the generator takes noise the feature distance of four outputs for one input.
`--pairs` trains on the first so many pairs. Means over seeds come last. `--out` keeps
each finished run as a line of JSON; what is there is not run again.
"""

import argparse
import contextlib
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfgen
from tfgen.inference import Translator
from tfgen.metrics import (
    build_random_features,
    extract_features,
    kernel_distance,
    mean_absolute_error,
    pairwise_distance,
    psnr,
)

PRESET, DATA = "pix2pix_openmoji_64", "openmoji"
SIZE, BATCH_SIZE, NUM_OUTPUTS = 64, 16, 4
MATCHING = {"num_scales": 3, "patch_layers": 1, "lambda_feature_matching": 10.0}
LATENT = {"noise_dim": 8, "lambda_l1": 10.0}
ROWS = {
    "base": {},
    "scales": {"num_scales": 3, "patch_layers": 1},
    "matching": MATCHING,
    "matching, no L1": {**MATCHING, "lambda_l1": 0.0},
    "MS-SSIM": {"perceptual": "ms_ssim", "lambda_perceptual": 10.0},
    "augment": {"augment": "color,translation,cutout"},
    "average": {"ema_decay": 0.999},
    "latent": LATENT,
    "latent, diversity": {**LATENT, "lambda_diversity": 8.0},
}
COLUMNS = ("steps", "error", "psnr", "kernel_distance", "standard_error", "diversity")


class StopAfter(keras.callbacks.Callback):
    """Ends training so many seconds after its first step, which is compiled."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.start, self.steps = seconds, None, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.start = self.start or time.perf_counter()
        if time.perf_counter() - self.start >= self.seconds:
            raise StopIteration  # the epoch has no end


def load(split, pairs=None):
    """Returns images and targets of a split as arrays."""
    batches = tfgen.data.load_pairs(
        DATA, split, image_size=SIZE, batch_size=BATCH_SIZE, shuffle=False
    )
    columns = zip(*batches.as_numpy_iterator(), strict=True)
    return [np.concatenate(column)[:pairs] for column in columns]


def train(row, seed, train_pairs, minutes):
    """Returns the model of a row after the minutes, and its steps."""
    keras.utils.set_random_seed(seed)
    model = tfgen.create_model(PRESET, seed=seed, **ROWS[row])
    data = tf.data.Dataset.from_tensor_slices(tuple(train_pairs))
    data = data.shuffle(len(train_pairs[0]), seed=seed).map(mirror(seed))
    data = data.repeat().batch(BATCH_SIZE).prefetch(2)
    stop = StopAfter(60.0 * minutes)
    with contextlib.suppress(StopIteration):
        model.fit(data, steps_per_epoch=10**9, verbose=0, callbacks=[stop])
    return model, stop.steps


def mirror(seed):
    """Returns a function that mirrors half of the pairs, both images of one alike."""
    generator = tf.random.Generator.from_seed(seed)

    def function(images, targets):
        is_mirrored = generator.uniform(()) < 0.5
        pair = tf.stack([images, targets])
        pair = tf.where(is_mirrored, pair[:, :, ::-1], pair)
        return pair[0], pair[1]

    return function


def measure(model, test_pairs, real, network):
    """Returns the figures of a model after its steps."""
    inputs, truth = test_pairs
    outputs = [
        Translator(model, seed=seed)(inputs, "ab")
        for seed in range(NUM_OUTPUTS if model.noise_dim else 1)
    ]
    features = [extract_features(images, network) for images in outputs]
    distance = kernel_distance(features[0], real)
    diversity = np.nan
    if model.dropout_at_inference:
        diversity = pairwise_distance(np.stack(features, axis=1)).mean()
    return (
        mean_absolute_error(outputs[0], truth).mean(),
        psnr(outputs[0], truth).mean(),
        distance.value,
        distance.standard_error,
        diversity,
    )


def read(path):
    """Returns the figures of finished runs: (row, seed, minutes, pairs) -> figures."""
    if path is None or not path.exists():
        return {}
    lines = map(json.loads, path.read_text().splitlines())
    return {tuple(key): figures for key, figures in lines}


def keep(path, key, figures):
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps([key, figures]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--pairs", type=int, help="of training; all by default")
    parser.add_argument("--out", type=Path, help="a file of finished runs")
    options = parser.parse_args()
    train_pairs, test_pairs = load("train", options.pairs), load("test")
    network = build_random_features((SIZE, SIZE, 3))
    real = extract_features(load("train")[1], network)
    targets = extract_features(test_pairs[1], network)
    print(f"{len(train_pairs[0])} pairs, {options.minutes:g} minutes a row")
    print(
        f"feature distance of real targets: {pairwise_distance(targets[None])[0]:.3f}"
    )
    print("row", "seed", *COLUMNS, sep=" | ")
    table, finished = {}, read(options.out)
    for row in options.rows:
        for seed in options.seeds:
            key = (row, seed, options.minutes, options.pairs)
            if key not in finished:
                model, steps = train(row, seed, train_pairs, options.minutes)
                figures = (steps, *measure(model, test_pairs, real, network))
                finished[key] = [float(x) for x in figures]
                keep(options.out, key, finished[key])
                keras.backend.clear_session()
            table.setdefault(row, []).append(finished[key])
            cells = (f"{x:.4g}" for x in finished[key])
            print(row, seed, *cells, sep=" | ", flush=True)
    for row, figures in table.items():
        means = (f"{x:.4g}" for x in np.mean(figures, axis=0))
        print(row, "mean", *means, sep=" | ")


if __name__ == "__main__":
    main()
