"""What `tfgen train` chooses by measuring, and that it changes no result."""

import json
import re
import time
import types

import keras
import pytest

import tfgen as package
from tests import contracts
from tests.cli.conftest import tfgen
from tests.models import small
from tfgen import callbacks, networks
from tfgen.presets import create_model, get_preset
from tfgen.training import speed
from tfgen.training import trainer as training
from tfgen.training.run import Config

SMALL = {"filters": 4, "latent_dim": 3, "seed": 0}
FLAGS = ("--filters", 4, "--latent-dim", 3, "--epochs", 1, "--batch-size", 8)


def test_quickstart_measures_too():
    config = training.make_config(get_preset("vae_mnist_5k"), {})
    assert (config.precision, config.steps_per_execution) == ("float32", "auto")


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
    return create_model("vae_mnist_5k", **SMALL)


@pytest.mark.parametrize(
    ("make_model", "shape"),
    [
        (make_gan, (8, 8, 1)),
        pytest.param(make_vae, (28, 28, 1), marks=pytest.mark.large),
    ],
)
def test_measuring_and_several_steps_change_nothing(make_model, shape):
    """To the bit, and the step is traced once for all of it."""
    timed, plain = make_model(), make_model()
    traces, step = [], timed.train_step
    timed.train_step = lambda data: traces.append(0) or step(data)
    data = contracts.dataset(small.images(44, shape))  # the last batch: 4 of 8
    assert speed.time_step(timed, data.element_spec, 8) > 0
    contracts.assert_same_state(timed, plain)
    timed.steps_per_execution, plain.steps_per_execution = 4, 1
    histories = [m.fit(data, epochs=2, verbose=0).history for m in (timed, plain)]
    assert histories[0] == histories[1]
    contracts.assert_same_state(timed, plain)
    assert len(traces) == 1


def test_products_of_layers_within_wrappers_too():
    network = networks.build_dcgan_discriminator(
        (8, 8, 1), filters=4, normalization="spectral"
    )
    model = types.SimpleNamespace(discriminator=network, seed=0)
    kernels = [w.shape for w in network.trainable_weights if len(w.shape) > 1]
    found = speed._list_products(model)
    assert [layer.kernel.shape for _, layer, _ in found] == kernels
    height, width, channels, filters = kernels[0]
    assert found[0][0] == height * width * channels * filters * 4 * 4  # stride 2
    assert found[0][2] == (None, 8, 8, 1)
    batch_size = round(1e10 / sum(products for products, _, _ in found) / 3)
    assert speed._is_long(model, 2 * batch_size)
    assert not speed._is_long(model, batch_size // 2)


def test_gain_is_how_much_faster_bfloat16_is(monkeypatch):
    seconds = {"float32": 0.03, "mixed_bfloat16": 0.01}
    monkeypatch.setattr(
        speed,
        "_make_layer_step",
        lambda layer, policy, *_: lambda: time.sleep(seconds[policy]),
    )
    assert 1.5 < speed.bfloat16_gain(make_gan(), 8) < 4.5


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


def test_choices_are_said_stored_and_used(folder, tmp_path, capsys, batches):
    flags = ("--data", folder, "--out", tmp_path, "--precision", "auto", *FLAGS)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 0
    precision, gain, steps, milliseconds = read_line(capsys)
    config = Config.read(tmp_path)
    assert (config.precision, config.steps_per_execution) == (precision, int(steps))
    assert speed.pick_precision(float(gain)) == precision
    seconds, num_steps = float(milliseconds) / 1e3, 7  # 52 images
    assert int(steps) == speed.split_epoch(seconds, num_steps)
    assert batches[0] + 1 == int(steps)


def test_resume_keeps_what_was_chosen(folder, tmp_path, capsys, monkeypatch, batches):
    # As on a processor that computes in bfloat16.
    monkeypatch.setattr(speed, "bfloat16_gain", lambda *_: 1.5)
    flags = ("--data", folder, "--out", tmp_path, "--precision", "auto", *FLAGS)
    assert tfgen("train", "autoencoder_mnist_5k", *flags) == 0
    assert read_line(capsys)[:2] == ("mixed_bfloat16", "1.50")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["precision"] == "mixed_bfloat16"
    config |= {"epochs": 2, "steps_per_execution": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))

    batches.clear()
    monkeypatch.setattr(speed, "bfloat16_gain", None)
    monkeypatch.setattr(speed, "time_step", None)
    assert tfgen("train", "--resume", tmp_path) == 0
    assert read_line(capsys) == ("mixed_bfloat16", None, "3", None)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert batches == [2, 5, 8]
    assert json.loads((tmp_path / "config.json").read_text()) == config


def test_translation_is_not_timed(pix2pix_run):
    assert Config.read(pix2pix_run).steps_per_execution == 1
