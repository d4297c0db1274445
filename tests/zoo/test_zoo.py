"""Trained presets: their weights draw what they drew, their cards are true."""

import json
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

import tfgen
from tests.benchmarks import zoo, zoo_table
from tests.runs import run_tfgen
from tfgen.errors import UserError
from tfgen.presets import cards

ROOT = pathlib.Path(__file__).parent.parent.parent
TRAINED = tfgen.list_presets(trained=True)
VAE = "vae_mnist_5k"


@pytest.fixture
def zoo_copy(tmp_path, monkeypatch):
    """A zoo of one preset, which a test may damage."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for ending in ("json", "keras"):
        shutil.copy(cards.ZOO / f"{VAE}.{ending}", folder)
    monkeypatch.setattr(cards, "ZOO", folder)
    return folder


def test_readme_cards_and_files_agree():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = text.index(zoo_table.BEGIN), text.index(zoo_table.END)
    written = text[begin + len(zoo_table.BEGIN) : end].strip().splitlines()
    assert written == zoo_table.table(), "run tests/benchmarks/zoo.py"
    assert VAE in TRAINED
    names = {path.stem for path in cards.ZOO.glob("*.*")}
    assert names == set(TRAINED)
    assert names >= {path.stem for path in pathlib.Path(__file__).parent.glob("*.npz")}
    for name in TRAINED:
        card, file = cards.read_card(name), cards.find_weights(name)
        assert card["weights"]["bytes"] == file.stat().st_size <= zoo.LARGEST
        assert card["training"]["command"].startswith(f"tfgen train {name} ")
        assert card["data"]["licence"]
        with zipfile.ZipFile(file) as archive:
            assert "/" not in "".join(archive.namelist())


@pytest.mark.parametrize("name", TRAINED)
def test_weights_draw_what_they_drew(name):
    stored = pathlib.Path(__file__).parent / f"{name}.npz"
    if not stored.exists():
        pytest.skip("its pictures need data that do not come with tfgen")
    stored = np.load(stored)
    inputs = np.float32(stored["inputs"]) / 255 if "inputs" in stored else None
    images, drawn = stored["images"], 255 * zoo.draw(name, zoo.NUM_STORED, None, inputs)
    assert np.abs(drawn - images).mean() < 0.6  # it is stored in steps of 1
    assert np.abs(drawn - images).max() < 6


def test_a_figure_of_500_test_images_is_that_of_the_card():
    evaluation = tfgen.evaluate(
        VAE, metrics="likelihood", num_images=500, num_samples=10
    )
    card = cards.read_card(VAE)["figures"]
    elbo = evaluation.find("elbo")
    assert abs(elbo.value - card["elbo"]) < 4 * elbo.error
    assert evaluation.commands[-1].startswith(f"tfgen evaluate {VAE}")


@pytest.mark.large
@pytest.mark.parametrize("name", TRAINED)
def test_figures_of_the_card(name):
    if cards.read_card(name)["data"]["name"] not in zoo.OFFLINE:
        pytest.skip("needs data that do not come with tfgen")
    zoo.check(name)


# ---- By name -------------------------------------------------------------------------


def test_a_trained_model_by_name():
    model = tfgen.VAE.from_preset(VAE)
    assert model.compiled
    assert (model.sample(2, seed=1) == tfgen.load(VAE).sample(2, seed=1)).numpy().all()
    untrained = tfgen.VAE.from_preset(VAE, load_weights=False, latent_dim=3)
    assert untrained.latent_dim == 3
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tfgen.load("vae_mnist5k"), "did you mean vae_mnist_5k"),
        (lambda: tfgen.load("pix2pix_256"), "tfgen train pix2pix_256 --data FOLDER"),
        (lambda: tfgen.GAN.from_preset(VAE), r"preset of VAE, not GAN.*tfgen\.VAE\."),
        (lambda: tfgen.VAE.from_preset(VAE, beta=2.0), "load_weights=False"),
        (lambda: tfgen.Run("cyclegan_256").config, "is not a run directory|without"),
        (lambda: tfgen.load("hf://name"), "expected hf://USER/NAME"),
    ],
)
def test_mistakes(call, words):
    with pytest.raises(UserError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_damaged_weights_and_cards_are_named(zoo_copy):
    with (zoo_copy / f"{VAE}.keras").open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    with pytest.raises(UserError, match=rf"{VAE}\.keras is damaged"):
        tfgen.load(VAE)
    card = zoo_copy / f"{VAE}.json"
    for text in ("{", "[1]", json.dumps({"format": 99})):
        card.write_text(text)
        with pytest.raises(UserError, match=rf"{VAE}\.json is damaged"):
            tfgen.load(VAE)


def test_a_path_that_exists_wins_over_a_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / VAE).mkdir()
    with (
        pytest.warns(UserWarning, match="a path that exists wins"),
        pytest.raises(UserError, match="not a run directory with a model"),
    ):
        tfgen.load(VAE)
    assert run_tfgen("sample", VAE) == 2
    assert "a path that exists wins" in capsys.readouterr().err


def test_commands_take_a_name_and_write_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_tfgen("sample", VAE, "--num", 4) == 0
    assert run_tfgen("traverse", VAE, "--rows", 1, "--steps", 2) == 0
    flags = ("--metrics", "losses", "--num-images", 20)
    assert run_tfgen("evaluate", VAE, *flags) == 0
    assert "with --out FOLDER" in capsys.readouterr().out
    assert not (tmp_path / "metrics.json").exists()
    assert run_tfgen("evaluate", VAE, *flags, "--out", "measured") == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"samples.png", "traversal.png", "measured"}
    assert (tmp_path / "measured" / "metrics.json").is_file()
    assert (tmp_path / "measured" / "report.html").is_file()


def test_list_and_show(tmp_path, capsys):
    assert run_tfgen("list") == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "log p(x)" in shown
    assert run_tfgen("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[VAE]["card"]["preset"] == VAE
    assert rows["cyclegan_256"]["card"] is None
    for name in (TRAINED[0], "pix2pix_openmoji_64"):
        assert run_tfgen("show", name) == 0
        shown = capsys.readouterr().out
        assert "licence" in shown
        assert f"tfgen show {name} --out" in shown
    assert run_tfgen("show", VAE, "--out", tmp_path / "samples.png") == 0
    assert (tmp_path / "samples.png").is_file()
