"""16 bits, and any number of channels: from files to batches and back to files."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.conftest import assert_fails
from tfgen.data import load_array, load_images, load_pair_arrays, loading
from tfgen.data.decode import decode_image, read_shape
from tfgen.data.pixels import Fit
from tfgen.errors import UserError
from tfgen.figures.levels import save_levels
from tfgen.figures.pictures import tile

DEEP = Fit(depth=16)


def draw(channels, dtype=np.uint16, shape=(6, 8)):
    """Random levels over the whole range."""
    rng = np.random.default_rng(channels)
    return rng.integers(0, np.iinfo(dtype).max + 1, (*shape, channels), dtype)


@pytest.mark.parametrize(
    ("ending", "channels"),
    [
        *((".png", 1), (".png", 3), (".png", 4)),
        *((".tif", 1), (".tif", 3), (".tiff", 5)),
        *((".npy", 1), (".npy", 2), (".npy", 7)),
    ],
)
def test_levels_of_16_bits_come_back_from_a_file(tmp_path, ending, channels):
    if ending.startswith(".tif") and channels > 1:
        pytest.importorskip("tifffile")
    levels, path = draw(channels), tmp_path / f"deep{ending}"
    save_levels(levels, path)
    fit = DEEP._replace(channels=channels)
    np.testing.assert_array_equal(decode_image(path, fit)[0], levels)
    assert read_shape(path) == levels.shape
    (shallow,) = decode_image(path, Fit(channels=channels))
    assert shallow.dtype == np.uint8
    assert np.abs(shallow - levels / 257.0).max() <= 1.0  # Pillow cuts colours


def test_pillow_and_tensorflow_read_what_is_written(tmp_path):
    grey = save_levels(draw(1), tmp_path / "grey.png")
    with Image.open(grey) as image:
        assert image.mode.startswith("I")
    colour = save_levels(draw(3), tmp_path / "colour.png").read_bytes()
    read = tf.io.decode_png(colour, dtype=tf.uint16)
    np.testing.assert_array_equal(read, draw(3))


def test_8_bits_are_what_they_were(tmp_path):
    levels, path = draw(3, np.uint8), tmp_path / "plain.png"
    save_levels(levels, path)
    np.testing.assert_array_equal(decode_image(path, DEEP)[0], levels * np.uint16(257))
    np.testing.assert_array_equal(decode_image(path, Fit())[0], levels)
    (grey,) = decode_image(path, DEEP._replace(channels=1))
    with Image.open(path) as image:
        expected = np.asarray(image.convert("L"))
    assert np.abs(grey[..., 0] / 257.0 - expected).max() < 0.6


def test_deep_images_are_resized_as_others(tmp_path):
    levels, path = draw(3, np.uint8, (20, 31)), tmp_path / "plain.png"
    save_levels(levels, path)
    for resize in ("crop", "pad", "stretch"):
        fit = Fit((8, 10), resize=resize)
        (expected,) = decode_image(path, fit)
        (actual,) = decode_image(path, fit._replace(depth=16))
        difference = np.abs(actual / 257.0 - expected)
        assert difference.max() < 2.0  # Pillow rounds between rows and columns
        assert difference.mean() < 0.5


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_batches_have_every_level(tmp_path, monkeypatch, storage):
    if storage == "stream":
        monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    for i in range(6):
        levels = draw(5)
        levels[0, 0] = i
        np.save(tmp_path / f"{i}.npy", levels)
    options = {"channels": 5, "depth": 16, "shuffle": False}
    images = np.concatenate(list(load_images(tmp_path, **options)))
    assert images.shape[1:] == (6, 8, 5)
    assert len(set(images[:, 0, 0, 0])) == len(images)  # 8 bits would not tell them
    expected = np.broadcast_to(draw(5)[1:] / 65535, images[:, 1:].shape)
    np.testing.assert_allclose(images[:, 1:], expected, atol=1e-7)
    options = {"degrade": "gray", "channels": 5, "depth": 16}
    inputs, _ = load_pair_arrays(tmp_path, "train", **options)
    assert np.ptp(inputs, axis=-1).max() == 0.0


def test_values_that_are_no_levels_need_their_range(tmp_path):
    values = np.linspace(-1000.0, 1000.0, 48, dtype="float32").reshape(6, 8)
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", values)
    assert_fails(load_array, "floating-point pixels", "value-range", source=tmp_path)
    images = load_array(tmp_path, depth=16, source_range=(-1000, 1000))
    np.testing.assert_allclose(images[0, ..., 0], (values + 1000) / 2000, atol=1e-5)


def test_mistakes(tmp_path):
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", np.zeros((4, 4, 5), np.uint8))
    asked = {"source": tmp_path, "channels": 3}
    assert_fails(load_array, "has 5 channels, and 3 are asked for", **asked)
    assert_fails(load_array, "depth must be 8 or 16", source=tmp_path, depth=12)
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", np.zeros(4))
    assert_fails(load_array, ".npy cannot be read", "must be (height", source=tmp_path)
    with pytest.raises(UserError, match=r"does not hold images of 5 channels: name a"):
        save_levels(draw(5), tmp_path / "many.png")


def test_pictures_show_the_first_three_channels():
    images = np.random.default_rng(0).uniform(size=(1, 48, 48, 5))
    np.testing.assert_array_equal(tile(images), tile(images[..., :3]))
    assert not tile(images[..., :2])[..., 2].any()
