"""A folder of photographs that are not square, all the way to a page in a browser."""

import json

import numpy as np
import pytest
from PIL import Image

from export.verify.chromium import find_chromium
from tests.cli.conftest import tfgen
from tfgen import Run

SIZE, SHAPE = "96x64", [None, 96, 64, 3]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(24):
        blobs = rng.integers(0, 256, (6, 4, 3), dtype=np.uint8)
        size = (80, 60) if index % 2 else (60, 100)
        Image.fromarray(blobs).resize(size).save(folder / f"{index:02d}.jpg")
    return folder


@pytest.mark.large
def test_from_a_folder_to_a_page(photos, tmp_path):
    run, out, page = tmp_path / "run", tmp_path / "out", tmp_path / "page"
    flags = ("--image-size", SIZE, "--resize", "pad", "--degrade", "gray,noise25")
    small = ("--filters", 4, "--discriminator-filters", 4, "--patch-layers", 2)
    length = ("--epochs", 1, "--batch-size", 8, "--out", run)
    assert (
        tfgen("train", "colorize_256", "--data", photos, *flags, *small, *length) == 0
    )
    config = Run(run).config
    assert (config.image_size, config.load_size) == ([96, 64], [107, 72])
    assert (config.resize, config.degrade) == ("pad", "gray,noise25")
    assert tfgen("evaluate", run, "--metrics", "translation") == 0
    assert tfgen("translate", run, photos, out) == 0
    for path in photos.iterdir():
        with Image.open(path) as old, Image.open(out / path.name) as new:
            assert new.size == old.size
    assert tfgen("demo", run, "--out", page, "--quantize", "float32") == 0
    (model,) = json.loads((page / "web" / "models.json").read_text())["models"]
    assert model["page"]["resize"] == "pad"
    endpoint = model["endpoints"]["translate"]
    assert endpoint["inputs"]["images"]["shape"] == SHAPE
    assert endpoint["outputs"]["images"]["shape"] == SHAPE
    if find_chromium() is not None:
        assert tfgen("check", page, "--web") == 0
