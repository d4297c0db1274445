"""Tiles against the whole image, where a function sees no further than a tile."""

import itertools
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage

from tfgen.inference.tiling import iterate_bands, map_tiles

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(8, 8), (8, 21), (19, 30), (5, 11), (3, 2)])
def test_a_function_of_each_pixel_comes_back_whole(shape, overlap):
    """Whatever is larger or smaller than a tile; a function may change the channels."""
    image = RNG.uniform(size=(*shape, 3)).astype("float32")
    function = lambda tiles: 1.0 - tiles[..., :1]
    tiled = map_tiles(function, image, (8, 8), overlap)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, 1.0 - image[..., :1], atol=1e-6)
    levels = map_tiles(function, image, (8, 8), overlap, dtype="uint8")
    assert levels.dtype == np.uint8
    np.testing.assert_allclose(levels / 255.0, tiled, atol=0.51 / 255.0)


def test_the_inside_of_tiles_is_that_of_the_whole_image():
    """A filter of 3x3 is wrong at the edge of a tile only, where others outweigh it."""
    image = RNG.uniform(size=(70, 90, 2)).astype("float32")

    def smooth(tiles):
        return scipy.ndimage.uniform_filter(tiles, (1, 3, 3, 1), mode="constant")

    whole = smooth(image[np.newaxis])[0]
    tiled = map_tiles(smooth, image, (32, 32))
    shared = 32 // 4
    assert np.abs(tiled - whole).max() < 1.5 / shared
    # Tiles start at 0, 19, 38 and at 0, 19, 39, 58: what lies in one of them only.
    for rows in (slice(0, 18), slice(52, 70)):
        for columns in (slice(0, 18), slice(72, 90)):
            one = tiled[rows, columns], whole[rows, columns]
            np.testing.assert_allclose(*one, atol=1e-6)


def blend_at_once(function, image, size, starts, ramps):
    """Weighted sums over all tiles, over the sum of weights: the definition."""
    total, weight = np.zeros(image.shape), np.zeros((*image.shape[:2], 1))
    corners = [(top, left) for top in starts[0] for left in starts[1]]
    for number, (top, left) in enumerate(corners):
        place = slice(top, top + size[0]), slice(left, left + size[1])
        weights = np.outer(*ramps)[..., np.newaxis]
        total[place] += weights * function(image[place], number)
        weight[place] += weights
    return total / weight


def test_bands_are_the_blend_of_all_tiles():
    """Tiles that differ by their number: of 8x6, three down and four along."""
    image = RNG.uniform(size=(20, 18, 1)).astype("float32")

    numbers = itertools.count()

    def function(tile, number):
        return tile + np.sin(7.0 * number)

    bands = list(
        iterate_bands(
            lambda tiles: np.stack([function(t, next(numbers)) for t in tiles]),
            image,
            (8, 6),
            overlap=0.5,
        )
    )
    assert [len(band) for band in bands] == [4, 4, 4, 8]
    ramps = [np.array([1, 2, 3, 4, 4, 3, 2, 1]) / 4, np.array([1, 2, 3, 3, 2, 1]) / 3]
    starts = [0, 4, 8, 12], [0, 3, 6, 9, 12]
    expected = blend_at_once(function, image, (8, 6), starts, ramps)
    np.testing.assert_allclose(np.concatenate(bands), expected, atol=1e-5)


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
    corners = [tile[0, 0, 0] for tile in seen]
    assert corners == sorted(corners)


def test_seams_are_blended():
    """Tiles that disagree by 1 meet in steps of at most one over the overlap."""
    number = itertools.count()
    function = lambda tiles: np.stack([0 * t + next(number) % 2 for t in tiles])
    tiled = map_tiles(function, np.zeros((16, 28, 1)), (16, 16), overlap=0.25)
    assert tiled.min() == 0.0
    assert tiled.max() == 1.0
    assert np.abs(np.diff(tiled[:, :, 0], axis=1)).max() <= 1 / 4 + 1e-6


def test_memory_is_that_of_the_result_and_of_one_row_of_tiles():
    image = np.zeros((4096, 2048, 3), np.uint8)
    tracemalloc.start()
    map_tiles(lambda tiles: tiles / np.float32(255), image, (64, 64), dtype="uint8")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.4 * image.nbytes  # float32 of the whole image would be 4


def test_a_wide_image_is_run_in_batches_of_tiles():
    sizes = []

    def function(tiles):
        sizes.append(len(tiles))
        return tiles

    image = np.zeros((256, 20_000, 1), np.uint8)
    assert map_tiles(function, image, (256, 256)).shape == image.shape
    assert max(sizes) * 256 * 256 <= 2**20
    assert sum(sizes) > 100
