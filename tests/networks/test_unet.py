"""pix2pix's U-Net: depth, widths, normalisation, noise, weights, the edge."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.networks.lowering import check
from tfgen.layers import InstanceNormalization, NoiseDropout
from tfgen.networks import build_unet_generator

RNG = np.random.default_rng(0)


def images_of(shape, count=2):
    return RNG.uniform(-1, 1, size=(count, *shape)).astype("float32")


def layers_of(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


@pytest.mark.parametrize(
    ("size", "widths", "end"),
    [
        ((256, 256), [2, 4, 8, 16, 16, 16, 16, 16], (1, 1)),
        ((512, 512), [2, 4, 8, 16, 16, 16, 16, 16], (2, 2)),
        ((128, 128), [2, 4, 8, 16, 16, 16, 16], (1, 1)),
        ((64, 64), [2, 4, 8, 16, 16, 16], (1, 1)),
        ((32, 32), [2, 4, 8, 16, 16], (1, 1)),
        ((96, 96), [2, 4, 8, 16, 16], (3, 3)),
        ((48, 64), [2, 4, 8, 16], (3, 4)),
        ((64, 20), [2, 4], (16, 5)),
        ((4, 4), [2, 4], (1, 1)),
    ],
)
def test_stages(size, widths, end):
    network = build_unet_generator((*size, 1), output_channels=3, filters=2)
    assert network.output_shape == (None, *size, 3)
    has_noise = len(widths) > 4
    names = ["images", "noise"] if has_noise else ["images"]
    assert [i.name for i in network.inputs] == names
    down = layers_of(network, keras.layers.Conv2D)
    up = layers_of(network, keras.layers.Conv2DTranspose)
    assert [layer.filters for layer in down] == widths
    assert down[-1].output.shape[1:3] == end
    assert [layer.filters for layer in up] == [*widths[-2::-1], 3]
    for layer in down + up:
        assert layer.kernel_size == (4, 4)
        assert layer.strides == (2, 2)
    # Every grid on the way down but the innermost is handed across.
    assert len(layers_of(network, keras.layers.Concatenate)) == len(widths) - 1
    inner = [layer.input.shape[-1] for layer in up]
    assert inner == [widths[-1], *(2 * width for width in widths[-2::-1])]
    # Normalised: all but the first stage, the innermost, and the outputs.
    found = layers_of(network, InstanceNormalization)
    assert len(found) == max(len(widths) - 2, 0) + len(widths) - 1
    assert all(layer.output.shape[1:3] != (1, 1) for layer in found)


def test_activations():
    """Leaky on the way down, not on the way up; none on pixels or before the tanh."""
    network = build_unet_generator((32, 32, 3), filters=2)
    leaky = layers_of(network, keras.layers.LeakyReLU)
    assert [layer.output.shape[1] for layer in leaky] == [16, 8, 4, 2]
    assert {round(float(layer.negative_slope), 6) for layer in leaky} == {0.2}
    plain = layers_of(network, keras.layers.ReLU)
    assert [layer.output.shape[1] for layer in plain] == [1, 2, 4, 8, 16]
    last = layers_of(network, keras.layers.Conv2DTranspose)[-1]
    assert last.activation is keras.activations.tanh


def test_interpolation():
    """A plain convolution behind each; the last one sees the input beside features."""
    network = build_unet_generator(
        (32, 32, 3), filters=2, max_filters=6, upsampling="bilinear"
    )
    assert not layers_of(network, keras.layers.Conv2DTranspose)
    up = [c for c in layers_of(network, keras.layers.Conv2D) if c.strides == (1, 1)]
    assert [layer.filters for layer in up] == [6, 6, 4, 2, 3]
    assert [layer.input.shape[1:] for layer in up[-2:]] == [(16, 16, 8), (32, 32, 7)]
    assert [layer.output.shape[1] for layer in layers_of(network, NoiseDropout)] == [
        *(2, 4)
    ]
    with pytest.raises(ValueError, match=r"`upsampling` must be one of.*'nearest'"):
        build_unet_generator((32, 32, 3), upsampling="nearest")


def test_weights_are_as_many_as_in_the_reference():
    """The authors' unet_256, 54.414 M, counted by hand.

    It has no biases beside batch normalisation, even on the first and the innermost
    stage, which are not normalised: here they have one (64 + 512).
    """
    pairs = [(3, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4]
    pairs += [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64)]
    kernels = 16 * (sum(i * o for i, o in pairs) + 128 * 3)
    affine = 2 * (128 + 256 + 4 * 512 + 4 * 512 + 256 + 128 + 64)
    reference = kernels + affine + 3
    assert reference == 54_413_955
    assert build_unet_generator((256, 256, 3)).count_params() == reference + 64 + 512


@pytest.mark.parametrize(
    ("size", "grids"), [(256, [2, 4, 8]), (128, [2, 4, 8]), (64, [2, 4]), (32, [2])]
)
def test_noise_is_where_the_paper_has_it(size, grids):
    """On the first three stages up of full width, after normalisation."""
    network = build_unet_generator((size, size, 1), filters=2, dropout=0.3)
    found = layers_of(network, NoiseDropout)
    assert [layer.output.shape[1:] for layer in found] == [(n, n, 16) for n in grids]
    assert {layer.rate for layer in found} == {0.3}
    assert network.inputs[1].shape == (None, sum(16 * n * n for n in grids))
    starts = np.cumsum([0] + [16 * n * n for n in grids[:-1]])
    assert [layer.start for layer in found] == list(starts)
    order = [type(layer) for layer in network.layers]
    order = [kind for kind in order if kind is not keras.layers.InputLayer]
    for i, kind in enumerate(order):
        if kind is NoiseDropout:
            assert order[i - 1] is InstanceNormalization
            assert order[i + 1] is keras.layers.Concatenate


@pytest.mark.parametrize(("size", "dropout"), [(32, 0.0), (16, 0.5)])
def test_without_noise(size, dropout):
    network = build_unet_generator((size, size, 1), filters=2, dropout=dropout)
    assert len(network.inputs) == 1


def test_noise_moves_images_and_nothing_else_does():
    network = build_unet_generator((32, 32, 3), filters=4)
    images, size = images_of((32, 32, 3)), network.inputs[1].shape[1]
    draws = [RNG.uniform(size=(2, size)).astype("float32") for _ in range(2)]
    results = [network([images, draws[i]]).numpy() for i in (0, 0, 1)]
    np.testing.assert_array_equal(results[0], results[1])
    assert abs(results[0] - results[2]).max() > 1e-3
    plain = [network([images, None], training=t) for t in (False, True)]
    np.testing.assert_array_equal(*plain)


def test_a_latent_takes_the_place_of_dropout():
    network = build_unet_generator((16, 16, 2), filters=4, noise_dim=3)
    assert network.inputs[1].shape == (None, 3)
    assert not layers_of(network, NoiseDropout)
    images, noise = images_of((16, 16, 2)), RNG.uniform(size=(2, 3)).astype("float32")
    # What a latent adds to the first stage is linear in it, and the same at all pixels.
    added = layers_of(network, keras.layers.Add)[0]
    shift = keras.Model(network.inputs, added.output)([images, noise])
    shift -= keras.Model(network.inputs, added.input[0])([images, noise])
    kernel = layers_of(network, keras.layers.Dense)[0].kernel.numpy()
    expected = np.broadcast_to(((2 * noise - 1) @ kernel)[:, None, None], shift.shape)
    np.testing.assert_allclose(shift, expected, atol=1e-6)
    one, other = network([images, noise]), network([images, 1 - noise])
    assert np.abs(one - other).max() > 1e-5


def test_every_pixel_sees_every_other():
    """Through the innermost grid of one pixel; the skips alone see 94x94 at most."""
    network = build_unet_generator((32, 32, 1), filters=4, initial_stddev=0.3)
    images = tf.constant(images_of((32, 32, 1), 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        corner = network([images, None])[0, 0, 0, 0]
    assert np.mean(tape.gradient(corner, images) != 0) == 1.0


@pytest.mark.parametrize("shape", [(30, 32, 3), (32, 30, 3), (2, 4, 3), (33, 33, 3)])
def test_other_sizes_are_refused(shape):
    message = rf"^Height and width.*at least 2 stages.*\({shape[0]}, {shape[1]}, 3\).*$"
    with pytest.raises(ValueError, match=message):
        build_unet_generator(shape)


@pytest.mark.large  # of presets, `test_preset_exports.py` does it
@pytest.mark.parametrize("noise_dim", [0, 3])
@pytest.mark.parametrize("with_noise", [False, True])
def test_runs_on_the_edge_in_one_partition(with_noise, noise_dim, tmp_path):
    with_noise = with_noise or noise_dim > 0
    sizes = {"filters": 4, "noise_dim": noise_dim, "initial_stddev": 0.1}
    network = build_unet_generator((32, 32, 3), **sizes)
    shapes = {"images": (1, 32, 32, 3)}
    if with_noise:
        shapes["noise"] = (1, network.inputs[1].shape[1])

    def generate(images, noise=None):
        return {"images": network([images, noise])}

    operations = check(generate, tmp_path / "network.tflite", RNG, **shapes)
    # The noise of a layer is reshaped to its grid, once.
    assert ("RESHAPE" in operations) is with_noise
    if noise_dim:
        assert "FULLY_CONNECTED" in operations
    assert "TRANSPOSE_CONV" in operations
