"""How often each image is drawn, that resuming draws the same, and what it is good for.

Images are known by their value: image i of n is i / n everywhere.
"""

import contextlib
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests import contracts
from tests.models import small
from tests.models.test_contracts import make_autoencoder, make_vae
from tfgen.callbacks import ResampleByLatents
from tfgen.errors import UserError
from tfgen.latent import neighbor_resampling_weights
from tfgen.networks import build_mlp_decoder, build_mlp_encoder
from tfgen.training import ExactBackup

COUNT = 20
NUMBERED = np.arange(COUNT, dtype="float32").reshape(COUNT, 1, 1, 1) / COUNT


def make(images=NUMBERED, **kwargs):
    options = {"encode": lambda images, *labels: images[:, 0, 0], **kwargs}
    return ResampleByLatents(images, **options)


def drawn(callback, epoch):
    """Returns the numbers of the images of an epoch, batches of them."""
    callback.on_epoch_begin(epoch)
    batches = [np.asarray(batch) for batch in callback.dataset]
    return [np.round(batch[:, 0, 0, 0] * COUNT).astype(int) for batch in batches]


def counts(callback, num_epochs):
    """Returns how often each image is drawn, of each epoch: `(num_epochs, 20)`."""
    found = []
    for epoch in range(num_epochs):
        callback.on_epoch_begin(epoch)
        found.append(np.bincount(callback._order.numpy(), minlength=COUNT))
    return np.array(found)


def by_number(means):
    """Of twice the latent twice the probability."""
    weights = np.asarray(means)[:, 0] + 0.01
    return weights / weights.sum()


# ---- What is drawn -------------------------------------------------------------------


def test_at_first_each_image_comes_once_in_another_order_each_epoch():
    callback = make(weights=by_number, start_epoch=2, batch_size=8)
    first, second = (drawn(callback, epoch) for epoch in (0, 1))
    assert [len(batch) for batch in first] == [8, 8, 4]
    assert len(callback.dataset) == 3
    for batches in (first, second):
        assert sorted(np.concatenate(batches)) == list(range(COUNT))
    assert (np.concatenate(first) != np.concatenate(second)).any()
    assert callback.probabilities is None
    assert len(np.unique(np.concatenate(drawn(callback, 2)))) < COUNT
    np.testing.assert_allclose(callback.probabilities, by_number(NUMBERED[:, 0, 0]))


def test_draws_follow_the_weights():
    callback = make(weights=by_number, start_epoch=0)
    known = COUNT * by_number(NUMBERED[:, 0, 0])
    found = counts(callback, 300)
    assert (found >= np.floor(known)).all()
    assert (found <= np.ceil(known)).all()
    # One count varies by 0.5 at most: the mean of 300 by 0.03.
    np.testing.assert_allclose(found.mean(axis=0), known, atol=0.12)


def test_no_image_is_drawn_with_its_neighbours():
    """Each pair of images of probability 1 / 2n comes in a quarter of the epochs."""
    half = np.full(COUNT, 0.5 / (COUNT - 1))
    half[0] = 0.5
    callback = make(weights=lambda means: half, start_epoch=0)
    found = counts(callback, 300)[:, 1:]
    together = found.T @ found / 300
    others = together[~np.eye(COUNT - 1, dtype=bool)]
    assert others.min() > 0.1
    assert others.max() < 0.4


def test_an_image_with_no_probability_is_not_drawn():
    only = np.zeros(COUNT)
    only[[3, 19]] = 0.5
    callback = make(weights=lambda means: only, start_epoch=0)
    assert (counts(callback, 20)[:, [3, 19]] == 10).all()


def test_draws_are_those_of_the_seed_and_the_epoch():
    one, same, other = (make(weights=by_number, seed=seed) for seed in (1, 1, 2))
    drawn(one, 7)
    for epoch in (0, 3):
        orders = [np.concatenate(drawn(x, epoch)) for x in (one, same, other)]
        np.testing.assert_array_equal(orders[0], orders[1])
        assert (orders[0] != orders[2]).any()


def test_weights_are_found_every_few_epochs():
    seen = []
    callback = make(weights=lambda x: seen.append(epoch) or by_number(x), every=3)
    for epoch in range(9):
        callback.on_epoch_begin(epoch)
    assert seen == [1, 4, 7]


def test_labels_stay_with_their_images():
    callback = make(labels=np.arange(COUNT), weights=by_number, start_epoch=0)
    callback.on_epoch_begin(0)
    for images, labels in callback.dataset:
        assert labels.dtype == "int32"
        np.testing.assert_allclose(images[:, 0, 0, 0], labels / COUNT, atol=1e-6)


# ---- With models ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vae", "conditional", "autoencoder"])
def test_latents_are_the_model_s(kind, monkeypatch):
    monkeypatch.setattr("tfgen.callbacks.resample_by_latents._ENCODED_AT_ONCE", 8)
    number = 3 if kind == "conditional" else None
    make_model = (
        make_autoencoder() if kind == "autoencoder" else make_vae(num_classes=number)
    )
    model, seen = make_model(), []
    resample = ResampleByLatents(
        small.images(),
        small.labels(),
        weights=lambda means: seen.append(means) or np.full(20, 0.05),
    )
    resample.set_model(model)
    resample.on_train_begin()
    for epoch in (1, 2):
        resample.on_epoch_begin(epoch)
        labels = () if number is None else (small.labels(),)
        known = model.encode(small.images(), *labels)
        known = known if kind == "autoencoder" else known[0]
        np.testing.assert_allclose(seen[-1], known, atol=1e-5)
        for weight in model.trainable_weights:
            weight.assign(1.1 * weight + 0.1)
    assert (seen[0] != seen[1]).any()


def fit(directory, num_events=math.inf, is_last=False):
    model = make_vae()()
    resample = ResampleByLatents(
        small.images(),
        batch_size=8,
        weights=lambda means: neighbor_resampling_weights(means, 1.0, 2),
        every=2,
    )
    callbacks = [resample, contracts.KillAfter(num_events)]
    backup = ExactBackup(directory, every=1, callbacks=callbacks)
    callbacks.insert(0 if is_last else 2, backup)
    with contextlib.suppress(contracts.Killed):
        model.fit(resample.dataset, epochs=4, verbose=0, callbacks=callbacks)
    return model, resample.probabilities, backup.newest.name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("whole"))


@pytest.mark.large
@pytest.mark.parametrize(
    ("is_last", "kills"),
    # Three steps an epoch, and those passed over count. Epochs 1 and 3 find weights.
    [
        (False, [(5, "4_epoch_0001"), (4, "6_epoch_0002"), (4, "9_epoch_0003")]),
        (
            True,
            [(5, "5_epoch_0001"), (4, "7_epoch_0002")],
        ),  # killed after the checkpoint
    ],
)
def test_resuming_is_to_the_bit(is_last, kills, whole, tmp_path):
    for num_events, newest in kills:
        assert fit(tmp_path, num_events, is_last)[-1] == f"step_0000000{newest}"
    model, probabilities, _ = fit(tmp_path, is_last=is_last)
    contracts.assert_same_state(whole[0], model)
    np.testing.assert_array_equal(whole[1], probabilities)


class Scaled:
    """A model with the endpoint `encode` only."""

    def __init__(self, factor):
        self.factor = factor

    def signatures(self):
        def encode(images):
            return {"latents": self.factor * images[:, 0, 0]}

        spec = tf.TensorSpec((None, 1, 1, 1))
        return {"encode": tf.function(encode, input_signature=[spec])}


def test_a_second_fit_begins_anew():
    seen = []
    callback = make(
        encode=None, weights=lambda x: seen.append(x[-1, 0]) or by_number(x)
    )
    for factor in (1.0, 2.0):
        callback.set_model(Scaled(factor))
        callback.on_train_begin()
        for epoch in range(2):
            callback.on_epoch_begin(epoch)
    np.testing.assert_allclose(seen, [0.95, 1.9], rtol=1e-6)


def test_mistakes():
    for kwargs, message in (
        ({"labels": np.zeros(3)}, r"one for each of the 20 images. Received: \(3,\)"),
        ({"batch_size": 0}, "must be at least 1.* 20 images, 0, 1, 1"),
        ({"every": 0}, "must be at least 1"),
        ({"start_epoch": -1}, "at least 0"),
        ({"images": NUMBERED[:0]}, "0 images"),
    ):
        with pytest.raises(UserError, match=message):
            make(**kwargs)
    for weights in (np.ones(20), np.ones(3) / 3, np.full(20, np.nan), -np.ones(20)):
        callback = make(weights=lambda means, weights=weights: weights)
        with pytest.raises(UserError, match="must return 20 probabilities, of sum 1"):
            callback.on_epoch_begin(1)
    callback = ResampleByLatents(NUMBERED)
    callback.set_model(keras.Sequential())
    with pytest.raises(UserError, match="Sequential has no encode endpoint: pass"):
        callback.on_epoch_begin(1)


# ---- What it is good for -------------------------------------------------------------


def reconstruction_loss(start_epoch, seed, digits):
    """Trains on digits of which zeros are rare; returns nats of zeros, and of others.

    1% of the images are zeros, 40 of them. Returns too what share of the draws of the
    last epoch they are given.
    """
    (images, labels), (test_images, test_labels) = digits
    zeros = np.flatnonzero(labels == 0)
    rows = np.sort(np.concatenate([np.flatnonzero(labels != 0), zeros[:40]]))
    keras.utils.set_random_seed(seed)
    model = tfgen.VAE(
        build_mlp_encoder((28, 28, 1), 2 * 8, hidden_units=(256,)),
        build_mlp_decoder(8, (28, 28, 1), hidden_units=(256,)),
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(2e-3), steps_per_execution=16)
    resample = ResampleByLatents(
        images[rows], batch_size=100, start_epoch=start_epoch, seed=seed
    )
    model.fit(resample.dataset, epochs=15, verbose=0, callbacks=[resample])
    likelihood = model.likelihood(model.posterior(test_images).mean())
    losses = -np.asarray(likelihood.log_prob(test_images))
    rare, drawn = test_labels == 0, labels[rows][resample._order.numpy()]
    return losses[rare].mean(), losses[~rare].mean(), (drawn == 0).mean()


@pytest.mark.large
def test_rare_digits_are_reconstructed_better_and_others_a_little_worse(tmp_path):
    """Of seeds 0 to 7: zeros from 168.8 nats by 6.8 to 27.1, others by 3.1 to 4.9."""
    digits = [
        tfgen.data.load_array("mnist_5k", split, labels=True, data_dir=tmp_path)
        for split in ("train", "test")
    ]
    found = []
    for seed in (0, 1):
        plain = reconstruction_loss(10**6, seed, digits)
        found.append(np.subtract(reconstruction_loss(1, seed, digits), plain))
    rare, others, share = np.mean(found, axis=0)
    assert rare < -5.0
    assert others < 6.0
    assert share > 0.02
