"""Anomaly scores: ROC against ranks, and a case where likelihood alone is misled."""

import io
import math

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from tfgen.metrics import anomaly_roc, complexity, likelihood_ratio

RNG = np.random.default_rng(0)


# ---- ROC -----------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [8, 0])
def test_auc_against_ranks(digits):
    """The Mann-Whitney statistic counts pairs; rounded scores have many ties."""
    scores = np.round(RNG.normal(size=300) * 2, digits)
    is_anomaly = RNG.uniform(size=300) < 0.2
    scores[is_anomaly] += 1.0
    usual, unusual = scores[~is_anomaly], scores[is_anomaly]
    pairs = scipy.stats.mannwhitneyu(unusual, usual).statistic
    curve = anomaly_roc(scores, is_anomaly)
    assert curve.auc == pytest.approx(pairs / (len(usual) * len(unusual)))
    assert 0.5 < curve.auc < 0.8


def test_curve_by_hand():
    scores = [0.1, 0.4, 0.35, 0.8]
    curve = anomaly_roc(scores, np.array([False, False, True, True]))
    points = {*zip(curve.false_positive_rate, curve.true_positive_rate, strict=True)}
    assert points == {(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)}
    assert curve.auc == pytest.approx(0.75)


def test_limits():
    is_anomaly = np.array([False, True] * 20)
    assert anomaly_roc(is_anomaly, is_anomaly).auc == 1.0
    assert anomaly_roc(~is_anomaly, is_anomaly).auc == 0.0
    assert anomaly_roc(np.zeros(40), is_anomaly).auc == 0.5


# ---- Ratios --------------------------------------------------------------------------


def test_likelihood_ratio_is_high_where_the_background_knows_better():
    curve = likelihood_ratio([-10.0, -10.0, -3.0], [-12.0, -5.0, -3.0])
    assert curve.tolist() == [-2.0, 5.0, 0.0]


def test_a_ratio_sees_what_likelihood_is_misled_by():
    """Usual images have contrast, unusual ones are nearly plain: the density at their
    middle is the highest of all. The background has less contrast."""
    usual, plain = RNG.normal(size=(200, 50)), 0.3 * RNG.normal(size=(200, 50))
    both = np.concatenate([usual, plain])
    is_anomaly = np.arange(400) >= 200
    model = scipy.stats.norm(0, 1).logpdf(both).sum(axis=1)
    background = scipy.stats.norm(0, 0.5).logpdf(both).sum(axis=1)
    assert anomaly_roc(-model, is_anomaly).auc < 0.01
    assert anomaly_roc(likelihood_ratio(model, background), is_anomaly).auc > 0.99


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_complexity_is_the_size_of_a_png_file(channels):
    images = RNG.uniform(size=(3, 16, 12, channels)).astype(np.float32)
    images[1] = 0.5
    curve = complexity(images)
    for image, nats in zip(images, curve, strict=True):
        pixels = np.round(image * 255).astype(np.uint8).squeeze()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=9)
        assert nats == pytest.approx(len(file.getvalue()) * math.log(256))
        file.seek(0)
        np.testing.assert_array_equal(np.asarray(Image.open(file)), pixels)
    # Noise does not compress: 8 bits a number, and what a file costs besides.
    assert 0 < curve[0] - images[0].size * math.log(256) < 150 * math.log(256)
    assert curve[1] < 0.7 * curve[0]


def test_complexity_is_of_the_nearest_levels():
    """Noise of less than half a level either way is none."""
    noisy = (128.0 + RNG.uniform(-0.4, 0.4, size=(1, 16, 16, 1))) / 255.0
    assert complexity(noisy) == complexity(np.full((1, 16, 16, 1), 128.0 / 255.0))


def test_complexity_tells_noise_from_smooth_images():
    """With a likelihood that knows contrast only, it decides."""
    ramps = np.linspace(0, 1, 32).reshape(1, 1, 32, 1) * RNG.uniform(size=(40, 1, 1, 1))
    smooth = np.broadcast_to(ramps, (40, 32, 32, 1))
    flat = smooth.reshape(40, -1)
    shuffled = RNG.permuted(flat, axis=1).reshape(smooth.shape)
    both = np.concatenate([smooth, shuffled])
    likelihood = -both.std(axis=(1, 2, 3))  # the same for both kinds
    is_smooth = np.arange(80) < 40
    scores = likelihood_ratio(likelihood, -complexity(both))
    assert anomaly_roc(scores, is_smooth).auc == 1.0


# ---- Refusals ------------------------------------------------------------------------


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        likelihood_ratio(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(3, 1\)"):
        likelihood_ratio(np.zeros((3, 1)), np.zeros((3, 1)))
    for images in (
        np.zeros((2, 8, 8)),
        np.zeros((2, 8, 8, 2)),
        np.zeros((2, 8, 8, 1), int),
    ):
        with pytest.raises(ValueError, match="Images must be floats"):
            complexity(images)
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        anomaly_roc(np.zeros(3), np.zeros(2, bool))
    for labels in (np.zeros(3, bool), np.ones(3, bool), np.array([0, 1, 1])):
        with pytest.raises(ValueError, match="`is_anomaly` must be boolean"):
            anomaly_roc(np.zeros(3), labels)
