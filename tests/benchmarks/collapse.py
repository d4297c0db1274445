"""How many of twenty GANs collapse, of random seeds and learning rates.

    python -m tests.benchmarks.collapse [--data mnist_5k,fashion_mnist,openmoji]
    python -m tests.benchmarks.collapse --quick

Each run has a seed of its own and a learning rate from a third to three times its
preset's, uniform in the logarithm. Its features, of a fixed random network, are
compared with those of test images: a run has collapsed if samples are on average less
than half as far from each other as test images are, or if a figure is not finite.
`--quick` takes three runs of 20 seconds on digits. Rows are those of means.py.
"""

import argparse

import numpy as np

from tests.benchmarks.means import MEANS, load, train

FACTOR, LEAST_SPREAD = 3.0, 0.5
NUM_SAMPLES = 500


def draw_runs(count, learning_rate, seed=0):
    """Returns `count` pairs of a seed and a learning rate."""
    rng = np.random.default_rng(seed)
    powers = rng.uniform(-1.0, 1.0, count)
    return [(i, float(learning_rate * FACTOR**p)) for i, p in enumerate(powers)]


def mean_distance(features):
    """Returns the mean distance of two samples, of features `(n, d)`."""
    from scipy.spatial.distance import pdist

    return float(pdist(features).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist_5k,fashion_mnist,openmoji")
    parser.add_argument("--data-dir")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--means", default="today", choices=MEANS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.data, options.runs, options.minutes = "mnist_5k", 3, 1 / 3

    from tfgen import metrics

    for name in options.data.split(","):
        images, test = load(name, options.data_dir)
        network = metrics.build_random_features(test.shape[1:])
        test = test[:NUM_SAMPLES]
        real = mean_distance(metrics.extract_features(iter([test]), network))
        arguments = MEANS[options.means]
        rate = arguments.get("learning_rate", 2e-4)
        collapsed = 0
        for seed, drawn_rate in draw_runs(options.runs, rate):
            changed = arguments | {"learning_rate": drawn_rate}
            model, steps = train(name, images, 60 * options.minutes, seed, **changed)
            samples = np.asarray(model.sample(len(test), seed=seed))
            spread = 0.0
            if np.isfinite(samples).all():
                features = metrics.extract_features(iter([samples]), network)
                spread = mean_distance(features) / real
            has_collapsed = not spread >= LEAST_SPREAD
            collapsed += has_collapsed
            words = "collapsed" if has_collapsed else ""
            print(
                f"{name} seed {seed} rate {drawn_rate:.1e} {steps} steps: distances "
                f"{spread:.2f} of real images' {words}",
                flush=True,
            )
        print(f"{name}, {options.means}: {collapsed} of {options.runs} collapsed")


if __name__ == "__main__":
    main()
