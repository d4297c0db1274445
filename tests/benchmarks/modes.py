"""Counts the digits in samples of a run with a classifier of real digits.

    python -m tests.benchmarks.modes RUN [RUN ...]

2,000 samples of seed 0; a digit counts if it is at least 1 % of them. The entropy of
ten equally frequent digits is log(10) = 2.303 nats.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    options = parser.parse_args()

    import keras
    import numpy as np

    import tfgen
    from tests.models.digits import train_classifier
    from tfgen.metrics import mode_coverage

    keras.utils.set_random_seed(0)
    classifier = train_classifier()
    for run in options.runs:
        samples = np.asarray(tfgen.load(run).sample(2000, seed=0))
        coverage = mode_coverage(classifier.predict(samples, verbose=0).argmax(1), 10)
        shares = " ".join(f"{100 * share:.0f}" for share in coverage.shares)
        print(
            f"{run}: {coverage.modes} digits, {coverage.entropy:.2f} nats ({shares} %)"
        )


if __name__ == "__main__":
    main()
