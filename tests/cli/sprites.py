"""A small run on sprites, whose factors are known; trained once for all test files."""

import tfgen.data
from tests.cli.conftest import tfgen as run_tfgen
from tests.made_once import made_once

_DATA = "sprites/32_2000"


def make_sprites_run(tmp_path_factory):
    """Returns the run directory."""

    def prepare(folder):
        tfgen.data.load_array(_DATA, "test", 1, data_dir=folder)

    def train(out):
        flags = ("--data", _DATA, "--data-dir", data_dir, "--out", out)
        network = ("--image-size", 32, "--filters", 4, "--latent-dim", 3)
        steps = ("--epochs", 1, "--batch-size", 20, "--learning-rate", 5e-3)
        assert run_tfgen("train", "vae_mnist_5k", *flags, *network, *steps) == 0

    data_dir = made_once(tmp_path_factory, "sprites_data", prepare)
    return made_once(tmp_path_factory, "sprites_run", train)
