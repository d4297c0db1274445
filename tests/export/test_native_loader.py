"""TensorFlow Serving's loader serves what `export` wrote, and refuses the rest."""

import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import export
from export.serving.configuration import write_warmup
from export.verify import golden

from . import native_loader
from .native_loader import LoaderError, assert_native_loader_agrees, replay
from .small import LATENTS, Endpoints


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    return native_loader.build(tmp_path_factory)


@pytest.fixture
def version(saved_copy):
    """A version folder to spoil."""
    return saved_copy


# ---- what was exported ---------------------------------------------------------------


def test_answers_as_keras_did(loader, version):
    assert_native_loader_agrees(loader, version)


def test_integer_inputs_and_lookup_tables(loader, tmp_path):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([0, 1], [0.25, 0.75]), -1.0
    )
    labels = tf.TensorSpec((None,), tf.int32, name="labels")

    @tf.function(input_signature=[labels])
    def look_up(labels):
        return {"values": table.lookup(labels), "labels": labels}

    model = Endpoints(look_up=look_up)
    model.table = table
    assert_native_loader_agrees(loader, export.export_saved_model(model, tmp_path))


def test_string_inputs_and_outputs(loader, tmp_path):
    texts = tf.TensorSpec((None,), tf.string, name="texts")

    @tf.function(input_signature=[texts])
    def shout(texts):
        return {"texts": tf.strings.upper(texts), "size": tf.strings.length(texts)}

    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"shout": shout})
    example = golden.Golden(
        {"texts": np.array([b"a\0\xff", b"", b"seven"], object)}, {}
    )
    write_warmup(tmp_path / "1", "model", {"shout": example})
    _keep_records(tmp_path / "1", [2, 3])  # tf.saved_model writes no serving_default
    one, all_rows = replay(loader, tmp_path / "1").values()
    assert one["texts"].tolist() == [b"A\0\xff"]
    assert all_rows["texts"].tolist() == [b"A\0\xff", b"", b"SEVEN"]
    assert all_rows["size"].tolist() == [3, 0, 5]


# ---- the comparison ------------------------------------------------------------------


def test_another_answer_is_seen(loader, tmp_path):
    version = _export_product(tmp_path, 2.0)
    assert_native_loader_agrees(loader, version)
    _change_golden(version, "multiply", lambda array: array + 2e-5)
    with pytest.raises(
        AssertionError, match="request 0/serving_default, output 'latents'"
    ):
        assert_native_loader_agrees(loader, version)


def test_other_weights_are_seen(loader, tmp_path):
    version = _export_product(tmp_path, 2.0)
    other = _export_product(tmp_path, 3.0, version=2)
    shutil.copytree(other / "variables", version / "variables", dirs_exist_ok=True)
    with pytest.raises(AssertionError, match="output 'latents'"):
        assert_native_loader_agrees(loader, version)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_agrees_with_nothing(value):
    array = np.array([value], "float32")
    with pytest.raises(AssertionError, match="here"):
        native_loader.assert_close(array, array, "here")


def _export_product(folder, scale, version=1):
    model = Endpoints()
    model.scale.assign(scale)

    @tf.function(input_signature=[LATENTS])
    def multiply(latents):
        return {"latents": model.scale * latents}

    model.endpoints["multiply"] = multiply
    return export.export_saved_model(model, folder, version=version)


def test_an_endpoint_without_a_request_is_seen(loader, version):
    _keep_records(version, [0, 1])
    with pytest.raises(AssertionError, match="have a request"):
        assert_native_loader_agrees(loader, version)


def test_pictures_may_be_a_level_apart():
    def encode(level):
        picture = tf.fill([2, 2, 1], tf.constant(level, tf.uint8))
        return np.array([tf.io.encode_png(picture).numpy()], object)

    native_loader.assert_close(encode(7), encode(8), "here")
    for other in [encode(9), encode(7)[:0], np.array([b"text"], object)]:
        with pytest.raises(AssertionError, match="here"):
            native_loader.assert_close(other, encode(7), "here")


def _change_golden(version, endpoint, change):
    goldens = golden.read(version)
    outputs = goldens[endpoint].outputs
    outputs |= {name: change(array) for name, array in outputs.items()}
    golden.write(golden.path_of(version), goldens)


# ---- requests that do not fit --------------------------------------------------------

IMAGES = np.zeros((2, 8, 8, 1), "float32")


@pytest.mark.parametrize(
    ("endpoint", "inputs", "words"),
    [
        ("encode", {"images": IMAGES[:, :7]}, ["'images'", "[?,8,8,1]", "[2,7,8,1]"]),
        (
            "encode",
            {"images": IMAGES.astype("float64")},
            ["'images'", "float", "double"],
        ),
        ("encode", {"images": IMAGES, "x": IMAGES}, ["[images]", "[images, x]"]),
        ("paint", {"images": IMAGES}, ["no such signature", "encode, "]),
    ],
)
def test_requests_that_do_not_fit(loader, version, endpoint, inputs, words):
    _write_requests(version, _request(endpoint, inputs))
    with pytest.raises(LoaderError) as error:
        replay(loader, version)
    for word in [f"request 0 to '{endpoint}'", *words]:
        assert word in str(error.value)


def test_the_request_that_does_not_fit_is_named(loader, version):
    good, bad = _request("encode", {"images": IMAGES}), _request("encode", {})
    _write_requests(version, good, bad)
    with pytest.raises(LoaderError, match=r"request 1 to 'encode'.*Received: \[\]"):
        replay(loader, version)


def test_no_name_means_serving_default(loader, version):
    _write_requests(version, _request("", {"images": IMAGES}))
    assert list(replay(loader, version)) == ["0/serving_default"]


def test_a_tensor_with_too_few_bytes(loader, version):
    request = _request("encode", {"images": IMAGES})
    log = prediction_log_pb2.PredictionLog.FromString(request)
    tensor = log.predict_log.request.inputs["images"]
    tensor.tensor_content = tensor.tensor_content[:-4]
    _write_requests(version, log.SerializeToString())
    with pytest.raises(LoaderError, match="'images' is no valid tensor"):
        replay(loader, version)


def test_bytes_that_are_no_request(loader, version):
    request = _request("encode", {"images": IMAGES})
    for record, message in [
        (request[:-1], "request 0: no PredictionLog: bytes are missing"),
        (b"", "request 0: no predict_log"),
    ]:
        _write_requests(version, record)
        with pytest.raises(LoaderError, match=message):
            replay(loader, version)


def test_more_requests_than_serving_takes(loader, version):
    request = _request("sample", {"seeds": np.zeros(1, "int64")})
    _write_requests(version, *[request] * 1000)
    assert len(replay(loader, version)) == 1000
    _write_requests(version, *[request] * 1001)
    with pytest.raises(LoaderError, match="over 1000"):
        replay(loader, version)


def _request(endpoint, inputs):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.name = "model"
    log.predict_log.request.model_spec.signature_name = endpoint
    for name, array in inputs.items():
        tensor = log.predict_log.request.inputs[name]
        tensor.CopyFrom(tf.make_tensor_proto(array))
    return log.SerializeToString()


def _write_requests(version, *records):
    with tf.io.TFRecordWriter(str(version / native_loader.REQUESTS)) as writer:
        for record in records:
            writer.write(record)


def _keep_records(version, indices):
    path = str(version / native_loader.REQUESTS)
    records = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
    _write_requests(version, *(records[index] for index in indices))


# ---- files that are spoiled ----------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("variables/variables.index", "'serving_default': .*Could not find variable"),
        (native_loader.REQUESTS, f"{native_loader.REQUESTS}; No such file"),
    ],
)
def test_missing_files(loader, version, file, message):
    (version / file).unlink()
    with pytest.raises(LoaderError, match=message):
        replay(loader, version)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("variables/variables.data-00000-of-00001", "cannot load .*Read less bytes"),
        (native_loader.REQUESTS, f"{native_loader.REQUESTS}: truncated record"),
    ],
)
def test_truncated_files(loader, version, file, message):
    data = (version / file).read_bytes()
    (version / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(LoaderError, match=message):
        replay(loader, version)


def test_no_such_version(loader, tmp_path):
    with pytest.raises(LoaderError, match="Could not find SavedModel"):
        replay(loader, tmp_path / "9")


# ---- the helper ----------------------------------------------------------------------


def test_usage(loader):
    ran = subprocess.run([loader], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith("loader: usage: loader VERSION_FOLDER OUT\n")


def test_no_compiler_is_a_skip_with_a_reason(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"install g\+\+ or set CXX"):
        native_loader.build(tmp_path_factory)


def test_a_compiler_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(native_loader, "SOURCE", tmp_path / "loader.cc")
    (tmp_path / "loader.cc").write_text("int main() { return nothing; }")
    compiler = native_loader.find_compiler()
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    with pytest.raises(RuntimeError, match="nothing"):
        native_loader.compile_loader(compiler, tmp_path / "loader")
    assert not (tmp_path / "loader").exists()


def test_a_crash_is_no_refusal(tmp_path, monkeypatch):
    crash = tmp_path / "crash"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    with pytest.raises(AssertionError, match="died of signal 11"):
        replay(crash, tmp_path)
