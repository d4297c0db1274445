"""Directions in latent space against means by hand and clouds of known axes."""

import numpy as np
import pytest

from tfgen import latent

RNG = np.random.default_rng(0)


def test_attribute_direction_is_from_mean_to_mean():
    points = np.array([[0.0, 1.0], [2.0, 1.0], [5.0, 4.0], [7.0, 8.0], [9.0, 0.0]])
    found = latent.attribute_direction(points, np.array([0, 0, 1, 1, 1], bool))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [7.0 - 1.0, 4.0 - 1.0])


def test_attribute_direction_refuses():
    points = np.zeros((3, 2))
    for has in (np.zeros(3, int), np.zeros(2, bool)):
        with pytest.raises(ValueError, match=r"a boolean for each.*\(3, 2\)"):
            latent.attribute_direction(points, has)
    for has in (np.zeros(3, bool), np.ones(3, bool)):
        with pytest.raises(ValueError, match="some images"):
            latent.attribute_direction(points, has)


def test_principal_components_of_a_turned_cloud():
    rng = np.random.default_rng(0)
    spreads = np.array([3.0, 2.0, 0.1])
    cloud = spreads * rng.normal(size=(5000, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    points, shares = latent.principal_components(cloud @ turn.T + 7.0)
    np.testing.assert_allclose(shares, np.square([3, 2]) / 13.01, atol=0.02)
    for component, known in zip(points.T, cloud.T, strict=False):
        assert abs(np.corrcoef(component, known)[0, 1]) > 0.999
        assert component.std() == pytest.approx(known.std(), rel=0.01)
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=1e-9)
    again, _ = latent.principal_components(-(cloud @ turn.T) + 7.0)
    np.testing.assert_allclose(again, -points, atol=1e-9)  # no sign by chance


def test_principal_components_of_little():
    points, shares = latent.principal_components([[1.0], [3.0]])
    np.testing.assert_allclose(points, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(shares, [1, 0])
    points, shares = latent.principal_components([[1.0, 2.0]])
    assert not points.any()
    assert not shares.any()
