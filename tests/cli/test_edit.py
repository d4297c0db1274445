"""Which way `tfgen edit` finds, for which attributes, and where it goes along it."""

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import tfgen
from tfgen.data import Factors, load_factors
from tfgen.errors import UserError
from tfgen.inference import Endpoints
from tfgen.inference import encode as encode_images
from tfgen.latent.attributes import Attribute, Choices, find_direction
from tfgen.latent.encoding import Encoding


@pytest.fixture
def decoded(monkeypatch):
    """The arguments of `decode`."""
    seen, run = [], Endpoints.run

    def spy(self, name, *args):
        if name == "decode":
            seen.append(args)
        return run(self, name, *args)

    monkeypatch.setattr(Endpoints, "run", spy)
    return seen


def encode(run, split):
    run = package.Run(run)
    images, labels = run.arrays(split, labels=True)
    return encode_images(run.model, images)["mean"], labels


def test_a_class_by_name_among_all_others(vae_run, tmp_path, decoded):
    means, labels = encode(vae_run, "train")
    way = means[labels == 2].mean(axis=0) - means[labels != 2].mean(axis=0)
    starts, _ = encode(vae_run, "test")
    out = tmp_path / "edit.png"
    flags = ("--image", 3, "--image", 0, "--steps", 3, "--span", 2, "--out", out)
    assert tfgen("edit", vae_run, "--attribute", "class_2", *flags) == 0
    ((latents, given),) = decoded
    expected = [starts[row] + k * way for row in (3, 0) for k in (-2, 0, 2)]
    np.testing.assert_allclose(latents, expected, atol=1e-4)
    assert given is None
    picture = np.asarray(Image.open(out)).astype(float)
    assert picture.shape[1] == 4 * (56 + 2) - 2 + 16
    original = package.Run(vae_run).test_images()[3, ..., 0]
    cell = picture[22 : 22 + 56 : 2, 8 : 8 + 56 : 2, 0]
    np.testing.assert_allclose(cell / 255, original, atol=0.003)


def test_from_one_class_to_another(vae_run, tmp_path, decoded):
    means, labels = encode(vae_run, "train")
    way = means[labels == 0].mean(axis=0) - means[labels == 1].mean(axis=0)
    starts, labels = encode(vae_run, "test")
    flags = ("--from", "class_1", "--steps", 2, "--out", tmp_path / "e.png")
    assert tfgen("edit", vae_run, "--attribute", 0, *flags) == 0  # by its number
    ((latents, _),) = decoded
    rows = starts[labels == 1][:6]
    assert len(rows) > 0
    expected = [row + k * way for row in rows for k in (-1.5, 1.5)]
    np.testing.assert_allclose(latents, expected, atol=1e-4)


@pytest.mark.large
def test_a_value_of_a_factor(sprites_run, tmp_path, decoded):
    run, config = sprites_run, package.Run(sprites_run).config
    means, _ = encode(run, "train")
    factors = load_factors(config.data, "train", data_dir=config.data_dir)
    large = factors.values[:, factors.names.index("scale")] == 5
    way = means[large].mean(axis=0) - means[~large].mean(axis=0)
    flags = ("--steps", 2, "--out", tmp_path / "e.png")
    assert tfgen("edit", run, "--attribute", "scale=5", *flags) == 0
    ((latents, _),) = decoded
    np.testing.assert_allclose(latents[1] - latents[0], 3 * way, atol=1e-4)
    factors = load_factors(config.data, "test", 50, data_dir=config.data_dir)
    small = np.flatnonzero(factors.values[:, factors.names.index("scale")] != 5)[:6]
    starts, _ = encode(run, "test")
    middles = latents.reshape(6, 2, -1).mean(axis=1)
    np.testing.assert_allclose(middles, starts[small], atol=1e-4)


def test_mistakes(vae_run, tmp_path, capsys):
    for flags, message in (
        (("--attribute", "class_9"), "class_9 is not in the data. Choose of class_0,"),
        (("--attribute", "3"), "--attribute 3 is not in the data"),
        (("--attribute", "1", "--from", "x"), "--from x is not in the data"),
        (("--attribute", "1", "--from", "class_1"), "have both 1 and class_1"),
        (("--attribute", "1", "--image", "8"), "the test split has 8 images"),
    ):
        out = tmp_path / "e.png"
        assert tfgen("edit", vae_run, "--out", out, *flags) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---- Attributes ----------------------------------------------------------------------

FACTORS = Factors(
    ("rotation", "shape"),
    np.array([[0, 1], [35, 1], [0, 0], [7, 2]], "int32"),
    (36, 3),
    (tuple(map(str, range(36))), ("disc", "arrow", "corner")),
)


def make_encoding(classes=None):
    latents = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 7.0]])
    zeros = np.zeros(2)
    return Encoding(latents, None, classes, None, zeros, "nats", zeros, zeros)


def test_names_win_over_numbers():
    choices = Choices(("7", "4", "cat=1"), FACTORS)
    assert choices.find("", "7").value == 0
    assert choices.find("", "1").value == 1  # no name: a number
    assert choices.find("", "cat=1") == Attribute("cat=1", 2)
    assert choices.find("", "shape=corner") == Attribute("shape=corner", 2, factor=1)
    assert choices.find("", "shape=2") == Attribute("shape=2", 2, factor=1)
    assert choices.find("", "rotation=35").value == 35


@pytest.mark.parametrize("text", ["shape=cat", "shape", "3", "-1", "colour=1", ""])
def test_what_there_is_is_listed(text):
    choices = Choices(("a", "b"), FACTORS)
    with pytest.raises(UserError) as error:
        choices.find("--from", text)
    shown = "a, b; rotation=0, 1, ... 35; shape=disc, arrow, corner"
    assert str(error.value) == f"--from {text} is not in the data. Choose of {shown}"
    with pytest.raises(UserError, match="has no attributes"):
        Choices((), None).find("--attribute", text)


def test_directions():
    found = make_encoding(np.array([0, 0, 1, 2]))
    arrow, corner = Attribute("arrow", 1, factor=1), Attribute("corner", 2, factor=1)
    way = find_direction(found, FACTORS, arrow, None)
    np.testing.assert_allclose(way, [2, -6])
    np.testing.assert_allclose(find_direction(found, FACTORS, arrow, corner), [2, -7])
    way = find_direction(found, None, Attribute("0", 0), Attribute("1", 1))
    np.testing.assert_allclose(way, [2, -5])
    for wanted, start, message in (
        (Attribute("red", 9), None, "training images has red"),
        (arrow, Attribute("red", 9), "training images has red"),
        (arrow, Attribute("zero", 0), "both arrow and zero"),
    ):
        with pytest.raises(UserError, match=message):
            find_direction(found, FACTORS, wanted, start)
    found = make_encoding(np.zeros(4, int))
    with pytest.raises(UserError, match="images lacks zero"):
        find_direction(found, None, Attribute("zero", 0), None)
