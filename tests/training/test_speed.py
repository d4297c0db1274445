"""What `train` chooses by measuring, and that it changes no result."""

import re

import keras
import pytest

import tfgen as package
from tests import contracts
from tests.cli.conftest import tfgen
from tests.models import small
from tfgen import callbacks, networks
from tfgen.presets import create_model
from tfgen.training import speed
from tfgen.training.config import Config
from tfgen.training.strategy import make_strategy

FLAGS = ("--filters", 4, "--latent-dim", 3, "--epochs", 1, "--batch-size", 8)


@pytest.mark.parametrize(
    ("seconds", "num_steps", "every", "expected"),
    [
        (1e-4, 10_000, None, 32),
        (0.1, 10_000, None, 2),
        (0.3, 10_000, None, 1),
        (1e-4, 4, None, 4),
        (1e-4, 40, None, 20),  # 2 x 20, not 32 and 8
        (1e-4, 10_000, 10, 10),
        (1e-4, 10_000, 1, 1),
    ],
)
def test_steps_of_an_execution(seconds, num_steps, every, expected):
    assert speed.split_epoch(seconds, num_steps, every) == expected


def test_half_precision_must_pay():
    assert speed.pick_precision(1.19) == "float32"
    assert speed.pick_precision(1.2) == "mixed_bfloat16"


def make_gan():
    small.seeded()
    model = package.GAN(
        networks.build_dcgan_generator(4, (8, 8, 1), filters=4),
        networks.build_dcgan_discriminator((8, 8, 1), filters=4),
        ema_decay=0.9,
        seed=0,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.Adam(1e-3))
    return model


def make_vae():
    return create_model("vae_mnist_5k", filters=4, latent_dim=3, seed=0)


@pytest.mark.parametrize(
    ("make_model", "shape", "steps"),
    [
        (make_gan, (8, 8, 1), 4),
        (make_gan, (8, 8, 1), 1),
        pytest.param(make_vae, (28, 28, 1), 4, marks=pytest.mark.large),
    ],
)
def test_measuring_and_several_steps_change_nothing(make_model, shape, steps):
    """To the bit: weights, random states, slots and the order of the data."""

    data = contracts.dataset(small.images(44, shape))  # the last batch: 4 of 8
    data.in_memory = True
    config = Config("x", {}, "x", None, 2, 8, 0, "float32", 8, 1)
    config.steps_per_execution = "auto" if steps > 1 else 1
    plain, strategy, model = make_model(), make_strategy("none"), make_model()
    traced = contracts.count_steps(model)
    timed, line = speed.choose(config, strategy, None, data, model=model)
    assert f"{config.steps_per_execution} step" in line
    contracts.assert_same_state(timed, plain)
    histories = [
        model.fit(data, epochs=2, verbose=0).history for model in (timed, plain)
    ]
    assert histories[0] == histories[1]
    contracts.assert_same_state(timed, plain)
    assert traced == ["train_step"]  # `fit` goes on with what was timed


def test_gain_is_the_ratio_of_steps_and_leaves_the_policy(monkeypatch):
    seconds = {"float32": 0.03, "mixed_bfloat16": 0.01}
    names = []

    def time_step(model, spec, batch_size):
        names.append(keras.config.dtype_policy().name)
        return seconds[names[-1]]

    monkeypatch.setattr(speed, "time_step", time_step)
    before = keras.config.dtype_policy()
    spec = contracts.dataset(small.images()).element_spec
    assert speed.bfloat16_gain(make_gan, spec, 8) == pytest.approx(3.0)
    assert names == ["float32", "mixed_bfloat16"]
    assert keras.config.dtype_policy() == before


@pytest.fixture
def batches(monkeypatch):
    """Collects the numbers that callbacks get at the end of an execution."""
    seen = []
    monkeypatch.setattr(
        callbacks.FiniteGuard,
        "on_train_batch_end",
        lambda self, batch, logs=None: seen.append(batch),
    )
    return seen


def read_line(capsys):
    """Returns precision, gain, steps and milliseconds of what `train` says."""
    said = capsys.readouterr().out
    pattern = (
        r"speed: (\w+)(?: \(bfloat16 (\S+)x here\))?, (\d+) steps? an execution"
        r"(?: \((\S+) ms a step\))?, no XLA \(CPU\), data in memory\n"
    )
    return re.search(pattern, said).groups()


def test_choices_are_said_stored_used_and_kept(folder, tmp_path, capsys, batches):
    flags = ("--data", folder, "--out", tmp_path, "--precision", "auto", *FLAGS)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 0
    precision, gain, steps, milliseconds = read_line(capsys)
    config = Config.read(tmp_path)
    assert (config.precision, config.steps_per_execution) == (precision, int(steps))
    assert speed.pick_precision(float(gain)) == precision
    seconds, num_steps = float(milliseconds) / 1e3, 7  # 52 images
    assert int(steps) == speed.split_epoch(seconds, num_steps)
    assert batches[0] + 1 == int(steps)

    config.precision, config.steps_per_execution = "mixed_bfloat16", 3
    config.write(tmp_path)
    batches.clear()
    assert tfgen("train", "--resume", tmp_path, "--epochs", 2) == 0
    assert read_line(capsys) == ("mixed_bfloat16", None, "3", None)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert batches == [2, 5, 8]


def test_translation_is_not_timed():
    config = Config("x", {}, "x", None, 2, 8, 0, "float32", 8, 1, kind="pairs")
    config.steps_per_execution = "auto"
    data = contracts.dataset(small.images())
    data.in_memory = True
    model = make_gan()
    line = speed.choose(config, make_strategy("none"), None, data, model=model)[1]
    assert "1 step an execution (image translation)" in line
    assert model.train_function is None
