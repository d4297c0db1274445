"""Metrics of features beside prdc and torch-fidelity, on the same arrays.

    pip install prdc torch-fidelity
    python -m tests.benchmarks.parity

Precision, recall, density and coverage as prdc has them; precision, recall, the Frechet
and the kernel distance as torch-fidelity has them. Both sets are normal, of other means
and widths. Differences above 1e-6 are an error; of a peer that is not installed, too.
"""

import argparse
import contextlib
import io

import numpy as np

SIZE, WIDTH, MOST = 1000, 64, 1e-6


def draw_features(seed=0):
    """Returns real and generated features, float64 `(SIZE, WIDTH)`."""
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(SIZE, WIDTH))
    return real, 0.9 * rng.normal(size=(SIZE, WIDTH)) + 0.1


def beside_prdc(real, fake):
    """Yields name, own figure, and prdc's."""
    import prdc  # not of tfgen's requirements

    from tfgen import metrics

    for k in (3, 5):
        with contextlib.redirect_stdout(io.StringIO()):
            theirs = prdc.compute_prdc(real, fake, nearest_k=k)
        for function in (metrics.precision_recall, metrics.density_coverage):
            for name, own in function(real, fake, k)._asdict().items():
                yield f"{name}, k = {k}", own, theirs[name]


def beside_torch_fidelity(real, fake):
    """Yields name, own figure, and torch-fidelity's; its generated set comes first."""
    import torch  # not of tfgen's requirements
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    from tfgen import metrics

    tensors = torch.from_numpy(fake), torch.from_numpy(real)
    statistics = [metric_fid.fid_features_to_statistics(one) for one in tensors]
    theirs = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    own = metrics.frechet_distance(real, fake).value
    yield "frechet_distance", own, theirs[metric_fid.KEY_METRIC_FID]
    # One subset of all samples: no draws to agree on.
    options = {"kid_subsets": 1, "kid_subset_size": SIZE, "verbose": False}
    theirs = metric_kid.kid_features_to_metric(*tensors, **options)
    own = metrics.kernel_distance(real, fake).value
    yield "kernel_distance", own, theirs[metric_kid.KEY_METRIC_KID_MEAN]
    for k in (3, 5):
        options = {"prc_neighborhood": k, "save_cpu_ram": False, "verbose": False}
        theirs = metric_prc.prc_features_to_metric(*tensors, **options)
        for name, own in metrics.precision_recall(real, fake, k)._asdict().items():
            yield f"{name}, k = {k}", own, theirs[name]


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    sets, largest = draw_features(), 0.0
    # PyTorch first: imported after TensorFlow it may crash.
    for peer, rows in (
        ("torch-fidelity", beside_torch_fidelity(*sets)),
        ("prdc", beside_prdc(*sets)),
    ):
        print(f"{'figure':<18}{'tfgen':>14}{peer:>16}{'difference':>12}")
        for name, own, theirs in rows:
            difference = abs(own - theirs)
            largest = max(largest, difference)
            print(f"{name:<18}{own:>14.8f}{theirs:>16.8f}{difference:>12.1e}")
    assert largest <= MOST, f"a difference of {largest}"


if __name__ == "__main__":
    main()
