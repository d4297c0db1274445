"""Training that starts from trained weights; layers that stay as they are."""

import numpy as np
import pytest

import tfgen
from tests.runs import SMALL, run_tfgen
from tfgen.errors import UserError
from tfgen.training.initial_weights import initialize, layers_by_name

OPTIONS = {"epochs": 1, "batch_size": 16, "filters": 4, "latent_dim": 3}
FROZEN = "encoder/conv2d"


@pytest.fixture(scope="module")
def source(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("source") / "run"
    return tfgen.train("vae_mnist_5k", folder, out, **OPTIONS)


@pytest.fixture(scope="module")
def tuned(folder, source, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "run"
    lines = []
    options = OPTIONS | {"latent_dim": 2, "seed": 1, "epochs": 2}
    options |= {"init_from": source.path, "freeze": [FROZEN], "log": lines.append}
    return tfgen.train("vae_mnist_5k", folder, out, **options), lines


def test_layers_that_fit_are_taken_and_others_named(source, tuned):
    run, lines = tuned
    (line,) = [line for line in lines if "start anew" in line]
    assert line.endswith("start anew: decoder/dense, encoder/dense")
    ours, theirs = layers_by_name(run.model), layers_by_name(source.model)
    for one, other in zip(
        ours[FROZEN].get_weights(), theirs[FROZEN].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    moved = ours["encoder/conv2d_1"].get_weights()[0]
    before = theirs["encoder/conv2d_1"].get_weights()[0]
    assert 0 < np.abs(moved - before).max() < 0.05  # some steps away, not drawn anew
    assert f"--init-from {source.path} " in " ".join(run.config.arguments())
    assert f"--freeze {FROZEN} " in " ".join(run.config.arguments())


@pytest.mark.large
def test_resuming_is_exact(folder, source, tuned, tmp_path):
    run, _ = tuned
    options = OPTIONS | {"latent_dim": 2, "seed": 1}
    options |= {"init_from": source.path, "freeze": [FROZEN]}
    half = tfgen.train("vae_mnist_5k", folder, tmp_path / "half", **options)
    whole = tfgen.train(resume=half.path, epochs=2)
    for one, other in zip(whole.model.weights, run.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_an_average_starts_from_the_network_it_is_of(tmp_path):
    source = tfgen.create_model("dcgan_mnist_5k", filters=2, ema_decay=None, seed=1)
    model = tfgen.create_model("dcgan_mnist_5k", filters=2, seed=0)
    source.save(tmp_path / "model.keras")
    lines = []
    initialize(model, tmp_path / "model.keras", lines.append)
    assert "anew" not in lines[0]
    for name in ("generator", "ema_generator"):
        for one, other in zip(
            getattr(model, name).weights, source.generator.weights, strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_the_discriminator_of_a_gan_is_frozen_in_part(folder, tmp_path):
    options = {**OPTIONS, "freeze": ["discriminator/conv2d"]}
    run = tfgen.train("dcgan_mnist_5k", folder, tmp_path / "run", **options)
    fresh = tfgen.create_model("dcgan_mnist_5k", filters=4, latent_dim=3, seed=0)
    name = "discriminator/conv2d"
    kept = layers_by_name(run.model)[name].get_weights()
    for one, other in zip(kept, layers_by_name(fresh)[name].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    options["freeze"] = ["discriminator/*"]
    with pytest.raises(UserError, match="nothing of the discriminator to train"):
        tfgen.train("dcgan_mnist_5k", folder, tmp_path / "none", **options)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--init-from", "vae_mnist5k"), "did you mean vae_mnist_5k"),
        (("--init-from", "pix2pix_256"), "without trained weights"),
        (("--freeze", "encoder/conv9"), "fits no layer; they are: decoder/"),
    ],
)
def test_mistakes_are_one_line(folder, flags, words, tmp_path, capsys):
    out = tmp_path / "run"
    train = ("train", "vae_mnist_5k", "--data", folder, "--out", out, *SMALL)
    assert run_tfgen(*train, *flags) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "\n" not in error
    assert not out.exists()
