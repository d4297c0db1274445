"""Latent walks against decoders whose answer is known."""

import numpy as np
import pytest

from tfgen.latent import walks as latents

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(3, 2 * 4 * 1))


def show(batch):
    """An 'image' `(n, latent_dim, 1, 1)` that is the latent itself."""
    assert batch.dtype == np.float32
    assert batch.ndim == 2
    return batch[:, :, np.newaxis, np.newaxis]


def project(batch):
    return (batch @ WEIGHTS).reshape(-1, 2, 4, 1)


def test_traverse_moves_one_dimension_at_a_time():
    latent, values = np.array([0.1, 0.2, 0.3], np.float32), [-2.0, 0.5, 2.0, 3.0]
    walks = latents.traverse(show, latent, [2, 0], values)
    assert walks.shape == (2, 4, 3, 1, 1)
    for row, dim in enumerate([2, 0]):
        for column, value in enumerate(values):
            expected = latent.copy()
            expected[dim] = value
            np.testing.assert_array_equal(walks[row, column, :, 0, 0], expected)


def test_traverse_keeps_grid_order_and_its_argument():
    latent = np.array([0.1, 0.2, 0.3], np.float32)
    walks = latents.traverse(project, latent, [1], [7.0, 8.0])
    assert walks.shape == (1, 2, 2, 4, 1)
    expected = np.array([0.1, 8.0, 0.3]) @ WEIGHTS
    np.testing.assert_allclose(walks[0, 1].ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(latent, np.array([0.1, 0.2, 0.3], np.float32))


@pytest.mark.parametrize("spherical", [False, True])
def test_interpolate_includes_both_ends_exactly(spherical):
    starts, ends = RNG.normal(size=(2, 5, 16)).astype(np.float32)
    images = latents.interpolate(show, starts, ends, 7, spherical)
    assert images.shape == (5, 7, 16, 1, 1)
    np.testing.assert_array_equal(images[:, 0, :, 0, 0], starts)
    np.testing.assert_array_equal(images[:, -1, :, 0, 0], ends)


def test_interpolate_chooses_the_path():
    starts, ends = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    line = latents.interpolate(show, starts, ends, 3)[0, 1, :, 0, 0]
    arc = latents.interpolate(show, starts, ends, 3, spherical=True)[0, 1, :, 0, 0]
    np.testing.assert_allclose(line, [0.5, 0.5])
    np.testing.assert_allclose(arc, [np.sqrt(0.5)] * 2, rtol=1e-6)


def test_lerp_has_equal_steps():
    starts, ends = RNG.normal(size=(2, 4, 3))
    path = latents.lerp(starts, ends, [0.0, 0.25, 0.5, 0.75, 1.0])
    step = np.repeat((ends - starts)[:, np.newaxis] / 4, 4, axis=1)
    np.testing.assert_allclose(np.diff(path, axis=1), step, atol=1e-6)


def test_slerp_keeps_length_and_angular_speed():
    starts, ends = RNG.normal(size=(2, 6, 32))
    starts *= 3.0 / np.linalg.norm(starts, axis=-1, keepdims=True)
    ends *= 3.0 / np.linalg.norm(ends, axis=-1, keepdims=True)
    fractions = np.linspace(0, 1, 9)
    path = latents.slerp(starts, ends, fractions)
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3.0, rtol=1e-6)
    total = np.arccos(np.sum(starts * ends, axis=-1) / 9.0)
    cosines = np.einsum("pd,psd->ps", starts, path) / 9.0
    # From the second step on: the arc cosine is ill-conditioned at 0.
    expected = (total[:, np.newaxis] * fractions)[:, 1:]
    np.testing.assert_allclose(np.arccos(cosines[:, 1:]), expected, atol=1e-4)


def test_slerp_weights_ends_of_unequal_length_by_the_angle():
    angle = np.radians(60.0)
    start, end = np.array([2.0, 0.0]), 5 * np.array([np.cos(angle), np.sin(angle)])
    path = latents.slerp([start], [end], [1 / 3])
    expected = np.sin(2 / 3 * angle) * start + np.sin(angle / 3) * end
    np.testing.assert_allclose(path[0, 0], expected / np.sin(angle), rtol=1e-6)


def test_slerp_of_nearly_parallel_latents_is_smooth():
    start = RNG.normal(size=16)
    for gap in (0.0, 1e-12, 1e-9, 1e-6, 1e-3):
        end = start + gap * np.roll(start, 1)
        path = latents.slerp([start], [end], np.linspace(0, 1, 5))
        line = latents.lerp([start], [end], np.linspace(0, 1, 5))
        np.testing.assert_allclose(path, line, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"),
    [([1.0, 2.0], [-1.0, -2.0]), ([0.0, 0.0], [3.0, 4.0]), ([1.0, 2.0], [0.0, 0.0])],
)
def test_slerp_without_an_arc_is_the_straight_line(start, end):
    path = latents.slerp([start], [end], [0.0, 0.25, 1.0])
    np.testing.assert_array_equal(path, latents.lerp([start], [end], [0.0, 0.25, 1.0]))


def test_each_pair_has_its_own_path():
    """A pair without an arc does not change its neighbours'."""
    starts = np.array([[1.0, 0.0], [1.0, 0.0]])
    ends = np.array([[1.0, 0.0], [0.0, 1.0]])
    path = latents.slerp(starts, ends, [0.5])[:, 0]
    np.testing.assert_allclose(path, [[1.0, 0.0], [np.sqrt(0.5)] * 2], rtol=1e-6)


def test_errors_name_what_was_received():
    with pytest.raises(ValueError, match=r"latent_dim,\). Received: \(1, 3\)"):
        latents.traverse(show, np.zeros((1, 3)), [0], [0.0])
    with pytest.raises(ValueError, match="at least 2"):
        latents.interpolate(show, np.zeros((1, 3)), np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match=r"\(3,\) and \(3,\)"):
        latents.lerp(np.zeros(3), np.zeros(3), [0.5])
    with pytest.raises(ValueError, match=r"\(1, 3\) and \(2, 3\)"):
        latents.slerp(np.zeros((1, 3)), np.zeros((2, 3)), [0.5])


# ---- Directions and densities --------------------------------------------------------


def test_attribute_direction_is_from_mean_to_mean():
    points = np.array([[0.0, 1.0], [2.0, 1.0], [5.0, 4.0], [7.0, 8.0], [9.0, 0.0]])
    found = latents.attribute_direction(points, np.array([0, 0, 1, 1, 1], bool))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [7.0 - 1.0, 4.0 - 1.0])


def test_latent_density_is_a_density_of_each_variable():
    points = RNG.normal(size=(20_000, 2)) * [1.0, 3.0] + [0.0, 5.0]
    edges, densities = latents.latent_density(points, num_bins=30)
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
    found = latents.resampling_weights(points, alpha=0.5, num_bins=2)
    rare, often = 1 / (2 / 4 + 0.5), 1 / (6 / 4 + 0.5)
    expected = np.array([often, often, often, rare])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


def test_a_value_between_two_bins_is_of_the_bin_it_was_counted_in():
    found = latents.resampling_weights([[0], [1], [2]], alpha=1e-9, num_bins=2)
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25], rtol=1e-6)


def test_resampling_weights_are_products_over_variables():
    points = RNG.normal(size=(50, 3))
    parts = [latents.resampling_weights(points[:, [i]]) for i in range(3)]
    expected = np.prod(parts, axis=0)
    found = latents.resampling_weights(points * 7.0 - 3.0)  # whatever their unit
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-10)


def test_a_rare_cluster_is_drawn_as_often_as_the_common_one():
    """5 images of 100 lie apart; the least alpha makes them half of what is drawn."""
    points = np.concatenate([np.zeros((95, 1)), np.ones((5, 1))])
    shares = [
        latents.resampling_weights(points, alpha)[95:].sum()
        for alpha in (1e-9, 0.1, 1.0, 1e6)
    ]
    assert shares[0] == pytest.approx(0.5)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(0.05, rel=1e-3)


def test_resampled_values_are_spread_evenly():
    points = RNG.normal(size=(5000, 1)).clip(-2, 2)
    weights = latents.resampling_weights(points, alpha=1e-3)
    drawn = RNG.choice(points[:, 0], size=20_000, p=weights)
    counts, _ = np.histogram(drawn, 20, range=(-2, 2))
    assert counts.max() < 1.15 * counts.min()


def test_weights_of_many_variables_and_of_constant_ones():
    weights = latents.resampling_weights(RNG.normal(size=(100, 3000)), alpha=1.0)
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1.0)
    same = latents.resampling_weights(np.full((4, 2), 3.0))
    np.testing.assert_allclose(same, 0.25)


def effective_share(weights):
    """Of how many equally likely images draws would be as varied, as a share of all."""
    return 1.0 / np.sum(weights**2) / len(weights)


def test_neighbor_weights_by_hand():
    """The second nearest of 0, 1, 2 and 10 are 2, 1, 2 and 9 away."""
    found = latents.neighbor_resampling_weights([[0], [1], [2], [10]], 1.0, 2)
    np.testing.assert_allclose(found, np.array([2, 1, 2, 9]) / 14)
    plane = [[0, 0], [1, 0], [2, 0], [10, 0]]
    found = latents.neighbor_resampling_weights(plane, 1.0, 2)
    np.testing.assert_allclose(found, np.array([4, 1, 4, 81]) / 90)
    half = latents.neighbor_resampling_weights(plane, 0.5, 2)
    np.testing.assert_allclose(half, np.array([2, 1, 2, 9]) / 14)
    none = latents.neighbor_resampling_weights(plane, 0.0, 2)
    np.testing.assert_allclose(none, 0.25)


def test_neighbor_weights_undo_a_density():
    """A disc of density 4 beside one of density 1, of the same size: half each."""
    angle, radius = 2 * np.pi * RNG.uniform(size=5000), np.sqrt(RNG.uniform(size=5000))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points[4000:, 0] += 5.0
    found = latents.neighbor_resampling_weights(points, 1.0)
    assert found[4000:].sum() == pytest.approx(0.5, abs=0.05)
    found = latents.neighbor_resampling_weights(points, 0.5)
    assert found[4000:].sum() == pytest.approx(1 / 3, abs=0.03)


def test_what_is_rare_but_between_others_is_for_neighbors_to_find():
    """20 latents in the middle of a ring of 2,000: no variable alone shows them."""
    angle = 2 * np.pi * RNG.uniform(size=2000)
    ring = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring += 0.1 * RNG.normal(size=ring.shape)
    points = np.concatenate([ring, 0.4 * RNG.normal(size=(20, 2))])
    points = (points - points.mean(axis=0)) @ np.array([[1.0, 0.3], [0.3, 1.0]])
    known = latents.neighbor_resampling_weights(points)[2000:].sum()
    assert known > 3 * 20 / 2020


def test_a_product_of_many_variables_leaves_few_images():
    points = RNG.normal(size=(2000, 8))
    assert effective_share(latents.resampling_weights(points)) < 0.1
    assert effective_share(latents.neighbor_resampling_weights(points)) > 0.25


def test_copies_are_dense_but_finite():
    points = np.concatenate([np.zeros((30, 2)), RNG.normal(size=(30, 2))])
    found = latents.neighbor_resampling_weights(points, num_neighbors=5)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found[:30], found[30:].min())
    np.testing.assert_allclose(
        latents.neighbor_resampling_weights(np.zeros((9, 2)), num_neighbors=3), 1 / 9
    )


def test_directions_and_densities_refuse():
    points = np.zeros((3, 2))
    for has in (np.zeros(3, int), np.zeros(2, bool)):
        with pytest.raises(ValueError, match=r"a boolean for each.*\(3, 2\)"):
            latents.attribute_direction(points, has)
    for has in (np.zeros(3, bool), np.ones(3, bool)):
        with pytest.raises(ValueError, match="some images"):
            latents.attribute_direction(points, has)
    for wrong in (np.zeros(3), np.zeros((0, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="finite and"):
            latents.latent_density(wrong)
    with pytest.raises(ValueError, match=r"`alpha`.*0\.0"):
        latents.resampling_weights(points, alpha=0.0)
    for arguments in ((0.5, 3), (0.5, 0), (-1.0, 1)):
        with pytest.raises(ValueError, match=r"`num_neighbors` must.*`strength`"):
            latents.neighbor_resampling_weights(points, *arguments)
