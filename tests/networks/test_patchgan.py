"""PatchGAN: logits, receptive fields by their gradient, weights, options."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen.layers import InstanceNormalization
from tfgen.networks import build_patchgan_discriminator
from tfgen.networks.patchgan import RECEPTIVE_FIELDS

RNG = np.random.default_rng(0)


def images_of(shape, count=2):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


@pytest.mark.parametrize(
    ("size", "num_layers", "logits"),
    [
        ((256, 256), 3, (30, 30)),  # as in the paper
        ((256, 256), 0, (256, 256)),
        ((256, 256), 1, (126, 126)),
        ((256, 256), 2, (62, 62)),
        ((256, 256), 4, (14, 14)),
        ((256, 256), 5, (6, 6)),
        ((32, 48), 3, (2, 4)),
        ((37, 50), 2, (7, 10)),  # odd: rounded down, as one zero on each side does
        ((24, 24), 3, (1, 1)),
        ((6, 7), 1, (1, 1)),
        ((1, 2), 0, (1, 2)),
    ],
)
def test_logits(size, num_layers, logits):
    network = build_patchgan_discriminator((*size, 2), filters=2, num_layers=num_layers)
    assert network.output_shape == (None, *logits, 1)
    assert [i.name for i in network.inputs] == ["images"]


def test_open_sizes_give_what_fixed_sizes_give():
    network = build_patchgan_discriminator((None, None, 2), filters=2, num_layers=2)
    for shape in ((32, 32, 2), (37, 50, 2)):
        fixed = build_patchgan_discriminator(shape, filters=2, num_layers=2)
        fixed.set_weights(network.get_weights())
        images = images_of(shape)
        np.testing.assert_allclose(network(images), fixed(images), atol=1e-6)


@pytest.mark.parametrize(
    ("num_layers", "widths"),
    [
        (0, [2, 4, 1]),
        (1, [2, 4, 1]),
        (3, [2, 4, 8, 16, 1]),
        (5, [2, 4, 8, 16, 16, 16, 1]),
    ],
)
def test_stages(num_layers, widths):
    network = build_patchgan_discriminator(
        (128, 128, 3), filters=2, num_layers=num_layers
    )
    stages = layers_of(network, keras.layers.Conv2D)
    assert [layer.filters for layer in stages] == widths
    strides = [layer.strides[0] for layer in stages]
    assert strides == [2] * num_layers + [1] * (len(widths) - num_layers)
    kernel = (4, 4) if num_layers else (1, 1)
    assert {layer.kernel_size for layer in stages} == {kernel}
    # Normalised: all but the first and the logits, which alone have a bias.
    assert len(layers_of(network, InstanceNormalization)) == len(widths) - 2
    biases = [layer.use_bias for layer in stages]
    assert biases == [True, *[False] * (len(widths) - 2), True]
    leaky = layers_of(network, keras.layers.LeakyReLU)
    assert len(leaky) == len(widths) - 1
    assert {round(float(layer.negative_slope), 6) for layer in leaky} == {0.2}


@pytest.mark.parametrize("num_layers", RECEPTIVE_FIELDS)
def test_receptive_field(num_layers):
    """Which pixels move a logit in the middle: a square of just that size."""
    size = 512
    network = build_patchgan_discriminator(
        (size, size, 1),
        filters=2,
        num_layers=num_layers,
        normalization=None,
        initial_stddev=0.5,
    )
    images = tf.constant(images_of((size, size, 1), 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(images)
        middle = logits.shape[1] // 2
        logit = logits[0, middle, middle, 0]
    seen = tape.gradient(logit, images).numpy()[0, :, :, 0] != 0
    field = RECEPTIVE_FIELDS[num_layers]
    for axis in (0, 1):
        (where,) = np.nonzero(seen.any(axis=axis))
        assert 0 < where[0] <= where[-1] < size - 1  # not cut off by the edge
        assert where[-1] - where[0] + 1 == field
        assert len(where) == field
    assert seen.sum() == field**2


@pytest.mark.parametrize(
    ("channels", "num_layers", "reference"),
    [(6, 3, 2_768_705), (3, 3, 2_765_633), (6, 0, 9_025)],
)
def test_weights_are_as_many_as_in_the_reference(channels, num_layers, reference):
    """The authors' basic D (2.769 M for pairs), and their 1x1 one, counted by hand.

    As with their batch normalisation: two weights a channel, no bias before it. Their
    1x1 one has then no bias on the logit either: 9,024.
    """
    if num_layers:
        pairs = [(channels, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
        count = 16 * sum(i * o for i, o in pairs) + 64 + 2 * (128 + 256 + 512) + 1
    else:
        count = channels * 64 + 64 + 64 * 128 + 2 * 128 + 128 + 1
    assert count == reference
    shape = (256, 256, channels)
    found = build_patchgan_discriminator(shape, num_layers=num_layers).count_params()
    assert found == reference


def test_pixels_are_judged_alone_without_layers():
    network = build_patchgan_discriminator(
        (8, 8, 3), filters=4, num_layers=0, normalization=None
    )
    images = images_of((8, 8, 3))
    changed = images.copy()
    changed[0, 3, 5] += 1.0
    moved = network(images).numpy() != network(changed).numpy()
    assert np.argwhere(moved).tolist() == [[0, 3, 5, 0]]


@pytest.mark.parametrize(("size", "num_layers"), [(23, 3), (5, 1), (95, 5)])
def test_too_small_images_are_refused(size, num_layers):
    message = (
        rf"^Height.*least {size + 1} for num_layers={num_layers}.*, {size}, 3\).*$"
    )
    with pytest.raises(ValueError, match=message):
        build_patchgan_discriminator((128, size, 3), num_layers=num_layers)
    build_patchgan_discriminator((128, size + 1, 3), filters=2, num_layers=num_layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 6}, r"one of \[0, 1, 2, 3, 4, 5\]. Received: 6"),
        ({"num_layers": -1}, "Received: -1"),
        ({"normalization": "spectral"}, "'instance', 'batch', None"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_patchgan_discriminator((256, 256, 3), **arguments)


def test_scales_see_means_of_pixels():
    """Each scale is a discriminator of its own, of images half the size."""
    shape, sizes = (37, 50, 2), {"filters": 2, "num_layers": 1}
    network = build_patchgan_discriminator(shape, num_scales=3, **sizes)
    images = images_of(shape)
    weights, scaled = network.get_weights(), tf.constant(images)
    by_layer = {id(w): w for w in network.weights}
    assert len(weights) == len(by_layer)
    outputs = network(images)
    assert [x.shape[1:3] for x in outputs] == [(16, 23), (7, 10), (3, 4)]
    for index, logits in enumerate(outputs):
        if index:
            scaled = tf.nn.avg_pool2d(scaled, 2, 2, "SAME")
        alone = build_patchgan_discriminator(scaled.shape[1:], **sizes)
        path = weights_before(network, network.outputs[index])
        alone.set_weights(path)
        np.testing.assert_allclose(alone(scaled), logits, atol=1e-6)


def weights_before(network, output):
    """Weights of the layers that an output is made by, from the first."""
    return keras.Model(network.inputs, output).get_weights()


def test_features_are_those_of_every_stage():
    shape, sizes = (32, 32, 2), {"filters": 2, "num_layers": 2}
    network = build_patchgan_discriminator(
        shape, num_scales=2, with_features=True, **sizes
    )
    plain = build_patchgan_discriminator(shape, num_scales=2, **sizes)
    plain.set_weights(network.get_weights())
    images = images_of(shape)
    outputs = network(images)
    grids = [[x.shape[1] for x in features] for features in outputs["features"]]
    assert grids == [[16, 8, 7], [8, 4, 3]]
    for logits, expected in zip(outputs["logits"], plain(images), strict=True):
        np.testing.assert_allclose(logits, expected, atol=1e-6)
    for x in (stage for features in outputs["features"] for stage in features):
        assert tf.reduce_min(x) < 0 < tf.reduce_max(x)


def test_too_many_scales_are_refused():
    message = "^Height.*least 24 for num_layers=1 and num_scales=3"
    with pytest.raises(ValueError, match=message):
        build_patchgan_discriminator((23, 32, 3), num_layers=1, num_scales=3)
    with pytest.raises(ValueError, match="`num_scales` must be at least 1"):
        build_patchgan_discriminator((32, 32, 3), num_scales=0)
