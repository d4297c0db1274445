"""Latent walks against decoders whose answer is known."""

import numpy as np
import pytest

from tfgen import latent

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
    start, values = np.array([0.1, 0.2, 0.3], np.float32), [-2.0, 0.5, 2.0, 3.0]
    walks = latent.traverse(show, start, [2, 0], values)
    assert walks.shape == (2, 4, 3, 1, 1)
    for row, dim in enumerate([2, 0]):
        for column, value in enumerate(values):
            expected = start.copy()
            expected[dim] = value
            np.testing.assert_array_equal(walks[row, column, :, 0, 0], expected)


def test_traverse_keeps_grid_order_and_its_argument():
    start = np.array([0.1, 0.2, 0.3], np.float32)
    walks = latent.traverse(project, start, [1], [7.0, 8.0])
    assert walks.shape == (1, 2, 2, 4, 1)
    expected = np.array([0.1, 8.0, 0.3]) @ WEIGHTS
    np.testing.assert_allclose(walks[0, 1].ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(start, np.array([0.1, 0.2, 0.3], np.float32))


@pytest.mark.parametrize("spherical", [False, True])
def test_interpolate_includes_both_ends_exactly(spherical):
    starts, ends = RNG.normal(size=(2, 5, 16)).astype(np.float32)
    images = latent.interpolate(show, starts, ends, 7, spherical)
    assert images.shape == (5, 7, 16, 1, 1)
    np.testing.assert_array_equal(images[:, 0, :, 0, 0], starts)
    np.testing.assert_array_equal(images[:, -1, :, 0, 0], ends)


def test_interpolate_chooses_the_path():
    starts, ends = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    line = latent.interpolate(show, starts, ends, 3)[0, 1, :, 0, 0]
    arc = latent.interpolate(show, starts, ends, 3, spherical=True)[0, 1, :, 0, 0]
    np.testing.assert_allclose(line, [0.5, 0.5])
    np.testing.assert_allclose(arc, [np.sqrt(0.5)] * 2, rtol=1e-6)


def test_lerp_has_equal_steps():
    starts, ends = RNG.normal(size=(2, 4, 3))
    path = latent.lerp(starts, ends, [0.0, 0.25, 0.5, 0.75, 1.0])
    step = np.repeat((ends - starts)[:, np.newaxis] / 4, 4, axis=1)
    np.testing.assert_allclose(np.diff(path, axis=1), step, atol=1e-6)


def test_slerp_keeps_length_and_angular_speed():
    starts, ends = RNG.normal(size=(2, 6, 32))
    starts *= 3.0 / np.linalg.norm(starts, axis=-1, keepdims=True)
    ends *= 3.0 / np.linalg.norm(ends, axis=-1, keepdims=True)
    fractions = np.linspace(0, 1, 9)
    path = latent.slerp(starts, ends, fractions)
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3.0, rtol=1e-6)
    total = np.arccos(np.sum(starts * ends, axis=-1) / 9.0)
    cosines = np.einsum("pd,psd->ps", starts, path) / 9.0
    # From the second step on: the arc cosine is ill-conditioned at 0.
    expected = (total[:, np.newaxis] * fractions)[:, 1:]
    np.testing.assert_allclose(np.arccos(cosines[:, 1:]), expected, atol=1e-4)


def test_slerp_weights_ends_of_unequal_length_by_the_angle():
    angle = np.radians(60.0)
    start, end = np.array([2.0, 0.0]), 5 * np.array([np.cos(angle), np.sin(angle)])
    path = latent.slerp([start], [end], [1 / 3])
    expected = np.sin(2 / 3 * angle) * start + np.sin(angle / 3) * end
    np.testing.assert_allclose(path[0, 0], expected / np.sin(angle), rtol=1e-6)


def test_slerp_of_nearly_parallel_latents_is_smooth():
    start = RNG.normal(size=16)
    for gap in (0.0, 1e-12, 1e-9, 1e-6, 1e-3):
        end = start + gap * np.roll(start, 1)
        path = latent.slerp([start], [end], np.linspace(0, 1, 5))
        line = latent.lerp([start], [end], np.linspace(0, 1, 5))
        np.testing.assert_allclose(path, line, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"),
    [([1.0, 2.0], [-1.0, -2.0]), ([0.0, 0.0], [3.0, 4.0]), ([1.0, 2.0], [0.0, 0.0])],
)
def test_slerp_without_an_arc_is_the_straight_line(start, end):
    path = latent.slerp([start], [end], [0.0, 0.25, 1.0])
    np.testing.assert_array_equal(path, latent.lerp([start], [end], [0.0, 0.25, 1.0]))


def test_each_pair_has_its_own_path():
    """A pair without an arc does not change its neighbours'."""
    starts = np.array([[1.0, 0.0], [1.0, 0.0]])
    ends = np.array([[1.0, 0.0], [0.0, 1.0]])
    path = latent.slerp(starts, ends, [0.5])[:, 0]
    np.testing.assert_allclose(path, [[1.0, 0.0], [np.sqrt(0.5)] * 2], rtol=1e-6)


def test_errors_name_what_was_received():
    with pytest.raises(ValueError, match=r"latent_dim,\). Received: \(1, 3\)"):
        latent.traverse(show, np.zeros((1, 3)), [0], [0.0])
    with pytest.raises(ValueError, match="at least 2"):
        latent.interpolate(show, np.zeros((1, 3)), np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match=r"\(3,\) and \(3,\)"):
        latent.lerp(np.zeros(3), np.zeros(3), [0.5])
    with pytest.raises(ValueError, match=r"\(1, 3\) and \(2, 3\)"):
        latent.slerp(np.zeros((1, 3)), np.zeros((2, 3)), [0.5])
