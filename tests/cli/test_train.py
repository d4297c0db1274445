import csv
import json
import math
import shutil

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests import contracts
from tests.cli.conftest import SMALL, tfgen
from tfgen import data
from tfgen.errors import UserError
from tfgen.figures import films
from tfgen.inference import to_float32
from tfgen.training import Config, Run


def test_run_directory_holds_everything(vae_run):
    config = json.loads((vae_run / "config.json").read_text())
    assert config["preset"] == "vae_mnist_5k"
    assert config["overrides"] == {"filters": 4, "latent_dim": 3}
    assert {"tfgen", "tensorflow", "keras", "python"} <= set(config["versions"])
    rows = list(csv.DictReader((vae_run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"loss", "val_loss", "kl_loss", "active_units"} <= set(rows[0])
    names = sorted(path.name for path in (vae_run / "samples").iterdir())
    assert names == ["epoch_0001.png", "epoch_0002.png"]
    assert np.asarray(Image.open(vae_run / "curves.png")).std() > 1
    assert list((vae_run / "logs").rglob("events.*"))
    assert not list(vae_run.glob(".*"))  # nothing temporary is left


def test_model_of_a_run_loads_with_its_optimizer(vae_run):
    model = package.load(vae_run)
    assert int(model.optimizer.iterations) == 2 * 4  # 52 images in batches of 16
    assert model.latent_dim == 3
    assert package.load(vae_run / "model.keras").latent_dim == 3


@pytest.mark.large
def test_same_seed_trains_the_same_model(vae_run, folder, tmp_path):
    flags = ("--data", folder, *SMALL)
    again, other = tmp_path / "again", tmp_path / "other"
    assert tfgen("train", "vae_mnist_5k", "--out", again, *flags) == 0
    assert tfgen("train", "vae_mnist_5k", "--out", other, "--seed", 1, *flags) == 0
    runs = (vae_run, again, other)
    weights = [package.load(run).encoder.get_weights() for run in runs]
    for one, two in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.abs(weights[0][0] - weights[2][0]).max() > 1e-3


def test_pictures_of_epochs_share_their_latents_and_images(vae_run):
    pictures = [Image.open(path) for path in sorted((vae_run / "samples").iterdir())]
    one, two = (np.asarray(picture, "float32") for picture in pictures)
    assert one.shape == two.shape
    assert one.std() > 0


def test_epochs_are_filmed(vae_run, autoencoder_run, tmp_path, capsys):
    """A frame an epoch, of what is written after each; the last one stays."""
    film = tmp_path / "film.gif"
    assert tfgen("train", "--resume", vae_run, "--film", film) == 0
    assert "draws no samples" not in capsys.readouterr().out
    written = [Image.open(path) for path in sorted((vae_run / "samples").iterdir())]
    with Image.open(film) as frames:
        assert frames.n_frames == 2
        for index, picture in enumerate(written):
            frames.seek(index)
            assert frames.info["duration"] == (100, 1100)[index]  # ms
            width, height = picture.size
            pixels = np.float32(frames.convert("RGB"))[22 : 22 + height, 8 : 8 + width]
            assert np.abs(pixels - np.float32(picture.convert("RGB"))).mean() < 2
    assert tfgen("train", "--resume", autoencoder_run, "--film", film) == 0
    assert "Autoencoder draws no samples: the film is of" in capsys.readouterr().out
    assert tfgen("train", "vae_mnist_5k", "--film", "film.avi") == 2
    assert "a film ends with .gif, .webp, .mp4" in capsys.readouterr().err
    with pytest.raises(UserError, match="no picture of an epoch"):
        films.training_frames(tmp_path)


def test_existing_run_is_never_overwritten_silently(vae_run, folder, capsys):
    before = (vae_run / "model.keras").read_bytes()
    flags = ("--data", folder, "--out", vae_run, *SMALL)
    assert tfgen("train", "vae_mnist_5k", *flags) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (vae_run / "model.keras").read_bytes() == before


def test_overwrite_leaves_nothing_of_the_earlier_run(autoencoder_run, folder, tmp_path):
    shutil.copytree(autoencoder_run, tmp_path / "run")
    flags = ("--data", folder, "--out", tmp_path / "run", *SMALL)
    assert tfgen("train", "vae_mnist_5k", "--overwrite", *flags, "--epochs", 1) == 0
    assert len(list((tmp_path / "run" / "samples").iterdir())) == 1
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2


def test_default_directory_is_the_first_free_one(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "autoencoder_mnist_5k").mkdir(parents=True)
    flags = ("--data", folder, *SMALL, "--epochs", 1)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 0
    assert (tmp_path / "runs" / "autoencoder_mnist_5k-2" / "model.keras").is_file()
    assert not list((tmp_path / "runs" / "autoencoder_mnist_5k").iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "vae_mnits"), "did you mean"),
        (("train", "vae_mnist_5k", "--beta", "-1"), "`beta`"),
        (("train", "vae_mnist_5k", "--beta", "much"), "`beta`"),
        (("train", "vae_mnist_5k", "--epochs", "0"), "--epochs"),
        (("train", "vae_mnist_5k", "--steps-per-execution", "0"), "--steps-per"),
        (("train", "vae_mnist_5k", "--likelihood", "poisson"), "likelihood"),
        (("train", "vae_mnist_5k", "--image-size", "30"), "divisible by 4"),
        (("train", "vae_mnist_5k", "--data", "no_such_set"), "no_such_set"),
        (("train", "vae_mnist_5k", "--latent", "3"), "--latent"),
        (("frobnicate",), "frobnicate"),
        (("sample", "no_such_run"), "no_such_run"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    arguments, said, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert tfgen(*arguments) == 2
    # Above it, TFDS's bars, where it prepares a set for the first time.
    *above, error = capsys.readouterr().err.strip().splitlines()
    assert said in error
    assert error.startswith("tfgen: error: ")
    assert not [line for line in above if "error" in line]
    assert not list(tmp_path.iterdir())  # nothing half made is left


def test_data_with_more_classes_than_the_model_is_refused(folder, tmp_path, capsys):
    flags = ("--data", folder, "--out", tmp_path / "run", "--num-classes", 2, *SMALL)
    assert tfgen("train", "conditional_vae_mnist_5k", *flags) == 2
    assert "--num-classes 3" in capsys.readouterr().err


def test_keyboard_interrupt_says_what_is_kept(folder, tmp_path, capsys, monkeypatch):
    from tfgen import callbacks

    class Stop(callbacks.SampleGrid):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(callbacks, "SampleGrid", Stop)
    out = tmp_path / "run"
    flags = ("--data", folder, "--out", out, *SMALL)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 130
    assert f"go on with: tfgen train --resume {out}" in capsys.readouterr().out
    assert int(package.load(out).optimizer.iterations) == 4


def test_without_classes_the_order_goes_on_where_it_stopped(vae_run):
    config = Config.read(vae_run)
    config.held_out_classes = "class_1,2"
    whole = Run.of(vae_run, config).batches("train")
    images = data.load_array(config.data, "train", classes=[0], channels=1)
    assert len(whole) == math.ceil(len(images) / 16)
    epochs = [np.concatenate(list(whole)) for _ in range(3)]
    assert len(epochs[0]) == len(images)
    rest = np.concatenate(
        list(Run.of(vae_run, config).batches("train", initial_epoch=2))
    )
    np.testing.assert_array_equal(rest, epochs[2])
    assert np.abs(rest - epochs[1]).max() > 0


@pytest.mark.large
def test_a_run_without_classes_resumes_to_the_bit(folder, tmp_path, monkeypatch):
    from tfgen import callbacks

    class Stop(callbacks.SampleGrid):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    flags = ("--data", folder, *SMALL, "--held-out-classes", "class_1")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert tfgen("train", "vae_mnist_5k", *flags, "--out", whole) == 0
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "SampleGrid", Stop)
        assert tfgen("train", "vae_mnist_5k", *flags, "--out", stopped) == 130
    assert tfgen("train", "--resume", stopped) == 0
    contracts.assert_same_state(package.load(whole), package.load(stopped))


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("class_9", "has no class 'class_9': choose of class_0, class_1, class_2"),
        ("0,", "has no class ''"),
        ("", "has no class ''"),
        ("0,1,2", "--held-out-classes: they are all that"),
    ],
)
def test_held_out_classes_that_there_are_not(classes, said, folder, tmp_path, capsys):
    flags = ("--data", folder, "--out", tmp_path / "run", *SMALL)
    assert tfgen("train", "vae_mnist_5k", *flags, "--held-out-classes", classes) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_configuration_of_before_held_out_classes_loads(vae_run, tmp_path):
    config = json.loads((vae_run / "config.json").read_text())
    del config["held_out_classes"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Config.read(tmp_path).held_out_classes is None


@pytest.mark.large  # by the same code as workers: distributed/test_command.py
def test_mirrored_trains_what_one_device_trains(vae_run, folder, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ("--data", folder, "--out", out, *SMALL, "--strategy", "mirrored")
    assert tfgen("train", "vae_mnist_5k", *flags) == 0  # on conftest.py's two CPUs
    said = "1 step an execution (replicas), no XLA (replicas)"
    assert said in capsys.readouterr().out
    single, mirrored = package.load(vae_run), package.load(out)
    for one, two in zip(single.get_weights(), mirrored.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


def test_estimate_says_what_it_takes_and_writes_nothing(folder, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ("--data", folder, "--out", out, *SMALL, "--estimate")
    assert tfgen("train", "vae_mnist_5k", *flags) == 0
    shown = capsys.readouterr().out
    for row in (
        *("weights of encoder", "peak memory", "4 steps", "time of 2 epochs"),
        "speed: float32, ",
    ):
        assert row in shown
    assert not out.exists()


@pytest.mark.large
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_precision(precision, folder, tmp_path):
    flags = ("--data", folder, "--out", tmp_path / "run", *SMALL)
    assert tfgen("train", "vae_mnist_5k", "--precision", precision, *flags) == 0
    model = package.load(tmp_path / "run")
    assert model.encoder.layers[1].compute_dtype == precision.removeprefix("mixed_")
    # What is exported computes in float32, with the trained weights.
    shipped = to_float32(model)
    assert shipped.encoder.layers[1].compute_dtype == "float32"
    images = shipped.sample(4, seed=0)
    np.testing.assert_allclose(images, model.sample(4, seed=0), atol=0.02)
    assert tfgen("export", tmp_path / "run", "--out", tmp_path / "shipped") == 0
