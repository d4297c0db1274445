"""`tfgen fit-prior`: an autoencoder that draws images from then on."""

import shutil

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from tests.cli.conftest import tfgen


@pytest.fixture
def own_run(autoencoder_run, tmp_path):
    return shutil.copytree(autoencoder_run, tmp_path / "run")


@pytest.mark.parametrize(
    "flags",
    [
        ("--num-components", 2),
        pytest.param(("--kind", "flow", "--num-steps", 5), marks=pytest.mark.large),
    ],
)
def test_an_autoencoder_draws_with_the_command(own_run, tmp_path, capsys, flags):
    out = tmp_path / "samples.png"
    sample = ("sample", own_run, "--num", 4, "--seed", 3, "--out", out)
    assert tfgen(*sample) == 2
    assert "tfgen fit-prior" in capsys.readouterr().err
    assert tfgen("fit-prior", own_run, *flags) == 0
    assert capsys.readouterr().out.strip() == str(own_run / "model.keras")
    assert tfgen(*sample) == 0
    run = package.Run(own_run)
    images = run.sample(4, seed=3)
    cell = np.asarray(Image.open(out)).astype(float)[22 : 22 + 56 : 2, 8 : 8 + 56 : 2]
    np.testing.assert_allclose(cell[..., 0] / 255, images[0, ..., 0], atol=0.004)
    # Latents are where those of images are.
    noise = np.random.default_rng(0).normal(size=(500, run.model._noise_dim))
    drawn = run.model.draw_latents(noise.astype("float32")).numpy()
    latents = run.model.encode(run.train_images()).numpy()
    distance = np.abs(drawn.mean(axis=0) - latents.mean(axis=0))
    assert (distance < latents.std(axis=0)).all()


@pytest.mark.large
def test_an_export_carries_the_prior(own_run, tmp_path):
    assert tfgen("fit-prior", own_run, "--num-components", 2) == 0
    out = tmp_path / "export"
    assert tfgen("export", own_run, "--out", out, "--latency-seconds", 0) == 0
    import tensorflow as tf

    (folder,) = (out / "serving").glob("*/1")
    served = tf.saved_model.load(str(folder)).signatures
    seeds = np.int64(3) * 2**32 + np.arange(4)
    images = served["sample"](seeds=tf.constant(seeds))["images"]
    expected = package.Run(own_run).sample(4, seed=3)
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_what_has_no_latents_or_no_folder_is_refused(gan_run, capsys):
    assert tfgen("fit-prior", gan_run) == 2
    assert "GAN has no latents that a prior" in capsys.readouterr().err
    assert tfgen("fit-prior", "vae_mnist_5k") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1] == (
        "tfgen: error: vae_mnist_5k is no run directory, where a prior could be saved: "
        "train one"
    )
    assert tfgen("fit-prior", gan_run, "--kind", "kernel") == 2
