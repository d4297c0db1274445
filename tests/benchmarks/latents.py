"""What latents of trained presets know, what moves along them, and how they invert.

    python -m tests.benchmarks.latents probe PRESET ... [--data-dir DIR]
    python -m tests.benchmarks.latents directions PRESET ...
    python -m tests.benchmarks.latents inversion PRESET ...

`probe` prints rows of `tfgen evaluate PRESET --metrics probe`; `directions` the share
of the variance of images that goes with the best of SeFa's, of GANSpace's and of random
directions; `inversion` the PSNR of a model's own samples, inverted. A run does in place
of a preset.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

NUM_RANDOM, NUM_BEST = 64, 5
NUM_INVERTED = 64


def print_row(*cells):
    print(f"| {' | '.join(cells)} |", flush=True)


def probe(name, options):
    """A row a kind of features: both accuracies, and chance."""
    import tfgen

    start = time.perf_counter()
    evaluation = tfgen.evaluate(name, metrics="probe", data_dir=options.data_dir)
    figures = {figure.name: figure for figure in evaluation.figures["probe"]}
    for kind in ("latents", "codes", "inverted", "discriminator", "pixels", "pca"):
        if f"probe_linear_{kind}" in figures:
            linear = figures[f"probe_linear_{kind}"]
            near = figures[f"probe_neighbors_{kind}"]
            size = linear.meaning.split(" numbers")[0].split()[-1]
            shares = (f"{x.value:.3f} ± {x.error:.3f}" for x in (linear, near))
            print_row(f"`{name}`", kind, size, *shares, f"{linear.floor:.3f}")
    for figure in figures.values():
        if not figure.error:
            print(f"{figure.name}: {figure.value:.3f}", flush=True)
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


def directions(name, options):
    """A row: the share of the first, and the mean of the first five, of each kind."""
    from tfgen.latent.finding import find_directions
    from tfgen.training.opening import open_run

    endpoints = open_run(name).endpoints
    cells = [f"`{name}`"]
    for kind in ("sefa", "ganspace"):
        _, shares = find_directions(endpoints, kind, NUM_BEST)
        cells.append(f"{shares[0]:.1%}, {shares.mean():.1%}")
    _, shares = find_directions(endpoints, "random", NUM_RANDOM)
    cells += [f"{shares.mean():.1%}", f"{shares.max():.1%}"]
    print_row(*cells)


def inversion(name, options):
    """A row: the least, the median and the share above 30 dB, of samples."""
    from tfgen.latent import invert
    from tfgen.training.opening import open_run

    start = time.perf_counter()
    run = open_run(name)
    images = run.sample(NUM_INVERTED, seed=1)
    labels = run.endpoints.labels(NUM_INVERTED)
    found = invert(run.model, images, labels)
    least, median = np.min(found.psnr), np.median(found.psnr)
    share = np.mean(found.psnr > 30.0)
    seconds = f"{time.perf_counter() - start:.0f} s"
    print_row(f"`{name}`", f"{median:.1f} dB", f"{least:.1f}", f"{share:.0%}", seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = {x.__name__: x for x in (probe, directions, inversion)}
    parser.add_argument("table", choices=tables)
    parser.add_argument("names", nargs="+", metavar="PRESET")
    parser.add_argument("--data-dir", help="Where TFDS keeps its data sets.")
    options = parser.parse_args()
    for name in options.names:
        tables[options.table](name, options)


if __name__ == "__main__":
    main()
