import importlib.util
import shutil

import numpy as np
import pytest
import tensorflow as tf

import export
from export.formats import tflite
from export.verify import golden

from .small import IMAGES, LATENTS, Endpoints, Generator, read_tflite

DYNAMIC = {"SHAPE", "PACK", "STRIDED_SLICE", "CUSTOM", "VAR_HANDLE", "CALL_ONCE"}


def test_endpoints_without_random_numbers_are_taken(shipped):
    signatures, operations, shapes = read_tflite(shipped.tflite)
    assert signatures == {"reconstruct", "negative", "encode", "decode"}
    assert len(operations) == 4
    assert all(shape[0] == 1 for group in shapes for shape in group)
    assert set(golden.read(shipped.tflite)) == signatures


@pytest.mark.parametrize(
    "source", ["model", pytest.param("saved_model", marks=pytest.mark.large)]
)
def test_graph_is_static_from_either_source(tmp_path, source):
    model = Generator()
    start = model if source == "model" else export.export_saved_model(model, tmp_path)
    path = export.export_tflite(start, tmp_path / "edge" / "generator.tflite")
    _, (operations,), _ = read_tflite(path)
    assert not DYNAMIC & set(operations)
    assert {"TRANSPOSE_CONV", "RESIZE_BILINEAR", "CONV_2D"} <= set(operations)
    assert {path.name for path in path.parent.iterdir()} == {
        "generator.tflite",
        "generator.golden.npz",
    }


def test_numbers_agree_on_new_inputs(shipped):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(shipped.tflite))
    images = np.random.default_rng(1).uniform(size=(1, 8, 8, 1)).astype("float32")
    answers = interpreter.get_signature_runner("encode")(images=images)
    expected = shipped.model.signatures()["encode"](images)
    for name, tensor in expected.items():
        np.testing.assert_allclose(answers[name], tensor, atol=1e-5)


def test_chosen_signatures_only_and_an_older_file_is_replaced(tflite_copy, shipped):
    export.export_tflite(shipped.version.parent, tflite_copy, signatures=["decode"])
    assert read_tflite(tflite_copy)[0] == {"decode"}
    assert set(golden.read(tflite_copy)) == {"decode"}
    (result,) = export.check(tflite_copy.parent, require_report=False)
    assert result.endpoint == "decode"


@pytest.mark.parametrize(
    ("signatures", "message"),
    [
        (["sample"], "'sample' draws random numbers .StatelessRandom.*latents"),
        (["encode", "smaple"], r"no such endpoint: \['smaple'\]"),
        ([], "no endpoint"),
    ],
)
def test_signatures_that_cannot_be_are_refused(shipped, tmp_path, signatures, message):
    with pytest.raises(export.ExportError, match=message):
        export.export_tflite(shipped.version, tmp_path / "a.tflite", signatures)
    assert not list(tmp_path.iterdir())


def test_random_numbers_by_arithmetic_of_seeds_are_left_out_too(tmp_path):
    @tf.function(input_signature=[LATENTS])
    def decode(latents):
        return {"y": latents * 2.0}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64, "seeds")])
    def sample(seeds):
        return {"y": tf.cast(seeds * 69069 % 101, tf.float32)[:, tf.newaxis] / 101.0}

    model = Endpoints(decode=decode, sample=sample)
    folder = export.export_saved_model(model, tmp_path / "m")
    for source in (model, folder):
        file = tmp_path / f"{type(source).__name__}.tflite"
        export.export_tflite(source, file)
        assert read_tflite(file)[0] == {"decode"}
        with pytest.raises(export.ExportError, match=r"random numbers .of `seeds`"):
            export.export_tflite(source, tmp_path / "b.tflite", ["sample"])


def test_operations_that_are_not_built_in_are_named(tmp_path):
    @tf.function(input_signature=[LATENTS])
    def fine(latents):
        return {"y": latents * 2.0}

    @tf.function(input_signature=[LATENTS])
    def special(latents):
        x = tf.sigmoid(latents)
        return {"y": tf.math.betainc(x, x, x)}

    model = Endpoints(fine=fine, special=special)
    with pytest.raises(export.ExportError, match=r"'special' needs .*Betainc"):
        export.export_tflite(model, tmp_path / "a.tflite")
    assert not list(tmp_path.iterdir())


def test_endpoint_that_changes_a_variable_is_refused(tmp_path):
    @tf.function(input_signature=[LATENTS])
    def count(latents):
        model.scale.value.assign_add(1.0)
        return {"y": latents * model.scale.value}

    model = Endpoints(count=count)
    with pytest.raises(export.ExportError, match=r"'count' changes .*AssignAdd"):
        export.export_tflite(model, tmp_path / "a.tflite")


def test_lookup_table_of_one_endpoint_does_not_spoil_another(tmp_path):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([0, 1], [0.25, 0.75]), -1.0
    )

    @tf.function(input_signature=[LATENTS])
    def look_up(latents):
        return {"y": table.lookup(tf.cast(latents, tf.int32))}

    @tf.function(input_signature=[LATENTS])
    def scale(latents):
        # Not only times one: that is folded away, and `CompiledModel` of LiteRT 2.3
        # leaves the output of an empty graph unwritten.
        return {"y": 0.5 + latents * model.scale.value}

    model = Endpoints(look_up=look_up, scale=scale)
    model.table = table
    path = tmp_path / "a.tflite"
    with pytest.raises(export.ExportError, match="'look_up' cannot be converted"):
        export.export_tflite(model, path)
    assert export.export_tflite(model, path, ["scale"]) == path


def test_unknown_sizes_are_refused(tmp_path):
    spec = tf.TensorSpec((None, None, None, 1), tf.float32, name="images")
    halve = tf.function(lambda images: {"y": images / 2}, input_signature=[spec])
    examples = {"images": np.ones((1, 8, 8, 1))}
    export.export_saved_model(Endpoints(halve=halve), tmp_path, examples=examples)
    with pytest.raises(export.ExportError, match="every size but the batch"):
        export.export_tflite(tmp_path, tmp_path / "a.tflite")


def test_source_must_be_one_recorded_saved_model(saved_copy, tmp_path):
    path = tmp_path / "a.tflite"
    with pytest.raises(export.ExportError, match=r"exactly one version. Found: \[\]"):
        export.export_tflite(tmp_path, path)
    shutil.copytree(saved_copy, saved_copy.parent / "2")
    with pytest.raises(export.ExportError, match=r"Found: \['1', '2'\]"):
        export.export_tflite(saved_copy.parent, path)
    golden.path_of(saved_copy).unlink()
    with pytest.raises(export.ExportError, match="no golden record"):
        export.export_tflite(saved_copy, path)
    with pytest.raises(export.ExportError, match=r"end in \.tflite"):
        export.export_tflite(saved_copy, tmp_path / "a.lite")


def test_wrong_numbers_fail_at_export_and_leave_the_older_file(
    shipped, tflite_copy, monkeypatch
):
    before = tflite_copy.read_bytes()
    record = golden.read(shipped.version)
    record["decode"].outputs["images"] += 0.01
    monkeypatch.setattr(tflite.golden, "read", lambda file: record)
    with pytest.raises(
        export.ExportError, match=r"model.tflite \[decode\]: difference"
    ):
        export.export_tflite(shipped.version, tflite_copy, ["decode"])
    assert tflite_copy.read_bytes() == before
    assert len(list(tflite_copy.parent.iterdir())) == 2


def test_dropped_weights_fail_at_export(shipped, tmp_path, monkeypatch):
    @tf.function(input_signature=[IMAGES])
    def negative(images):
        return {"images": 1.0 - images}

    other = Endpoints(negative=negative)
    small = export.export_tflite(other, tmp_path / "small.tflite").read_bytes()
    weights = np.ones((100, 100), "float32") * np.arange(100, dtype="float32")
    big = tf.Variable(weights)
    monkeypatch.setattr(tflite, "_convert_together", lambda *args: small)

    @tf.function(input_signature=[tf.TensorSpec((None, 100), tf.float32, name="x")])
    def multiply(x):
        return {"y": x @ big}

    model = Endpoints(multiply=multiply)
    model.big = big
    with pytest.raises(export.ExportError, match="weights take 40000"):
        export.export_tflite(model, tmp_path / "a.tflite")


def test_missing_runtime_is_named(shipped, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(export.ExportError, match=r'pip install "tfgen\[edge\]"'):
        export.export_tflite(shipped.version, tmp_path / "a.tflite")
    with pytest.raises(export.ExportError, match=r'pip install "tfgen\[edge\]"'):
        export.check(shipped.tflite.parent, require_report=False)
