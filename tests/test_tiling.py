import numpy as np
import pytest

from tfgen.tiling import map_tiles

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(8, 8), (8, 21), (19, 30), (5, 11), (3, 2)])
def test_a_function_of_each_pixel_comes_back_whole(shape, overlap):
    """Whatever is larger or smaller than a tile; a function may change the channels."""
    image = RNG.uniform(size=(*shape, 3)).astype("float32")
    function = lambda tiles: 1.0 - tiles[..., :1]
    found = map_tiles(function, image, (8, 8), overlap)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, function(image), atol=1e-6)


def test_every_tile_has_the_size_and_is_of_the_image():
    image = np.arange(20 * 30, dtype="float32").reshape(20, 30, 1)
    seen = []

    def function(tiles):
        seen.extend(tiles)
        return tiles

    map_tiles(function, image, (8, 6))
    assert all(tile.shape == (8, 6, 1) for tile in seen)
    assert set(np.concatenate(seen).ravel()) == set(image.ravel())
    assert all((np.diff(tile[..., 0], axis=1) == 1).all() for tile in seen)


def test_seams_are_blended():
    """Tiles that disagree by 1 meet in steps of at most one over the overlap."""
    number = iter(range(100))
    function = lambda tiles: np.stack([t * 0 + next(number) % 2 for t in tiles])
    found = map_tiles(function, np.zeros((16, 28, 1)), (16, 16), overlap=0.25)
    assert found.min() == 0.0
    assert found.max() == 1.0
    assert np.abs(np.diff(found[:, :, 0], axis=1)).max() <= 1 / 4 + 1e-6
