"""Random crops and mirror images: uniform, and drawn anew for each epoch."""

import numpy as np
import pytest

from tests.data.conftest import HEIGHT, WIDTH, joined, passes, save_domains, save_pairs
from tfgen.data import load_domains, load_pairs

_BYTES = (0, 255)
_CROP = {"load_size": (HEIGHT, WIDTH), "image_size": (5, 6), "mirror": True}


def _draws(dataset, count):
    """Returns row, column and whether it is mirrored, of each image of some passes."""
    draws = []
    for epoch in passes(dataset, count):
        images = joined(epoch)[0]
        columns = images[:, 0, :, 2]
        mirrored = columns[:, 0] > columns[:, -1]
        draws.append(
            np.stack([images[:, 0, 0, 1], columns.min(axis=1), mirrored], axis=1)
        )
    return np.concatenate(draws)


@pytest.mark.parametrize("batch_size", [1, pytest.param(24, marks=pytest.mark.large)])
def test_draws_are_uniform(tmp_path, batch_size):
    folder = save_pairs(tmp_path, "split/a", train=120)
    pairs = load_pairs(folder, **_CROP, value_range=_BYTES, batch_size=batch_size)
    rows, columns, mirrored = _draws(pairs, 8).T  # 960 images
    for values, count in ((rows, 4), (columns, 5), (mirrored, 2)):
        shares = np.bincount(values, minlength=count) / len(values)
        assert len(shares) == count
        np.testing.assert_allclose(shares, 1 / count, atol=0.06)
    assert abs(np.corrcoef(np.stack([rows, columns, mirrored]))[
        np.triu_indices(3, 1)]).max() < 0.12  # fmt: skip


def test_either_augmentation_alone(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    kwargs = {"value_range": _BYTES, "batch_size": 24}
    mirror = load_pairs(folder, mirror=True, **kwargs)
    rows, columns, mirrored = _draws(mirror, 5).T
    assert rows.max() == columns.max() == 0
    assert 0.3 < mirrored.mean() < 0.7
    crop = load_pairs(folder, load_size=(HEIGHT, WIDTH), image_size=6, **kwargs)
    rows, columns, mirrored = _draws(crop, 5).T
    assert (rows.max(), columns.max(), mirrored.max()) == (2, 4, 0)


def test_crops_of_a_fixed_order_differ_between_epochs(tmp_path):
    folder = save_pairs(tmp_path, "split/a")
    pairs = load_pairs(folder, **_CROP, value_range=_BYTES, shuffle=False)
    one, other = (joined(epoch)[0] for epoch in passes(pairs, 2))
    numbers = [images[:, 0, 0, 0].tolist() for images in (one, other)]
    assert numbers == [list(range(24))] * 2
    assert (one != other).any()


def test_crops_and_mirror_images_are_independent(tmp_path):
    folder = save_domains(tmp_path, trainA=50, trainB=50, testA=1, testB=1)
    domains = load_domains(folder, **_CROP, value_range=_BYTES, batch_size=10)
    draws = []
    for images in map(joined, passes(domains, 10)):
        for part in images:
            columns = part[:, 0, :, 2]
            draws += [
                part[:, 0, 0, 1],
                columns.min(axis=1),
                columns[:, 0] > columns[:, 1],
            ]
    draws = np.concatenate(np.array(draws, float).reshape(10, 6, -1), axis=1)
    assert (draws.max(axis=1) == [3, 4, 1, 103, 104, 1]).all()
    correlations = np.corrcoef(draws)[:3, 3:]
    assert np.abs(correlations).max() < 0.15
