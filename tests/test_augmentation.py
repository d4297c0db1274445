"""Augmentations against a plain reading, image by image."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

import tfgen.augmentation
from tfgen.augmentation import (
    AUGMENTATIONS,
    count_draws,
    diff_augment,
)

RNG = np.random.default_rng(0)
FIRST, LAST = 2.0**-24, 1.0 - 2.0**-24  # the ends of uniform draws
SHAPES = [(8, 8, 3), (7, 7, 1), (28, 28, 1), (9, 16, 3), (32, 32, 3)]


def images_of(shape, count=6):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def draws_for(name, count=6):
    """Random ones, and both ends."""
    draws = RNG.uniform(size=(count, AUGMENTATIONS[name].num_draws)).astype("float32")
    draws[0], draws[1] = FIRST, LAST
    return draws


def augment(images, name, draws, strength=1.0):
    return diff_augment(
        tf.constant(images), [AUGMENTATIONS[name]()], tf.constant(draws), strength
    ).numpy()


# ---- Plain readings ------------------------------------------------------------------


def plain_color(image, draws):
    brightness, saturation, contrast = draws[0] - 0.5, 2 * draws[1], draws[2] + 0.5
    image = image + brightness
    for row in image:
        for pixel in row:
            pixel[:] = (pixel - pixel.mean()) * saturation + pixel.mean()
    return (image - image.mean()) * contrast + image.mean()


def plain_translation(image, draws):
    """Moves by a whole number of pixels in -reach, ..., reach, all as likely."""
    height, width, _ = image.shape
    moves = []
    for size, draw in zip((height, width), draws, strict=True):
        reach = round(size / 8 + 1e-9)
        moves.append(int(np.floor(draw * (2 * reach + 1))) - reach)
        assert -reach <= moves[-1] <= reach
    moved = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            source = row + moves[0], column + moves[1]
            if 0 <= source[0] < height and 0 <= source[1] < width:
                moved[row, column] = image[source]
    return moved


def plain_cutout(image, draws):
    """Blanks half the size around a centre; even holes may centre on both edges."""
    height, width, _ = image.shape
    starts, holes = [], []
    for size, draw in zip((height, width), draws, strict=True):
        hole = int(size / 2 + 0.5)
        centre = int(np.floor(draw * (size + 1 - hole % 2)))
        starts.append(centre - hole // 2)
        holes.append(hole)
    image = image.copy()
    for row in range(height):
        for column in range(width):
            inside = (
                starts[0] <= row < starts[0] + holes[0]
                and starts[1] <= column < starts[1] + holes[1]
            )
            if inside:
                image[row, column] = 0.0
    return image


def plain_adaptive(image, draws):
    """Mirrored, scaled, turned anticlockwise, moved; then colours; then a hole."""
    draws = draws[8:].astype(float)
    normal = scipy.stats.norm.ppf(draws)
    height, width, _ = image.shape
    shift = np.array([height, width]) * (draws[1:3] - 0.5) / 4
    angle = 2 * np.pi * (draws[3] - 0.5)
    cos, sin = np.cos(angle), np.sin(angle)
    forward = 2 ** (0.2 * normal[4]) * np.array([[cos, -sin], [sin, cos]])
    forward = forward @ np.diag([1, -1 if draws[0] < 0.5 else 1])
    centre = (np.array([height, width]) - 1) / 2
    places = np.stack(np.meshgrid(range(height), range(width), indexing="ij"), axis=-1)
    sources = (places - centre - shift) @ np.linalg.inv(forward).T + centre
    moved = [
        scipy.ndimage.map_coordinates(
            channel, np.moveaxis(sources, -1, 0), order=1, mode="nearest"
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    image = (np.stack(moved, axis=-1) + 0.2 * normal[5]) * 2 ** (0.5 * normal[6])
    grey = image.mean(axis=-1, keepdims=True)
    image = grey + 2 ** normal[7] * (image - grey)
    return plain_cutout(image, draws[8:].astype("float32"))


PLAIN = {
    "adaptive": plain_adaptive,
    "color": plain_color,
    "translation": plain_translation,
    "cutout": plain_cutout,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PLAIN)
def test_augmentation_against_a_plain_reading(name, shape):
    images, draws = images_of(shape), draws_for(name)
    found = augment(images, name, draws)
    expected = [
        PLAIN[name](image.astype(float), draw)
        for image, draw in zip(images, draws, strict=True)
    ]
    assert found.shape == images.shape
    # Float32 places of pixels, of images that are turned.
    atol = 2e-3 if name == "adaptive" else 2e-6
    np.testing.assert_allclose(found, expected, atol=atol, rtol=1e-4)


def test_every_augmentation_is_tested():
    assert PLAIN.keys() == AUGMENTATIONS.keys()


# ---- Identities and ranges -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "draws"), [("color", [0.5, 0.5, 0.5]), ("translation", [0.5, 0.5])]
)
def test_middle_draws_change_nothing(name, draws):
    images = images_of((8, 8, 3), 2)
    found = augment(images, name, np.array([draws] * 2, "float32"))
    np.testing.assert_allclose(found, images, atol=1e-6)


def test_no_names_change_nothing():
    images = images_of((4, 4, 1))
    found = diff_augment(tf.constant(images), [], tf.zeros((6, 0)))
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("size", [7, 8, 28, 32])
def test_translation_reaches_an_eighth_to_both_sides(size):
    """A bright point lands on every place in reach, as often as on any other."""
    images = np.zeros((4000, size, size, 1), "float32")
    middle = size // 2
    images[:, middle, middle] = 1.0
    draws = RNG.uniform(size=(4000, 2)).astype("float32")
    where = np.argwhere(augment(images, "translation", draws)[..., 0] > 0)
    assert len(where) == 4000  # none is lost
    reach = {7: 1, 8: 1, 28: 4, 32: 4}[size]
    for axis in (1, 2):
        places, counts = np.unique(where[:, axis] - middle, return_counts=True)
        assert places.tolist() == list(range(-reach, reach + 1))
        expected = 4000 / len(places)
        assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("size", [7, 8, 9, 28])
def test_cutout_is_as_likely_on_mirrored_places(size):
    """A blank quarter at most, a sixteenth at least; its mean over draws is even."""
    ones = np.ones((4000, size, size, 1), "float32")
    draws = RNG.uniform(size=(4000, 2)).astype("float32")
    kept = augment(ones, "cutout", draws)[..., 0]
    hole = (size + 1) // 2
    blank = (1 - kept).sum(axis=(1, 2))
    assert blank.max() == hole**2
    assert blank.min() >= (hole // 2) ** 2
    mean = kept.mean(axis=0)
    for mirrored in (mean[::-1], mean[:, ::-1], mean.T):
        np.testing.assert_allclose(mean, mirrored, atol=0.06)


def test_color_keeps_the_mean_image_and_its_contrast():
    """Each draw is centred: over many, the image is kept."""
    image = images_of((4, 4, 3), 1)
    draws = RNG.uniform(size=(20000, 3)).astype("float32")
    found = augment(np.repeat(image, 20000, axis=0), "color", draws)
    np.testing.assert_allclose(found.mean(axis=0), image[0], atol=0.03)
    brightness = found.mean(axis=(1, 2, 3)) - image.mean()
    assert -0.5 <= brightness.min() < -0.49
    assert 0.49 < brightness.max() <= 0.5


@pytest.mark.parametrize("name", PLAIN)
def test_images_do_not_mix(name):
    images, draws = images_of((8, 8, 3)), draws_for(name)
    whole = augment(images, name, draws)
    for i in range(len(images)):
        alone = augment(images[i : i + 1], name, draws[i : i + 1])
        np.testing.assert_allclose(whole[i : i + 1], alone, atol=1e-6)


# ---- Gradients -----------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_gradient_passes(name):
    """All are linear in the image, so `<gradient, image>` is the output's own part."""
    images, draws = tf.constant(images_of((8, 8, 3))), tf.constant(draws_for(name))
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = diff_augment(images, [AUGMENTATIONS[name]()], draws, 1.0)
        total = tf.reduce_sum(outputs * 0.3)
    gradients = tape.gradient(total, images)
    offset = diff_augment(tf.zeros_like(images), [AUGMENTATIONS[name]()], draws, 1.0)
    expected = tf.reduce_sum(0.3 * (outputs - offset), axis=(1, 2, 3))
    found = tf.reduce_sum(gradients * images, axis=(1, 2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-4)
    assert float(tf.reduce_min(tf.reduce_max(abs(gradients), axis=(1, 2, 3)))) > 0.01


# ---- Adaptive ------------------------------------------------------------------------


def test_strength_is_the_probability_of_each_transformation():
    images = images_of((8, 8, 3), 4000)
    draws = RNG.uniform(size=(4000, 18)).astype("float32")
    none = augment(images, "adaptive", draws, 0.0)
    np.testing.assert_allclose(none, images, atol=1e-6)
    draws[:, 1:8] = LAST  # of the gates, only the mirror's may be passed
    some = augment(images, "adaptive", draws, 0.3)
    mirrored = abs(some - images[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-5
    same = abs(some - images).max(axis=(1, 2, 3)) < 1e-5
    assert (mirrored | same).all()
    assert mirrored.mean() == pytest.approx(0.15, abs=0.025)  # half of them


def test_strength_follows_the_sign():
    """Up by count / num_images above the target, down below, within [0, 1]."""
    adaptive = AUGMENTATIONS["adaptive"](target=0.5, num_images=1000)
    steps = [(0.2, 0.9, 0.3), (0.2, 0.4, 0.1), (0.95, 0.6, 1.0), (0.05, -1.0, 0.0)]
    for strength, sign, expected in steps:
        assert float(adaptive.adapt(strength, sign, 100)) == pytest.approx(expected)


# ---- Names ---------------------------------------------------------------------------


def test_names_are_applied_in_their_order_with_their_own_draws():
    augmentations = tfgen.augmentation.get("color, translation,cutout")
    assert [type(x).__name__ for x in augmentations] == [
        "Color",
        "Translation",
        "Cutout",
    ]
    assert count_draws(augmentations) == 7
    images = images_of((8, 8, 3))
    draws = RNG.uniform(size=(6, 7)).astype("float32")
    expected = augment(images, "color", draws[:, :3])
    expected = augment(expected, "translation", draws[:, 3:5])
    expected = augment(expected, "cutout", draws[:, 5:])
    found = diff_augment(tf.constant(images), augmentations, tf.constant(draws))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("nothing", [None, "", " , "])
def test_nothing_is_no_names(nothing):
    assert tfgen.augmentation.get(nothing) == []
    assert count_draws([]) == 0


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"'cutout', 'translation'.*\['flip'\]"):
        tfgen.augmentation.get("flip,cutout")
