"""`FusedAdam` takes Adam's steps, in every setting of Keras's optimizers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen
from tests import contracts
from tfgen.optimizers import FusedAdam

SHAPES = [(3, 3, 4, 8), (8,), (7, 5), ()]
# float32(0.999) leaves a relative 6e-6 of an update between the two, see the class: of
# 50 updates of 1e-3 that is 3e-7, and another 3e-7 is rounding.
CLOSE = {"rtol": 1e-6, "atol": 7e-7}
SETTINGS = {
    "plain": {},
    "betas": {"beta_1": 0.5, "beta_2": 0.99, "epsilon": 1e-3},
    "amsgrad": {"amsgrad": True},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "weight_decay": {"weight_decay": 0.1},
    "ema": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 7},
    "accumulation": {"gradient_accumulation_steps": 3},
    "schedule": {"learning_rate": tfgen.LinearDecay(1e-3, 40)},
}


def gradients_of(steps, seed=1):
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=s).astype(np.float32) for s in SHAPES] for _ in steps]


def trained(optimizer_class, jit_compile=False, dtype="float32", steps=50, **kwargs):
    """Returns weights, then slots, after steps with random gradients; and the graph."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=s), dtype=dtype) for s in SHAPES]
    optimizer = optimizer_class(**{"learning_rate": 1e-3, **kwargs})
    optimizer.build(variables)

    @tf.function(jit_compile=jit_compile)
    def step(gradients):
        optimizer.apply(gradients, variables)

    for gradients in gradients_of(range(steps)):
        gradients = [tf.constant(gradient, dtype) for gradient in gradients]
        step(gradients)
    graph = step.get_concrete_function(gradients).graph
    values = [v.numpy() for v in [*variables, *optimizer.variables]]
    return values, graph


def count_fused(graph):
    operations = graph.as_graph_def()
    nodes = [*operations.node]
    nodes += [n for f in operations.library.function for n in f.node_def]
    return sum(node.op == "ResourceApplyAdam" for node in nodes)


def assert_all_close(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize(
    ("name", "jit_compile"),
    [*((name, False) for name in SETTINGS), ("plain", True), ("accumulation", True)],
)
def test_takes_the_steps_of_adam(name, jit_compile):
    settings = {"jit_compile": jit_compile, **SETTINGS[name]}
    found, graph = trained(FusedAdam, **settings)
    expected, _ = trained(keras.optimizers.Adam, **settings)
    count = len(SHAPES)
    assert count_fused(graph) == (0 if name == "amsgrad" else count)
    assert_all_close(found[:count], expected[:count], **CLOSE)
    # Second moments differ by the 1.3e-5 of the class docstring.
    assert_all_close(found[count:], expected[count:], rtol=2e-5, atol=1e-6)


def test_takes_the_steps_of_the_paper():
    """In float64, and nearer to them in float32 than Keras is."""
    steps, rate, beta_1, beta_2, epsilon = 20, 1e-3, 0.9, 0.999, 1e-7
    rng = np.random.default_rng(0)
    exact = [rng.normal(size=s) for s in SHAPES]
    slots = [[np.zeros(s), np.zeros(s)] for s in SHAPES]
    for t, gradients in enumerate(gradients_of(range(steps)), start=1):
        alpha = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        for i, gradient in enumerate(gradients):
            m, v = slots[i]
            m = beta_1 * m + (1 - beta_1) * gradient
            v = beta_2 * v + (1 - beta_2) * np.square(gradient.astype(float))
            slots[i] = [m, v]
            exact[i] = exact[i] - alpha * m / (np.sqrt(v) + epsilon)
    found, _ = trained(FusedAdam, dtype="float64", steps=steps)
    assert_all_close(found[: len(SHAPES)], exact, rtol=0, atol=2e-7)
    errors = []
    for optimizer_class in (FusedAdam, keras.optimizers.Adam):
        found, _ = trained(optimizer_class, steps=steps)
        errors.append(np.abs(found[0] - exact[0]).mean())
    assert errors[0] <= errors[1]


def test_steps_without_a_graph():
    variable = keras.Variable([1.0, -1.0])
    optimizer = FusedAdam(0.1)
    optimizer.apply([tf.constant([3.0, -0.5])], [variable])
    np.testing.assert_allclose(
        variable.numpy(), [0.9, -0.9], rtol=1e-5
    )  # the first: the rate


@pytest.mark.parametrize("amsgrad", [False, True])
def test_sparse_gradients_take_keras_own_step(amsgrad):
    found = []
    for optimizer_class in (FusedAdam, keras.optimizers.Adam):
        table = keras.Variable(np.ones((6, 2), np.float32))
        optimizer = optimizer_class(0.1, amsgrad=amsgrad)
        optimizer.build([table])
        for index in (0, 3, 0):
            gradient = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([index]), (6, 2))
            optimizer.apply([gradient], [table])
        found.append(table.numpy())
    np.testing.assert_array_equal(*found)
    assert found[0][3, 0] < 1.0


# ---- In a model ----------------------------------------------------------------------

RNG = np.random.default_rng(2)
INPUTS = RNG.normal(size=(24, 5)).astype(np.float32)
TARGETS = RNG.normal(size=(24, 2)).astype(np.float32)


def make_model(optimizer, dtype="float32", **kwargs):
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(6, "tanh", dtype=dtype, name="hidden"),
        keras.layers.Dense(2, dtype=dtype, name="outputs"),
    ]
    model = keras.Sequential([keras.Input((5,)), *layers], name="network")
    model.compile(optimizer, "mse", **{"jit_compile": False, **kwargs})
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, epochs=5):
    model.fit(INPUTS, TARGETS, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


def make_pair(**kwargs):
    return [make_model(c(1e-3), **kwargs) for c in (FusedAdam, keras.optimizers.Adam)]


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_in_fit(steps_per_execution):
    fused, adam = make_pair(steps_per_execution=steps_per_execution)
    assert_all_close(fit(fused, 10), fit(adam, 10), **CLOSE)


def test_on_two_replicas():
    with contracts.two_replicas().scope():
        fused, adam = make_pair()
    found = fit(fused, epochs=2)
    assert_all_close(found, fit(adam, epochs=2), **CLOSE)
    alone = fit(make_model(FusedAdam(1e-3)), epochs=2)
    assert_all_close(found, alone, rtol=1e-5, atol=1e-6)
    for variable in [*fused.trainable_variables, *fused.optimizer.variables[2:]]:
        first, second = (replica.numpy() for replica in variable.value.values)
        np.testing.assert_array_equal(first, second)


def test_with_a_scaled_loss():
    keras.config.set_dtype_policy("mixed_float16")
    pair = make_pair(dtype="mixed_float16")
    for model in pair:
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    initial = pair[0].get_weights()
    found, expected = (fit(model) for model in pair)
    assert_all_close(found, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found[0] - initial[0]).max() > 5e-3


def test_a_loaded_model_goes_on_to_the_bit(tmp_path):
    model = make_model(FusedAdam(tfgen.LinearDecay(1e-2, 15), use_ema=True))
    fit(model, epochs=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is FusedAdam
    for found, expected in zip(fit(loaded), fit(model), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_config_is_that_of_adam():
    adam = keras.optimizers.Adam(1e-4, 0.5, 0.9, weight_decay=0.1, clipnorm=1.0)
    fused = FusedAdam.from_config(adam.get_config())
    assert fused.get_config() == adam.get_config()
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(fused))
    assert type(copy) is FusedAdam


def test_loads_a_file_saved_with_adam(tmp_path):
    _, adam = make_pair()
    fit(adam)
    adam.save(tmp_path / "adam.keras")
    fused = make_model(FusedAdam(1e-3))
    fused.load_weights(tmp_path / "adam.keras")
    pairs = zip(fused.optimizer.variables, adam.optimizer.variables, strict=True)
    for found, expected in pairs:
        assert found.name == expected.name
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert int(fused.optimizer.iterations) == 15
    assert_all_close(fit(fused), fit(adam), **CLOSE)
