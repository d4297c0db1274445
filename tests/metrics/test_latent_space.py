"""Continuity against paths of known length, completeness against known mixtures."""

import numpy as np
import pytest

from tests.models.test_autoencoder import DIGIT_LATENT_DIM, DIGIT_SHAPE, digits, trained
from tfgen.latent.walks import lerp
from tfgen.metrics import (
    build_random_features,
    density_coverage,
    precision_recall,
)
from tfgen.metrics.latent_space import completeness, continuity

RNG = np.random.default_rng(0)
# Points at 0, 1, 3, 6, .. on a line: the nearest are 1, 1, 2, 3, .. away.
SPACED = np.cumsum(np.arange(6.0)).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1)) / 2
UNIT = 2.5  # the median of 1, 1, 2, 3, 4, 5


def as_images(values):
    return np.reshape(values, (len(values), -1, 1, 1))


# ---- Continuity ----------------------------------------------------------------------


def test_a_linear_decoder_moves_evenly_and_straight():
    weights = RNG.normal(size=(3, 8))
    starts, ends = RNG.normal(size=(2, 5, 3))
    paths = lerp(starts, ends, np.linspace(0, 1, 11))
    measured = continuity(lambda z: as_images(z @ weights), paths, SPACED)
    lengths = np.linalg.norm((ends - starts) @ weights, axis=1) / UNIT
    expected = np.repeat(lengths[:, np.newaxis] / 10, 10, axis=1)
    np.testing.assert_allclose(measured.steps, expected, rtol=1e-4)
    assert measured.step == pytest.approx(np.mean(lengths) / 10, rel=1e-4)
    assert measured.jump == pytest.approx(measured.step, rel=1e-4)
    assert measured.detour == pytest.approx(1.0, rel=1e-6)


def test_a_jump_is_found_where_it_is():
    """The image changes at 0.33 along one path and at 0.81 along the other."""

    def decode(latents):
        assert latents.dtype == np.float32
        return as_images(10.0 * (latents[:, 0] > latents[:, 1]))

    line = np.linspace(0, 1, 101)
    paths = [np.stack([line, np.full(101, at)], axis=1) for at in (0.333, 0.811)]
    measured = continuity(decode, paths, SPACED)
    assert measured.jump_at == pytest.approx([0.335, 0.815])
    assert measured.jump == pytest.approx(10.0 / UNIT)
    assert measured.step == pytest.approx(10.0 / UNIT / 100)
    assert measured.detour == pytest.approx(1.0)


def test_jump_is_a_mean_of_largest_steps_and_step_of_all():
    decoded = {0: [0, 1, 2, 3], 1: [0, 0, 5, 6], 2: [0, 4, 0, 1]}
    measured = continuity(
        lambda z: as_images(np.array(decoded[int(z[0, 0])]) * UNIT),
        [np.full((4, 1), path) for path in decoded],
        SPACED,
    )
    assert measured.steps.tolist() == [[1, 1, 1], [0, 5, 1], [4, 4, 1]]
    assert measured.step == pytest.approx(18 / 9)
    assert measured.jump == pytest.approx((1 + 5 + 4) / 3)
    assert measured.detour == pytest.approx((1 + 1 + 9) / 3)
    assert measured.jump_at == pytest.approx([1 / 6, 3 / 6, 1 / 6])


def test_a_half_circle_is_half_pi_longer_than_its_diameter():
    angles = np.linspace(0, np.pi, 201).reshape(1, -1, 1)
    measured = continuity(
        lambda z: as_images(np.concatenate([np.cos(z), np.sin(z)], axis=1)),
        angles,
        SPACED,
    )
    assert measured.detour == pytest.approx(np.pi / 2, rel=1e-3)


def test_steps_do_not_depend_on_the_unit_of_pixels():
    weights, paths = RNG.normal(size=(2, 6)), RNG.normal(size=(3, 7, 2))
    images = RNG.uniform(size=(40, 6, 1, 1))
    measured = continuity(lambda z: as_images(z @ weights), paths, images)
    large = continuity(lambda z: as_images(z @ weights) * 255, paths, images * 255)
    np.testing.assert_allclose(large.steps, measured.steps, rtol=1e-9)


def test_closed_paths_have_no_detour():
    loop = np.array([[[0.0], [1.0], [0.0]], [[0.0], [1.0], [2.0]]])
    assert continuity(as_images, loop, SPACED).detour == pytest.approx(1.0)
    assert np.isnan(continuity(as_images, loop[:1], SPACED).detour)


def test_arguments_of_continuity():
    for paths in (np.zeros((3, 2)), np.zeros((3, 1, 2)), np.zeros((0, 3, 2))):
        with pytest.raises(ValueError, match=r"`paths` must be \(num_paths, 2 or more"):
            continuity(as_images, paths, SPACED)
    with pytest.raises(ValueError, match=r"2 images\. Received: 1"):
        continuity(as_images, np.zeros((1, 2, 1)), SPACED[:1])
    with pytest.raises(ValueError, match="copies"):
        continuity(as_images, np.zeros((1, 2, 1)), np.repeat(SPACED[:2], 5, axis=0))


# ---- Completeness --------------------------------------------------------------------


def flat(images):
    return np.reshape(images, (len(images), -1))


def test_completeness_of_known_mixtures():
    """Two clusters: all of them, one alone, and half of the samples far from both."""
    sides = np.repeat([0.0, 20.0], 300)[:, np.newaxis]
    images, again = (as_images(sides + RNG.normal(size=(600, 2))) for _ in range(2))
    same = completeness(again, images, flat)
    assert same.on_manifold > 0.95
    assert same.density == pytest.approx(1.0, abs=0.1)
    assert same.coverage == pytest.approx(1 - 2**-5, abs=0.03)
    one = completeness(np.repeat(again[:300], 2, axis=0), images, flat)
    assert one.on_manifold > 0.95
    assert one.coverage == pytest.approx(0.5, abs=0.06)
    off = completeness(np.concatenate([again[::2], again[::2] + 1e3]), images, flat)
    assert off.on_manifold == pytest.approx(same.on_manifold / 2, abs=0.02)
    assert off.density == pytest.approx(same.density / 2, abs=0.06)


def test_completeness_is_measured_on_features():
    images = RNG.uniform(size=(100, 4, 1, 1))
    far = images.copy()
    far[:, 1:] += 50.0
    assert completeness(far, images, flat).on_manifold == 0.0
    seen = completeness(far, images, lambda batch: flat(batch)[:, :1], num_neighbors=3)
    assert seen.on_manifold == seen.coverage == 1.0


def test_neighbors_are_counted_as_asked():
    images, decoded = RNG.normal(size=(2, 80, 2, 1, 1))
    for count in (1, 4, 9):
        measured = completeness(decoded, images, flat, num_neighbors=count)
        pairs = flat(images), flat(decoded), count
        assert measured[0] == precision_recall(*pairs).precision
        assert measured[1:] == density_coverage(*pairs)


@pytest.mark.large
def test_a_vae_is_more_continuous_and_complete_than_an_autoencoder():
    """The same networks, data, steps and pixel loss, and the same pairs of digits.

    Seen: steps of 0.070 against 0.056, detours of 1.46 against 1.27; of the draws from
    Normal(0, I) 0.14 against 0.61 on the manifold, coverage of 0.001 against 0.25.
    """
    held_out = digits()[1].reshape(-1, *DIGIT_SHAPE)
    features = build_random_features(DIGIT_SHAPE)
    prior = np.random.default_rng(1).normal(size=(1000, DIGIT_LATENT_DIM))
    measured = {}
    for is_vae in (False, True):
        model = trained(is_vae)

        def decode(latents, model=model):
            return np.asarray(model.decode(np.asarray(latents, np.float32)))

        encoded = model.encode(held_out)
        encoded = np.asarray(encoded[0] if is_vae else encoded)
        paths = lerp(encoded[:100], encoded[100:200], np.linspace(0, 1, 33))
        measured[is_vae] = (
            continuity(decode, paths, held_out),
            completeness(decode(prior), held_out, features),
        )
    (rough, poor), (smooth, full) = measured[False], measured[True]
    assert smooth.step < 0.9 * rough.step
    assert smooth.jump < 0.9 * rough.jump
    assert smooth.detour < 0.92 * rough.detour
    assert full.on_manifold > 2.0 * poor.on_manifold
    assert full.density > 2.0 * poor.density
    assert full.coverage > 0.1 > 5.0 * poor.coverage
