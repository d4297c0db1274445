"""Emoji at 32 pixels: what the models must reach in minutes, beside copying the input.

pytest -m large -n 0 -s tests/models/test_translation_emoji.py
"""

import numpy as np
import pytest

import tfgen

SMALL = {"image_size": 32, "patch_layers": 1, "seed": 0}


def error_of(outputs, truth):
    return float(np.mean(np.abs(outputs - truth)))


def train(preset, load, epochs, **kwargs):
    batches = load("openmoji", image_size=32, batch_size=16, mirror=True)
    num_steps = epochs * int(batches.cardinality())
    model = tfgen.create_model(preset, num_steps=num_steps, **SMALL, **kwargs)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=2)
    return model


@pytest.mark.large
def test_pix2pix_takes_the_colours_off():
    load = lambda *args, **kwargs: tfgen.data.load_pairs(
        *args, direction="ba", **kwargs
    )
    model = train("pix2pix_openmoji_64", load, epochs=6)
    lines, colors = tfgen.data.load_pair_arrays("openmoji", image_size=32)
    floor, error = error_of(colors, lines), error_of(model.translate(colors), lines)
    print(f"\npix2pix: {error:.4f}, {error / floor:.2f} of copying")
    assert error < 0.4 * floor


@pytest.mark.large
def test_cyclegan_takes_the_colours_off_without_pairs():
    model = train("cyclegan_openmoji_64", tfgen.data.load_domains, epochs=4)
    lines, colors = tfgen.data.load_pair_arrays("openmoji", image_size=32)
    outputs = model.translate(colors, "ba")
    floor, error = error_of(colors, lines), error_of(outputs, lines)
    print(f"\nCycleGAN: {error:.4f}, {error / floor:.2f} of copying")
    assert error < 0.5 * floor
