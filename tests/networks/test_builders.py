"""One table of the builders, and what every network that they build must do."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.networks.lowering import check
from tfgen import networks
from tfgen.layers import InstanceNormalization, Recompute, SpectralNormalization

IMAGE, WIDE, LATENT_DIM, NUM_CLASSES = (8, 12, 2), (16, 24, 2), 5, 3


@dataclasses.dataclass(frozen=True)
class Row:
    """A builder, the shapes it is given, small arguments, and what comes of them.

    Args:
        shapes: Positional arguments.
        arguments: Keyword arguments that keep the network small.
        outputs: Shape of the outputs, without the batch.
        squashed: Whether the outputs are images in [-1, 1].
        normalizations: Values of `normalization`.
        bad_shapes: Positional arguments that are refused, and what the line says.
    """

    shapes: tuple
    arguments: dict
    outputs: tuple
    squashed: bool = False
    normalizations: tuple = ()
    bad_shapes: tuple = ()


GAN_NORMS = ("batch", "layer", "spectral", None)
TRANSLATION_NORMS = ("instance", "batch", None)
GRIDS = "must be a power of 2 times a grid"
BUILDERS = {
    "conv_encoder": Row(
        (IMAGE, 6),
        {"filters": (4,)},
        (6,),
        bad_shapes=(((9, 8, 1), 6), "divisible by 2: 1 stage"),
    ),
    "conv_decoder": Row(
        (LATENT_DIM, IMAGE),
        {"filters": (4,)},
        IMAGE,
        bad_shapes=((5, (8, 9, 1)), "divisible by 2: 1 stage"),
    ),
    "mlp_encoder": Row((IMAGE, 6), {"hidden_units": (7,)}, (6,)),
    "mlp_decoder": Row((LATENT_DIM, IMAGE), {"hidden_units": (7,)}, IMAGE),
    "dcgan_generator": Row(
        (LATENT_DIM, WIDE),
        {"filters": 4},
        WIDE,
        squashed=True,
        bad_shapes=((5, (28, 30, 1)), GRIDS),
    ),
    "dcgan_discriminator": Row(
        (WIDE,),
        {"filters": 4},
        (1,),
        normalizations=GAN_NORMS,
        bad_shapes=(((30, 30, 1),), GRIDS),
    ),
    "resnet_gan_generator": Row(
        (LATENT_DIM, WIDE),
        {"filters": 4},
        WIDE,
        squashed=True,
        bad_shapes=((5, (8, 8, 1)), GRIDS),
    ),
    "resnet_gan_discriminator": Row(
        (WIDE,),
        {"filters": 4},
        (1,),
        normalizations=GAN_NORMS,
        bad_shapes=(((14, 14, 1),), GRIDS),
    ),
    "style_generator": Row(
        (LATENT_DIM, WIDE),
        {"filters": 4, "style_dim": 8},
        WIDE,
        squashed=True,
        bad_shapes=((5, (28, 30, 1)), GRIDS),
    ),
    "patchgan_discriminator": Row(
        ((13, 16, 2),),
        {"filters": 4, "num_layers": 2, "initial_stddev": 0.3},
        (1, 2, 1),
        normalizations=TRANSLATION_NORMS,
        bad_shapes=(((11, 64, 3),), "must be at least 12 for num_layers=2"),
    ),
    "resnet_generator": Row(
        ((8, 12, 2),),
        {"filters": 4, "num_blocks": 2, "initial_stddev": 0.3},
        (8, 12, 2),
        squashed=True,
        normalizations=TRANSLATION_NORMS,
        bad_shapes=(((30, 32, 3),), "divisible by 4 and at least 8"),
    ),
    "resnet_encoder": Row(
        ((16, 16, 2), 6),
        {"filters": 4},
        (6,),
        bad_shapes=(((18, 16, 1), 6), "divisible by 4"),
    ),
    "resnet_decoder": Row(
        (LATENT_DIM, (16, 16, 2)),
        {"filters": 4},
        (16, 16, 2),
        bad_shapes=((5, (18, 16, 1)), "divisible by 4"),
    ),
    "unet_generator": Row(
        ((8, 12, 2),),
        {"filters": 4, "dropout": 0.0, "initial_stddev": 0.3},
        (8, 12, 2),
        squashed=True,
        normalizations=TRANSLATION_NORMS,
        bad_shapes=(((30, 32, 3),), "divisible by 4: at least 2 stages"),
    ),
}
CONDITIONAL = [name for name in BUILDERS if name.split("_")[0] in ("conv", "mlp")]
CONDITIONAL += [name for name in BUILDERS if "gan_" in name and "patch" not in name]
CONDITIONAL += ["resnet_encoder", "resnet_decoder", "style_generator"]
EVERY = pytest.mark.parametrize("name", BUILDERS)


def build(name, **arguments):
    row = BUILDERS[name]
    keras.utils.set_random_seed(0)
    builder = getattr(networks, f"build_{name}")
    return builder(*row.shapes, **{**row.arguments, **arguments})


def inputs_of(network, count=3, scale=1.0):
    """Random inputs, and labels 0, 1, 2, ..."""
    rng = np.random.default_rng(0)
    inputs = [
        np.arange(count, dtype="int32")
        if "int" in one.dtype
        else scale * rng.normal(size=(count, *one.shape[1:])).astype("float32")
        for one in network.inputs
    ]
    return inputs if len(inputs) > 1 else inputs[0]


def layers_of(network, *kinds):
    return [layer for layer in network.layers if type(layer) in kinds]


def test_the_table_has_every_builder():
    # A patch projector is built for a network: tests/models/test_cut.py.
    names = {f"build_{name}" for name in (*BUILDERS, "patch_projector")}
    assert set(networks.__all__) == names


@EVERY
def test_shapes_names_and_range(name):
    network, row = build(name), BUILDERS[name]
    assert network.name == name
    is_of_latents = row.shapes[0] == LATENT_DIM
    assert network.inputs[0].name == ("latents" if is_of_latents else "images")
    assert network.output_shape == (None, *row.outputs)
    outputs = network(inputs_of(network, count=16, scale=1000.0)).numpy()
    assert outputs.shape == (16, *row.outputs)
    if row.squashed:
        assert -1.0 <= outputs.min() < -0.9
        assert 0.9 < outputs.max() <= 1.0
    else:
        assert np.abs(outputs).max() > 2.0


@EVERY
def test_files_clones_and_channels_first(name, tmp_path):
    """Saved, cloned, and built where ~/.keras/keras.json says channels_first."""
    conditional = {"num_classes": NUM_CLASSES} if name in CONDITIONAL else {}
    network = build(name, **conditional)
    inputs = inputs_of(network)
    expected = network(inputs).numpy()
    network.save(tmp_path / "network.keras")
    keras.config.set_image_data_format("channels_first")
    try:
        copies = [build(name, **conditional), keras.models.clone_model(network)]
        copies.append(
            keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
        )
    finally:
        keras.config.set_image_data_format("channels_last")
    for copy in copies:
        copy.set_weights(network.get_weights())
        np.testing.assert_allclose(copy(inputs), expected, rtol=1e-5, atol=1e-6)
        assert copy.name == name


@pytest.mark.large
@EVERY
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(name, policy):
    expected = build(name)
    inputs = inputs_of(expected)
    keras.config.set_dtype_policy(policy)
    network = build(name)
    network.set_weights(expected.get_weights())
    assert {weight.dtype for weight in network.weights} == {"float32"}
    outputs = tf.cast(network(inputs), tf.float32).numpy()
    assert network.compute_dtype == policy.split("_")[1]
    scale = np.abs(expected(inputs)).max()
    assert np.abs(outputs - expected(inputs)).mean() < 0.05 * scale


@pytest.mark.parametrize("name", CONDITIONAL)
def test_labels_are_an_input_that_matters(name):
    network = build(name, num_classes=NUM_CLASSES)
    assert [one.name for one in network.inputs][1:2] == ["labels"]
    assert network.inputs[1].dtype == "int32"
    assert network.inputs[1].shape == (None,)
    features, labels, *options = inputs_of(network)
    features[:] = features[0]
    rng = np.random.default_rng(0)  # a class's scale and shift start as all others'
    for weight in network.trainable_weights:
        weight.assign_add(0.1 * rng.normal(size=weight.shape).astype("float32"))
    outputs = network([features, labels, *options]).numpy()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(outputs[one] - outputs[other]).max() > 1e-4


@pytest.mark.parametrize("name", [n for n, row in BUILDERS.items() if row.bad_shapes])
def test_other_shapes_are_refused_in_one_line(name):
    shapes, message = BUILDERS[name].bad_shapes
    (image_shape,) = [shape for shape in shapes if isinstance(shape, tuple)]
    with pytest.raises(ValueError, match=message) as caught:
        getattr(networks, f"build_{name}")(*shapes, **BUILDERS[name].arguments)
    assert "\n" not in str(caught.value)
    assert f"image_shape={image_shape}" in str(caught.value)


@pytest.mark.parametrize("name", BUILDERS)
def test_shapes_come_first_and_the_rest_by_name(name):
    row = BUILDERS[name]
    with pytest.raises(TypeError, match="positional"):
        getattr(networks, f"build_{name}")(*row.shapes, 4)


# ---- Normalisation -------------------------------------------------------------------

KINDS = {
    "batch": keras.layers.BatchNormalization,
    "layer": keras.layers.LayerNormalization,
    "instance": InstanceNormalization,
    "spectral": SpectralNormalization,
}
NORMALIZED = [
    (name, normalization)
    for name, row in BUILDERS.items()
    for normalization in row.normalizations
]


@pytest.mark.parametrize(("name", "normalization"), NORMALIZED)
def test_normalization(name, normalization):
    network = build(name, normalization=normalization)
    layers = layers_of(network, *KINDS.values())
    assert {type(layer) for layer in layers} == {
        kind for key, kind in KINDS.items() if key == normalization
    }
    if normalization == "spectral":
        kernels = [w for w in network.weights if w.path.endswith("kernel")]
        assert len(layers) == len(kernels)
    if normalization != "batch":  # no image sees another
        inputs = inputs_of(network)
        np.testing.assert_allclose(
            network(inputs[:1]), network(inputs)[:1], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", [n for n, r in BUILDERS.items() if r.normalizations])
@pytest.mark.parametrize("normalization", ["group", "none", ""])
def test_other_normalizations_are_refused(name, normalization):
    with pytest.raises(ValueError, match=r"`normalization` must be one of.*'batch'"):
        build(name, normalization=normalization)


TRANSLATORS = [n for n, r in BUILDERS.items() if r.normalizations == TRANSLATION_NORMS]


@pytest.mark.parametrize("name", TRANSLATORS)
@pytest.mark.parametrize("normalization", TRANSLATION_NORMS)
def test_there_is_no_bias_before_a_normalization(name, normalization):
    """It would be taken off again; every convolution has a bias or a normalisation."""
    network = build(name, normalization=normalization)
    convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    count = len(layers_of(network, *convolutions))
    biases = sum(weight.name == "bias" for weight in network.weights)
    assert biases + len(layers_of(network, *KINDS.values())) == count
    assert (biases == count) is (normalization is None)


@pytest.mark.parametrize("name", TRANSLATORS)
@pytest.mark.parametrize("stddev", [0.02, 0.5])
def test_initial_weights(name, stddev):
    network = build(name, initial_stddev=stddev, filters=8)
    kernels = [w.numpy() for w in network.weights if w.name == "kernel"]
    for kernel in kernels:
        assert abs(kernel.std() / stddev - 1) < 5 / np.sqrt(2 * kernel.size)
        assert abs(kernel.mean() / stddev) < 5 / np.sqrt(kernel.size)
    starts = {tuple(kernel.ravel()[:4]) for kernel in kernels}
    assert len(starts) == len(kernels)  # none repeats another's values


# ---- Recomputation -------------------------------------------------------------------


RECOMPUTED = ["resnet_generator", "unet_generator", "resnet_encoder", "resnet_decoder"]


@pytest.mark.large
@pytest.mark.parametrize("name", RECOMPUTED)
def test_recomputed_gradients_are_the_same(name, tmp_path):
    plain, saving = build(name), build(name, recompute=True)
    assert layers_of(saving, Recompute)
    saving.set_weights(plain.get_weights())
    saving.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    images = tf.constant(inputs_of(plain))

    def run(network):
        with tf.GradientTape() as tape:
            outputs = network(images, training=True)
            loss = tf.reduce_mean(outputs**2)
        return [outputs, *tape.gradient(loss, network.trainable_variables)]

    expected = tf.function(run)(plain)
    for network in (saving, loaded):
        for one, other in zip(tf.function(run)(network), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet_generator", "unet_generator"])
def test_batch_normalization_is_not_recomputed(name):
    with pytest.raises(ValueError, match=r"no batch normalisation.*runs twice a step"):
        build(name, recompute=True, normalization="batch")


# ---- The edge ------------------------------------------------------------------------

LOWERED = [name for name, row in BUILDERS.items() if row.outputs != (1,)]
LOWERED += ["resnet_gan_generator, attention", "resnet_gan_generator, labels"]
LOWERED += ["dcgan_generator, bilinear", "dcgan_generator, labels"]
LOWERED += ["resnet_generator, separable", "unet_generator, separable"]
LOWERED += ["resnet_generator, zero padding", "resnet_generator, recompute"]
MORE = {
    "attention": {"attention": True},
    "bilinear": {"upsampling": "bilinear"},
    "labels": {"num_classes": 3, "conditioning": "normalization"},
    "zero padding": {"padding": "zero"},
    "recompute": {"recompute": True},
    "separable": {"convolution": "separable", "upsampling": "bilinear"},
}


@pytest.mark.large  # of presets, test_preset_exports.py does it
@pytest.mark.parametrize("case", LOWERED)
def test_runs_on_the_edge_in_one_partition(case, tmp_path):
    name, *more = case.split(", ")
    network = build(name, **(MORE[more[0]] if more else {}))
    rest = [tf.constant([1])] if "labels" in more else []
    rest += [None] * (len(network.inputs) - 1 - len(rest))
    operations = check(
        lambda features: {"outputs": network([features, *rest] if rest else features)},
        tmp_path / "network.tflite",
        np.random.default_rng(0),
        # The tolerance of an export: normalised, small grids enlarge what is rounded.
        atol=1e-4 if "separable" in more else 1e-5,
        features=(1, *network.inputs[0].shape[1:]),
    )
    assert ("STRIDED_SLICE" in operations) is (
        case in ("resnet_generator", "resnet_generator, separable", LOWERED[-1])
    )
