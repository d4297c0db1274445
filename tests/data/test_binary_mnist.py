"""The builder: each pixel is drawn once, by its grey value."""

import pathlib

import numpy as np
import pytest

from tfgen.data import load_array
from tfgen.data.builders.binary_mnist.binary_mnist_dataset_builder import binarize


def test_pixels_are_drawn_by_their_grey_value():
    grey = np.uint8([0, 51, 204, 255])
    rng = np.random.default_rng(0)
    draws = np.stack([binarize(grey, rng) for _ in range(4000)])
    assert draws.dtype == np.uint8
    assert set(np.unique(draws)) == {0, 255}
    assert set(draws[:, 0]) == {0}
    assert set(draws[:, 3]) == {255}
    np.testing.assert_allclose(draws.mean(axis=0), grey, atol=5)


@pytest.mark.large
def test_it_is_made_of_mnist(tmp_path):
    shared = pathlib.Path(__file__).parents[3] / "shared" / "tfds" / "mnist"
    if not shared.is_dir():
        pytest.skip("needs mnist prepared in ../shared/tfds")
    (tmp_path / "mnist").symlink_to(shared.resolve())
    digits = load_array("binary_mnist", data_dir=tmp_path, labels=True)
    assert digits[0].shape == (10_000, 28, 28, 1)
    assert set(np.unique(digits[0])) == {0.0, 1.0}
    mean = load_array("mnist", data_dir=tmp_path).mean()
    assert abs(digits[0].mean() - mean) < 5e-4  # 7.8 million draws
    assert (np.bincount(digits[1]) > 800).all()
