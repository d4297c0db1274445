"""Precision, recall, density and coverage beside prdc, on the same arrays of features.

    pip install --no-deps prdc
    python -m tests.benchmarks.parity

Both sets are normal, of other means and widths. Differences above 1e-6 are an error.
"""

import argparse
import contextlib
import io

import numpy as np

SIZE, WIDTH = 1000, 64


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    import prdc  # not of tfgen's requirements

    from tfgen import metrics

    rng = np.random.default_rng(0)
    real = rng.normal(size=(SIZE, WIDTH))
    fake = 0.9 * rng.normal(size=(SIZE, WIDTH)) + 0.1
    largest = 0.0
    print(f"{'figure':<12}{'tfgen':>14}{'prdc':>14}{'difference':>12}")
    for function in (metrics.precision_recall, metrics.density_coverage):
        for k in (3, 5):
            with contextlib.redirect_stdout(io.StringIO()):
                theirs = prdc.compute_prdc(real, fake, nearest_k=k)
            for name, own in function(real, fake, k)._asdict().items():
                difference = abs(own - theirs[name])
                largest = max(largest, difference)
                numbers = f"{own:>14.8f}{theirs[name]:>14.8f}{difference:>12.1e}"
                print(f"{name:<12}{numbers}  k = {k}")
    assert largest <= 1e-6


if __name__ == "__main__":
    main()
