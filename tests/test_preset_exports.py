"""Every preset leaves for every runtime, and all of them agree."""

import pytest

import export
import tfgen
from tests.export import native_loader
from tfgen.presets import get_preset


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    return native_loader.build(tmp_path_factory)


SMALL = {"filters": 4, "discriminator_filters": 4, "num_blocks": 1, "latent_dim": 4}

# One of each family, those with most in them: labels, spectral norms, noise, padding.
DEFAULT = (
    "autoencoder_mnist_5k",
    "conditional_vae_mnist_5k",
    "conditional_gan_fashion_mnist",
    "pix2pix_openmoji_64",
    "cyclegan_openmoji_64",
)
# What is exported of these is of a family above, or, for codes, in tests/layers.
LARGE_FAMILIES = ("vaegan_64", "vqvae_openmoji_64", "cut_openmoji_64")
PRESETS = [
    pytest.param(name, marks=() if name in DEFAULT else pytest.mark.large)
    for name in tfgen.list_presets()
]


def make_small(name, **overrides):
    """The preset's architecture at a size that is exported in seconds."""
    preset = get_preset(name)
    size = min(preset.resolve({})["image_size"], 32)
    small = {k: v for k, v in SMALL.items() if k in preset.arguments}
    if "grid" in preset.arguments:
        # What samples codes is exported in tests/layers/test_causal_transformer.py.
        small |= {"grid": 2, "prior": None}
    values = {"image_size": size, "seed": 0, **small, **overrides}
    return tfgen.create_model(name, **values)


def test_every_family_is_exported():
    names = (*DEFAULT, *LARGE_FAMILIES)
    families = {get_preset(name).build.__module__ for name in names}
    assert families == {get_preset(n).build.__module__ for n in tfgen.list_presets()}


# Of GANs that no preset is.
VARIANTS = {
    "style": {"architecture": "style", "normalization": None, "ema_decay": 0.9},
    "codes": {"auxiliary": "codes", "latent_dim": 16},
    "classes": {"auxiliary": "classes", "num_classes": 3},
}
VARIANTS["style_codes"] = VARIANTS["codes"] | VARIANTS["style"]


@pytest.mark.parametrize("name", PRESETS)
def test_small(name, tmp_path, loader):
    assert_exported(make_small(name), name, tmp_path, loader)


@pytest.mark.large
@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name, tmp_path, loader):
    model = make_small("dcgan_mnist_5k", **VARIANTS[name])
    assert_exported(model, name, tmp_path, loader)


def assert_exported(model, name, tmp_path, loader):
    # The parts of `export_model`, which is whole in test_commands.py and below, but for
    # the run of the served model in Python: most of it is the start of TensorFlow, and
    # the loader runs the same file, held to the same tolerance.
    version = export.export_saved_model(model, tmp_path / name)
    edge = export.export_tflite(version, tmp_path / "edge" / f"{name}.tflite")
    native_loader.assert_native_loader_agrees(loader, version)
    rows = export.check(edge.parent, require_report=False)
    assert rows
    for row in rows:
        # Labels and codes are looked up outside of the delegate; all else is in it.
        looked_up = {"CAST", "ONE_HOT"}
        if row.endpoint == "draw_latents":
            looked_up |= {"ARG_MAX"}
        if name.startswith("vqvae"):
            looked_up |= {"EMBEDDING_LOOKUP", "RESHAPE"}
        assert set(row.graph["outside"]) <= looked_up, row.endpoint
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
