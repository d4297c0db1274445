"""`config.json`, and the command that makes a run again."""

import dataclasses
import json

import pytest

from tests.cli.conftest import tfgen
from tfgen.errors import UserError
from tfgen.training import trainer
from tfgen.training.config import FORMAT, Config

IMAGES = Config(
    preset="vae_mnist_5k",
    overrides={"latent_dim": 3, "likelihood": "gaussian", "free_bits": 0.5},
    data="mnist_5k",
    data_dir="sets",
    epochs=3,
    batch_size=7,
    seed=2**31 - 1,
    precision="mixed_bfloat16",
    image_size=28,
    channels=1,
    skip_bad_images=True,
    resize="pad",
    depth=16,
    value_range=[-1000.0, 4095.0],
    strategy="mirrored",
    steps_per_execution=5,
    accumulate=4,
    checkpoint_every=4,
    keep_checkpoints=2,
    keep_best="val_loss",
    distance_every=2,
    held_out_classes="1, 2",
    deterministic=True,
    init_from="vae_mnist_5k",
    freeze=["encoder/conv2d", "decoder/*"],
    callbacks=["keras.callbacks:TerminateOnNaN"],
)
PAIRS = Config(
    preset="pix2pix_256",
    overrides={"image_size": (16, 24), "channels": 3, "recompute": True},
    data="pairs of mine",
    data_dir=None,
    epochs=3,
    batch_size=7,
    seed=0,
    precision="float32",
    image_size=(16, 24),
    channels=3,
    kind="pairs",
    direction="ba",
    load_size=(20, 30),
    mirror=False,
    distill_from="pix2pix_openmoji_64",
    distill_weight=2.5,
)
MADE = dataclasses.replace(PAIRS, direction="ab", degrade="gray,noise25")
OF_THE_RUN = {"attribution", "data_record", "versions", "format"}  # found, not asked


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(IMAGES, id="images", marks=pytest.mark.large),
        pytest.param(PAIRS, id="pairs"),
        pytest.param(MADE, id="made"),
    ],
)
def test_the_command_of_a_run_is_parsed_to_its_configuration(
    config, tmp_path, monkeypatch
):
    parsed = []
    monkeypatch.setattr(
        trainer, "train_run", lambda config, folder, **_: parsed.append(config)
    )
    if config is IMAGES:  # every flag that there is
        plain = Config("x", {}, "x", None, 1, 1, 1, "float32", 1, 3)
        fields = {field.name for field in dataclasses.fields(Config)} - OF_THE_RUN
        fields -= {"kind", "direction", "degrade", "load_size", "mirror"}
        fields -= {"distill_from", "distill_weight"}
        same = [f for f in fields if getattr(config, f) == getattr(plain, f)]
        assert not same
    words = config.arguments(tmp_path / "again")
    if "recompute" in config.overrides:
        words.remove("True")  # the flag alone says it
    assert words[:2] == ["tfgen", "train"]
    assert tfgen(*words[1:]) == 0
    expected, actual = vars(config).copy(), vars(parsed[0])
    for name in expected:
        assert actual[name] == expected[name], name


def test_a_newer_configuration_is_called_newer_and_a_broken_one_damaged(tmp_path):
    IMAGES.write(tmp_path)
    assert dataclasses.asdict(Config.read(tmp_path)) == dataclasses.asdict(IMAGES)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "format": FORMAT + 1, "new_field": 1}))
    with pytest.raises(UserError, match="written by a newer tfgen"):
        Config.read(tmp_path)
    for text in (json.dumps({**values, "epoch": 3}), "{", "[]"):
        path.write_text(text)
        with pytest.raises(UserError, match="is damaged"):
            Config.read(tmp_path)
