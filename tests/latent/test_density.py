"""Densities and resampling by hand, against closed forms and known clusters."""

import numpy as np
import pytest

from tfgen import latent

RNG = np.random.default_rng(0)


def test_latent_density_is_a_density_of_each_variable():
    points = RNG.normal(size=(20_000, 2)) * [1.0, 3.0] + [0.0, 5.0]
    edges, densities = latent.latent_density(points, num_bins=30)
    assert edges.shape == (2, 31)
    np.testing.assert_allclose((densities * np.diff(edges)).sum(axis=1), 1.0)
    np.testing.assert_allclose(edges[:, 0], points.min(axis=0))
    np.testing.assert_allclose(edges[:, -1], points.max(axis=0))
    middles = (edges[:, 1:] + edges[:, :-1]) / 2 - [[0.0], [5.0]]
    scale = np.array([[1.0], [3.0]])
    expected = np.exp(-((middles / scale) ** 2) / 2) / np.sqrt(2 * np.pi) / scale
    np.testing.assert_allclose(densities, expected, atol=0.03 / scale.min())


def test_resampling_weights_by_hand():
    """Values 0 and 1, of which 3 and 1 of 4 in the first, 2 and 2 in the second."""
    points = np.array([[0, 0], [0, 1], [0, 1], [1, 0]])
    found = latent.resampling_weights(points, alpha=0.5, num_bins=2)
    rare, often = 1 / (2 / 4 + 0.5), 1 / (6 / 4 + 0.5)
    expected = np.array([often, often, often, rare])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


def test_a_value_between_two_bins_is_of_the_bin_it_was_counted_in():
    found = latent.resampling_weights([[0], [1], [2]], alpha=1e-9, num_bins=2)
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25], rtol=1e-6)


def test_resampling_weights_are_products_over_variables():
    points = RNG.normal(size=(50, 3))
    parts = [latent.resampling_weights(points[:, [i]]) for i in range(3)]
    expected = np.prod(parts, axis=0)
    found = latent.resampling_weights(points * 7.0 - 3.0)  # whatever their unit
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-10)


def test_a_rare_cluster_is_drawn_as_often_as_the_common_one():
    """5 images of 100 lie apart; the least alpha makes them half of what is drawn."""
    points = np.concatenate([np.zeros((95, 1)), np.ones((5, 1))])
    shares = [
        latent.resampling_weights(points, alpha)[95:].sum()
        for alpha in (1e-9, 0.1, 1.0, 1e6)
    ]
    assert shares[0] == pytest.approx(0.5)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(0.05, rel=1e-3)


def test_resampled_values_are_spread_evenly():
    points = RNG.normal(size=(5000, 1)).clip(-2, 2)
    weights = latent.resampling_weights(points, alpha=1e-3)
    drawn = RNG.choice(points[:, 0], size=20_000, p=weights)
    counts, _ = np.histogram(drawn, 20, range=(-2, 2))
    assert counts.max() < 1.15 * counts.min()


def test_weights_of_many_variables_and_of_constant_ones():
    weights = latent.resampling_weights(RNG.normal(size=(100, 3000)), alpha=1.0)
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1.0)
    same = latent.resampling_weights(np.full((4, 2), 3.0))
    np.testing.assert_allclose(same, 0.25)


def effective_share(weights):
    """Of how many equally likely images draws would be as varied, as a share of all."""
    return 1.0 / np.sum(weights**2) / len(weights)


def test_neighbor_weights_by_hand():
    """The second nearest of 0, 1, 2 and 10 are 2, 1, 2 and 9 away."""
    found = latent.neighbor_resampling_weights([[0], [1], [2], [10]], 1.0, 2)
    np.testing.assert_allclose(found, np.array([2, 1, 2, 9]) / 14)
    plane = [[0, 0], [1, 0], [2, 0], [10, 0]]
    found = latent.neighbor_resampling_weights(plane, 1.0, 2)
    np.testing.assert_allclose(found, np.array([4, 1, 4, 81]) / 90)
    half = latent.neighbor_resampling_weights(plane, 0.5, 2)
    np.testing.assert_allclose(half, np.array([2, 1, 2, 9]) / 14)
    none = latent.neighbor_resampling_weights(plane, 0.0, 2)
    np.testing.assert_allclose(none, 0.25)


def test_neighbor_weights_undo_a_density():
    """A disc of density 4 beside one of density 1, of the same size: half each."""
    angle, radius = 2 * np.pi * RNG.uniform(size=5000), np.sqrt(RNG.uniform(size=5000))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points[4000:, 0] += 5.0
    found = latent.neighbor_resampling_weights(points, 1.0)
    assert found[4000:].sum() == pytest.approx(0.5, abs=0.05)
    found = latent.neighbor_resampling_weights(points, 0.5)
    assert found[4000:].sum() == pytest.approx(1 / 3, abs=0.03)


def test_what_is_rare_but_between_others_is_for_neighbors_to_find():
    """20 latents in the middle of a ring of 2,000: no variable alone shows them."""
    angle = 2 * np.pi * RNG.uniform(size=2000)
    ring = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring += 0.1 * RNG.normal(size=ring.shape)
    points = np.concatenate([ring, 0.4 * RNG.normal(size=(20, 2))])
    points = (points - points.mean(axis=0)) @ np.array([[1.0, 0.3], [0.3, 1.0]])
    known = latent.neighbor_resampling_weights(points)[2000:].sum()
    assert known > 3 * 20 / 2020


def test_a_product_of_many_variables_leaves_few_images():
    points = RNG.normal(size=(2000, 8))
    assert effective_share(latent.resampling_weights(points)) < 0.1
    assert effective_share(latent.neighbor_resampling_weights(points)) > 0.25


def test_copies_are_dense_but_finite():
    points = np.concatenate([np.zeros((30, 2)), RNG.normal(size=(30, 2))])
    found = latent.neighbor_resampling_weights(points, num_neighbors=5)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found[:30], found[30:].min())
    np.testing.assert_allclose(
        latent.neighbor_resampling_weights(np.zeros((9, 2)), num_neighbors=3), 1 / 9
    )


def test_densities_refuse():
    points = np.zeros((3, 2))
    for wrong in (np.zeros(3), np.zeros((0, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="finite and"):
            latent.latent_density(wrong)
    with pytest.raises(ValueError, match=r"`alpha`.*0\.0"):
        latent.resampling_weights(points, alpha=0.0)
    for arguments in ((0.5, 3), (0.5, 0), (-1.0, 1)):
        with pytest.raises(ValueError, match=r"`num_neighbors` must.*`strength`"):
            latent.neighbor_resampling_weights(points, *arguments)
