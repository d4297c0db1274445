"""Pictures of any aspect through a function of one size: what it sees, what is lost."""

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, ImageDraw

import tfgen.networks
from tfgen.inference.fitting import map_picture, resize_array
from tfgen.inference.tiling import _place, map_tiles

SIZE = (32, 24)
SHAPES = [(32, 24), (96, 72), (90, 40), (20, 200), (7, 3), (64, 24)]


def draw_circles(height, width):
    """Smooth grey with a white circle in the middle."""
    picture = Image.new("RGB", (4 * width, 4 * height), (80, 120, 160))
    r = 1.2 * min(height, width)
    box = [2 * width - r, 2 * height - r, 2 * width + r, 2 * height + r]
    ImageDraw.Draw(picture).ellipse(box, fill="white")
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def watch(seen):
    """A function of each pixel, as a generator without effect."""

    def function(tiles):
        seen.extend(tiles)
        return tiles.astype("float32") / 255.0

    return function


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("in_tiles", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_comes_back_whole_and_in_its_size(shape, in_tiles, resize):
    """What is lost is what shrinking the shorter side, or the longer, loses."""
    image, seen = draw_circles(*shape), []
    result = map_picture(watch(seen), image, SIZE, resize, in_tiles)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert {tile.shape for tile in seen} == {(*SIZE, 3)}
    difference = np.abs(result.astype(int) - image)
    if shape[0] * SIZE[1] == shape[1] * SIZE[0]:
        again = resize_array(resize_array(image, SIZE), shape)
        np.testing.assert_array_equal(result, again)
    assert difference.mean() < 14
    if resize == "crop" and in_tiles:
        assert difference.mean() < 6


@pytest.mark.parametrize(
    ("resize", "in_tiles"), [("crop", True), ("crop", False), ("pad", False)]
)
@pytest.mark.parametrize("shape", [(120, 40), (40, 120), (128, 96)])
def test_nothing_is_distorted(shape, in_tiles, resize):
    """A circle that the function sees whole is as high as wide."""
    seen = []
    map_picture(watch(seen), draw_circles(*shape), SIZE, resize, in_tiles)
    middle = seen[len(seen) // 2]
    parts, _ = scipy.ndimage.label(middle.min(axis=-1) > 200)
    is_white = parts == parts[SIZE[0] // 2, SIZE[1] // 2]  # not its mirror images
    rows, columns = (int(is_white.any(axis=axis).sum()) for axis in (1, 0))
    assert min(rows, columns) >= 3
    assert abs(rows - columns) <= 1


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_16_bits_are_kept(channels):
    shape = (*SIZE, channels)
    image = np.random.default_rng(0).integers(0, 2**16, shape, dtype=np.uint16)
    result = map_picture(lambda tiles: tiles / 65535, image, SIZE)
    np.testing.assert_array_equal(result, image)
    wide = np.concatenate([image, image[:, ::-1]], axis=1)
    result = map_picture(lambda tiles: tiles / 65535, wide, SIZE)
    np.testing.assert_allclose(result, wide, atol=1)


def test_what_is_beside_the_picture():
    """Zeros where it was trained on them; else the picture, mirrored."""
    image, seen = np.full((40, 120, 3), 200, np.uint8), []
    map_picture(watch(seen), image, SIZE, "pad")
    map_picture(watch(seen), image, SIZE, "crop", in_tiles=False)
    zeros, mirrored = seen
    assert sorted(np.unique(zeros)) == [0, 200]
    assert not zeros[[0, -1]].any()
    np.testing.assert_array_equal(mirrored, np.full_like(mirrored, 200))


def test_no_seam_shows_where_tiles_of_a_network_meet():
    """The largest step across a border of tiles is no larger than elsewhere.

    Instance normalisation makes the tone of a tile its own: without overlap, it shows.
    """
    generator = tfgen.networks.build_resnet_generator(
        (32, 32, 3), filters=4, num_blocks=1, upsampling="bilinear"
    )
    small = np.random.default_rng(0).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    image = resize_array(small, (56, 128))

    def translate(tiles):
        return np.asarray(generator(tiles / np.float32(127.5) - 1)) / 2 + 0.5

    def steps(overlap):
        """Returns the largest steps across borders, and elsewhere."""
        result = map_tiles(translate, image, (32, 32), overlap)
        assert np.ptp(result) > 0.2
        starts, _ = _place(128, 32, overlap)
        borders = {x - 1 for x in starts[1:]} | {x + 31 for x in starts[:-1]}
        found = np.abs(np.diff(result, axis=1)).max(axis=(0, 2))
        borders = sorted(borders)
        return found[borders].max(), np.delete(found, borders).max()

    seam, elsewhere = steps(0.25)
    assert seam <= elsewhere
    seam, elsewhere = steps(0.0)
    assert seam > elsewhere
