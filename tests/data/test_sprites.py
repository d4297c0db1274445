"""The builder: its drawings, its factors, its splits; and factors of any data set."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import sklearn.metrics
import tensorflow_datasets as tfds

from tfgen.data import describe, has_factors, load_array, load_factors
from tfgen.data.builders.sprites import drawing
from tfgen.errors import UserError

_SMALL = "sprites/32_300"
_SIZES = tuple(drawing.FACTORS.values())
_ALPHABETICAL = ("rotation", "scale", "shape", "x", "y")


def in_drawing_order(factors):
    return factors.values[:, [_ALPHABETICAL.index(name) for name in drawing.FACTORS]]


@pytest.fixture(scope="module")
def sprites_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    tfds.load(_SMALL, data_dir=folder)
    return folder


@pytest.fixture(scope="module")
def factors_of(sprites_dir):
    splits = ("train", "test", "test[100:130]")
    return {x: load_factors(_SMALL, x, data_dir=sprites_dir) for x in splits}


def draw(size=64, shape=0, scale=5, rotation=0, x=16, y=16):
    factors = np.stack(np.broadcast_arrays(shape, scale, rotation, x, y), axis=-1)
    return drawing.draw_sprites(np.atleast_2d(factors), size)[..., 0] / 255.0


def center(image):
    """Returns the middle of the light: (down, right), in pixels."""
    return np.array(scipy.ndimage.center_of_mass(image))


# ---- Drawings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "area"), [(0, np.pi / 2), (1, 1.2 * 1.8 / 2), (2, 0.8 + 0.55 - 0.25)]
)
def test_areas(shape, area):
    """The light of a sprite is its shape's area times its scale squared."""
    rotations = np.arange(36)
    for scale, radius in ((0, 0.10), (2, 0.14), (5, 0.20)):
        light = draw(64, shape, scale, rotations).sum(axis=(1, 2)) / 64**2
        np.testing.assert_allclose(light, area * radius**2, rtol=0.03)


def test_edges_are_as_soft_as_of_many_small_pixels():
    """Against 16 x 16 hard pixels in place of each; corners alone differ visibly."""
    for shape in range(3):
        for rotation in (0, 4, 17):
            (soft,) = draw(32, shape, 4, rotation)
            (large,) = draw(512, shape, 4, rotation)
            means = (large > 0.5).reshape(32, 16, 32, 16).mean(axis=(1, 3))
            assert np.abs(soft - means).max() < 0.35
            assert np.abs(soft - means).sum() < 0.05 * means.sum()


def test_x_goes_right_and_y_down_in_equal_steps():
    for axis, name in enumerate(["y", "x"]):
        centers = np.array([center(i) for i in draw(64, 2, **{name: np.arange(32)})])
        steps = np.diff(centers, axis=0)
        np.testing.assert_allclose(steps[:, axis], 0.5 * 64 / 31, atol=0.1)
        np.testing.assert_allclose(steps[:, 1 - axis], 0.0, atol=0.05)
    # The middle of the positions is the middle of the image.
    ends = [center(draw(64, 0, x=x, y=y, rotation=9)[0]) for x, y in [(0, 0), (31, 31)]]
    np.testing.assert_allclose(np.mean(ends, axis=0)[0], 31.5, atol=0.1)


def test_rotation_is_counterclockwise_by_10_degrees():
    """The arrow's tip is farther from where it turns about than its base."""
    images = draw(64, 1, 5, np.arange(36))
    middle = 64 * (0.25 + 0.5 * 16 / 31) - 0.5
    down, right = np.array([center(image) for image in images]).T - middle
    angles = np.unwrap(np.arctan2(-down, right))
    # It lies below its centre of turning when it points up.
    expected = np.radians(-90 + 10 * np.arange(36))
    np.testing.assert_allclose(angles - angles[0], expected - expected[0], atol=0.1)
    assert angles[0] == pytest.approx(expected[0], abs=0.1)


def test_no_two_sprites_of_one_place_are_alike():
    grid = np.indices((3, 6, 36, 1, 1)).reshape(5, -1).T + np.array([0, 0, 0, 13, 22])
    images = drawing.draw_sprites(grid, 32).reshape(len(grid), -1).astype(int)
    nearest = [np.sort(np.abs(images - i).sum(axis=1))[1] for i in images[::5]]
    assert min(nearest) > 255  # one white pixel, all told


def test_each_step_of_a_place_is_seen():
    for name in ("x", "y"):
        images = draw(32, 1, 0, **{name: np.arange(32)})
        assert np.abs(np.diff(images, axis=0)).sum(axis=(1, 2)).min() > 1.0


def test_sprites_stay_inside():
    grid = np.indices((3, 1, 36, 2, 2)).reshape(5, -1).T * [1, 0, 1, 31, 31]
    grid[:, 1] = 5
    for size in (32, 64):
        images = drawing.draw_sprites(grid, size)
        border = np.ones((size, size, 1), bool)
        border[1:-1, 1:-1] = False
        assert images[:, border].max() < 4
        assert images.reshape(len(grid), -1).max(axis=1).min() == 255


def test_drawing_in_parts_changes_nothing(monkeypatch):
    factors = drawing.choose_factors(0, 40)
    whole = drawing.draw_sprites(factors, 32)
    monkeypatch.setattr(drawing, "_CHUNK_PIXELS", 3 * 32**2)
    np.testing.assert_array_equal(drawing.draw_sprites(factors, 32), whole)


# ---- Factors -------------------------------------------------------------------------


def test_factors_are_uniform_and_independent():
    factors = drawing.choose_factors(0, 25_000)
    for i, column in enumerate(factors.T):
        counts = np.bincount(column, minlength=_SIZES[i])
        assert len(counts) == _SIZES[i]
        assert scipy.stats.chisquare(counts).pvalue > 1e-3
        for j in range(i):
            known = sklearn.metrics.mutual_info_score(column, factors[:, j])
            by_chance = (_SIZES[i] - 1) * (_SIZES[j] - 1) / (2 * len(factors))
            assert known < 1.3 * by_chance + 1e-4


def test_no_combination_comes_twice_and_ranges_are_parts_of_one_order():
    everything = drawing.choose_factors(0, drawing.NUM_SPRITES)
    assert len(everything) == 3 * 6 * 36 * 32 * 32
    assert len(np.unique(np.ravel_multi_index(everything.T, _SIZES))) == len(everything)
    np.testing.assert_array_equal(drawing.choose_factors(70, 99), everything[70:99])
    assert (drawing.choose_factors(0, 99, seed=1) != everything[:99]).any()


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"from 0 to 663552\. Received: 0, 663553"):
        drawing.choose_factors(0, 663_553)
    for factors in ([[3, 0, 0, 0, 0]], [[0, 0, 0, 0, -1]], [[0, 0, 36, 0, 0]]):
        with pytest.raises(ValueError, match="'rotation': 36"):
            drawing.draw_sprites(factors, 32)
    with pytest.raises(ValueError, match=r"\(n, 5\)"):
        drawing.draw_sprites([0, 0, 0, 0, 0], 32)


# ---- The data set --------------------------------------------------------------------


def test_images_are_drawn_from_their_factors_in_the_same_order(factors_of, sprites_dir):
    for split, count in (("test", 5000), ("train", 300), ("test[100:130]", 30)):
        images, labels = load_array(_SMALL, split, data_dir=sprites_dir, labels=True)
        factors = factors_of[split]
        assert factors.names == _ALPHABETICAL
        assert factors.num_values == (36, 6, 3, 32, 32)
        assert factors.value_names[1] == ("0", "1", "2", "3", "4", "5")
        assert factors.value_names[2] == ("half_disc", "arrow", "corner")
        assert factors.categorical == (2,)  # a shape is neither more nor less
        assert factors.values.shape == (count, 5)
        expected = drawing.draw_sprites(in_drawing_order(factors), 32) / np.float32(
            255.0
        )
        np.testing.assert_allclose(images, expected, atol=1e-6)
        np.testing.assert_array_equal(factors.values[:, 2], labels)
    first = load_factors(_SMALL, "test[100:130]", num_images=7, data_dir=sprites_dir)
    np.testing.assert_array_equal(first.values, factors_of["test[100:130]"].values[:7])


def test_splits_are_the_first_and_the_next_of_one_order(factors_of):
    for split, start, stop in (("test", 0, 5000), ("train", 5000, 5300)):
        found = in_drawing_order(factors_of[split])
        expected = drawing.choose_factors(start, stop)
        assert sorted(found.tolist()) == sorted(expected.tolist())


def test_configurations(tmp_path):
    builder = tfds.builder("sprites", data_dir=tmp_path)
    assert builder.info.full_name == "sprites/64/1.0.0"
    assert builder.info.features["label"].names == ["half_disc", "arrow", "corner"]
    assert describe("sprites/64_7", tmp_path).image_shape == (64, 64, 1)
    assert describe("sprites/32", tmp_path).num_classes == 3
    assert tfds.builder("sprites/64_7", data_dir=tmp_path).builder_config.num_train == 7
    most = tfds.builder("sprites/32_658552", data_dir=tmp_path)
    assert most.builder_config.num_train + 5000 == drawing.NUM_SPRITES


@pytest.mark.parametrize("name", ["16", "64_0", "64_658553", "32_1e3"])
def test_other_configurations_are_refused(name, tmp_path):
    with pytest.raises(UserError, match=f"'sprites/{name}' names no configuration"):
        load_array(f"sprites/{name}", data_dir=tmp_path)


def test_a_size_chooses_the_configuration(monkeypatch, tmp_path):
    def refuse(builder):
        raise UserError(builder.info.full_name)

    monkeypatch.setattr("tfgen.data.factors.prepare", refuse)
    for size, name in ((None, "64"), (32, "32"), ((64, 64), "64")):
        with pytest.raises(UserError, match=f"sprites/{name}/"):
            load_factors("sprites", image_size=size, data_dir=tmp_path)


def test_whether_factors_are_known(tmp_path):
    for source, known in (
        ("sprites/32_7", True),
        ("mnist_5k", False),
        (tmp_path, False),
    ):
        assert has_factors(source, data_dir=tmp_path) is known
    assert has_factors("sprites", tmp_path, image_size=32)
    assert not list(tmp_path.iterdir())  # nothing was prepared
    with pytest.raises(UserError, match="No TFDS data set is called 'spritez'"):
        has_factors("spritez")


def test_factors_that_are_not_known(tmp_path, sprites_dir):
    for source in ("mnist_5k", tmp_path):
        with pytest.raises(
            UserError, match=r"factors of .* not known.*sprites"
        ) as error:
            load_factors(source, data_dir=tmp_path)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="num_images"):
        load_factors(_SMALL, num_images=0, data_dir=sprites_dir)
    with pytest.raises(UserError, match="no split 'valid'"):
        load_factors(_SMALL, "valid", data_dir=sprites_dir)
