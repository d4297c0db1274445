"""The rows of the second table of RESULTS.md: trains, evaluates, and prints a row.

    python tests/benchmarks/reproduce.py ROW [ROW ...] [--data-dir DIR] [--out DIR]

`--help` lists the rows. Each has a seed, a data set and a number of epochs; it prints
the minutes on this machine and figures on the test split, with what real images would
get in brackets. `<parts>_binary` trains the networks of the IWAE paper (784-200-200-50,
tanh) with other parts on digits that were binarised once, each pixel drawn with its
grey value as probability, and estimates log p(x) with 1,000 samples; `--digits mnist`
takes the 60,000 of TFDS in place of the 5,000 of `mnist_5k`. `anomaly_<digit>`
trains on the nine other digits and measures how well it tells that one from them.

With `--results FILE` each binary row and seed is a line of FILE, and is not run again;
the table is of means over `--seeds`, and standard deviations. `--steps`, `--samples`
and `--num-test` are budgets of these rows:

    python tests/benchmarks/reproduce.py vae_binary iaf_binary vamp_binary \\
      realnvp_binary iwae_binary iwae_50_binary --digits mnist --seeds 0,1,2 \\
      --steps 1500 --samples 500 --num-test 1000 --results bounds.jsonl
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line does

import keras
import numpy as np
import tensorflow as tf

import tfgen


class Row(NamedTuple):
    """A training, and what is measured of it.

    Attributes:
        preset: Its name.
        options: Keyword arguments of `tfgen.train`.
        metrics: Groups of figures that `tfgen.evaluate` measures.
        figures: Those of them that stand in the row.
    """

    preset: str
    options: dict[str, Any]
    metrics: str
    figures: tuple[str, ...] = ()


SAMPLES = ("frechet_distance", "kernel_distance", "precision", "recall")
LIKELIHOOD = ("elbo", "log_likelihood")
FACTORS = ("kl_loss", "mig", "dci_disentanglement", "factor_vae_score")
ANOMALIES = ("anomaly_auc_negative_elbo", "anomaly_auc_likelihood_ratio")
FASHION = {"data": "fashion_mnist", "epochs": 3}
TO_LINES = {"direction": "ba", "epochs": 8, "learning_rate": 5e-4}
ROWS = {
    "vae_fashion": Row("vae_fashion_mnist", {"epochs": 5}, "likelihood,samples",
                       LIKELIHOOD + SAMPLES),
    "dcgan_fashion": Row("dcgan_mnist_5k", FASHION, "samples", SAMPLES),
    "wgan_gp_fashion": Row("wgan_gp_mnist_5k", FASHION, "samples", SAMPLES),
    "sngan_fashion": Row("sngan_fashion_mnist", {"epochs": 3}, "samples", SAMPLES),
    **{f"sprites_beta_{beta}": Row("vae_sprites", {"beta": beta, "epochs": 6},
                                   "losses,factors", FACTORS) for beta in (1, 4, 16)},
    **{f"anomaly_{digit}": Row("vae_mnist_5k", {"held_out_classes": str(digit)},
                               "anomalies", ANOMALIES) for digit in (0, 1, 4)},
    "pix2pix": Row("pix2pix_openmoji_64", {}, "translation"),
    "pix2pix_ba": Row("pix2pix_openmoji_64", TO_LINES, "translation"),
    "cyclegan": Row("cyclegan_openmoji_64", {}, "translation"),
}  # fmt: skip
BINARY = {  # parts of the VAE
    "vae_binary": {},
    "iwae_binary": {"num_importance_samples": 5},
    "iwae_50_binary": {"num_importance_samples": 50},
    "full_covariance_binary": {"posterior": "full_covariance"},
    "iaf_binary": {"posterior": "inverse_autoregressive_flow"},
    "vamp_binary": {"prior": "vamp"},
    "realnvp_binary": {"prior": "realnvp"},
    "mixture_binary": {"prior": "gaussian_mixture"},
}
BINARY_EPOCHS, BINARY_SAMPLES = 60, 1000
BINARY_FIGURES = ("elbo", "log_likelihood", "active_units")


def run(row, path, epochs, data_dir):
    """Returns minutes of training, the command that does the same, and the figures."""
    options = dict(row.options)
    if epochs is not None:
        options["epochs"] = epochs
    words = [f"--{key.replace('_', '-')} {value}" for key, value in options.items()]
    if "fashion" in f"{row.preset} {words}":
        options["data_dir"] = data_dir
    start = time.perf_counter()
    trained = tfgen.train(row.preset, out=path, overwrite=True, **options)
    minutes = (time.perf_counter() - start) / 60
    figures = tfgen.evaluate(trained, metrics=row.metrics).as_dict()
    return minutes, " ".join(["`tfgen train", row.preset, *words]) + "`", figures


def run_binary(parts, options, seed):
    """Returns minutes, and the figures of a VAE on digits of two values."""
    digits, data_dir = options.digits, options.data_dir
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(0)
    where = {} if digits == "mnist_5k" else {"data_dir": data_dir}
    splits = [tfgen.data.load_array(digits, s, **where) for s in ("train", "test")]
    train, test = (np.float32(rng.uniform(size=x.shape) < x) for x in splits)
    posterior = tfgen.distributions.posterior(parts.get("posterior", "diagonal"))
    units = {"hidden_units": (200, 200), "activation": "tanh"}
    model = tfgen.VAE(
        tfgen.networks.build_mlp_encoder(
            (28, 28, 1), posterior.num_params(50), **units
        ),
        tfgen.networks.build_mlp_decoder(50, (28, 28, 1), **units),
        **{**parts, "posterior": posterior},
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=8)
    data = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train), seed=seed)
    data, length = data.batch(100), {"epochs": options.epochs or BINARY_EPOCHS}
    if options.steps:
        data, length = data.repeat(), {"epochs": 1, "steps_per_epoch": options.steps}
    start = time.perf_counter()
    model.fit(data, verbose=0, **length)
    minutes = (time.perf_counter() - start) / 60
    test = test[: options.num_test]
    estimate = tfgen.metrics.estimate_log_likelihood(
        tf.function(model.log_weights, reduce_retracing=True), test, options.samples
    )
    means = np.asarray(model.encode(test)[0])
    figures = {
        "elbo": float(estimate.elbo.mean()),
        "log_likelihood": float(estimate.log_likelihood.mean()),
        "active_units": tfgen.metrics.active_units(means),
    }
    return minutes, figures


def run_seeds(name, options):
    """Returns minutes, and the figures of a binary row: means over seeds."""
    budget = {"row": name, "digits": options.digits, "steps": options.steps}
    budget |= {"epochs": options.epochs, "samples": options.samples}
    budget |= {"num_test": options.num_test}
    lines = []
    for seed in options.seeds:
        key = {**budget, "seed": seed}
        done = [x for x in read(options.results) if key.items() <= x.items()]
        if not done:
            minutes, figures = run_binary(BINARY[name], options, seed)
            done = [{**key, "minutes": minutes, **figures}]
            if options.results:
                with options.results.open("a") as file:
                    file.write(json.dumps(done[0]) + "\n")
        lines += done[:1]
    columns = {key: [line[key] for line in lines] for key in lines[0]}
    figures = {key: float(np.mean(columns[key])) for key in BINARY_FIGURES}
    if len(lines) > 1:
        deviations = {f"{k}_error": float(np.std(columns[k])) for k in BINARY_FIGURES}
        figures |= deviations
    return sum(columns["minutes"]), figures


def read(path):
    """Returns the lines of a file of results."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


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
    rows = [*BINARY, *ROWS]
    parser.add_argument("rows", nargs="+", metavar="ROW", choices=rows,
                        help=", ".join(rows))  # fmt: skip
    parser.add_argument("--data-dir", help="where TFDS has Fashion-MNIST")
    parser.add_argument("--digits", default="mnist_5k", help="of the binary rows")
    parser.add_argument(
        "--seeds",
        default=[0],
        type=lambda text: [int(x) for x in text.split(",")],
        help="of the binary rows, with commas between",
    )
    parser.add_argument("--steps", type=int, help="of the binary rows, for epochs")
    parser.add_argument("--samples", type=int, default=BINARY_SAMPLES)
    parser.add_argument("--num-test", type=int, help="images; all by default")
    parser.add_argument("--results", type=Path, help="goes on where it stopped")
    parser.add_argument("--out", default="runs/reproduce", type=Path)
    parser.add_argument("--epochs", type=int, help="other than the row's, for a trial")
    options = parser.parse_args()
    cores = os.cpu_count()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {cores} cores, seeds {options.seeds}\n")
    print("| row | what | minutes | test split |\n|---|---|---|---|", flush=True)
    for name in options.rows:
        if name in BINARY:
            parts, length = BINARY[name], f"{options.steps} steps"
            if not options.steps:
                length = f"{options.epochs or BINARY_EPOCHS} epochs"
            words = [f"{key} {value}" for key, value in parts.items()] or ["diagonal"]
            what = f"{options.digits}, {length}, {', '.join(words)}"
            minutes, figures = run_seeds(name, options)
            names = BINARY_FIGURES
        else:
            row, path = ROWS[name], options.out / name
            minutes, what, figures = run(row, path, options.epochs, options.data_dir)
            names = row.figures
        text = describe(figures, names)
        print(f"| `{name}` | {what} | {minutes:.1f} | {text} |", flush=True)


if __name__ == "__main__":
    main()
