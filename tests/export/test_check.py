"""What `check` promises, and a planted fault of every kind that it must catch."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import export
from export.verify import golden

from .small import Autoencoder, largest_buffer

ENDPOINTS = ["reconstruct", "negative", "encode", "decode"]


def _plant(folder, patch, name, code):
    """Puts a module first on the path of every child process."""
    path = folder / "planted" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    patch.setenv("PYTHONPATH", str(folder / "planted"))


@pytest.fixture(scope="module")
def results(shipped, tmp_path_factory):
    """Of good files, checked by processes that would die of importing tfgen."""
    folder = tmp_path_factory.mktemp("path")
    with pytest.MonkeyPatch.context() as patch:
        _plant(folder, patch, "tfgen.py", "raise RuntimeError('imported tfgen')")
        child = [sys.executable, "-c", "import tfgen"]
        proof = subprocess.run(child, cwd=folder, capture_output=True, check=False)
        assert b"RuntimeError: imported tfgen" in proof.stderr
        return export.check(shipped.version.parents[2])


def test_rows_of_good_files(shipped, results):
    saved = [row for row in results if row.format == "saved_model"]
    edge = [row for row in results if row.format == "tflite"]
    endpoints = [*ENDPOINTS, "sample"]
    twins = [f"{name}_bytes" for name in endpoints]
    assert [row.endpoint for row in saved] == [*endpoints, *twins, "serving_default"]
    assert [row.endpoint for row in edge] == ENDPOINTS
    assert {row.file for row in results} == {shipped.version, shipped.tflite}
    for row in results:
        assert row.ok
        assert 0 <= row.difference <= row.tolerance
        assert row.latency_ms > 0
    assert edge[0].size_bytes == shipped.tflite.stat().st_size
    assert {row.tolerance for row in saved} == {1e-5}
    assert {row.tolerance for row in edge} == {1e-4}


def _fails(folder, message, **kwargs):
    with pytest.raises(export.CheckError, match=message) as error:
        export.check(folder, **kwargs)
    return error.value


def test_message_names_file_endpoint_difference_and_tolerance(tflite_copy):
    _shift_outputs(tflite_copy, "decode", 0.5)
    error = _fails(tflite_copy.parent, "1 of 4 checks failed")
    (line,) = str(error).splitlines()[1:]
    assert line.startswith(f"{tflite_copy} [decode]: difference 5.00e-01")
    assert "tolerance 1e-04" in line
    assert [row.endpoint for row in error.results] == ENDPOINTS
    assert all(row.ok for row in export.check(tflite_copy.parent, tolerance=0.6))


def test_nothing_to_check(tmp_path):
    (tmp_path / ".exporting-x").mkdir()
    (tmp_path / ".exporting-x" / "half.tflite").write_bytes(b"half")
    _fails(tmp_path, "no SavedModel, .tflite or .onnx file")


# ---- planted faults: weights and files -----------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [(3.0, r"\[reconstruct\]: difference .* differs"), (np.nan, "NaN or infinity in")],
)
def test_changed_weight_in_tflite(tflite_copy, value, message):
    offset, length = largest_buffer(tflite_copy)
    content = bytearray(tflite_copy.read_bytes())
    content[offset : offset + length] = np.full(length // 4, value, "<f4").tobytes()
    tflite_copy.write_bytes(content)
    _fails(tflite_copy.parent, message)


def test_changed_weight_in_saved_model(saved_copy):
    prefix = str(saved_copy / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    tensors = {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }
    name = next(name for name, array in tensors.items() if np.shape(array) == (4, 16))
    tensors[name] = tensors[name] + np.float32(0.1)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(array) for array in tensors.values()],
    )
    error = _fails(saved_copy, r"\[decode\]: difference")
    assert {row.endpoint: row.ok for row in error.results}["encode"]


def test_truncated_tflite(tflite_copy):
    content = tflite_copy.read_bytes()
    tflite_copy.write_bytes(content[: len(content) // 2])
    _fails(tflite_copy.parent, r"\[-\].*cannot be run")


@pytest.mark.large  # a file that cannot be run, of the other format
def test_missing_variables(saved_copy):
    shutil.rmtree(saved_copy / "variables")
    _fails(saved_copy, r"\[-\].*cannot be run: .*variables")


# ---- planted faults: endpoints, operations, records ----------------------------------


def _rewrite(file, change):
    record = golden.read(file)
    golden.write(golden.path_of(file), change(record))


def _shift_outputs(file, endpoint, by):
    def change(record):
        for array in record[endpoint].outputs.values():
            array += by
        return record

    _rewrite(file, change)


@pytest.mark.parametrize(
    ("copy", "failed"),
    [
        ("tflite_copy", {"reconstruct", "negative"}),
        pytest.param(
            *("saved_copy", {"reconstruct", "negative", "serving_default"}),
            marks=pytest.mark.large,
        ),
    ],
)
def test_swapped_endpoints(copy, failed, request):
    file = request.getfixturevalue(copy)
    _rewrite(
        file,
        lambda record: (
            record
            | {"reconstruct": record["negative"], "negative": record["reconstruct"]}
        ),
    )
    error = _fails(file.parent, "reconstruct")
    assert {row.endpoint for row in error.results if not row.ok} == failed


def test_endpoint_of_other_shape(tflite_copy):
    _rewrite(tflite_copy, lambda record: record | {"encode": record["decode"]})
    _fails(tflite_copy.parent, r"\[encode\].*cannot be run: ")


@pytest.mark.large
def test_last_activation_lost(shipped, tmp_path):
    other = Autoencoder(activation=None)
    other.set_weights(shipped.model.get_weights())
    version = export.export_saved_model(other, tmp_path / "saved")
    tflite = export.export_tflite(version, tmp_path / "a.tflite")
    for file, good in ((version, shipped.version), (tflite, shipped.tflite)):
        shutil.copy(golden.path_of(good), golden.path_of(file))
    error = _fails(tmp_path, r"\[decode\]: difference")
    for file in (version, tflite):
        rows = {row.endpoint: row.ok for row in error.results if row.file == file}
        assert (rows["encode"], rows["decode"]) == (True, False)


def test_endpoint_missing_from_the_file(tflite_copy):
    _rewrite(tflite_copy, lambda record: record | {"more": record["decode"]})
    _fails(tflite_copy.parent, r"\[more\].*missing from the file")


def test_endpoint_missing_from_the_record(tflite_copy):
    def drop(record):
        del record["decode"]
        return record

    _rewrite(tflite_copy, drop)
    _fails(tflite_copy.parent, r"\[decode\].*missing from the golden record")


def test_output_missing(tflite_copy):
    def rename(record):
        record["encode"].outputs["scale"] = record["encode"].outputs.pop("stddev")
        return record

    _rewrite(tflite_copy, rename)
    _fails(tflite_copy.parent, r"\['mean', 'stddev'\], and Keras \['mean', 'scale'\]")


def test_record_missing_unreadable_or_empty(tflite_copy):
    record = golden.path_of(tflite_copy)
    record.write_bytes(record.read_bytes()[:100])
    _fails(tflite_copy.parent, "unreadable golden record")
    np.savez(record)
    _fails(tflite_copy.parent, "empty golden record")
    record.unlink()
    _fails(tflite_copy.parent, "no golden record")


def test_saved_model_without_record(saved_copy):
    golden.path_of(saved_copy).unlink()
    _fails(saved_copy, "no golden record")


# ---- the fresh process ---------------------------------------------------------------


def test_child_of_saved_model_never_imports_tfgen(results):
    assert any(row.format == "saved_model" for row in results)


def test_child_of_tflite_imports_neither_tfgen_nor_tensorflow(
    tflite_copy, tmp_path, monkeypatch
):
    for name in ("tfgen", "tensorflow", "keras"):
        _plant(tmp_path, monkeypatch, f"{name}.py", "raise RuntimeError('imported')")
    assert export.check(tflite_copy.parent)


_FAKE = "ai_edge_litert.py"  # takes the place of the runtime in the child


def test_import_of_the_training_code_is_refused(tflite_copy, tmp_path, monkeypatch):
    code = "import sys; sys.modules['tfgen'] = sys"
    _plant(tmp_path, monkeypatch, "sitecustomize.py", code)
    _fails(tflite_copy.parent, "the file alone must do, but {'tfgen'} was imported")


def test_crash_is_reported(tflite_copy, tmp_path, monkeypatch):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    _plant(tmp_path, monkeypatch, _FAKE, code)
    _fails(tflite_copy.parent, r"cannot be run: the process died of signal 11 \(Seg")


def test_hang_is_reported(tflite_copy, tmp_path, monkeypatch):
    _plant(tmp_path, monkeypatch, _FAKE, "import time; time.sleep(60)")
    _fails(tflite_copy.parent, "cannot be run: no answer in 2 s", timeout=2)
