"""Every preset leaves for every runtime, and all of them agree."""

import json
import re

import pytest

import export
import tfgen
from tests.export import native_loader
from tfgen.presets import get_preset


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    return native_loader.build(tmp_path_factory)


SMALL = {"filters": 4, "discriminator_filters": 4, "num_blocks": 1, "latent_dim": 4}

# Presets whose networks others export, by default, in their place: those presets, with
# the arguments that make the two equal. What such an argument changes (a normalisation,
# a size, labels) is in another preset's export; a VAE without labels in that of the
# command line.
SAME = {
    "vae_mnist_5k": {"conditional_vae_mnist_5k": {"num_classes": 10}},
    "vae_fashion_mnist": {"conditional_vae_mnist_5k": {"num_classes": 10}},
    "vae_sprites": {"conditional_vae_mnist_5k": {"num_classes": 10, "image_size": 28}},
    "dcgan_mnist_5k": {
        "wgan_gp_mnist_5k": {"normalization": "layer"},
        "dcgan_openmoji_64": {"image_size": 32, "channels": 3},
    },
    "sngan_fashion_mnist": {
        "wgan_gp_mnist_5k": {"normalization": "layer"},
        "conditional_gan_fashion_mnist": {"num_classes": 10},
    },
    "pix2pix_256": {"pix2pix_openmoji_64": {}},
    "cyclegan_256": {"cyclegan_openmoji_64": {}},
}


def make_small(name, **overrides):
    """The preset's architecture at a size that is exported in seconds."""
    preset = get_preset(name)
    size = min(preset.resolve({})["image_size"], 32)
    small = {k: v for k, v in SMALL.items() if k in preset.arguments}
    return tfgen.create_model(
        name, **{"image_size": size, "seed": 0, **small, **overrides}
    )


def exported(model):
    """What an export depends on: every endpoint's inputs, every network it may call."""
    endpoints = model.signatures()
    names = ["encoder", "decoder", "generator", "generator_ab", "generator_ba"]
    names += ["discriminator"] * ("discriminate" in endpoints)
    networks = {k: without_names(getattr(model, k, None)) for k in names}
    return {k: v.input_signature for k, v in endpoints.items()} | networks


def without_names(network):
    """The config of a network, whose operations' names count up from model to model."""
    if network is None:
        return None
    text = json.dumps(network.get_config(), sort_keys=True)
    for index, operation in enumerate(network.operations):
        text = text.replace(f'"{operation.name}"', f'"operation {index}"')
    return re.sub(r'"name": "[^"]*"', "", text)  # of layers in layers, too


@pytest.mark.parametrize("name", SAME)
def test_what_others_export_for_it(name):
    for other, differences in SAME[name].items():
        assert other not in SAME
        found, expected = make_small(name, **differences), make_small(other)
        message = f"no longer as {other}: delete {name} from `SAME`, to export it here"
        assert exported(found) == exported(expected), message


def cases():
    for name in tfgen.list_presets():
        marks = [pytest.mark.large] if name in SAME else []
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", list(cases()))
def test_small(name, tmp_path, loader):
    # The parts of `export_model`, which is whole in test_commands.py and below, but for
    # the run of the served model in Python: most of it is the start of TensorFlow, and
    # the loader runs the same file, held to the same tolerance.
    version = export.export_saved_model(make_small(name), tmp_path / name)
    edge = export.export_tflite(version, tmp_path / "edge" / f"{name}.tflite")
    native_loader.assert_native_loader_agrees(loader, version)
    rows = export.check(edge.parent, require_report=False)
    assert rows
    for row in rows:
        # Labels are looked up outside of the delegate; all else is in it.
        assert set(row.graph["outside"]) <= {"CAST", "ONE_HOT"}, row.endpoint
        assert row.graph["partitions"] <= 1 + bool(row.graph["outside"]), row.endpoint


@pytest.mark.large
@pytest.mark.timeout(1800)  # CycleGAN's two generators at 256 x 256
@pytest.mark.parametrize("name", tfgen.list_presets())
def test_at_the_size_of_the_paper(name, tmp_path, loader):
    model = tfgen.create_model(name, seed=0)
    export.export_model(model, tmp_path, name, latency_seconds=0)
    rows = export.check(tmp_path, require_report=False)
    assert {row.format for row in rows} == {"saved_model", "tflite"}
    version = tmp_path / "serving" / name / "1"
    native_loader.assert_native_loader_agrees(loader, version)
