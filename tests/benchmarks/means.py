"""Means against weak images of GANs: today's preset beside each, at equal minutes.

    python -m tests.benchmarks.means [--data fashion_mnist] [--minutes 5] [--seeds 3]
    python -m tests.benchmarks.means --data openmoji --only today,r1_r2
    python -m tests.benchmarks.means --quick

A row is a preset with other arguments, trained for so many minutes (without the tracing
of its steps), and scored by features of a fixed random network on as many samples of
the moving average as there are test images, at most 2,000: means over the seeds, and
their standard deviation. `--quick` takes 20 seconds and one seed: it shows that all
rows train, and says nothing of their order.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line does

import keras
import numpy as np

PRESETS = {"mnist_5k": "dcgan_mnist_5k", "fashion_mnist": "dcgan_mnist_5k"}
PRESETS["openmoji"] = "dcgan_openmoji_64"
SETTINGS = {"loss": "relativistic", "gradient_penalty": "r1_r2", "normalization": None}
SETTINGS |= {"penalty_interval": 8, "learning_rate": 1e-3, "beta_1": 0.0}
SETTINGS |= {"beta_2": 0.99}
MEANS = {
    "today": {},
    "relativistic": {"loss": "relativistic"},
    "r1_r2": SETTINGS,
    "adaptive": {"augment": "adaptive"},
    "r1_r2, adaptive": SETTINGS | {"augment": "adaptive"},
    "bilinear": {"upsampling": "bilinear"},
    "residual": SETTINGS | {"architecture": "resnet", "filters": 16},
    "attention": SETTINGS
    | {"architecture": "resnet", "filters": 16, "attention": True},
    "style": SETTINGS | {"architecture": "style", "filters": 8},
}
SCORES = ("kernel_distance", "precision", "recall")
MOST_SAMPLES, BATCH_SIZE = 2000, 64


class Clock(keras.callbacks.Callback):
    """Ends training after so many seconds, and counts the steps.

    Keras calls it once an execution; the first, which traces, does not count.
    """

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.start, self.steps = seconds, None, 0

    def on_train_batch_end(self, batch, logs=None):
        if self.start is None:
            self.start = time.perf_counter()
            self.first = int(self.model.generator_optimizer.iterations)
        elif time.perf_counter() - self.start > self.seconds:
            self.model.stop_training = True
        self.steps = int(self.model.generator_optimizer.iterations) - self.first


def load(name, data_dir=None):
    """Returns training and test images of a data set in the preset's size."""
    from tfgen.data import load_array
    from tfgen.presets import get_preset

    arguments = get_preset(PRESETS[name]).resolve({})
    options = {"image_size": arguments["image_size"], "data_dir": data_dir}
    options["channels"] = arguments["channels"]
    train = load_array(name, "train", 20_000, **options)
    return train, load_array(name, "test", MOST_SAMPLES, **options)


def train(name, images, seconds, seed, **arguments):
    """Returns a preset's GAN that was trained for so long, and its steps."""
    import tfgen

    keras.utils.set_random_seed(seed)
    arguments = {"ema_decay": 0.99, "seed": seed, **arguments}
    model = tfgen.create_model(PRESETS[name], **arguments)
    clock = Clock(seconds)
    options = {"batch_size": BATCH_SIZE, "verbose": 0, "callbacks": [clock]}
    model.fit(images, epochs=10_000, **options)
    return model, clock.steps


def score(model, test, network, seed):
    """Returns the scores of as many samples as there are test images."""
    from tfgen import metrics

    samples = np.asarray(model.sample(len(test), seed=seed))
    real, fake = (metrics.extract_features(iter([x]), network) for x in (test, samples))
    precision, recall = metrics.precision_recall(real, fake)
    return metrics.kernel_distance(real, fake).value, precision, recall


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion_mnist", choices=PRESETS)
    parser.add_argument("--data-dir")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="rows, with commas between")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.seeds = 1 / 3, 1
    names = options.only.split(",") if options.only else list(MEANS)

    from tfgen.metrics import build_random_features

    images, test = load(options.data, options.data_dir)
    network = build_random_features(test.shape[1:])
    print(f"| {' | '.join(['means', 'steps', *SCORES])} |")
    print("|---" * (2 + len(SCORES)) + "|")
    for name in names:
        rows, steps = [], []
        for seed in range(options.seeds):
            seconds = 60 * options.minutes
            model, count = train(options.data, images, seconds, seed, **MEANS[name])
            rows.append(score(model, test, network, seed))
            steps.append(count)
        cells = [
            f"{np.mean(column):.4f} ± {np.std(column):.4f}"
            for column in zip(*rows, strict=True)
        ]
        print(f"| {name} | {np.mean(steps):.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
