import numpy as np
import pytest
import tensorflow as tf

import export
from export.formats import saved_model
from export.verify import golden

from .small import IMAGES, LATENTS, Autoencoder, Endpoints


@pytest.fixture(scope="module")
def loaded(shipped):
    return tf.saved_model.load(str(shipped.version))


@pytest.mark.parametrize("batch", [1, 5])
def test_every_endpoint_answers_as_keras_at_any_batch(shipped, loaded, batch):
    rng = np.random.default_rng(1)
    arrays = {
        "images": rng.uniform(size=(batch, 8, 8, 1)).astype("float32"),
        "latents": rng.normal(size=(batch, 4)).astype("float32"),
        "seeds": np.arange(batch),
    }
    for name, function in shipped.model.signatures().items():
        (spec,) = function.input_signature
        inputs = tf.constant(arrays[spec.name])
        answers = loaded.signatures[name](**{spec.name: inputs})
        expected = function(inputs)
        assert set(answers) == set(expected)
        for key, tensor in expected.items():
            np.testing.assert_allclose(answers[key], tensor, atol=1e-6)


def test_names_and_default(loaded):
    names = {"reconstruct", "negative", "encode", "decode", "sample"}
    twins = {f"{name}_bytes" for name in names}
    assert set(loaded.signatures) == names | twins | {"serving_default"}
    encode = loaded.signatures["encode"]
    assert set(encode.structured_input_signature[1]) == {"images"}
    assert set(encode.structured_outputs) == {"mean", "stddev"}
    images = tf.ones((2, 8, 8, 1))
    np.testing.assert_array_equal(
        loaded.signatures["serving_default"](images=images)["images"],
        loaded.signatures["reconstruct"](images=images)["images"],
    )


def test_carries_only_the_weights_that_endpoints_use(shipped):
    variables = tf.train.list_variables(str(shipped.version / "variables/variables"))
    sizes = [int(np.prod(shape)) for name, shape in variables if "VALUE" in name]
    used = [*shipped.model.encoder.weights, *shipped.model.decoder.weights]
    assert sum(sizes) == sum(int(np.prod(weight.shape)) for weight in used)


def test_prints_nothing(tmp_path, capfd):
    export.export_saved_model(_one_endpoint(), tmp_path)
    assert "endpoint" not in capfd.readouterr().out


def test_golden_record_follows_the_rule(shipped):
    record = golden.read(shipped.version)
    names = list(shipped.model.signatures())
    assert list(record) == [*names, *(f"{name}_bytes" for name in names)]
    images = record["encode"].inputs["images"]
    assert images.shape == (3, 8, 8, 1)
    assert images.dtype == np.float32
    assert 0 <= images.min() < 0.1
    assert 0.9 < images.max() <= 1
    seeds = record["sample"].inputs["seeds"]
    assert seeds.dtype == np.int64
    assert len(set(seeds.tolist())) == 3
    assert record["decode"].inputs["latents"].min() < 0


def test_examples_take_the_place_of_made_up_inputs(tmp_path):
    images = np.linspace(0, 1, 2 * 64).reshape(2, 8, 8, 1)
    model = Autoencoder()
    version = export.export_saved_model(model, tmp_path, examples={"images": images})
    recorded = golden.read(version)["reconstruct"]
    expected = images[[0, 1, 0]].astype("float32")
    np.testing.assert_array_equal(recorded.inputs["images"], expected)
    np.testing.assert_allclose(recorded.outputs["images"], model(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ({"image": np.zeros((1, 8, 8, 1))}, "name no input"),
        ({"images": np.zeros((1, 9, 8, 1))}, "shape"),
        ({"images": np.zeros((0, 8, 8, 1))}, "at least one row"),
    ],
)
def test_examples_that_do_not_fit_are_refused(tmp_path, examples, message):
    with pytest.raises(export.ExportError, match=message):
        export.export_saved_model(_one_endpoint(), tmp_path, examples=examples)


def test_existing_version_is_refused_and_untouched(saved_copy):
    before = {path: path.stat().st_mtime_ns for path in saved_copy.rglob("*")}
    with pytest.raises(export.ExportError, match="exists already") as error:
        export.export_saved_model(_one_endpoint(), saved_copy.parent)
    assert "\n" not in str(error.value)
    assert {path: path.stat().st_mtime_ns for path in saved_copy.rglob("*")} == before


def test_second_version_goes_beside_the_first(saved_copy):
    path = export.export_saved_model(_one_endpoint(), saved_copy.parent, version=2)
    assert path == saved_copy.parent / "2"
    assert {path.name for path in saved_copy.parent.iterdir()} == {"1", "2"}
    tf.saved_model.load(str(path))


def test_failure_midway_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(saved_model.golden, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        export.export_saved_model(_one_endpoint(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_lookup_tables_are_carried(tmp_path):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([0, 1], [0.25, 0.75]), -1.0
    )
    labels = tf.TensorSpec((None,), tf.int32, name="labels")

    @tf.function(input_signature=[labels])
    def look_up(labels):
        return {"values": table.lookup(labels)}

    model = Endpoints(look_up=look_up)
    model.table = table
    loaded = tf.saved_model.load(str(export.export_saved_model(model, tmp_path)))
    answer = loaded.signatures["look_up"](labels=tf.constant([1, 0, 7]))
    assert answer["values"].numpy().tolist() == [0.75, 0.25, -1.0]


@pytest.mark.parametrize("version", [0, -1, "1", True])
def test_version_must_be_a_positive_integer(tmp_path, version):
    with pytest.raises(export.ExportError, match="positive integer"):
        export.export_saved_model(_one_endpoint(), tmp_path, version=version)


def _function(*specs):
    return tf.function(lambda x: {"y": x}, input_signature=specs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (object(), "no method `signatures"),
        (Endpoints(), "no endpoint"),
        (Endpoints(**{"a/b": _function(IMAGES)}), "plain name"),
        (Endpoints(a=tf.function(lambda x: {"y": x})), "input_signature"),
        (Endpoints(a=_function(tf.TensorSpec((None, 4)))), "with a name"),
        (Endpoints(a=_function(tf.TensorSpec((2, 4), name="x"))), "dimension None"),
        (Endpoints(a=_function(tf.TensorSpec((None, None), name="x"))), "examples="),
        (
            Endpoints(a=tf.function(lambda x: x, input_signature=[LATENTS])),
            "dict of tensors",
        ),
    ],
)
def test_models_that_break_the_protocol_are_refused(tmp_path, model, message):
    with pytest.raises(export.ExportError, match=message):
        export.export_saved_model(model, tmp_path)
    assert not list(tmp_path.iterdir())


def _one_endpoint():
    return Endpoints(halve=tf.function(_halve, input_signature=[IMAGES]))


def _halve(images):
    return {"images": images / 2}
