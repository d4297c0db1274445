"""Gradient accumulation by Keras's optimizers: `gradient_accumulation_steps`."""

import keras
import numpy as np
import pytest

import tfgen
from tests import contracts
from tests.models import small
from tests.models.test_contracts import (
    MODELS,
    labels_of,
    make_autoencoder,
    make_cyclegan,
    make_gan,
)
from tfgen.optimizers import FusedAdam
from tfgen.training.fitting import accumulate


def compiled(model, steps, adam=FusedAdam):
    # A large epsilon: else Adam makes of rounding errors near 0 whole steps.
    count = len(contracts.optimizers(model))
    model.compile(
        *(
            adam(1e-2, epsilon=1e-3, gradient_accumulation_steps=steps)
            for _ in range(count)
        )
    )
    return model


@pytest.mark.parametrize(
    ("make", "targets", "adam"),
    [
        (make_autoencoder(), None, keras.optimizers.Adam),
        (make_autoencoder(), None, FusedAdam),
        (make_cyclegan(pool_size=0), small.targets(16), FusedAdam),
    ],
    ids=["Adam", "FusedAdam", "cyclegan"],
)
def test_two_batches_take_the_step_of_one_twice_as_large(make, targets, adam):
    one, two = (contracts.eager(compiled(make(), steps, adam)) for steps in (None, 2))
    images = small.images(16)
    one.fit(contracts.dataset(images, targets, batch_size=16), verbose=0)
    two.fit(contracts.dataset(images, targets, batch_size=8), verbose=0)
    for a, b, old in zip(
        one.trainable_weights,
        two.trainable_weights,
        make().trainable_weights,
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
        assert np.abs(np.asarray(a) - np.asarray(old)).max() > 1e-4


@pytest.mark.parametrize("name", ["vae", pytest.param("gan", marks=pytest.mark.large)])
def test_it_stops_and_goes_on_to_the_bit_amid_a_step(name, tmp_path):
    """An epoch of three batches ends, and a checkpoint is written, between two."""

    def make():
        return compiled(MODELS[name](), 2)

    trained = contracts.Trained(make, small.images(), labels_of(name), tmp_path)
    contracts.check_round_trip(trained)
    contracts.check_stop_and_resume(trained)


def test_a_penalty_now_and_then_counts_steps():
    make = make_gan(gradient_penalty="r1", penalty_interval=2)
    history = compiled(make(), 2).fit(contracts.dataset(small.images(32)), verbose=0)
    # Of four batches the first two are the first step, which has the penalty.
    assert history.history["gradient_penalty"][0] > 0.0


@pytest.mark.parametrize("name", ["autoencoder_mnist_5k", "pix2pix_256"])
def test_a_preset_accumulates_with_all_else_as_it_was(name):
    sizes = {"image_size": 16, "filters": 2}
    if name == "pix2pix_256":
        sizes |= {"discriminator_filters": 2, "patch_layers": 1, "num_steps": 9}
    model = tfgen.create_model(name, **sizes)
    before = model.get_compile_config()
    accumulate(model, 3)
    after = model.get_compile_config()
    for optimizer in contracts.optimizers(model):
        assert optimizer.gradient_accumulation_steps == 3
        assert optimizer.built
    for key, value in before.items():
        if key.endswith("optimizer"):
            assert value["config"].pop("gradient_accumulation_steps") is None
            assert after[key]["config"].pop("gradient_accumulation_steps") == 3
        assert after[key] == value
