"""Grids of images pixel by pixel, panels, and files that are whole or not there."""

import numpy as np
import pytest
from PIL import Image

from tfgen.figures import pictures, plots


def test_tile_places_and_scales_every_image():
    images = np.stack([np.full((24, 24, 1), v) for v in (0.0, 0.5, 1.0)])
    tiled = pictures.tile(images, columns=2)
    assert tiled.shape == (2 * 48 + 2, 2 * 48 + 2, 3)
    assert (tiled[:48, :48] == 0).all()
    assert (tiled[:48, 50:] == 128).all()
    assert (tiled[50:, :48] == 255).all()
    assert (tiled[50:, 50:] == 255).all()  # an empty place is white


def test_tile_survives_values_out_of_range_and_not_a_number():
    images = np.full((1, 64, 64, 3), np.nan)
    images[0, 0, 0] = (-1.0, 2.0, 0.5)
    tiled = pictures.tile(images)
    assert tuple(tiled[0, 0]) == (0, 255, 128)
    assert (tiled[1:] == 0).all()


def test_compose_stacks_panels_with_room_for_titles():
    panels = {
        "one": np.zeros((50, 60, 3), "uint8"),
        "two": np.zeros((10, 90, 3), "uint8"),
    }
    picture = pictures.compose(panels, caption="from somewhere")
    assert picture.width == 90 + 16
    assert picture.height > 60 + 2 * 20
    longer = pictures.compose(panels, caption="a long attribution " * 5)
    assert longer.height > picture.height
    assert np.asarray(longer)[-22:].min() < 200  # the last line of the attribution
    assert (np.asarray(picture) < 255).any()


def test_save_picture_writes_whole_files_or_nothing(tmp_path):
    path = pictures.save_picture(Image.new("RGB", (4, 4)), tmp_path / "a" / "b.png")
    with Image.open(path) as picture:
        assert picture.size == (4, 4)
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        pictures.save_picture(object(), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]


def test_curves_have_a_plot_for_every_figure():
    one = plots.plot_curves({"loss": [3.0, 2.0], "val_loss": [3.0, 2.5]})
    four = plots.plot_curves({name: [1.0, 2.0] for name in "abcd"})
    assert four.width == 3 * one.width
    assert four.height == 2 * one.height
    flat = plots.plot_curves({"loss": [3.0, 3.0], "val_loss": [3.0, 3.0]})
    assert np.asarray(one).tolist() != np.asarray(flat).tolist()


def test_transparency_is_over_white_in_a_jpeg_and_kept_in_a_png(tmp_path):
    picture = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    picture.paste((0, 0, 200, 255), (8, 0, 16, 16))
    with Image.open(pictures.save_picture(picture, tmp_path / "a.jpg")) as jpeg:
        pixels = np.asarray(jpeg).astype(int)
    assert np.abs(pixels[:, :7] - 255).max() < 30
    assert np.abs(pixels[:, 9:] - [0, 0, 200]).max() < 30
    with Image.open(pictures.save_picture(picture, tmp_path / "a.png")) as png:
        np.testing.assert_array_equal(np.asarray(png), np.asarray(picture))
