"""Which digits a run makes, as a classifier of real digits sees its samples.

    python -m tests.benchmarks.modes RUN [RUN ...]

2,000 samples of seed 0; a digit counts from 1 % of them on. The entropy of ten digits
made alike is log(10) = 2.303 nats.
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
        found = mode_coverage(classifier.predict(samples, verbose=0).argmax(1), 10)
        shares = " ".join(f"{100 * share:.0f}" for share in found.shares)
        print(f"{run}: {found.modes} digits, {found.entropy:.2f} nats ({shares} %)")


if __name__ == "__main__":
    main()
