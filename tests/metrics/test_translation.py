"""Distances of image pairs against closed forms and SciPy."""

import numpy as np
import pytest
import scipy.ndimage

from tfgen import metrics

RNG = np.random.default_rng(0)
NAMES = ["mean_absolute_error", "psnr", "ssim"]


def scipy_ssim(x, y):
    """SSIM of one channel `(h, w)` in float64: windows of 11x11 that lie inside."""

    def smooth(image):
        return scipy.ndimage.gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    mean_x, mean_y = smooth(x), smooth(y)
    covariance = smooth(x * y) - mean_x * mean_y
    variances = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
    similar = (2 * mean_x * mean_y + 0.01**2) * (2 * covariance + 0.03**2)
    scale = (mean_x**2 + mean_y**2 + 0.01**2) * (variances + 0.03**2)
    return np.mean(similar / scale)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("offset", [0.5, 0.1, 1e-3])
def test_constant_offset(offset, channels):
    targets = RNG.uniform(0.0, 0.5, size=(3, 12, 13, channels)).astype(np.float32)
    outputs = targets + np.float32(offset)
    mae = metrics.mean_absolute_error(outputs, targets)
    np.testing.assert_allclose(mae, [offset] * 3, rtol=1e-4)
    decibels = metrics.psnr(outputs, targets)
    np.testing.assert_allclose(decibels, [-20 * np.log10(offset)] * 3, atol=1e-3)


def test_ssim_of_plain_images():
    """Without texture only the brightness counts: (2xy + C1) / (x^2 + y^2 + C1)."""
    values = metrics.ssim(np.full((1, 16, 16, 3), 0.8), np.full((1, 16, 16, 3), 0.4))
    expected = (2 * 0.8 * 0.4 + 1e-4) / (0.8**2 + 0.4**2 + 1e-4)
    np.testing.assert_allclose(values, [expected], atol=1e-4)


def test_equal_images():
    images = RNG.uniform(size=(2, 11, 16, 3))
    assert metrics.mean_absolute_error(images, images).tolist() == [0.0, 0.0]
    assert metrics.psnr(images, images).tolist() == [np.inf, np.inf]
    np.testing.assert_allclose(metrics.ssim(images, images), 1.0, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 17, 1), (11, 11, 1), (20, 32, 3)])
def test_ssim_against_scipy(shape):
    targets = scipy.ndimage.gaussian_filter(RNG.uniform(size=(4, *shape)), (0, 1, 1, 0))
    noise = RNG.normal(size=targets.shape)
    for scale in (0.02, 0.2):
        outputs = np.clip(targets + scale * noise, 0.0, 1.0)
        expected = [
            np.mean([scipy_ssim(x[..., c], y[..., c]) for c in range(shape[-1])])
            for x, y in zip(outputs, targets, strict=True)
        ]
        values = metrics.ssim(outputs, targets)
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, expected, atol=1e-4)


def test_ssim_in_batches_is_that_of_each():
    """Two of these images are a batch."""
    outputs, targets = RNG.uniform(size=(2, 3, 512, 512, 3)).astype(np.float32)
    each = [metrics.ssim(outputs[i : i + 1], targets[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(metrics.ssim(outputs, targets), each, atol=1e-6)
    assert len(np.unique(each)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_one_value_an_image(name):
    """Only the second image is off."""
    targets = RNG.uniform(size=(3, 16, 16, 3))
    outputs = targets.copy()
    outputs[1] = 1.0 - outputs[1]
    values = getattr(metrics, name)(outputs, targets)
    assert values.shape == (3,)
    assert values[0] == values[2] != values[1]


def test_ssim_of_small_images_is_refused():
    images = np.zeros((2, 16, 10, 1))
    with pytest.raises(ValueError, match=r"11 pixels or more.*\(2, 16, 10, 1\)"):
        metrics.ssim(images, images)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.zeros((2, 16, 16, 3)), "must both be"),
        (np.zeros((2, 16, 16)), "must both be"),
        (np.zeros((0, 16, 16, 1)), "must both be"),
        (np.full((2, 16, 16, 1), 1.1), "finite floats"),
        (np.full((2, 16, 16, 1), -0.1), "finite floats"),
        (np.full((2, 16, 16, 1), np.nan), "finite floats"),
        (np.zeros((2, 16, 16, 1), np.uint8), "uint8"),
    ],
)
def test_bad_images(name, outputs, message):
    function = getattr(metrics, name)
    targets = np.zeros((2, 16, 16, 1))
    for pair in ((outputs, targets), (targets, outputs)):
        with pytest.raises(ValueError, match=message) as error:
            function(*pair)
        assert "\n" not in str(error.value)


def test_rounding_just_outside_is_accepted():
    images = np.full((1, 11, 11, 1), 1.0 + 5e-7)
    assert metrics.mean_absolute_error(images, np.ones_like(images))[0] < 1e-6
