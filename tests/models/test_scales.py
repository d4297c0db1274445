"""Discriminators of several scales without pairs, as presets build them."""

import numpy as np
import pytest

import tfgen

SIZES = {"image_size": 32, "filters": 4, "discriminator_filters": 4, "seed": 0}
SIZES |= {"patch_layers": 1, "num_blocks": 1, "num_scales": 2}
JUDGES = {  # discriminator's name: the generator's term, and the domain
    "cyclegan_256": {
        "discriminator_a": ("adversarial_ba_loss", "a"),
        "discriminator_b": ("adversarial_ab_loss", "b"),
    },
    "cut_256": {"discriminator": ("adversarial_loss", "b")},
}


@pytest.mark.parametrize("name", JUDGES)
def test_squares_are_summed_over_scales(name):
    images = np.random.default_rng(0).uniform(size=(2, 2, 32, 32, 3)).astype("float32")
    model = tfgen.create_model(name, **SIZES)
    batch = model._batch(*images, training=False)
    fake = model._fake(batch, training=False)
    terms = model.generator_terms(batch, fake, training=False)
    terms |= model.discriminator_terms(batch, fake, training=False)
    for network, (adversarial, domain) in JUDGES[name].items():
        real_logits, fake_logits = (
            getattr(model, network)(x)
            for x in (batch[f"real_{domain}"], fake[f"fake_{domain}"])
        )
        assert len(fake_logits) == len(real_logits) == 2
        to_one = sum(np.mean((1 - x) ** 2) for x in fake_logits)
        assert float(terms[adversarial]) == pytest.approx(to_one, rel=1e-5)
        apart = sum(np.mean((1 - x) ** 2) for x in real_logits)
        apart += sum(np.mean(x**2) for x in fake_logits)
        assert float(terms[f"{network}_loss"]) == pytest.approx(apart / 2, rel=1e-5)
