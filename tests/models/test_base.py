"""Random draws, refusals and saving that all models share."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfgen
from tests import contracts
from tests.models import small
from tests.models.test_contracts import MODELS
from tfgen import _compat
from tfgen.models import checks, draws, endpoints, steps
from tfgen.networks import build_mlp_decoder, build_mlp_encoder

SHAPE, LATENT_DIM = small.IMAGE_SHAPE, small.LATENT_DIM


def make_vae(encoder=None, seed=0):
    small.seeded()
    model = tfgen.VAE(
        encoder or build_mlp_encoder(SHAPE, 2 * LATENT_DIM, hidden_units=(16,)),
        build_mlp_decoder(LATENT_DIM, SHAPE, hidden_units=(16,)),
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model


# ---- XLA -----------------------------------------------------------------------------


def test_xla_is_for_one_gpu_whose_sums_have_no_order(monkeypatch):
    replicas = contracts.two_replicas()
    assert not steps.resolve_jit("auto")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    assert steps.resolve_jit("auto")
    assert not steps.resolve_jit(False)
    with replicas.scope():
        assert not steps.resolve_jit("auto")
    monkeypatch.setattr(_compat, "is_op_determinism_enabled", lambda: True)
    assert not steps.resolve_jit("auto")
    assert steps.resolve_jit(True)


# ---- Endpoints -----------------------------------------------------------------------


def test_endpoints_of_many_models_are_no_retracing(caplog):
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        for _ in range(6):
            endpoints.signatures(make_vae())["encode"](small.images(2))
    finally:
        logger.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


# ---- Draws ---------------------------------------------------------------------------


def test_standard_normal_is_standard_normal():
    values = draws.standard_normal((100, 1000), (3, 4)).numpy()
    assert values.dtype == np.float32
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    # Standard errors: 0.003, 0.0045, 0.008 and 0.015.
    assert abs(values.mean()) < 0.012
    assert values.var() == pytest.approx(1.0, abs=0.018)
    assert abs(scipy.stats.skew(values.ravel())) < 0.03
    assert abs(scipy.stats.kurtosis(values.ravel())) < 0.06
    neighbours = np.corrcoef(values[:, ::2].ravel(), values[:, 1::2].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_standard_normal_tails_are_finite():
    values = draws.standard_normal((2**20,), (0, 0)).numpy()
    assert np.isfinite(values).all()
    assert 4.0 < values.max() < 5.5
    assert -5.5 < values.min() < -4.0
    beyond = np.mean(np.abs(values) > 3.0)
    assert beyond == pytest.approx(2 * scipy.stats.norm.sf(3.0), rel=0.1)


def test_extreme_bits_give_finite_draws(monkeypatch):
    """The least and the greatest of 2^32 bit patterns, which no sample would meet."""
    bits = tf.constant([0, 2**32 - 1], tf.uint32)
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_, **__: bits)
    values = draws.standard_normal((2,), (0, 0)).numpy()
    np.testing.assert_allclose(values, scipy.stats.norm.ppf([2**-24, 1 - 2**-24]), 1e-3)


def test_standard_normal_is_the_same_with_xla():
    def draw(seed):
        return draws.standard_normal((50, 7), seed)

    seed = tf.constant([5, 6])
    compiled = tf.function(draw, jit_compile=True)(seed)
    np.testing.assert_allclose(draw(seed), compiled, rtol=1e-5, atol=1e-6)


def test_standard_normal_depends_on_both_seeds():
    values = [draws.standard_normal((20,), seed) for seed in ((1, 2), (1, 3), (2, 2))]
    np.testing.assert_array_equal(values[0], draws.standard_normal((20,), (1, 2)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(values[one] - values[other]).min() > 0.0


def test_replicas_share_one_draw():
    """Two replicas' rows, put together, are those of one replica."""
    strategy = contracts.two_replicas()

    @tf.function
    def run():
        def draw():
            seed = tf.constant([1, 2])
            return draws.of_batch(draws.standard_normal, 3, (2, 4), seed)

        return strategy.experimental_local_results(strategy.run(draw))

    together = np.concatenate([rows.numpy() for rows in run()])
    np.testing.assert_array_equal(together, draws.standard_normal((6, 2, 4), (1, 2)))


def draw_normal(seeds, shape):
    return draws.of_seeds(draws.standard_normal, seeds, shape)


def test_normal_from_seeds_is_normal_over_seeds():
    """Consecutive seeds, as a client counts them, give independent values."""
    seeds = tf.range(3000, dtype=tf.int64)
    draw = tf.function(draw_normal)
    values = draw(seeds, (4,)).numpy()
    assert values.shape == (3000, 4)
    assert len(np.unique(values, axis=0)) == 3000
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    correlations = np.corrcoef(values[:-1].T, values[1:].T)
    assert np.abs(correlations - np.eye(8)).max() < 0.08
    again = draw_normal(seeds[7:8], (4,))
    np.testing.assert_array_equal(again[0], values[7])


def test_large_and_negative_seeds_are_seeds():
    seeds = tf.constant([0, -1, 2**32, 2**62], tf.int64)
    values = draw_normal(seeds, (3,)).numpy()
    assert np.isfinite(values).all()
    assert len(np.unique(values[:, 0])) == 4


# ---- Refusals ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_sample_weights_are_refused(method):
    images, weights = small.images(8), np.ones(8, "float32")
    data = tf.data.Dataset.from_tensor_slices((images, small.labels(8), weights))
    with pytest.raises(ValueError, match="takes no sample weights"):
        getattr(make_vae(), method)(data.batch(4), verbose=0)


@pytest.mark.parametrize("name", ["loss", "metrics", "loss_weights"])
def test_compile_names_what_it_reports(name):
    with pytest.raises(ValueError, match=r"own objective.*kl_loss"):
        make_vae().compile(**{name: ["mse"]})


def test_choice_lists_the_choices():
    checks.choice("likelihood", "a", ("a", "b"))
    with pytest.raises(ValueError, match=r"`x` must be one of \('a', 'b'\).*'c'"):
        checks.choice("x", "c", ("a", "b"))


# ---- Saving --------------------------------------------------------------------------


def test_random_states_are_the_seed_generators():
    dropout = keras.layers.Dropout(0.5)
    encoder = build_mlp_encoder(SHAPE, 2 * LATENT_DIM, hidden_units=())
    model = make_vae(keras.Model(encoder.inputs, dropout(encoder.outputs[0])))
    found = {id(state) for state in model.random_states}
    generators = (model.seed_generator, dropout.seed_generator)
    assert {id(generator.state) for generator in generators} <= found
    assert not found & {id(weight) for weight in model.weights}
    assert not found & {id(v) for v in model.optimizer.variables}


def test_random_states_are_saved(tmp_path):
    model = make_vae()
    model.sample(2), model.sample(2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    fresh = make_vae().sample(2)
    expected = model.sample(2)
    np.testing.assert_array_equal(loaded.sample(2), expected)
    assert np.abs(fresh - expected).max() > 1e-3  # the state is not the seed's first


@pytest.mark.filterwarnings("error:Skipping variable loading")
def test_model_is_saved_before_its_first_step(tmp_path):
    """The optimizer's slots exist from `compile` on: no load finds them missing."""
    model = make_vae()
    assert model.optimizer.built
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    contracts.assert_same_state(model, loaded)


def test_weights_file_holds_the_random_states(tmp_path):
    model, other = make_vae(), make_vae(seed=9)
    model.sample(2)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.sample(2), model.sample(2))


def batch_normalized_encoder():
    images = keras.Input(SHAPE)
    features = keras.layers.Conv2D(4, 3, strides=2)(images)
    features = keras.layers.BatchNormalization(momentum=0.5)(features)
    features = keras.layers.Flatten()(keras.layers.ReLU()(features))
    return keras.Model(images, keras.layers.Dense(2 * LATENT_DIM)(features))


def test_networks_of_the_user_keep_their_moving_averages(tmp_path):
    def make_model():
        small.seeded()
        return make_vae(batch_normalized_encoder())

    images = small.images()
    path = tmp_path / "model.keras"
    contracts.check_keras_round_trip(make_model, images, None, path)
    model = contracts.eager(make_model())
    moving_mean = model.encoder.layers[2].moving_mean
    before = moving_mean.numpy()
    model.evaluate(contracts.dataset(images), verbose=0)
    np.testing.assert_array_equal(moving_mean, before)
    model.fit(contracts.dataset(images), verbose=0)
    assert np.abs(moving_mean.numpy() - before).max() > 1e-3
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(loaded.encoder.layers[2].moving_mean, moving_mean)
    np.testing.assert_array_equal(loaded(images), model(images))


def test_labels_out_of_range_are_refused():
    """Their one-hot code would be zeros, silently."""
    make = MODELS["conditional_vae"]
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match=r"\[0, num_classes=3\)"):
            make().sample(2, labels=labels)
    with pytest.raises(ValueError, match="takes no labels"):
        MODELS["vae"]().sample(2, labels=[0, 1])
