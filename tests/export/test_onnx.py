import importlib.util
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export.formats import onnx
from export.verify import golden
from export.verify.onnx_runtime import load_onnx

from .small import LABELS, LATENTS, Autoencoder, Endpoints, Generator

REASON = 'needs: pip install "tfgen[onnx]"'
proto = pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("tf2onnx", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)

PURE = """
import pathlib, sys
from export.verify.onnx_runtime import load_onnx
from export.verify import golden

file = pathlib.Path(sys.argv[1])
((name, example),) = golden.read(file).items()
assert load_onnx(file)[name](example.inputs)
heavy = {"tensorflow", "keras", "tfgen", "onnx", "tf2onnx"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An autoencoder and the files of its endpoints; tests read them only."""
    keras.utils.set_random_seed(0)
    model, folder = Autoencoder(), tmp_path_factory.mktemp("written")
    paths = export.export_onnx(
        model, folder / "onnx", "model", description="Squares.", licence="CC0-1.0"
    )
    return SimpleNamespace(model=model, folder=folder / "onnx", paths=paths)


def read_shapes(values):
    """Returns names and shapes of inputs or outputs; a size is a number or a name."""
    return {
        value.name: [
            size.dim_param or size.dim_value
            for size in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def compare(model, file, *inputs):
    """Asserts that a file answers like the model's endpoint, to new inputs."""
    ((name, endpoint),) = load_onnx(file).items()
    function = model.signatures()[name]
    names = [spec.name for spec in function.input_signature]
    answers = endpoint(dict(zip(names, inputs, strict=True)))
    expected = function(*(tf.constant(array) for array in inputs))
    assert set(answers) == set(expected)
    for key, tensor in expected.items():
        assert answers[key].shape == tensor.shape
        np.testing.assert_allclose(answers[key], tensor, atol=1e-5)


def test_endpoints_without_random_numbers_are_taken(written):
    endpoints = ["reconstruct", "negative", "encode", "decode"]
    files = [written.folder / f"model-{name}.onnx" for name in endpoints]
    assert written.paths == files
    assert set(written.folder.iterdir()) == {*files, *map(golden.path_of, files)}
    for name, file in zip(endpoints, files, strict=True):
        assert list(golden.read(file)) == list(load_onnx(file)) == [name]


def test_names_and_shapes_are_the_endpoints(written):
    graph = proto.load(written.folder / "model-encode.onnx").graph
    assert read_shapes(graph.input) == {"images": ["batch", 8, 8, 1]}
    assert read_shapes(graph.output) == {"mean": ["batch", 4], "stddev": ["batch", 4]}
    graph = proto.load(written.folder / "model-negative.onnx").graph
    assert read_shapes(graph.input) == {"images": ["batch", 8, 8, 1]}
    assert read_shapes(graph.output) == {"images_output": ["batch", 8, 8, 1]}


def test_file_is_valid_and_says_what_it_is(written):
    for file in written.paths:
        model = proto.load(file)
        proto.checker.check_model(model, full_check=True)
        assert model.doc_string == "Squares."
        texts = {entry.key: entry.value for entry in model.metadata_props}
        assert texts["model_license"] == "CC0-1.0"
        assert texts["endpoint"] == model.graph.name


@pytest.mark.parametrize("rows", [1, 5])
def test_numbers_agree_for_any_batch(written, rows):
    rng = np.random.default_rng(1)
    images = rng.uniform(size=(rows, 8, 8, 1)).astype("float32")
    for name in ("reconstruct", "negative", "encode"):
        compare(written.model, written.folder / f"model-{name}.onnx", images)
    latents = rng.normal(size=(rows, 4)).astype("float32")
    compare(written.model, written.folder / "model-decode.onnx", latents)


def test_weights_are_the_endpoints_own(written):
    graph = proto.load(written.folder / "model-encode.onnx").graph
    arrays = [proto.numpy_helper.to_array(one) for one in graph.initializer]
    kernels = [array for array in arrays if array.ndim == 2]
    assert sorted(kernel.shape for kernel in kernels) == [(16, 8), (64, 16)]


def test_convolutions_norms_and_labels(tmp_path):
    keras.utils.set_random_seed(0)
    model = Generator()
    for weight in model.weights:  # moving statistics too: not what they start with
        weight.assign(keras.random.uniform(weight.shape, 0.1, 0.5))
    (file,) = export.export_onnx(model, tmp_path, "generator")
    graph = proto.load(file).graph
    assert {"Conv", "ConvTranspose"} <= {node.op_type for node in graph.node}
    types = {one.name: one.type.tensor_type.elem_type for one in graph.input}
    assert types == {
        "latents": proto.TensorProto.FLOAT,
        "labels": proto.TensorProto.INT32,
    }
    for rows in (1, 5):
        latents = np.random.default_rng(1).normal(size=(rows, 4)).astype("float32")
        compare(model, file, latents, (np.arange(rows) % 4).astype("int32"))
    decode = load_onnx(file)["decode"]
    nothing = {"latents": np.zeros((0, 4), "f4"), "labels": np.zeros(0, "i4")}
    assert decode(nothing)["images"].shape == (0, 16, 16, 3)
    for label in (4, 100, -1, -4, -100):  # ONNX counts negative indices back
        wrong = {"latents": latents[:1], "labels": np.array([label], "i4")}
        with pytest.raises(Exception, match="indices element out of data bounds"):
            decode(wrong)


def test_check_runs_the_files_and_finds_a_planted_error(written, tmp_path):
    results = export.check(written.folder, require_report=False)
    assert [row.file for row in results] == sorted(written.paths)
    assert all(row.format == "onnx" and row.latency_ms > 0 for row in results)
    file = tmp_path / "model-encode.onnx"
    for source in (
        written.folder / file.name,
        golden.path_of(written.folder / file.name),
    ):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    change_weights(file, lambda array: array * 1.01)
    with pytest.raises(export.CheckError, match=r"1 of 1 .*\n.*encode.*differs"):
        export.check(tmp_path, require_report=False)


def test_file_runs_without_tensorflow(written, pytestconfig):
    for file in written.paths:
        command = [sys.executable, "-c", PURE, str(file)]
        subprocess.run(command, cwd=pytestconfig.rootpath, check=True)


def test_chosen_signatures_and_examples(written, tmp_path):
    latents = np.full((1, 4), 0.5, "float32")
    examples = {"latents": latents, "images": np.zeros((1, 8, 8, 1))}
    other = tmp_path / "model-other.onnx"
    other.write_bytes(b"kept")
    (file,) = export.export_onnx(
        written.model, tmp_path, "model", ["decode"], examples=examples
    )
    assert other.read_bytes() == b"kept"
    np.testing.assert_array_equal(
        golden.read(file)["decode"].inputs["latents"], np.repeat(latents, 3, 0)
    )
    with pytest.raises(export.ExportError, match=r"no input .*\['latent'\]"):
        export.export_onnx(written.model, tmp_path, "m", examples={"latent": latents})


def test_inputs_and_outputs_that_are_one_tensor_or_unused(tmp_path):
    @tf.function(input_signature=[LATENTS, LABELS])
    def share(latents, labels):
        twice = 2.0 * latents * model.scale.value
        return {"latents": latents, "twice": twice, "again": twice}

    model = Endpoints(share=share)
    (file,) = export.export_onnx(model, tmp_path, "model")
    assert list(read_shapes(proto.load(file).graph.input)) == ["labels", "latents"]
    compare(model, file, np.ones((2, 4), "float32"), np.ones(2, "int32"))


@pytest.mark.parametrize(
    ("signatures", "message"),
    [
        (["sample"], "'sample' draws random numbers .StatelessRandom.*latents"),
        (["encode", "smaple"], r"no such endpoint: \['smaple'\]"),
        ([], "no endpoint"),
    ],
)
def test_signatures_that_cannot_be_are_refused(written, tmp_path, signatures, message):
    with pytest.raises(export.ExportError, match=message):
        export.export_onnx(written.model, tmp_path / "new", "model", signatures)
    assert not list(tmp_path.iterdir())


def test_strings_are_left_out_and_refused(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="texts")])
    def measure(texts):
        return {"y": tf.cast(tf.strings.length(texts), tf.float32) * model.scale.value}

    @tf.function(input_signature=[LATENTS])
    def write(latents):
        return {"texts": tf.strings.as_string(latents * model.scale.value)}

    @tf.function(input_signature=[LATENTS])
    def scale(latents):
        return {"y": latents * model.scale.value}

    model = Endpoints(measure=measure, write=write, scale=scale)
    (file,) = export.export_onnx(model, tmp_path, "model")
    assert file.name == "model-scale.onnx"
    for name in ("measure", "write"):
        with pytest.raises(export.ExportError, match=f"'{name}' .* strings"):
            export.export_onnx(model, tmp_path, "model", [name])


def test_operations_that_onnx_lacks_are_named(tmp_path, caplog):
    @tf.function(input_signature=[LATENTS])
    def fine(latents):
        return {"y": latents * 2.0}

    @tf.function(input_signature=[LATENTS])
    def special(latents):
        x = tf.sigmoid(latents)
        return {"y": tf.math.betainc(x, x, x)}

    model = Endpoints(fine=fine, special=special)
    with pytest.raises(export.ExportError, match=r"'special' needs .*Betainc"):
        export.export_onnx(model, tmp_path / "new", "model")
    assert not list((tmp_path / "new").iterdir())
    assert not [one for one in caplog.records if one.name.startswith("tf2onnx")]


def test_endpoint_that_changes_a_variable_is_refused(tmp_path):
    @tf.function(input_signature=[LATENTS])
    def count(latents):
        model.scale.value.assign_add(1.0)
        return {"y": latents * model.scale.value}

    model = Endpoints(count=count)
    with pytest.raises(export.ExportError, match=r"'count' changes .*AssignAdd"):
        export.export_onnx(model, tmp_path, "model")


def change_weights(file, change):
    """Applies `change` to the matrices in an .onnx file."""
    model = proto.load(file)
    for one in model.graph.initializer:
        array = proto.numpy_helper.to_array(one)
        if array.ndim == 2:
            changed = change(array).astype(array.dtype)
            one.CopyFrom(proto.numpy_helper.from_array(changed, one.name))
    proto.save(model, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: array * 1.01, r"new-decode.onnx \[decode\]: difference"),
        (lambda array: array * np.nan, r"new-decode.onnx \[decode\].*NaN or infinity"),
    ],
)
def test_wrong_weights_fail_at_export_and_leave_the_older_file(
    written, tmp_path, monkeypatch, change, message
):
    convert = onnx.convert

    def spoil(name, function, file):
        convert(name, function, file)
        if name == "decode":
            change_weights(file, change)

    older = tmp_path / "new-decode.onnx"
    older.write_bytes(b"older")
    monkeypatch.setattr(onnx, "convert", spoil)
    with pytest.raises(export.ExportError, match=message):
        export.export_onnx(written.model, tmp_path, "new", ["encode", "decode"])
    assert older.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [older]


def test_dropped_weights_fail_at_export(tmp_path, monkeypatch):
    @tf.function(input_signature=[tf.TensorSpec((None, 100), tf.float32, name="x")])
    def multiply(x):
        return {"y": x @ model.big}

    def drop(name, function, file):
        convert(name, function, file)
        change_weights(file, lambda array: array[:1])

    model, convert = Endpoints(multiply=multiply), onnx.convert
    model.big = tf.Variable(tf.random.stateless_normal((100, 100), (0, 0)))
    monkeypatch.setattr(onnx, "convert", drop)
    with pytest.raises(export.ExportError, match="weights take 40000"):
        export.export_onnx(model, tmp_path, "model")
    assert not list(tmp_path.iterdir())


def test_stem_is_a_name(written, tmp_path):
    for stem in ("", "a/b"):
        with pytest.raises(export.ExportError, match="beginning of a file name"):
            export.export_onnx(written.model, tmp_path, stem)


def test_files_that_are_none_of_ours_are_refused(written, tmp_path):
    file = tmp_path / "a.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(export.ExportError, match=r"a\.onnx cannot be loaded"):
        load_onnx(file)
    model = proto.load(written.paths[0])
    del model.metadata_props[:]
    proto.save(model, file)
    with pytest.raises(export.ExportError, match="does not name its endpoint"):
        load_onnx(file)


def test_global_precision_changes_nothing(written, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        (file,) = export.export_onnx(written.model, tmp_path, "model", ["decode"])
    finally:
        keras.config.set_dtype_policy(before)
    assert [one.name for one in proto.load(file).graph.input] == ["latents"]


def test_nothing_is_printed(written, tmp_path, capfd):
    # Lookup tables of other tests would be warned of.
    tf.compat.v1.get_default_graph().clear_collection("table_initializer")
    export.export_onnx(written.model, tmp_path, "model", ["decode"])
    assert capfd.readouterr() == ("", "")


def test_missing_packages_are_named(written, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(export.ExportError, match=r'pip install "tfgen\[onnx\]"'):
        load_onnx(written.paths[0])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        export.ExportError, match=r'tf2onnx.*pip install "tfgen\[onnx\]'
    ):
        export.export_onnx(written.model, tmp_path, "model")
    with pytest.raises(export.ExportError, match=r'pip install "tfgen\[onnx\]"'):
        export.check(pathlib.Path(written.folder), require_report=False)
