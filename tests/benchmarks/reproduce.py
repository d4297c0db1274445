"""The rows of README's table of results: trains, evaluates, and prints a row.

    python tests/benchmarks/reproduce.py ROW [ROW ...] [--data-dir DIR] [--out DIR]

Without a row it lists them. Every row has a seed, a data set and a budget; it prints
minutes on this machine and the figures of `tfgen evaluate` on the test split, with what
real images would get in brackets. `vae_binary` and `iwae_binary` train the networks of
the IWAE paper (784-200-200-50, tanh) on digits that were binarised once, each pixel
drawn with its grey value as probability, and estimate log p(x) with 1,000 samples.
`anomaly_<digit>` trains on the nine other digits and tells that one from them.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Row(NamedTuple):
    """A run of the command line.

    Attributes:
        train: Preset and flags.
        metrics: What `tfgen evaluate` measures.
        figures: What of it stands in the row.
    """

    train: str
    metrics: str
    figures: tuple[str, ...]


SAMPLES = ("frechet_distance", "kernel_distance", "precision", "recall")
LIKELIHOOD = ("elbo", "log_likelihood")
FACTORS = ("kl_loss", "mig", "dci_disentanglement", "factor_vae_score")
FASHION = "--data fashion_mnist"
ROWS = {
    "vae_fashion": Row(
        "vae_fashion_mnist --epochs 5", "likelihood,samples", LIKELIHOOD + SAMPLES
    ),
    "dcgan_fashion": Row(f"dcgan_mnist_5k {FASHION} --epochs 3", "samples", SAMPLES),
    "wgan_gp_fashion": Row(
        f"wgan_gp_mnist_5k {FASHION} --epochs 3", "samples", SAMPLES
    ),
    "sngan_fashion": Row("sngan_fashion_mnist --epochs 3", "samples", SAMPLES),
    **{
        f"sprites_beta_{beta}": Row(
            f"vae_sprites --beta {beta} --epochs 6", "losses,factors", FACTORS
        )
        for beta in (1, 4, 16)
    },
    **{
        f"anomaly_{digit}": Row(
            f"vae_mnist_5k --held-out-classes {digit}",
            "anomalies",
            ("anomaly_auc_negative_elbo", "anomaly_auc_likelihood_ratio"),
        )
        for digit in (0, 1, 4)
    },
    "pix2pix": Row("pix2pix_openmoji_64", "translation", ()),
    "pix2pix_ba": Row(
        "pix2pix_openmoji_64 --direction ba --epochs 8 --learning-rate 5e-4",
        "translation",
        (),
    ),
    "cyclegan": Row("cyclegan_openmoji_64", "translation", ()),
}
BINARY = {"vae_binary": 1, "iwae_binary": 5}  # importance samples in training
BINARY_EPOCHS, BINARY_SAMPLES = 60, 1000


def run(name, out, data_dir):
    """Returns minutes of training, and `metrics.json`."""
    row, run_directory = ROWS[name], out / name
    train = ["train", *shlex.split(row.train), "--out", str(run_directory)]
    if "fashion" in row.train and data_dir:
        train += ["--data-dir", data_dir]
    start = time.perf_counter()
    call(*train, "--overwrite", "--seed", "0")
    minutes = (time.perf_counter() - start) / 60
    call("evaluate", str(run_directory), "--metrics", row.metrics)
    return minutes, json.loads((run_directory / "metrics.json").read_text())


def call(*arguments):
    command = [sys.executable, "-c", "from tfgen.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def run_binary(num_importance_samples):
    """Returns minutes, and the figures of a VAE on digits of two values."""
    import keras
    import numpy as np
    import tensorflow as tf

    import tfgen
    from tfgen import metrics, networks

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    splits = [tfgen.data.load_array("mnist_5k", split) for split in ("train", "test")]
    train, test = (np.float32(rng.uniform(size=x.shape) < x) for x in splits)
    units = {"hidden_units": (200, 200), "activation": "tanh"}
    model = tfgen.VAE(
        networks.build_mlp_encoder((28, 28, 1), 2 * 50, **units),
        networks.build_mlp_decoder(50, (28, 28, 1), **units),
        num_importance_samples=num_importance_samples,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=8)
    data = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train), seed=0)
    start = time.perf_counter()
    model.fit(data.batch(100), epochs=BINARY_EPOCHS, verbose=0)
    minutes = (time.perf_counter() - start) / 60
    found = metrics.estimate_log_likelihood(
        tf.function(model.log_weights, reduce_retracing=True), test, BINARY_SAMPLES
    )
    means = np.asarray(model.posterior(test).mean())
    figures = {
        "elbo": float(found.elbo.mean()),
        "log_likelihood": float(found.log_likelihood.mean()),
        "active_units": metrics.active_units(means),
    }
    return minutes, figures


def describe(figures, names):
    """Returns figures in words, each with its floor in brackets."""
    texts = []
    for name in names:
        text = f"{name} {number(figures[name])}"
        if f"{name}_error" in figures:
            text += f" ± {number(figures[f'{name}_error'])}"
        if f"{name}_floor" in figures:
            text += f" ({number(figures[f'{name}_floor'])})"
        texts.append(text)
    for direction, rows in figures.get("translation", {}).items():
        model, copy = (rows[kind]["mean_absolute_error"] for kind in ("model", "copy"))
        texts.append(f"{direction}: error {number(model)} ({number(copy)} of copying)")
        model, real = (rows[kind]["kernel_distance"] for kind in ("model", "real"))
        texts.append(f"kernel distance {number(model)} ({number(real)})")
    return ", ".join(texts)


def number(value):
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--data-dir", help="where TFDS has Fashion-MNIST")
    parser.add_argument("--out", default="runs/reproduce", type=Path)
    options = parser.parse_args()
    known = [*BINARY, *ROWS]
    if not options.rows or set(options.rows) - set(known):
        parser.error(f"choose of {' '.join(known)}")
    cores = os.cpu_count()
    print(f"{platform.processor() or platform.machine()}, {cores} cores, seed 0\n")
    print("| row | what | minutes | test split |\n|---|---|---|---|", flush=True)
    for name in options.rows:
        if name in BINARY:
            what = f"{BINARY_EPOCHS} epochs, {BINARY[name]} samples in training"
            minutes, figures = run_binary(BINARY[name])
            names = tuple(figures)
        else:
            what = f"`tfgen train {ROWS[name].train}`"
            minutes, figures = run(name, options.out, options.data_dir)
            names = ROWS[name].figures
        text = describe(figures, names)
        print(f"| `{name}` | {what} | {minutes:.1f} | {text} |", flush=True)


if __name__ == "__main__":
    main()
