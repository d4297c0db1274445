"""Which step of CycleGAN holds on any data.

    python -m tests.benchmarks.cyclegan_steps --out steps.jsonl --seeds 0 1 2
    python -m tests.benchmarks.cyclegan_steps --out steps.jsonl --minutes 5

Two domains that are made without a network: the true pairs are known, but A has one
half of the images and B the other. Networks, data, their order, rate and seed are the
same; there is no history; only the step differs:

- `full`: the paper's; `outer`: a cycle's gradient reaches its second generator alone,
  as in the step of Keras's example;
- `noise`: the second generator gets images with noise; `round`: of 8 bits, with the
  gradient of the identity (Bashkirova et al., 2019, against hidden information);
- `falling`: the cycle term's weight falls to a tenth; `features`: its distance moves
  to features of the discriminator (both Wang & Lin, 2018, without their weights).

Each finished run is a line of JSON in `--out`; what is there is not run again. Figures,
means of both ways on held-out images: mean absolute error against the truth, kernel
distance to real images, and both of moving averages of the weights. Tables: means over
seeds, and ranks, 1 the best, averaged over pairs.
"""

import argparse
import functools
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line does

import keras
import numpy as np
import tensorflow as tf

from tests.benchmarks.cycle_steps import VARIANTS, StepVariant
from tfgen import metrics, networks
from tfgen.data import load_array, load_pair_arrays

BATCH_SIZE, RATE, NUM_TEST = 4, 2e-4, 300
FIGURES = ("error", "distance", "error_averaged", "distance_averaged")
SHARED = Path(__file__).parents[2] / "shared" / "tfds"


# ---- Pairs of domains, of images in [0, 1] -------------------------------------------


def emoji(split, num):
    """Line drawings, and the same in colour."""
    return load_pair_arrays("openmoji", split, num, image_size=64)


def recoloured(split, num):
    """Emoji, and the same with the channels in another order, and darker."""
    colour = emoji(split, num)[1]
    return colour, 0.7 * colour[..., [2, 0, 1]]


def digits(split, num):
    """Digits, and their edges."""
    return with_edges(load_array("mnist_5k", split, num, image_size=32))


def garments(split, num):
    """Garments, and their edges."""
    images = load_array(
        "fashion_mnist", split, num, image_size=32, data_dir=str(SHARED)
    )
    return with_edges(images)


def sprites(split, num):
    """Sprites, and the same with stripes on them, moved by four pixels."""
    images = load_array("sprites/32_2000", split, num, image_size=32, channels=3)
    stripes = 0.6 + 0.4 * np.sign(np.sin(np.arange(32) * np.pi / 2 + 0.1))
    moved = np.roll(images * stripes[:, None, None].astype("float32"), 4, axis=2)
    return images, np.ascontiguousarray(moved)


def with_edges(images):
    rows, columns = np.gradient(images, axis=(1, 2))
    return images, np.clip(2 * np.hypot(rows, columns), 0, 1).astype("float32")


PAIRS = {f.__name__: f for f in (emoji, recoloured, digits, garments, sprites)}


@functools.lru_cache(maxsize=1)
def load(pair, num):
    """Returns `(train_a, train_b)`, which do not correspond, and the test pairs."""
    a, b = PAIRS[pair]("train", num)
    half = len(a) // 2
    return (a[:half], b[half : 2 * half]), PAIRS[pair]("test", min(num, NUM_TEST))


# ---- A run ---------------------------------------------------------------------------


class Budget(keras.callbacks.Callback):
    """Tells a step how much of its steps or minutes is over, and ends the training.

    The first step, which is compiled, does not count.
    """

    def __init__(self, share, steps, minutes):
        super().__init__()
        self.share, self.steps, self.minutes = share, steps, minutes
        self.start, self.count = None, 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        self.start = self.start or time.perf_counter()
        self.seconds = time.perf_counter() - self.start
        share = self.count / self.steps
        if self.minutes:
            share = self.seconds / (60 * self.minutes)
        self.share.assign(share)
        if share >= 1:
            self.model.stop_training = True


def build(variant, channels, size, seed, filters, num_blocks):
    keras.utils.set_random_seed(seed)
    shape = (size, size, channels)
    options = {"filters": filters, "num_blocks": num_blocks, "upsampling": "bilinear"}
    generators = [networks.build_resnet_generator(shape, **options) for _ in "ab"]
    options = {"filters": 2 * filters, "num_layers": 2, "with_features": True}
    judges = [networks.build_patchgan_discriminator(shape, **options) for _ in "ab"]
    options = {"pool_size": 0, "ema_decay": 0.995, "seed": seed}
    model = StepVariant(*generators, *judges, **options)
    model.variant = variant
    model.compile(*(keras.optimizers.Adam(RATE, 0.5) for _ in "ab"))
    return model


def train(model, domains, seed, options):
    """Trains for the steps or minutes; returns how many steps, and seconds, it took."""

    def ordered(images, seed):
        data = tf.data.Dataset.from_tensor_slices(images)
        data = data.shuffle(len(images), seed=seed).repeat()
        return data.batch(BATCH_SIZE, drop_remainder=True)

    data = tuple(ordered(x, 2 * seed + i) for i, x in enumerate(domains))
    data = tf.data.Dataset.zip(data).prefetch(2)
    budget = Budget(model.share, options.steps, options.minutes)
    fit = {"steps_per_epoch": 10**9, "shuffle": False, "verbose": 0}
    model.fit(data, callbacks=[budget], **fit)
    return budget.count, budget.seconds


def measure(model, truth, network):
    """Returns the figures: means of both ways."""
    rows = []
    for way, (source, target) in {"ab": truth, "ba": truth[::-1]}.items():
        features = metrics.extract_features(target, network)
        for averaged in (False, True):
            function = tf.function(lambda x, w=way, m=averaged: model.apply(w, x, m))
            batches = [function(source[i : i + 25]) for i in range(0, len(source), 25)]
            outputs = np.concatenate(batches)
            fake = metrics.extract_features(outputs, network)
            distance = metrics.kernel_distance(fake, features).value
            rows.append((metrics.mean_absolute_error(outputs, target).mean(), distance))
    means = np.mean(np.reshape(rows, (2, 4)), axis=0)
    return dict(zip(FIGURES, map(float, means), strict=True))


def run(pair, variant, seed, options):
    """Returns the line of one run."""
    domains, truth = load(pair, options.images)
    size, channels = truth[0].shape[2:]
    sizes = (options.filters, options.blocks)
    model = build(variant, channels, size, seed, *sizes)
    steps, seconds = train(model, domains, seed, options)
    network = metrics.build_random_features(truth[0].shape[1:])
    row = {"steps": steps, "seconds": seconds, **measure(model, truth, network)}
    keras.backend.clear_session()
    return row


# ---- Tables --------------------------------------------------------------------------


def key_of(row):
    return tuple(row[name] for name in ("pair", "variant", "seed", "budget"))


def read(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return {key_of(row): row for row in map(json.loads, lines)}


def show(rows):
    """Prints means over seeds, and the mean rank of each variant over the pairs."""
    table = {}
    for row in rows:
        figures = [row[name] for name in (*FIGURES, "seconds")]
        table.setdefault(row["pair"], {}).setdefault(row["variant"], []).append(figures)
    print("pair", "variant", "seeds", *FIGURES, "seconds", sep=" | ")
    ranks = {}
    for pair, variants in table.items():
        means = {name: np.mean(figures, axis=0) for name, figures in variants.items()}
        for name, mean in means.items():
            cells = (f"{x:.4g}" for x in mean)
            print(pair, name, len(variants[name]), *cells, sep=" | ")
        order = np.argsort(np.argsort(list(means.values()), axis=0), axis=0) + 1
        for name, rank in zip(means, order[:, : len(FIGURES)], strict=True):
            ranks.setdefault(name, []).append(rank)
    for name, rank in ranks.items():
        cells = (f"{x:.2f}" for x in np.mean(rank, axis=0))
        print(f"rank over {len(rank)} pairs", name, "", *cells, sep=" | ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("cyclegan_steps.jsonl"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--minutes", type=float, help="in place of steps")
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS)
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, default=2000, help="of training, at most")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="that all of it runs")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.images, options.filters, options.blocks = 2, 12, 2, 1
    names = ("steps", "minutes", "images", "filters", "blocks")
    budget = json.dumps({name: getattr(options, name) for name in names})
    tf.config.threading.set_intra_op_parallelism_threads(len(os.sched_getaffinity(0)))
    finished = read(options.out)
    wanted = [
        {"pair": pair, "variant": variant, "seed": seed, "budget": budget}
        for pair in options.pairs
        for seed in options.seeds
        for variant in options.variants
    ]
    for key in wanted:
        if key_of(key) not in finished:
            row = key | run(key["pair"], key["variant"], key["seed"], options)
            finished[key_of(key)] = row
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    show([finished[key_of(key)] for key in wanted])


if __name__ == "__main__":
    main()
