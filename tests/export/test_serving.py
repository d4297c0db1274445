"""The files for TensorFlow Serving, read back as it reads them; it is not run here.

So what is not shown: that it takes them, how long warm-up lasts, what batching gains.
"""

import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

import export
from export.serving import configuration as serving
from export.verify import golden

WARMUP = "assets.extra/tf_serving_warmup_requests"


def _read_warmup(version):
    """Returns the requests: TensorFlow Serving reads records with the same reader."""
    records = tf.data.TFRecordDataset(str(version / WARMUP)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    return [log.predict_log.request for log in logs]


def _replay(version, goldens):
    """Checks every request against the golden outputs; returns endpoint and rows."""
    loaded, seen = tf.saved_model.load(str(version)), []
    for request in _read_warmup(version):
        endpoint = request.model_spec.signature_name
        inputs = {
            name: tf.constant(tf.make_ndarray(proto))
            for name, proto in request.inputs.items()
        }
        rows = {len(tensor) for tensor in inputs.values()}
        seen.append((endpoint, *rows))
        answers = loaded.signatures[endpoint](**inputs)
        assert set(answers) == set(goldens[endpoint].outputs)
        for name, array in goldens[endpoint].outputs.items():
            answer = answers[name].numpy()
            if array.dtype.kind == "S":
                assert answer.tolist() == array[: len(answer)].tolist()
            else:
                np.testing.assert_allclose(answer, array[: len(answer)], atol=1e-6)
    return seen


# ---- warm-up -------------------------------------------------------------------------


def test_warmup_gives_the_golden_outputs_at_one_row_and_at_all(saved_copy):
    goldens = golden.expected(saved_copy)
    serving.write_warmup(saved_copy, "model", goldens)
    assert {"reconstruct", "encode", "sample", "serving_default"} <= set(goldens)
    expected = {(name, rows) for name in goldens for rows in (1, golden.ROWS)}
    seen = _replay(saved_copy, goldens)
    assert set(seen) == expected
    assert len(seen) == len(expected)
    for request in _read_warmup(saved_copy):
        assert request.model_spec.name == "model"
        assert request.model_spec.version.value == 1
    assert {path.name for path in (saved_copy / "assets.extra").iterdir()} == {
        "golden.npz",
        "tf_serving_warmup_requests",
    }


def test_default_is_the_first_endpoint(saved_copy):
    goldens = golden.read(saved_copy)
    assert "serving_default" not in goldens
    serving.write_warmup(saved_copy, "model", goldens)
    first = {"serving_default": goldens["reconstruct"]}
    assert ("serving_default", 3) in _replay(saved_copy, goldens | first)


def test_warmup_of_every_type_and_of_bytes(tmp_path):
    text = np.array([b"a", b"bc", b""])
    inputs = {
        "text": text,
        "seeds": np.arange(3),
        "labels": np.arange(3, dtype="int32"),
        "x": np.float32([[0.1], [2], [3]]),
    }
    specs = [
        tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype), name=name)
        for name, array in inputs.items()
    ]

    def echo(text, seeds, labels, x):
        both = tf.cast(seeds, tf.int32) + labels
        return {"text_bytes": text + "!", "sum": both, "x": x}

    function = tf.function(echo, input_signature=specs)
    version = tmp_path / "7"
    tf.saved_model.save(tf.Module(), str(version), signatures={"echo": function})
    outputs = {
        "text_bytes": np.array([b"a!", b"bc!", b"!"]),
        "sum": np.array([0, 2, 4], "int32"),
        "x": inputs["x"],
    }
    example = golden.Golden(inputs, outputs)
    serving.write_warmup(version, "model", {"echo": example})
    requests = _read_warmup(version)
    assert {request.model_spec.version.value for request in requests} == {7}
    types = {name: proto.dtype for name, proto in requests[0].inputs.items()}
    assert types == {
        "text": tf.string.as_datatype_enum,
        "seeds": tf.int64.as_datatype_enum,
        "labels": tf.int32.as_datatype_enum,
        "x": tf.float32.as_datatype_enum,
    }
    loaded = tf.saved_model.load(str(version))
    for request in requests:
        assert request.model_spec.signature_name in ("echo", "serving_default")
        tensors = {
            k: tf.constant(tf.make_ndarray(p)) for k, p in request.inputs.items()
        }
        answers = loaded.signatures["echo"](**tensors)
        rows = len(tensors["x"])
        for name, array in outputs.items():
            assert answers[name].numpy().tolist() == array[:rows].tolist()


def test_one_row_is_not_asked_twice(saved_copy):
    goldens = golden.read(saved_copy)
    one = {key: array[:1] for key, array in goldens["decode"].inputs.items()}
    serving.write_warmup(saved_copy, "model", {"decode": golden.Golden(one, {})})
    requests = _read_warmup(saved_copy)
    names = [request.model_spec.signature_name for request in requests]
    assert sorted(names) == ["decode", "serving_default"]


def test_warmup_that_cannot_be(saved_copy, tmp_path):
    one = golden.Golden({"x": np.zeros((1, 1), "float32")}, {})
    with pytest.raises(export.ExportError, match="named by its number"):
        serving.write_warmup(saved_copy.parent, "model", {"decode": one})
    with pytest.raises(export.ExportError, match="no golden examples"):
        serving.write_warmup(saved_copy, "model", {})
    many = {f"endpoint_{i}": one for i in range(999)}
    serving.write_warmup(saved_copy, "model", many)  # and the default: 1000
    assert len(_read_warmup(saved_copy)) == 1000
    with pytest.raises(export.ExportError, match="model has 1001: export fewer"):
        serving.write_warmup(saved_copy, "model", many | {"more": one})
    assert len(_read_warmup(saved_copy)) == 1000  # the older file stays


def test_failure_midway_leaves_the_older_file(saved_copy, monkeypatch):
    goldens = golden.read(saved_copy)
    serving.write_warmup(saved_copy, "model", goldens)
    before = (saved_copy / WARMUP).read_bytes()
    write, written = tf.io.TFRecordWriter.write, []

    def fail_at_the_third(self, record):
        written.append(record)
        if len(written) == 3:
            raise OSError("disk full")
        write(self, record)

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", fail_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        serving.write_warmup(saved_copy, "other", goldens)
    assert (saved_copy / WARMUP).read_bytes() == before
    assert len(list((saved_copy / "assets.extra").iterdir())) == 2


def test_missing_package_is_named(saved_copy, monkeypatch):
    for module in ("apis.prediction_log_pb2", "config.model_server_config_pb2"):
        monkeypatch.setitem(sys.modules, f"tensorflow_serving.{module}", None)
    needs = r'pip install "tfgen\[serving\]"'
    with pytest.raises(export.ExportError, match=needs):
        serving.write_warmup(saved_copy, "model", golden.read(saved_copy))
    with pytest.raises(export.ExportError, match=needs):
        serving.write_configs(saved_copy.parent)


# ---- configs -------------------------------------------------------------------------


def _read_models(folder):
    text = (folder / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return config.model_config_list.config


def _read_batching(folder):
    """Parses with `BatchingParameters`, rebuilt here: its wheel does not hold it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="test", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    message = file.message_type.add(name="BatchingParameters")
    names = "max_batch_size batch_timeout_micros max_enqueued_batches num_batch_threads"
    for number, name in enumerate(names.split(), 1):
        wrapper = ".google.protobuf.Int64Value"
        message.field.add(name=name, number=number, type=11, type_name=wrapper, label=1)
    message.field.add(name="allowed_batch_sizes", number=6, type=3, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("test.BatchingParameters")
    text = (folder / "batching.config").read_text()
    return text_format.Parse(text, message_factory.GetMessageClass(descriptor)())


def _add_model(folder, name, *versions):
    for version in versions:
        (folder / name / version).mkdir(parents=True)


def test_models_are_the_folders_with_a_version(tmp_path):
    _add_model(tmp_path, "vae", "1", "12")
    _add_model(tmp_path, 'odd "näme"', "1")
    _add_model(tmp_path, "draft", "next", "1a", "²")
    _add_model(tmp_path, ".exporting-x", "1")
    _add_model(tmp_path, "filed")
    (tmp_path / "filed").mkdir()
    (tmp_path / "filed" / "1").write_text("no folder")
    (tmp_path / "1").write_text("no folder")
    serving.write_configs(tmp_path)
    models = _read_models(tmp_path)
    assert [model.name for model in models] == ['odd "näme"', "vae"]
    assert models[1].base_path == "/models/vae"
    assert {model.model_platform for model in models} == {"tensorflow"}


def test_models_are_rewritten_and_batching_is_not(tmp_path):
    serving.write_configs(tmp_path)
    assert not _read_models(tmp_path)
    (tmp_path / "batching.config").write_text("max_batch_size { value: 3 }")
    _add_model(tmp_path, "vae", "1")
    serving.write_configs(tmp_path)
    assert [model.name for model in _read_models(tmp_path)] == ["vae"]
    assert _read_batching(tmp_path).max_batch_size.value == 3
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"models.config", "batching.config", "vae"}


def test_batching_keeps_the_rules_of_tensorflow_serving(tmp_path):
    serving.write_configs(tmp_path)
    config = _read_batching(tmp_path)
    sizes = list(config.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 1
    assert sizes[-1] == config.max_batch_size.value >= golden.ROWS
    assert config.num_batch_threads.value >= 1
    assert 0 < config.batch_timeout_micros.value < 50_000
    assert config.max_enqueued_batches.value >= config.num_batch_threads.value


def test_every_batching_parameter_has_its_reason(tmp_path):
    serving.write_configs(tmp_path)
    blocks = (tmp_path / "batching.config").read_text().strip().split("\n\n")[1:]
    assert len(blocks) == 5
    assert all(re.match(r"(# .*\n)+\w", block) for block in blocks)


def test_failure_leaves_the_older_config(tmp_path, monkeypatch):
    serving.write_configs(tmp_path)
    before = (tmp_path / "models.config").read_text()
    _add_model(tmp_path, "vae", "1")

    def fail(self, *args, **kwargs):
        self.touch()
        raise OSError("disk full")

    monkeypatch.setattr(serving.pathlib.Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        serving.write_configs(tmp_path)
    assert (tmp_path / "models.config").read_text() == before
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"models.config", "batching.config", "vae"}


def test_no_folder(tmp_path):
    with pytest.raises(export.ExportError, match="nowhere is not a folder"):
        serving.write_configs(tmp_path / "nowhere")
