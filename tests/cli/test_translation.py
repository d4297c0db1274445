"""Training, measuring and using models that translate images, on the command line."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import SMALL_TRANSLATOR, tfgen
from tfgen import metrics
from tfgen.evaluation import MEASURES, Subject, translation
from tfgen.inference import Translator
from tfgen.training.run import Config, load_arrays

NEW_SIZE = (23, 37)  # height and width, unlike the model's


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


@pytest.mark.parametrize("name", ["pix2pix_run", "cyclegan_run"])
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
        halfway = float(optimizer._learning_rate(steps // 2))
        assert halfway == float(optimizer._learning_rate(0)) > 0.0


def test_the_direction_is_that_of_the_data(pix2pix_run, pairs_folder):
    config = json.loads((pix2pix_run / "config.json").read_text())
    assert (config["kind"], config["direction"]) == ("pairs", "ba")
    # Resized to 286 / 256 of the size, then cropped, as in the paper.
    assert (config["load_size"], config["mirror"]) == (18, True)
    inputs, targets = load_arrays(Config.read(pix2pix_run), "test")
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


# ---- Evaluation ----------------------------------------------------------------------


def test_evaluate_pix2pix(pix2pix_run, capsys):
    assert tfgen("evaluate", pix2pix_run) == 0
    shown = capsys.readouterr().out
    assert "copied" in shown
    page = (pix2pix_run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2  # translations, curves
    assert "the input, copied" in page
    found = json.loads((pix2pix_run / "metrics.json").read_text())["translation"]
    assert set(found) == {"ba"}
    inputs, targets = load_arrays(Config.read(pix2pix_run), "test")
    train_targets = load_arrays(Config.read(pix2pix_run), "train")[1]
    outputs = np.asarray(package.load(pix2pix_run).translate(inputs))
    mean = np.broadcast_to(train_targets.mean(axis=0), inputs.shape)
    rows = {"model": outputs, "copy": inputs, "mean_image": mean}
    for row, images in rows.items():
        error = np.mean(np.abs(images - targets))
        figures = found["ba"][row]
        assert figures["mean_absolute_error"] == pytest.approx(error, rel=1e-4)
        squares = np.mean((images - targets) ** 2, axis=(1, 2, 3))
        psnr = np.mean(-10 * np.log10(squares))
        assert figures["psnr"] == pytest.approx(psnr, rel=1e-4)
        assert -1.0 <= figures["ssim"] <= 1.0
    assert set(found["ba"]["real"]) == {"kernel_distance", "kernel_distance_error"}


def test_a_set_larger_than_memory_streams(cyclegan_run, monkeypatch):
    config, model, found = Config.read(cyclegan_run), package.load(cyclegan_run), []
    for limit in (2**30, 0):
        monkeypatch.setattr("tfgen.data.loading.IN_MEMORY_BYTES", limit)
        subject = Subject(config, model)
        (count,) = MEASURES["translation"](subject)
        assert count.value > 2
        found.append(subject.translation)
        monkeypatch.setattr(translation, "_BATCH_SIZE", 2)
    for direction, rows in found[0].items():
        for row, figures in rows.items():
            streamed = found[1][direction][row]
            assert streamed == pytest.approx(figures, rel=1e-4, abs=1e-6), row


def test_few_images_have_no_distance(cyclegan_run, monkeypatch):
    """And the images of both groups are read once."""
    from tfgen import data

    calls, load = [], data.load_domains
    monkeypatch.setattr(
        data, "load_domains", lambda *a, **k: calls.append(a) or load(*a, **k)
    )
    subject = Subject(
        Config.read(cyclegan_run), package.load(cyclegan_run), num_images=2
    )
    for name in ("losses", "translation"):
        assert MEASURES[name](subject)
    assert len(calls) == 1
    assert set(subject.translation["ab"]["model"]) == {
        *("mean_absolute_error", "psnr", "ssim")
    }


def test_noise_does_not_depend_on_the_batch():
    """Image number i of all has the noise of i, whichever batch it is in."""
    seen = []

    class Noisy:
        def signatures(self):
            return {"translate": None, "sample": None}

    translator = Translator(Noisy(), "ab", seed=3)
    translator.endpoints.run = lambda name, images, seeds, batch_size: (
        seen.append(seeds) or {"images": images}
    )
    images = np.zeros((5, 8, 8, 3), "float32")
    translator(images, "ab")
    translator(images[:2], "ab")
    translator(images[2:], "ab", start=2)
    np.testing.assert_array_equal(np.concatenate(seen[1:]), seen[0])


def test_evaluate_cyclegan_both_ways(cyclegan_run):
    flags = ("--metrics", "translation", "--no-report")
    assert tfgen("evaluate", cyclegan_run, *flags) == 0
    found = json.loads((cyclegan_run / "metrics.json").read_text())["translation"]
    assert set(found) == {"ab", "ba"}
    copies = [found[d]["copy"]["mean_absolute_error"] for d in ("ab", "ba")]
    assert copies[0] == pytest.approx(copies[1])
    models = [found[d]["model"]["mean_absolute_error"] for d in ("ab", "ba")]
    assert models[0] != models[1]


def test_domains_without_pairs_have_distances_only(
    cyclegan_run, pairs_folder, tmp_path, monkeypatch
):
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(cyclegan_run, run)
    for index, path in enumerate(sorted(pairs_folder.rglob("*.png"))):
        split = "test" if index % 4 == 0 else "train"
        target = data / f"{split}{path.parent.name.upper()}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("000", "004"):  # domains of unequal length
        (data / "testB" / f"{name}.png").unlink()
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data": str(data)}))
    monkeypatch.setattr(translation, "_BATCH_SIZE", 3)  # one ends within a batch
    assert tfgen("evaluate", run, "--no-report", "--metrics", "translation") == 0
    found = json.loads((run / "metrics.json").read_text())
    config, model = Config.read(run), package.load(run)
    test, train = (load_arrays(config, split) for split in ("test", "train"))
    assert found["num_images"] == len(test[0]) == len(test[1]) + 2 > 6
    network = metrics.build_random_features(test[0].shape[1:])
    for direction, real in (("ab", 1), ("ba", 0)):
        rows = found["translation"][direction]
        outputs = np.asarray(model.translate(test[1 - real], direction))
        for row, images in (("model", outputs), ("real", test[real])):
            distance = metrics.kernel_distance(network(images), network(train[real]))
            assert set(rows[row]) == {"kernel_distance", "kernel_distance_error"}
            value = pytest.approx(distance.value, rel=1e-3, abs=1e-6)
            assert rows[row]["kernel_distance"] == value, (direction, row)


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
        expected = np.round(255.0 * model.translate(image, direction)[0])
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
        (("{pix2pix}", "{broken}", "{out}"), "cannot be read as an image"),
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
