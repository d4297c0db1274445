"""Adversarial losses against values written by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfgen.losses import ADVERSARIAL_LOSSES

RNG = np.random.default_rng(0)
REAL = np.array([[-2.0], [0.3], [0.9], [4.0]])
FAKE = np.array([[-3.0], [-0.5], [0.2], [2.5]])


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def cross_entropy(real, fake):
    return -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean()


# Name -> (generator's loss of fake [and real], discriminator's of real and fake).
EXPECTED = {
    "minimax": (lambda fake: np.log(1 - sigmoid(fake)).mean(), cross_entropy),
    "non_saturating": (lambda fake: -np.log(sigmoid(fake)).mean(), cross_entropy),
    "least_squares": (
        lambda fake: ((fake - 1) ** 2).mean() / 2,
        lambda real, fake: ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
    ),
    "hinge": (
        lambda fake: -fake.mean(),
        lambda real, fake: (
            np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
        ),
    ),
    "wasserstein": (
        lambda fake: -fake.mean(),
        lambda real, fake: fake.mean() - real.mean(),
    ),
    "relativistic": (
        lambda fake, real: -np.log(sigmoid(fake - real)).mean(),
        lambda real, fake: -np.log(sigmoid(real - fake)).mean(),
    ),
}

# Name -> (generator at 100, at -100, discriminator wholly right, wholly wrong), where a
# float32 sigmoid is 0 or 1. Right: real 100, fake -100; the generator's other is fake's
# negative.
EXTREMES = {
    "minimax": (-100.0, 0.0, 0.0, 200.0),
    "non_saturating": (0.0, 100.0, 0.0, 200.0),
    "least_squares": (4900.5, 5100.5, 9900.5, 10100.5),
    "hinge": (-100.0, 100.0, 0.0, 202.0),
    "wasserstein": (-100.0, 100.0, -200.0, 200.0),
    "relativistic": (0.0, 200.0, 0.0, 200.0),
}


def of_generator(loss, fake, real):
    """The generator's loss, which a relative one takes of both."""
    return loss.generator(fake, real) if loss.is_relative else loss.generator(fake)


def gradients_of(function, *logits):
    logits = [tf.constant(x, tf.float32) for x in logits]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = function(*logits)
    return [g.numpy() for g in tape.gradient(loss, logits)]


# ---- Losses --------------------------------------------------------------------------


def test_every_loss_is_tested():
    assert ADVERSARIAL_LOSSES.keys() == EXPECTED.keys() == EXTREMES.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_is_the_paper_s(name):
    loss, (generator, discriminator) = ADVERSARIAL_LOSSES[name](), EXPECTED[name]
    real, fake = REAL.astype("float32"), FAKE.astype("float32")
    of_fake = generator(FAKE, REAL) if loss.is_relative else generator(FAKE)
    for found, expected in (
        (of_generator(loss, fake, real), of_fake),
        (loss.discriminator(real, fake), discriminator(REAL, FAKE)),
    ):
        assert found.shape == ()
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_of_a_batch_is_the_mean(name):
    """Of patches too: `(batch, height, width, 1)` logits."""
    loss = ADVERSARIAL_LOSSES[name]()
    real, fake = (RNG.normal(size=(4, 3, 2, 1)).astype("float32") for _ in range(2))
    each = [loss.discriminator(a, b) for a, b in zip(real, fake, strict=True)]
    np.testing.assert_allclose(loss.discriminator(real, fake), np.mean(each), 1e-6)
    each = [of_generator(loss, b, a) for a, b in zip(real, fake, strict=True)]
    np.testing.assert_allclose(of_generator(loss, fake, real), np.mean(each), 1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_extreme_logits_neither_overflow_nor_vanish(name):
    loss = ADVERSARIAL_LOSSES[name]()
    high, low = np.full((2, 1), 100, "float32"), np.full((2, 1), -100, "float32")
    found = (
        of_generator(loss, high, low),
        of_generator(loss, low, high),
        loss.discriminator(high, low),
        loss.discriminator(low, high),
    )
    np.testing.assert_allclose(found, EXTREMES[name], rtol=1e-6, atol=1e-6)
    for fake in (high, low):
        both = [fake, -fake] if loss.is_relative else [fake]
        assert np.isfinite(gradients_of(loss.generator, *both)).all()
        assert np.isfinite(gradients_of(loss.discriminator, -fake, fake)).all()


def test_gradients_of_hinge():
    """Only what is within the margin moves the discriminator."""
    real, fake = gradients_of(ADVERSARIAL_LOSSES["hinge"]().discriminator, REAL, FAKE)
    np.testing.assert_allclose(real, np.array([[-1], [-1], [-1], [0]]) / 4)
    np.testing.assert_allclose(fake, np.array([[0], [1], [1], [1]]) / 4)
    (fake,) = gradients_of(ADVERSARIAL_LOSSES["hinge"]().generator, FAKE)
    np.testing.assert_allclose(fake, np.full((4, 1), -0.25))


def test_gradients_of_least_squares():
    loss = ADVERSARIAL_LOSSES["least_squares"]()
    real, fake = gradients_of(loss.discriminator, REAL, FAKE)
    np.testing.assert_allclose(real, (REAL - 1) / 4, rtol=1e-6)
    np.testing.assert_allclose(fake, FAKE / 4, rtol=1e-6)
    (fake,) = gradients_of(loss.generator, FAKE)
    np.testing.assert_allclose(fake, (FAKE - 1) / 4, rtol=1e-6)


def test_minimax_saturates_where_non_saturating_does_not():
    """`-s(D)` against `-(1 - s(D))` a logit: the same discriminator, other ends."""
    (minimax,) = gradients_of(ADVERSARIAL_LOSSES["minimax"]().generator, FAKE)
    (other,) = gradients_of(ADVERSARIAL_LOSSES["non_saturating"]().generator, FAKE)
    np.testing.assert_allclose(minimax, -sigmoid(FAKE) / 4, rtol=1e-5)
    np.testing.assert_allclose(other, (sigmoid(FAKE) - 1) / 4, rtol=1e-5)
    losses = [ADVERSARIAL_LOSSES[n]().generator for n in ("minimax", "non_saturating")]
    # log(1 - s) - (-log s) = log(1 - s) + log s, which is even in the logit.
    sums = [losses[0](x) - losses[1](x) for x in (FAKE, -FAKE)]
    np.testing.assert_allclose(*sums, rtol=1e-6)
    rejected = np.array([[-20.0]])
    assert abs(gradients_of(losses[0], rejected)[0]) < 1e-8
    assert abs(gradients_of(losses[1], rejected)[0]) > 0.99


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares"])
def test_boundary_is_as_far_from_real_s_aim_as_from_fake_s(name):
    """An image on the boundary costs the same whether it is called real or fake."""
    loss = ADVERSARIAL_LOSSES[name]()
    edge = np.full((1, 1), loss.boundary, "float32")
    real, fake = gradients_of(loss.discriminator, edge, edge)
    np.testing.assert_allclose(real, -fake, rtol=1e-6)
    assert real < 0.0


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_boundary_of_losses_that_have_none_of_their_own_is_the_sign(name):
    assert ADVERSARIAL_LOSSES[name]().boundary == 0.0


def test_relativistic_pairs_by_row():
    """Each real logit against the fake one of its row, and of no other."""
    loss, order = ADVERSARIAL_LOSSES["relativistic"](), [1, 2, 3, 0]
    moved = loss.discriminator(REAL, FAKE[order])
    np.testing.assert_allclose(moved, loss.discriminator(REAL[[3, 0, 1, 2]], FAKE))
    assert abs(moved - loss.discriminator(REAL, FAKE)) > 0.1
    # The two steps pull in opposite ways: -s(fake - real) of each pair.
    real, fake = gradients_of(loss.discriminator, REAL, FAKE)
    np.testing.assert_allclose(fake, sigmoid(FAKE - REAL) / 4, rtol=1e-5)
    np.testing.assert_allclose(real, -fake, rtol=1e-6)
    fake, _ = gradients_of(loss.generator, FAKE, REAL)
    np.testing.assert_allclose(fake, -sigmoid(REAL - FAKE) / 4, rtol=1e-5)


def test_relativistic_accuracy_is_the_share_of_pairs_in_order():
    """A shift of all logits, which the loss does not see, leaves it as it is."""
    loss = ADVERSARIAL_LOSSES["relativistic"]()
    fake = FAKE + np.array([[0.0], [0.0], [3.0], [0.0]])
    assert loss.accuracy(REAL, fake) == loss.accuracy(REAL - 50, fake - 50) == 0.75


def test_mean_signs_of_real_logits():
    """From the boundary on, or of pairs: 1 where `D` knows every real image."""
    signs = {
        n: float(row().real_signs(REAL, FAKE)) for n, row in ADVERSARIAL_LOSSES.items()
    }
    assert signs.pop("least_squares") == 0.0  # two of four above 1/2
    assert signs.pop("relativistic") == 1.0  # each above its partner
    assert set(signs.values()) == {0.5}
