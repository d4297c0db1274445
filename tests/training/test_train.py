"""`tfgen.train`: presets and models of one's own, going on, and data that changed."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests import contracts
from tests.cli.conftest import tfgen as run_command
from tfgen.errors import UserError
from tfgen.training import Run, data_record
from tfgen.training.config import Config
from tfgen.training.explain import explained

OPTIONS = {"batch_size": 16, "filters": 4, "latent_dim": 3, "steps_per_execution": 2}


class CountEpochs(keras.callbacks.Callback):
    """A callback of the user's."""

    epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        CountEpochs.epochs += 1


@pytest.fixture(scope="module")
def photos(folder, tmp_path_factory):
    return shutil.copytree(folder, tmp_path_factory.mktemp("photos") / "photos")


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run of one epoch, and what was told meanwhile."""
    lines, out = [], tmp_path_factory.mktemp("trained") / "run"
    run = tfgen.train(
        "vae_mnist_5k", photos, out, epochs=1, log=lines.append, **OPTIONS
    )
    return run, lines


@pytest.fixture
def one_epoch(trained, tmp_path):
    """A copy of that run, to go on with."""
    return shutil.copytree(trained[0].path, tmp_path / "run")


def test_a_preset_is_trained_and_what_happens_is_told(trained, photos):
    run, lines = trained
    assert len(run.history["loss"]) == 1
    assert Run(run.path).config.data == str(photos.resolve())
    assert any("60 images" in line for line in lines)
    assert any(line.startswith("speed: ") for line in lines)
    assert run.sample(3).shape == (3, 28, 28, 1)
    images, reconstructions = run.reconstruct(2)
    assert images.shape == reconstructions.shape == (2, 28, 28, 1)
    np.testing.assert_array_equal(images, run.test_images(2))


def test_a_finished_run_goes_on_exactly(one_epoch, photos, tmp_path, capsys):
    whole = tfgen.train("vae_mnist_5k", photos, tmp_path / "two", epochs=2, **OPTIONS)
    assert run_command("train", "--resume", one_epoch) == 2
    assert "--epochs" in capsys.readouterr().err
    assert run_command("train", "--resume", one_epoch, "--epochs", 2) == 0
    contracts.assert_same_state(whole.model, tfgen.load(one_epoch))
    assert Run(one_epoch).history == whole.history
    assert Run(one_epoch).config.epochs == 2


def test_where_the_learning_rate_has_ended_it_says_so(tmp_path):
    from tfgen.training.trainer import _extend

    config = Config("cyclegan_256", {}, "x", None, 2, 1, 0, "float32", 256, 3)
    with pytest.raises(UserError, match="learning rate of cyclegan_256"):
        _extend(config, 3)
    assert config.epochs == 2


def test_other_data_are_refused_unless_told(one_epoch, photos, tmp_path):
    moved = shutil.copytree(photos, tmp_path / "moved")
    data_record.check_record("x", {}, {})  # a run of before
    with pytest.raises(UserError, match="is finished"):
        tfgen.train(resume=one_epoch, data=moved)  # the same images elsewhere
    extra = next(moved.rglob("*.png"))
    for index in range(20):
        shutil.copy(extra, extra.with_name(f"extra_{index}.png"))
    with pytest.raises(UserError, match=r"images at .*moved have changed.*now 7\d"):
        tfgen.train(resume=one_epoch, data=moved, epochs=2)
    run = tfgen.train(resume=one_epoch, data=moved, epochs=2, other_data=True)
    assert len(run.history["loss"]) == 2
    assert Run(one_epoch).config.data == str(moved.resolve())


def test_data_that_are_gone_are_named_with_their_place(trained, tmp_path):
    path = shutil.copytree(trained[0].path, tmp_path / "run")
    config = Config.read(path)
    config.data = str(tmp_path / "gone")
    config.write(path)
    with pytest.raises(UserError, match=r"data were at .*gone.*--data"):
        Run(path).test_images(1)
    with pytest.raises(UserError, match=r"data were at .*gone.*--data"):
        tfgen.train(resume=path, epochs=2)
    elsewhere = trained[0].config.data
    assert Run(path, data=elsewhere).test_images(1).shape == (1, 28, 28, 1)


@pytest.mark.large
def test_a_model_of_ones_own(photos, tmp_path):
    def make():
        keras.utils.set_random_seed(3)
        networks = tfgen.networks
        model = tfgen.VAE(
            networks.build_mlp_encoder((28, 28, 1), 2 * 3, hidden_units=(8,)),
            networks.build_mlp_decoder(3, (28, 28, 1), hidden_units=(8,)),
            seed=0,
        )
        model.compile(keras.optimizers.Adam(1e-3))
        return model

    options = {"batch_size": 16, "epochs": 2, "callbacks": [CountEpochs()]}
    CountEpochs.epochs = 0
    whole = tfgen.train(make(), photos, tmp_path / "whole", **options)
    assert CountEpochs.epochs == 2
    assert (whole.preset, whole.kind, whole.image_shape) == (
        None,
        "images",
        (28, 28, 1),
    )
    first = tfgen.train(make(), photos, tmp_path / "run", **{**options, "epochs": 1})
    resumed = tfgen.train(resume=first.path, epochs=2)
    contracts.assert_same_state(whole.model, resumed.model)
    loaded = Run(tmp_path / "run")
    assert loaded.sample(2).shape == (2, 28, 28, 1)


def test_best_epoch_by_the_distance_to_test_images(photos, tmp_path):
    options = {**OPTIONS, "epochs": 3, "keep_best": "val_kernel_distance"}
    options["keep_checkpoints"] = 1
    run = tfgen.train("vae_mnist_5k", photos, tmp_path / "run", **options)
    distances = run.history["val_kernel_distance"]
    best = 1 + int(np.argmin(distances))
    kept = {path.name[-4:] for path in (run.path / "checkpoints").glob("step_*")}
    assert kept == {f"{epoch:04d}" for epoch in (best, 3)}
    command = " ".join(run.config.arguments())
    assert "--keep-best val_kernel_distance" in command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"epochs": 0}, "--epochs must be an integer from 1"),
        ({"batch_size": 2.5}, "--batch-size must be"),
        ({"seed": 2**31}, "--seed must be an integer from 0 to 2147483647"),
        ({"precision": "half"}, "--precision must be one of"),
        ({"keep_best": "val_los"}, "--keep-best val_los: .*val_loss"),
        ({"distance_every": 0}, "--distance-every must be an integer from 1"),
        ({"latent": 3}, "latent"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(
    arguments, said, photos, tmp_path
):
    options = {**OPTIONS, "epochs": 1, **arguments}
    with pytest.raises(UserError, match=said):
        tfgen.train("vae_mnist_5k", photos, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:Logger", "No module named"),
        ("keras.callbacks:Nothing", "has no attribute"),
        ("keras.callbacks:ModelCheckpoint", "filepath"),
        ("builtins:dict", "is not a Keras callback"),
    ],
)
def test_callbacks_of_the_command_line_that_there_are_not(name, said):
    from tfgen.training.run_callbacks import import_callbacks

    with pytest.raises(UserError, match=said):
        import_callbacks([name])


def test_callbacks_of_the_command_line(photos, tmp_path):
    CountEpochs.epochs = 0
    name = f"{CountEpochs.__module__}:CountEpochs"
    flags = ("--data", photos, "--out", tmp_path / "run", "--filters", 4)
    more = ("--epochs", 1, "--batch-size", 32, "--callback", name)
    more = (*more, "--film", tmp_path / "film.webp")
    assert run_command("train", "vae_mnist_5k", *flags, *more) == 0
    assert CountEpochs.epochs == 1
    assert Config.read(tmp_path / "run").callbacks == [name]
    assert (tmp_path / "film.webp").is_file()


def test_the_number_of_classes_is_the_datas(photos, tmp_path):
    lines, run = [], tmp_path / "run"
    name, options = "conditional_vae_mnist_5k", {**OPTIONS, "epochs": 1}
    trained = tfgen.train(name, photos, run, log=lines.append, **options)
    assert trained.model.num_classes == 3
    assert any("3 classes" in line for line in lines)


def test_a_damaged_file_met_amid_training_is_one_line(photos, tmp_path, monkeypatch):
    """As in a set that is too large to be decoded beforehand."""
    from tfgen.data import loading

    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    damaged = shutil.copytree(photos, tmp_path / "photos")
    for index, path in enumerate(sorted(damaged.rglob("*.png"))):
        if index % 3 == 1:
            path.write_bytes(path.read_bytes()[:-40])
    options = {**OPTIONS, "steps_per_execution": 1, "batch_size": 4}
    with pytest.raises(UserError) as error:
        tfgen.train("vae_mnist_5k", damaged, tmp_path / "two", epochs=1, **options)
    message = str(error.value)
    assert "\n" not in message
    assert "cannot be read" in message
    assert "--skip-bad-images" in message


def test_steps_that_are_lost_are_said():
    """Where an execution of several steps was left, no checkpoint can be written."""
    model = SimpleNamespace(steps_per_execution=4)
    backup = SimpleNamespace(newest="run/step_8", save=lambda: None, model=model)
    error = tf.errors.UnknownError(None, None, "DamagedImageError: a.png is bad\nat")
    said = r"^a\.png is bad\. .* run/step_8\. Later steps are lost, .* 4 steps .* N at"
    with pytest.raises(UserError, match=said), explained(backup):
        raise error


STREAMED = """
import sys
from tfgen.data import loading
from tfgen.cli import main
loading.IN_MEMORY_BYTES = 0
main(sys.argv[1:])
"""


@pytest.mark.large
def test_a_program_ends_though_images_are_still_being_decoded(tmp_path):
    """An error amid training leaves threads at work, which need Python to end."""
    data, out, good = tmp_path / "set", tmp_path / "out", tmp_path / "good.png"
    damaged = tmp_path / "damaged.png"
    pixels = np.random.default_rng(0).integers(0, 256, (768, 768, 3), dtype=np.uint8)
    keras.utils.save_img(good, pixels, scale=False)  # large: decoding takes its time
    damaged.write_bytes(good.read_bytes()[:-40])
    (data / "train").mkdir(parents=True)
    (data / "test").mkdir()
    for index in range(1500):
        source = damaged if index % 100 == 7 else good
        os.link(source, data / "train" / f"{index}.png")
    os.link(good, data / "test" / "0.png")
    flags = "--image-size 256 --channels 3 --filters 1 --latent-dim 2 --epochs 1"
    flags = f"{flags} --batch-size 64 --steps-per-execution 1".split()
    command = ["train", "vae_mnist_5k", "--data", str(data), "--out", str(out), *flags]
    result = subprocess.run(
        [sys.executable, "-c", STREAMED, *command],
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert result.returncode == 2
    assert "cannot be read as an image" in result.stderr
