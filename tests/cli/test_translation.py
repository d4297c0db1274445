"""Training and using models that translate images, on the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import SMALL_TRANSLATOR, tfgen
from tfgen.data.decode import decode_image
from tfgen.data.pixels import Fit
from tfgen.figures.levels import save_levels
from tfgen.inference import Translator, translate
from tfgen.inference.files import translate_files

NEW_SIZE = (23, 37)  # height and width, unlike the model's
DEEP = Fit(depth=16)


@pytest.fixture
def photos(tmp_path):
    """A folder of images of several kinds and sizes."""
    folder = tmp_path / "photos"
    rng = np.random.default_rng(0)
    for name, shape in (
        ("one.png", (*NEW_SIZE, 3)),
        ("grey.jpg", (40, 20)),
        ("deep/clear.webp", (16, 16, 4)),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, "uint8")).save(path)
    return folder


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*.*"))}


# ---- Training ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["pix2pix_run", pytest.param("cyclegan_run", marks=pytest.mark.large)]
)
def test_run_directory(name, request):
    run = request.getfixturevalue(name)
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    model = package.load(run)
    assert set(model.term_names) < set(rows[0])
    pictures = [Image.open(path) for path in sorted((run / "samples").iterdir())]
    assert len(pictures) == 2
    # A row of 4 images or so for each: input, output, truth, and the way back.
    panels, rows_of_panel = (2, 4) if name == "cyclegan_run" else (1, 3)
    assert pictures[0].size[1] > panels * rows_of_panel * 48
    assert np.abs(np.subtract(*(np.float32(p) for p in pictures))).max() > 0


@pytest.mark.parametrize("name", ["pix2pix_run", "cyclegan_run"])
def test_the_learning_rate_ends_at_zero_with_training(name, request):
    """Two epochs: constant in the first, down to zero in the second."""
    model = package.load(request.getfixturevalue(name))
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        steps = int(optimizer.iterations)
        assert steps > 0
        assert float(optimizer.learning_rate) == 0.0
        rates = []
        for step in (0, steps // 2):
            optimizer.iterations.assign(step)
            rates.append(float(optimizer.learning_rate))
        assert rates[1] == rates[0] > 0.0


def test_the_direction_is_that_of_the_data(pix2pix_run, pairs_folder):
    config = json.loads((pix2pix_run / "config.json").read_text())
    assert (config["kind"], config["direction"]) == ("pairs", "ba")
    # Resized to 286 / 256 of the size, then cropped, as in the paper.
    assert (config["load_size"], config["mirror"]) == (18, True)
    inputs, targets = package.Run(pix2pix_run).arrays("test")
    assert np.ptp(targets, axis=-1).max() == 0.0  # A is grey
    assert np.ptp(inputs, axis=-1).max() > 0.1


def test_presets_of_the_papers_need_data(tmp_path, capsys):
    out = tmp_path / "run"
    for name, kind in (("pix2pix_256", "pairs"), ("cyclegan_256", "domains")):
        assert tfgen("train", name, "--out", out) == 2
        error = capsys.readouterr().err
        assert "pass --data" in error
        assert f"folder of {kind}" in error
    assert not out.exists()


def test_translation_flags_are_of_translation_presets(capsys):
    assert tfgen("train", "pix2pix_256", "--help") == 0
    shown = capsys.readouterr().out
    assert "--direction" in shown
    assert "--load-size" in shown
    assert "--num-steps" not in shown  # follows from the epochs
    assert tfgen("train", "cyclegan_256", "--help") == 0
    shown = capsys.readouterr().out
    assert "--direction" not in shown  # it learns both
    assert "--mirror" in shown
    assert tfgen("train", "vae_mnist_5k", "--mirror") == 2


def test_batch_normalisation_at_batch_1_is_refused(pairs_folder, tmp_path, capsys):
    flags = ("--data", pairs_folder, "--out", tmp_path / "run", *SMALL_TRANSLATOR)
    more = ("--normalization", "batch", "--batch-size", "1")
    assert tfgen("train", "pix2pix_openmoji_64", *flags, *more) == 2
    error = capsys.readouterr().err
    assert "batch normalisation" in error
    assert "\n" not in error.strip()


# ---- Translation ---------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--direction", "ba"), ("--tile",)])
def test_a_folder_is_translated_file_by_file(cyclegan_run, photos, tmp_path, more):
    before, out = contents(photos), tmp_path / "out"
    assert tfgen("translate", cyclegan_run, photos, out, *more) == 0
    assert contents(photos) == before
    assert set(contents(out)) == set(before)
    for name in before:
        with Image.open(photos / name) as old, Image.open(out / name) as new:
            assert new.size == old.size
            assert new.mode == "RGB"
            assert new.format == old.format
    assert not list(out.rglob(".*"))


def test_a_file_is_what_the_model_says(cyclegan_run, pairs_folder, tmp_path):
    """At the model's own size nothing is resized, and a tile is the whole image."""
    source = pairs_folder / "a" / "003.png"
    image = np.float32(Image.open(source))[np.newaxis] / 255.0
    model = package.load(cyclegan_run)
    for direction, tile in (("ab", ()), ("ba", ("--tile",))):
        expected = np.round(255.0 * translate(model, image, direction)[0])
        out = tmp_path / f"{direction}.png"
        flags = ("--direction", direction, *tile)
        assert tfgen("translate", cyclegan_run, source, out, *flags) == 0
        np.testing.assert_allclose(np.float32(Image.open(out)), expected, atol=1)


def test_a_file_into_a_folder_keeps_its_name(pix2pix_run, photos, tmp_path):
    out = tmp_path / "out"
    assert tfgen("translate", pix2pix_run, photos / "one.png", out) == 0
    assert set(contents(out)) == {(out / "one.png").relative_to(out)}
    assert Image.open(out / "one.png").size == NEW_SIZE[::-1]


def test_translating_never_overwrites(pix2pix_run, photos, tmp_path, capsys):
    before, source = contents(photos), photos / "one.png"
    link = tmp_path / "link.png"
    link.symlink_to(source)
    for given, out in (
        (source, source),
        (source, photos),
        (source, link),
        (photos, photos),
    ):
        for flags in ((), ("--overwrite",)):
            assert tfgen("translate", pix2pix_run, given, out, *flags) == 2
            assert "is an input" in capsys.readouterr().err
    assert contents(photos) == before
    out = tmp_path / "out.png"
    assert tfgen("translate", pix2pix_run, source, out) == 0
    first = out.read_bytes()
    out.write_bytes(b"kept")
    assert tfgen("translate", pix2pix_run, source, out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"kept"
    assert tfgen("translate", pix2pix_run, source, out, "--overwrite") == 0
    assert out.read_bytes() == first


def test_a_bad_file_is_passed_over_and_named(pix2pix_run, photos, tmp_path, capsys):
    bad, out = photos / "deep" / "bad.png", tmp_path / "out"
    bad.write_bytes(b"no image")
    assert tfgen("translate", pix2pix_run, photos, out) == 1
    names = {"one.png", "grey.jpg", "deep/clear.webp"}
    assert {path.as_posix() for path in contents(out)} == names
    shown = capsys.readouterr()
    assert "3 images in" in shown.out
    *_, problem, last = shown.err.strip().splitlines()
    assert "bad.png" in problem
    assert "--skip-bad-images" not in shown.err  # which `translate` does not have
    assert last == "1 of 4 files were left out"


def test_translate_files_says_what_it_did(pix2pix_run, photos, tmp_path):
    (photos / "bad.png").write_bytes(b"no image")
    run = package.Run(pix2pix_run)
    result = translate_files(run, photos, tmp_path / "out")
    assert len(result.written) == 3
    assert all(path.is_file() for path in result.written)
    assert list(result.problems) == [photos / "bad.png"]


def test_16_bits_come_out_as_16_bits(pix2pix_run, tmp_path):
    run, source, out = package.Run(pix2pix_run), tmp_path / "in", tmp_path / "out"
    run.config.depth = 16
    levels = np.linspace(0, 2**16 - 1, 40 * 20 * 3).reshape(40, 20, 3)
    for name in ("deep.png", "deep.npy"):
        save_levels(levels.astype("uint16"), source / name)
        save_levels(levels.astype("uint16") >> 8 << 8, source / f"cut_{name}")
    translate_files(run, source, out)
    images = {path.name: decode_image(path, DEEP)[0] for path in out.iterdir()}
    np.testing.assert_array_equal(images["deep.png"], images["deep.npy"])
    assert len(np.unique(images["deep.png"])) > 256
    # What the lower bits hold was seen by the model.
    assert (images["deep.png"] != images["cut_deep.png"]).any()


@pytest.mark.large
def test_dropout_at_inference_follows_the_seed(pairs_folder, tmp_path):
    run, source = tmp_path / "run", pairs_folder / "a" / "003.png"
    flags = ("--data", pairs_folder, "--out", run, *SMALL_TRANSLATOR)
    more = ("--image-size", "32", "--dropout-at-inference", "true", "--epochs", "1")
    assert tfgen("train", "pix2pix_openmoji_64", *flags, *more) == 0
    model = package.load(run)
    image = np.float32(Image.open(source).resize((32, 32)))[np.newaxis] / 255.0
    outputs = [Translator(model, "ab", seed)(image, "ab") for seed in (3, 3, 4)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3
    # The file holds `translate` with noise as an input; the seeds' draws it can't.
    shipped = tmp_path / "shipped"
    assert tfgen("export", run, "--out", shipped, "--name", "mine") == 0
    with np.load(shipped / "edge" / "mine-v1-float32.golden.npz") as golden:
        assert {key.split("/")[0] for key in golden.files} == {"translate"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{pix2pix}", "{photos}", "{out}", "--direction", "ab"), "--direction ab"),
        (("{pix2pix}", "{photos}", "{out}", "--tile"), "sees the image as a whole"),
        (("{pix2pix}", "{nothing}", "{out}"), "no file or folder"),
        (("{pix2pix}", "{empty}", "{out}"), "no images"),
        (("{pix2pix}", "{broken}", "{out}"), "cannot be read"),
        (("{vae}", "{photos}", "{out}"), "does not translate"),
        (("{nothing}", "{photos}", "{out}"), "no run directory"),
    ],
)
def test_mistakes(arguments, said, pix2pix_run, vae_run, photos, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no image")
    places = {
        "pix2pix": pix2pix_run,
        "vae": vae_run,
        "photos": photos,
        "out": tmp_path / "out",
        "nothing": tmp_path / "nothing",
        "empty": tmp_path / "empty",
        "broken": tmp_path / "broken.png",
    }
    assert tfgen("translate", *(a.format(**places) for a in arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


def test_other_commands_say_why_not(pix2pix_run, tmp_path, capsys):
    for command in ("sample", "reconstruct", "interpolate", "traverse"):
        assert tfgen(command, pix2pix_run, "--out", tmp_path / "p.png") == 2
        assert "Pix2Pix has no" in capsys.readouterr().err
