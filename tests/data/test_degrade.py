"""Inputs made from targets: each degradation, and draws that are those of the image."""

import io

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from tests.data.conftest import assert_fails, joined, passes
from tfgen.data import degrade, load_images, load_pair_arrays, load_pairs, loading
from tfgen.degradations import Step, has_step, read_steps
from tfgen.errors import UserError

SHAPE = (24, 20, 3)


def draw(count=2, shape=SHAPE):
    """Smooth noise, uint8."""
    noise = np.random.default_rng(0).normal(size=(count, *shape))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 0))
    return np.uint8(np.clip(128 + 300 * smooth, 0, 255))


def apply(text, images, seed=0, first=0):
    numbers = tf.range(first, first + len(images), dtype=tf.int64)
    seeds = degrade.order_seed(seed)
    return degrade.degrade(
        tf.constant(images), read_steps(text), seeds, numbers
    ).numpy()


def with_pillow(image, change):
    return np.asarray(change(Image.fromarray(image)), int)


def again_as_jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=10)
    return Image.open(file)


def smaller_and_larger(image):
    size = image.size
    small = image.resize((5, 6), Image.Resampling.BICUBIC)
    return small.resize(size, Image.Resampling.BICUBIC)


def test_names_and_numbers():
    assert read_steps("gray") == (Step("gray", None),)
    assert read_steps("downscale,mask, blur1.5") == (
        *(Step("downscale", 4), Step("mask", 25), Step("blur", 1.5)),
    )
    assert has_step("gray,noise5", "noise")
    assert not has_step(None, "gray")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grey", "must be some of gray|downscale4"),
        ("gray2", "Received: 'gray2'"),
        ("", "Received: ''"),
        ("downscale1", "an integer from 2 to 64 (times smaller"),
        ("jpeg10.5", "an integer from 1 to 100"),
        ("noise-3", "Received: 'noise-3'"),
        ("noise300", "a number from 1 to 255"),
        (3, "Received: 3"),
    ],
)
def test_what_is_not_known_is_one_line(text, message):
    with pytest.raises(UserError) as error:
        read_steps(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "change", "mean", "most"),
    [
        ("gray", lambda image: image.convert("L").convert("RGB"), 0.5, 1),
        ("downscale4", smaller_and_larger, 1, 6),
        ("jpeg10", again_as_jpeg, 1, 25),
    ],
)
def test_pixels_are_those_of_pillow(text, change, mean, most):
    images = draw()
    expected = np.stack([with_pillow(image, change) for image in images])
    difference = np.abs(apply(text, images) - expected)
    assert difference.mean() <= mean
    assert difference.max() <= most
    assert np.abs(expected - images).mean() > 3  # and it does something


def test_blur_is_that_of_scipy():
    images = draw()
    expected = scipy.ndimage.gaussian_filter(
        images.astype(float), (0, 2, 2, 0), mode="reflect", truncate=3.0
    )
    np.testing.assert_allclose(apply("blur2", images), expected, atol=0.51)


def test_noise_has_its_deviation():
    images = np.full((4, 64, 64, 3), 128, np.uint8)
    noise = apply("noise25", images) - 128.0
    assert noise.std() == pytest.approx(25, rel=0.03)
    assert abs(noise.mean()) < 0.7
    correlation = np.corrcoef(noise.reshape(4, -1))
    assert np.abs(correlation - np.eye(4)).max() < 0.05  # each has draws of its own


def test_a_mask_is_a_rectangle_of_its_share():
    images = np.zeros((60, 20, 40, 1), np.uint8)
    covered = apply("mask25", images)[..., 0] == 128
    assert set(covered.sum(axis=(1, 2))) == {10 * 20}
    tops = covered.any(axis=2).argmax(axis=1)
    assert set(tops) <= set(range(11))
    assert {0, 10} <= set(tops)
    assert tops.mean() == pytest.approx(5, abs=1.2)
    holes = degrade.find_holes(read_steps("gray,mask25"), SHAPE, 3, 5, 2)
    assert degrade.find_holes(read_steps("gray"), SHAPE, 3, 5, 2) is None
    masked = apply("gray,mask25", np.zeros((2, *SHAPE), np.uint8), seed=3, first=5)
    np.testing.assert_array_equal(masked[..., 0] == 128, holes)


def test_degradations_follow_one_another_and_keep_depth():
    images = draw()
    np.testing.assert_array_equal(
        apply("gray,blur2", images)[..., 0], apply("gray,blur2", images)[..., 2]
    )
    deep = images.astype(np.uint16) * 257
    result = apply("blur2", deep)
    assert result.dtype == np.uint16
    np.testing.assert_allclose(result / 257, apply("blur2", images), atol=0.51)


# ---- Pairs of one folder -------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    for index, image in enumerate(draw(12)):
        Image.fromarray(image).save(tmp_path / f"{index:02d}.png")
    return {"source": tmp_path, "value_range": (0, 255)}


def test_targets_are_the_images(photos):
    inputs, targets = load_pair_arrays(split="train", degrade="noise25", **photos)
    images = np.concatenate(list(load_images(shuffle=False, **photos)))
    np.testing.assert_array_equal(targets, images)
    expected = apply("noise25", np.uint8(images))
    np.testing.assert_allclose(inputs, expected, atol=1e-3)


def test_draws_are_the_images_own(photos, monkeypatch):
    """Whatever the batch; the same for the same seed."""
    options = {**photos, "split": "train", "degrade": "mask25,noise25"}
    fixed = load_pair_arrays(**options)[0]
    batches = load_pairs(**options, shuffle=False, batch_size=5)
    for _ in range(2):  # the second pass, too
        np.testing.assert_array_equal(joined(passes(batches)[0])[0], fixed)
    monkeypatch.setattr(loading, "IN_MEMORY_BYTES", 0)
    np.testing.assert_array_equal(load_pair_arrays(**options)[0], fixed)
    training = {**options, "batch_size": 5, "mirror": True}
    first, second = passes(load_pairs(**training), 2)
    (again,) = passes(load_pairs(**training, initial_epoch=1))  # as after a resume
    for one, other in zip(joined(second), joined(again), strict=True):
        np.testing.assert_array_equal(one, other)
    holes = [
        np.sort((joined(x)[0] == 128).sum(axis=(1, 2, 3))) for x in (first, second)
    ]
    assert (holes[0] != holes[1]).any()


def test_crops_come_before_what_is_made_of_them(photos):
    crop = {"load_size": (24, 20), "image_size": (8, 8), "batch_size": 5}
    (epoch,) = passes(load_pairs(degrade="gray", **crop, **photos))
    inputs, targets = joined(epoch)
    assert inputs.shape == targets.shape == (len(inputs), 8, 8, 3)
    np.testing.assert_allclose(inputs, apply("gray", np.uint8(targets)), atol=1e-3)


@pytest.mark.parametrize(
    ("kwargs", "fragment"),
    [
        ({"degrade": "grey"}, "degrade must be some of"),
        ({"degrade": "gray", "direction": "ba"}, "leave direction out"),
        ({"degrade": "jpeg10", "channels": 4}, "takes images of 1 or 3 channels"),
    ],
)
def test_mistakes(photos, kwargs, fragment):
    assert_fails(load_pairs, fragment, **photos, **kwargs)
