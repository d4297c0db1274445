"""The rows of a traversal name the factors that their variables follow."""

import re

import numpy as np
import pytest

from tests.cli.conftest import tfgen
from tfgen.data import Factors
from tfgen.figures import pictures
from tfgen.inference import encode
from tfgen.latent.naming import name_classes, name_codes, name_factors
from tfgen.training.run import Run

RNG = np.random.default_rng(0)


@pytest.fixture
def titles(monkeypatch):
    """The titles of the pictures that are composed."""
    seen, compose = [], pictures.compose

    def spy(panels, *rest):
        seen.extend(panels)
        return compose(panels, *rest)

    monkeypatch.setattr(pictures, "compose", spy)
    return seen


def make_factors(values, names=("scale", "shape", "x")):
    num_values = tuple(int(column.max()) + 1 for column in values.T)
    value_names = tuple(tuple(map(str, range(count))) for count in num_values)
    return Factors(names, values, num_values, value_names)


def test_variables_are_named_by_what_they_know():
    values = RNG.integers(0, [6, 3, 32], (2000, 3)).astype("int32")
    noise = RNG.normal(size=2000)
    latents = np.stack([values[:, 2] / 16, noise, values[:, 0] % 3], axis=1)
    found = name_factors(latents, make_factors(values))
    # 20 bins of 32 values, and 3 groups of 6: log 3 of log 6 nats.
    assert found[0].startswith(", follows x (0.8")
    assert found[1:] == [", follows no factor", ", follows scale (0.61)"]


def test_one_variable_and_factors_that_do_not_vary():
    values = RNG.integers(0, [1, 4, 1], (500, 3)).astype("int32")
    factors = make_factors(values)
    assert name_factors(values[:, 1:2], factors) == [", follows shape (1.00)"]
    resting = make_factors(np.zeros((500, 3), "int32"))
    assert name_factors(values[:, 1:2], resting) == [", follows no factor"]


@pytest.mark.large
def test_rows_of_known_factors_are_named(sprites_run, tmp_path, titles):
    assert tfgen("traverse", sprites_run, "--out", tmp_path / "t.png") == 0
    assert len(titles) == 3
    run = Run(sprites_run)
    means = encode(run.model, run.test_images())["mean"]
    names = name_factors(means, run.known_factors("test"))
    for title in titles:
        dim = int(title.removeprefix("latent ")[0])
        assert title.endswith(f" nats{names[dim]}")


def test_codes_are_named_by_the_classes_that_they_part():
    """Means 0, 1 and 5 and noise: the share is that of a one-way analysis."""
    classes = np.repeat([0, 2, 3], 400)
    noise = RNG.normal(size=(1200, 3))
    means = np.array([0.0, 1.0, 5.0]).repeat(400)
    codes = np.stack([means + noise[:, 0], noise[:, 1], -means + noise[:, 2]], axis=1)
    found = name_classes(codes, classes, ("zero", "one", "two", "three"))
    within = [codes[classes == c].var(axis=0) for c in (0, 2, 3)]
    shares = 1.0 - np.mean(within, axis=0) / codes.var(axis=0)
    assert found == [
        f", from zero to three ({shares[0]:.2f})",
        ", no class",
        f", from three to zero ({shares[2]:.2f})",
    ]
    assert name_codes(codes, None, classes, "abcd")[0].startswith(", from a to d")
    assert name_codes(codes) == ["", "", ""]


def test_rows_of_classes_are_named(vae_run, tmp_path, titles):
    for flags in ((), ("--directions", "sefa")):
        assert tfgen("traverse", vae_run, *flags, "--out", tmp_path / "t.png") == 0
    assert len(titles) == 6
    name = r"from class_\d to class_\d \(0\.\d\d\)"
    assert all(re.search(rf", (no class|{name})$", title) for title in titles)
    assert all(" % of the variance of images, " in title for title in titles[3:])
