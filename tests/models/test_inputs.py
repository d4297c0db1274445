"""What `fit`, `evaluate`, `compile` and endpoints refuse, in one line each."""

import functools
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import contracts
from tests.models import small
from tests.models.test_contracts import (
    MODELS,
    labels_of,
    make_gan,
    make_pix2pix,
    make_vae,
)
from tfgen import augmentation, distributions, losses, penalties
from tfgen.models import first_batch

IMAGES, LABELS = small.images(), small.labels()
SPREAD = 255.0 * IMAGES
COLUMN = np.arange(8)[:, None]


@pytest.fixture(scope="module")
def models():
    """One model of a name: what is refused leaves it as it was."""
    return functools.cache(lambda name: contracts.eager(MODELS[name]()))


def forms(images, labels=None):
    """The ways in which `fit` takes data."""
    data = contracts.dataset(images, labels)
    yield (images,) if labels is None else (images, labels)
    yield (data,)
    yield ((batch for batch in data.as_numpy_iterator()),)


RANGE = r"^`{}` must be finite and in \[0, 1\].*divide.*Received values from {} to {}$"


@pytest.mark.parametrize(
    ("images", "low", "high"),
    [
        (SPREAD, "[0-9.e-]+", "2[0-9.]+"),
        (2.0 * IMAGES - 1.0, "-[0-9.]+", "[0-9.]+"),
        (np.where(COLUMN == 3, np.nan, IMAGES), ".*", ".*"),
    ],
    ids=["0..255", "-1..1", "nan"],
)
@pytest.mark.parametrize("form", range(3), ids=["array", "dataset", "generator"])
def test_images_of_another_range(models, images, low, high, form):
    model = models("vae")
    before = model.get_weights()
    for method in (model.fit, model.evaluate):
        data = list(forms(images.astype("float32")))[form]
        with pytest.raises(ValueError, match=RANGE.format("images", low, high)):
            method(*data, verbose=0)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)  # no step was taken


def test_what_is_called_on_single_batches_looks_too(models):
    model = models("conditional_vae")
    calls = (model.train_on_batch, model.test_on_batch, model.reconstruct)
    for call in (*calls, lambda images, labels: model.predict((images, labels))):
        with pytest.raises(ValueError, match=r"^`images` must be finite and in"):
            call(SPREAD, LABELS)
        with pytest.raises(ValueError, match=r"in \[0, num_classes=3\)"):
            call(IMAGES, LABELS + 1)
    with pytest.raises(ValueError, match="finite and in"):
        models("vae").predict(contracts.dataset(2.0 * IMAGES - 1.0), verbose=0)
    model.train_on_batch(IMAGES, LABELS)


@pytest.mark.parametrize("name", ["gan", "autoencoder", "pix2pix", "cyclegan"])
def test_every_family_looks_at_its_images(models, name):
    targets = labels_of(name)
    with pytest.raises(ValueError, match=r"images.*finite and in"):
        models(name).fit(contracts.dataset(SPREAD, targets), verbose=0)
    if targets is not None:
        with pytest.raises(ValueError, match=r"(targets|images_b).*finite and in"):
            models(name).fit(contracts.dataset(IMAGES, 255.0 * targets), verbose=0)


def test_validation_data_is_looked_at_before_training(models):
    model = models("vae")
    for data in (contracts.dataset(SPREAD), (SPREAD, LABELS)):
        with pytest.raises(ValueError, match="finite and in"):
            model.fit(IMAGES, validation_data=data, verbose=0)


def test_the_look_reads_no_batch_twice():
    """Order and passes of shuffled data stay; the check is traced once a model."""
    traces = []

    class Looking:
        def _check_values(self, batch, keys):
            traces.append(batch)
            return True

    def shuffled():
        return tf.data.Dataset.range(12).shuffle(12, seed=1).batch(4)

    def two_passes(data):
        return [batch.numpy().tolist() for _ in range(2) for batch in data]

    model = Looking()
    for _ in range(2):
        checked = first_batch.checked(model, shuffled())
        assert two_passes(checked) == two_passes(shuffled())
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((SPREAD.astype("uint8"),), r"must be of floats.*uint8.*divided by 255"),
        ((IMAGES[..., 0],), r"\(batch, height, width, channels\).*channel axis"),
        ((IMAGES > 0.5,), r"must be of floats. Received: bool$"),
        ((IMAGES[:, :7],), r"here \(None, 8, 8, 1\). Received: \(.*, 7, 8, 1\)$"),
        (({"image": IMAGES},), r"takes images, or \(images, labels\), not a dict"),
    ],
)
def test_data_of_another_form(models, data, message):
    for method in (models("vae").fit, models("vae").evaluate):
        with pytest.raises(ValueError, match=message):
            method(*data, verbose=0)
        with pytest.raises(ValueError, match=message):
            method(tf.data.Dataset.from_tensor_slices(data[0]).batch(4), verbose=0)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        ([*IMAGES], {}, r"an array of all images. Received a list of 20: np\.stack"),
        (IMAGES.tolist(), {}, r"Received a list of 20: np\.stack"),
        (IMAGES[:0], {}, "VAE needs images. Received none"),
        (IMAGES, {"sample_weight": np.ones(20)}, "no sample weights.*`sample_weight`"),
        ((IMAGES, LABELS, LABELS), {}, "no sample weights.*of three parts"),
        ((IMAGES, LABELS, LABELS, LABELS), {}, "Received data of 4 parts"),
    ],
)
def test_data_of_no_form(models, x, options, message):
    for method in (models("vae").fit, models("vae").evaluate):
        with pytest.raises(ValueError, match=message) as error:
            method(x, verbose=0, **options)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"no sample weights.*`class_weight`"):
        models("vae").fit(IMAGES, class_weight={0: 2.0}, verbose=0)
    models("vae").evaluate((IMAGES,), verbose=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, r"in \[0, num_classes=3\). Received: 1 to 3$"),
        (LABELS - 1, r"in \[0, num_classes=3\). Received: -1 to 1$"),
        (np.eye(3, dtype="float32")[LABELS], r"shape \(batch,\), of one-hot.*argmax"),
        (LABELS.astype("float32"), r"must be integers.*float32"),
    ],
)
def test_labels(models, labels, message):
    model = models("conditional_vae")
    for data in forms(IMAGES, labels):
        with pytest.raises(ValueError, match=message):
            model.fit(*data, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.reconstruct(IMAGES, labels)


def test_labels_in_a_column_are_labels():
    make = MODELS["conditional_hinge_gan"]
    one, other = contracts.eager(make()), contracts.eager(make())
    one.fit(contracts.dataset(IMAGES, LABELS), verbose=0)
    other.fit(contracts.dataset(IMAGES, LABELS[:, None]), verbose=0)
    contracts.assert_same_state(one, other)


def test_endpoints_called_in_python(models):
    model = models("conditional_vae")
    with pytest.raises(ValueError, match=r"`labels` must be 3, one for each.*2"):
        model.sample(3, labels=[0, 1])
    with pytest.raises(ValueError, match="needs labels too"):
        model.reconstruct(IMAGES)
    with pytest.raises(ValueError, match="takes no labels"):
        models("vae").reconstruct(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"`latents` must be \(None, 3\)"):
        models("vae").decode(np.zeros((2, 4), "float32"))
    with pytest.raises(ValueError, match=r"batch axis: images\[None\]"):
        models("vae").reconstruct(IMAGES[0])
    with pytest.raises(ValueError, match=r"batch axis: latents\[None\]"):
        models("vae").decode(np.zeros(3, "float32"))
    doubles = IMAGES.astype("float64")
    encoded = models("vae").encode(doubles), models("vae").encode(IMAGES)
    np.testing.assert_array_equal(encoded[0][0], encoded[1][0])


def test_served_labels_out_of_range_are_invalid_arguments(models):
    sample = models("conditional_vae").signatures()["sample"]
    seeds = tf.constant([1, 2], tf.int64)
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_classes=3"):
            sample(seeds, tf.constant(labels))


def test_two_optimizers_are_needed(models):
    for model in (models("gan"), models("pix2pix"), models("cyclegan")):
        for arguments in ([keras.optimizers.Adam()] * 2, []):
            keywords = {} if arguments else {"optimizer": "adam"}
            with pytest.raises(ValueError, match="takes two optimizers"):
                model.compile(*arguments, **keywords)
        model.compile("adam", "adam", run_eagerly=True)  # two by one name


def test_optimizers_of_keras_2_are_refused(models):
    old = pytest.importorskip("tf_keras").optimizers.Adam(1e-3)
    for model, optimizers in ((models("vae"), [old]), (models("gan"), ["adam", old])):
        with pytest.raises(ValueError, match=r"Keras 2: take keras\.optimizers\.Adam"):
            model.compile(*optimizers)


def test_channels_first_networks_are_refused():
    images = keras.Input((8, 8, 1))
    pool = keras.layers.AveragePooling2D(2, 1, "same", data_format="channels_first")
    generator = keras.Model(images, keras.layers.Conv2D(1, 1)(pool(images)))
    model = MODELS["cyclegan"]()
    networks = [generator, model.generator_ba]
    networks += [model.discriminator_a, model.discriminator_b]
    with pytest.raises(ValueError, match="channels_first"):
        type(model)(*networks)


# ---- Habits of Keras -----------------------------------------------------------------


def rates(model):
    both = (model.generator_optimizer, model.discriminator_optimizer)
    return [float(optimizer.learning_rate) for optimizer in both]


@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate),
        lambda: keras.callbacks.ReduceLROnPlateau(
            "discriminator_loss", mode="min", factor=0.5, patience=0, min_delta=1e9
        ),
    ],
)
def test_rate_callbacks_move_both_optimizers(callback):
    """By one factor, so that the ratio of two time scales stays."""
    model = MODELS["gan"]()
    adams = keras.optimizers.Adam(1e-3), keras.optimizers.Adam(4e-3)
    model.compile(*adams, run_eagerly=True)
    data = contracts.dataset(IMAGES[:4])
    model.fit(data, epochs=3, verbose=0, callbacks=[callback()])
    generator_rate, discriminator_rate = rates(model)
    assert 1e-4 < generator_rate < 6e-4
    assert discriminator_rate == pytest.approx(4 * generator_rate)


@pytest.mark.parametrize("name", ["vae", "cyclegan"])
def test_keras_habits(name, tmp_path):
    model, lines = contracts.eager(MODELS[name]()), []
    names = [f"val_{term}" for term in model.term_names]
    stop = keras.callbacks.EarlyStopping(
        names[0], mode="min", min_delta=1e9, restore_best_weights=True
    )
    seen = []  # the weights after each epoch
    see = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())
    )
    data = contracts.dataset(IMAGES, labels_of(name)).take(1)
    model.fit(data, validation_data=data, epochs=5, verbose=0, callbacks=[see, stop])
    assert len(seen) == 2
    for weight, best in zip(model.get_weights(), seen[0], strict=True):
        np.testing.assert_array_equal(weight, best)
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert any("Optimizer params" in line for line in lines)
    model.save_weights(tmp_path / "model.weights.h5")
    other = MODELS[name]()
    other.load_weights(tmp_path / "model.weights.h5")
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_part_for_validation_and_pickles(models):
    model = models("vae")
    history = model.fit(IMAGES, validation_split=0.25, verbose=0).history
    assert "val_loss" in history
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copied(IMAGES), model(IMAGES), atol=1e-6)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_auto_is_saved_as_auto(name):
    """A model compiled where there is no GPU uses XLA where it is loaded, if it can."""
    model = MODELS[name]()
    assert model.get_compile_config()["jit_compile"] == "auto"
    config = model.get_compile_config()
    model.compile_from_config({**config, "jit_compile": False})
    assert model.get_compile_config()["jit_compile"] is False


@pytest.mark.large
def test_beta_can_be_set_after_training_began():
    model = MODELS["vae"]()
    data = contracts.dataset(IMAGES)
    model.fit(data, validation_data=data, verbose=0)
    model.beta = 7.0
    assert model.get_config()["beta"] == 7.0
    history = model.fit(data, validation_data=data, verbose=0).history
    for prefix in ("", "val_"):
        terms = {k: history[prefix + k][0] for k in model.term_names}
        expected = terms["reconstruction_loss"] + 7.0 * terms["kl_loss"]
        assert terms["loss"] == pytest.approx(expected, rel=1e-5)


def test_large_seeds_do_not_wrap(models):
    seeds = (1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 + 1, 2**62 + 1)
    samples = [np.ravel(models("vae").sample(1, seed=seed)) for seed in seeds]
    assert len(np.unique(samples, axis=0)) == len(seeds)


# ---- Objects in place of names -------------------------------------------------------


@pytest.mark.parametrize("name", ["gan", "vae", "pix2pix"])
def test_an_object_is_the_row_of_its_name_and_is_saved(name, tmp_path):
    rows = {
        "gan": {"loss": "hinge", "gradient_penalty": "r1", "augment": "cutout"},
        "vae": {"likelihood": "gaussian"},
        "pix2pix": {"loss": "least_squares"},
    }[name]
    objects = {
        "gan": {
            "loss": losses.Hinge(),
            "gradient_penalty": penalties.R1Penalty(),
            "augment": [augmentation.Cutout()],
        },
        "vae": {"likelihood": distributions.Gaussian()},
        "pix2pix": {"loss": losses.LeastSquares()},
    }[name]
    make = {"gan": make_gan, "vae": make_vae, "pix2pix": make_pix2pix}[name]
    one, other = (contracts.eager(make(**kwargs)()) for kwargs in (rows, objects))
    data = contracts.dataset(IMAGES, labels_of(name)).take(1)
    one.fit(data, verbose=0)
    other.fit(data, verbose=0)
    contracts.assert_same_state(one, other)
    other.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    contracts.assert_same_state(other, loaded)
    assert loaded.get_config().keys() == other.get_config().keys()
