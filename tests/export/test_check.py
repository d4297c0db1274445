"""What `check` promises, and a planted fault of every kind that it must catch."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import export
from export.report import contents, hashes, report
from export.verify import agreement, golden

from .small import Autoencoder, largest_buffer

ENDPOINTS = ["reconstruct", "negative", "encode", "decode"]


def _plant(folder, patch, name, code):
    """Puts a module first on the path of every child process."""
    path = folder / "planted" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    patch.setenv("PYTHONPATH", str(folder / "planted"))


def _link_files(folder, store):
    """Moves files to a store by content, as huggingface_hub does; links stay."""
    store.mkdir()
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        blob = store / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.move(file, blob)
        file.symlink_to(os.path.relpath(blob, file.parent))


@pytest.fixture(scope="module")
def checked(bundle, tmp_path_factory):
    """An exported folder of links, and its rows, without tfgen at hand."""
    folder = tmp_path_factory.mktemp("hub")
    snapshot = folder / "snapshot"
    shutil.copytree(bundle, snapshot)
    _link_files(snapshot, folder / "blobs")
    with pytest.MonkeyPatch.context() as patch:
        _plant(folder, patch, "tfgen.py", "raise RuntimeError('imported tfgen')")
        child = [sys.executable, "-c", "import tfgen"]
        proof = subprocess.run(child, cwd=folder, capture_output=True, check=False)
        assert b"RuntimeError: imported tfgen" in proof.stderr
        return snapshot, export.check(snapshot)


def test_rows_of_good_files(checked):
    folder, results = checked
    saved = [row for row in results if row.format == "saved_model"]
    edge = [row for row in results if row.format == "tflite"]
    endpoints = [*ENDPOINTS, "sample"]
    twins = [f"{name}_bytes" for name in endpoints]
    assert [row.endpoint for row in saved] == [*endpoints, *twins, "serving_default"]
    assert [row.endpoint for row in edge] == 2 * ENDPOINTS
    assert {row.file for row in saved} == {folder / "serving" / "digits" / "1"}
    for row in results:
        assert row.ok
        assert row.latency_ms > 0
    files = {row.quantization: row.file for row in edge}
    for quantization, file in files.items():
        assert file == folder / "edge" / f"digits-v1-{quantization}.tflite"
        assert file.is_symlink()
    assert {row.size_bytes for row in edge} == {
        f.stat().st_size for f in files.values()
    }
    assert {row.tolerance for row in saved} == {1e-5}
    assert {row.tolerance for row in edge} == {1e-4, None}
    assert {row.floor_db for row in edge} == {None, 50.0}


def _fails(folder, message, **kwargs):
    """Checks files that were exported alone."""
    with pytest.raises(export.CheckError, match=message) as error:
        export.check(folder, require_report=False, **kwargs)
    return error.value


def test_message_names_file_endpoint_difference_and_tolerance(tflite_copy):
    _shift_outputs(tflite_copy, "decode", 0.5)
    error = _fails(tflite_copy.parent, "1 of 4 checks failed")
    (line,) = str(error).splitlines()[1:]
    assert line.startswith(f"{tflite_copy} [decode]: difference 5.00e-01")
    assert "tolerance 1e-04" in line
    assert [row.endpoint for row in error.results] == ENDPOINTS


def test_nothing_to_check(tmp_path):
    (tmp_path / ".exporting-x").mkdir()
    (tmp_path / ".exporting-x" / "half.tflite").write_bytes(b"half")
    _fails(tmp_path, "no SavedModel, .tflite or .onnx file")
    with pytest.raises(export.ExportError, match="gone: No such file or directory"):
        export.check(tmp_path / "gone")


# ---- the folder and its report -------------------------------------------------------


def _edit_report(folder, change):
    path = folder / "report.json"
    written = json.loads(path.read_text())
    change(written)
    path.write_text(json.dumps(written))


def _append(name):
    def append(folder):
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")

    return append


def _remove(name):
    return lambda folder: (folder / name).unlink()


def _edit_file(**fields):
    def change(written):
        written["exports"][0]["files"][0] |= fields

    return lambda folder: _edit_report(folder, change)


SAVED = "serving/digits/1"
SPOILS = {
    "report.json: is missing": _remove("report.json"),
    "SHA256SUMS: is missing": _remove("SHA256SUMS"),
    "SHA256SUMS: line 1 is damaged": lambda folder: (folder / "SHA256SUMS").write_bytes(
        b"\0\n"
    ),
    "SHA256SUMS: cannot be read": lambda folder: (folder / "SHA256SUMS").write_bytes(
        b"\xff"
    ),
    "SHA256SUMS: is empty": lambda folder: (folder / "SHA256SUMS").write_text(""),
    "report.json: has changed": _append("report.json"),
    "report.json: lists no exports": lambda folder: _edit_report(
        folder, lambda written: written.update(exports=[])
    ),
    "report.json: digits version 1 has no files": lambda folder: _edit_report(
        folder, lambda written: written["exports"][0].update(files=[])
    ),
    f"report.json: {SAVED} has no hashes": _edit_file(sha256={}),
    "report.json cannot be read": lambda folder: (folder / "report.json").write_text(
        '{"format": 1,'
    ),
    "'../secret', which is outside": _edit_file(path="../secret"),
    "'/etc/passwd', which is outside": _edit_file(sha256={"/etc/passwd": "0" * 64}),
    "README.md: has changed": _append("README.md"),
    "report.html: has changed": _append("report.html"),
    "serving/models.config: has changed": _append("serving/models.config"),
    "serving/batching.config: is missing": _remove("serving/batching.config"),
    "pictures/digits-v1-decode-Keras-images.png: has changed": _append(
        "pictures/digits-v1-decode-Keras-images.png"
    ),
    f"{SAVED}/saved_model.pb: is missing": _remove(f"{SAVED}/saved_model.pb"),
    f"{SAVED}/assets.extra/golden.npz: has changed": _append(
        f"{SAVED}/assets.extra/golden.npz"
    ),
    f"{SAVED}/more: is new since the export": lambda folder: (
        folder / SAVED / "more"
    ).write_text(""),
    "serving/digits/9: is not in the report": lambda folder: shutil.copytree(
        folder / SAVED, folder / "serving/digits/9"
    ),
    "serving/digits/2: is not in the report": lambda folder: (
        folder / "serving/digits/2"
    ).mkdir(),
    "edge/other.tflite: is not in the report": lambda folder: shutil.copy(
        folder / "edge/digits-v1-float32.tflite", folder / "edge/other.tflite"
    ),
}


def _compare(folder):
    return contents.compare_with_report(folder, contents.find_models(folder))


@pytest.mark.parametrize("line", SPOILS)
def test_folder_that_is_not_as_its_report_says(bundle_copy, line):
    assert _compare(bundle_copy) == []
    SPOILS[line](bundle_copy)
    problems = _compare(bundle_copy)
    assert any(line in problem for problem in problems), problems
    assert not any("\n" in problem for problem in problems)


def test_what_file_managers_leave_is_not_looked_at(bundle_copy):
    for name in (".DS_Store", "._saved_model.pb", "Thumbs.db", "desktop.ini"):
        (bundle_copy / SAVED / name).write_bytes(b"\0")
    assert _compare(bundle_copy) == []


@pytest.mark.parametrize("name", ["README.md", "index.html", "serving/models.config"])
def test_texts_of_others_are_not_overwritten(bundle, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    for write in (
        lambda: export.export_model(None, tmp_path, "m"),
        lambda: export.add_to_page(bundle, tmp_path),
    ):
        with pytest.raises(export.ExportError, match=f"{name} was not written by an"):
            write()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_paths_that_tensorflow_takes_for_patterns_are_refused(tmp_path):
    folder = tmp_path / "run[1]"
    for write in (
        lambda: export.export_model(None, folder, "m"),
        lambda: export.export_saved_model(None, folder),
        lambda: export.export_tflite("m", folder / "m.tflite"),
    ):
        with pytest.raises(export.ExportError, match="TensorFlow takes for a pattern"):
            write()
    assert not folder.exists()


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("serving/m/1", "m/1", "empty"):
        (tmp_path / name).mkdir(parents=True)
    home = re.escape(str(tmp_path))
    for call, message in (
        (lambda: export.export_model(None, "~", "m"), f"^{home}/serving/m/1 exists"),
        (lambda: export.export_saved_model(None, "~/m"), f"^{home}/m/1 exists"),
        (lambda: export.export_tflite("~/empty", "~/a.tflite"), f"{home}/empty"),
        (lambda: export.check("~/empty"), f"^{home}/empty: no SavedModel"),
        (lambda: export.add_to_page("~/empty", "~/page"), f"^{home}/empty has"),
    ):
        with pytest.raises((export.ExportError, export.CheckError), match=message):
            call()
    assert not (tmp_path / "~").exists()


def test_every_file_has_a_hash_that_sha256sum_confirms(bundle):
    listed = [
        line.split("  ", 1)[1]
        for line in (bundle / "SHA256SUMS").read_text().splitlines()
    ]
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert set(listed) == files - {"SHA256SUMS"}
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
        subprocess.run(command, cwd=bundle, check=True)


def test_sums_and_report_vouch_for_each_other(bundle_copy):
    """Neither a changed hash nor a line that is gone makes a file right."""
    file = bundle_copy / "edge/digits-v1-float32.tflite"
    before = hashes.hash_file(file)
    file.write_bytes(file.read_bytes() + b" ")
    sums = (bundle_copy / "SHA256SUMS").read_text()
    sums = sums.replace(before, hashes.hash_file(file))
    lines = [line for line in sums.splitlines(True) if "README" not in line]
    (bundle_copy / "SHA256SUMS").write_text("".join(lines))
    assert _compare(bundle_copy) == [
        "edge/digits-v1-float32.tflite: has changed since it was exported",
        "README.md: is not in SHA256SUMS",
    ]


def test_links_that_lead_out_of_sums_are_refused(bundle_copy):
    with (bundle_copy / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  edge/../../secret\n")
    (problem,) = _compare(bundle_copy)
    assert "'edge/../../secret', which is outside" in problem


def test_an_older_exports_changed_file_is_not_taken_for_right(bundle_copy):
    file = bundle_copy / "edge/digits-v1-float32.tflite"
    file.write_bytes(file.read_bytes() + b" ")
    hashes.write(bundle_copy, report.read(bundle_copy))  # as another export does
    assert _compare(bundle_copy) == [
        "edge/digits-v1-float32.tflite: has changed since it was exported"
    ]


def test_what_git_does_to_files_is_named(bundle_copy):
    """Line endings (actions/runner-images#32), LFS (huggingface/transformers#8497)."""
    for name in ("SHA256SUMS", "report.json", "serving/models.config"):
        text = (bundle_copy / name).read_bytes()
        assert b"\r" not in text
        (bundle_copy / name).write_bytes(text.replace(b"\n", b"\r\n"))
    edge = "edge/digits-v1-float32.tflite"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (bundle_copy / edge).write_bytes(pointer)
    endings = "has the line endings of Windows: git config core.autocrlf false"
    assert _compare(bundle_copy) == [
        f"{edge}: is a pointer of Git LFS in place of the file: run git lfs pull",
        f"report.json: {endings}",
        f"serving/models.config: {endings}",
    ]


def test_a_part_is_held_to_the_report_of_the_whole(bundle_copy):
    (bundle_copy / "README.md").unlink()
    edge = bundle_copy / "edge"
    assert _compare(edge) == []
    assert _compare(bundle_copy / SAVED) == []
    shutil.copy(edge / "digits-v1-float32.tflite", edge / "b.tflite")
    (edge / "digits-v1-float16.golden.npz").unlink()
    with pytest.raises(export.CheckError) as error:
        export.check(edge)
    lines = str(error.value).splitlines()
    assert "edge/digits-v1-float16.golden.npz: is missing" in lines
    assert "edge/b.tflite: is not in the report: no export wrote it" in lines
    assert any("digits-v1-float16.tflite [-]" in line for line in lines)
    assert {row.ok for row in error.value.results} == {True, False}


def test_links_in_circles_end(bundle_copy):
    (bundle_copy / "edge" / "up").symlink_to("..")
    assert len(contents.find_models(bundle_copy)) == 3


def test_a_record_without_its_model(bundle_copy):
    (bundle_copy / SAVED / "saved_model.pb").unlink()
    (bundle_copy / "edge/digits-v1-float16.tflite").unlink()
    assert contents.find_orphans(bundle_copy) == [
        "edge/digits-v1-float16.golden.npz: its model is missing "
        "(digits-v1-float16.tflite)",
        f"{SAVED}/assets.extra/golden.npz: its model is missing (saved_model.pb)",
    ]


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


def test_swapped_endpoints(tflite_copy):
    _rewrite(
        tflite_copy,
        lambda record: (
            record
            | {"reconstruct": record["negative"], "negative": record["reconstruct"]}
        ),
    )
    error = _fails(tflite_copy.parent, "reconstruct")
    failed = {row.endpoint for row in error.results if not row.ok}
    assert failed == {"reconstruct", "negative"}


def test_endpoints_that_do_not_fit_the_record(tflite_copy):
    def change(record):
        encode = record["encode"]
        encode.outputs["scale"] = encode.outputs.pop("stddev")
        return {
            "reconstruct": record["decode"],  # of other inputs
            "encode": encode,
            "more": record["decode"],
            "decode": golden.Golden(record["decode"].inputs, {}),
        }

    _rewrite(tflite_copy, change)
    error = _fails(tflite_copy.parent, "5 of 5 checks failed")
    problems = {row.endpoint: row.problem for row in error.results}
    assert problems["reconstruct"].startswith("cannot be run: ")
    assert problems["encode"] == (
        "gives ['mean', 'stddev'], and Keras ['mean', 'scale']"
    )
    assert problems["more"] == "missing from the file"
    assert problems["negative"] == "missing from the golden record"
    assert problems["decode"] == "the golden record has no outputs of it"


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


@pytest.mark.parametrize(
    ("expected", "answer", "problem"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"is \(3, 2\), in Keras \(2, 3\)"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "record of 'y' is empty"),
        (np.array([b"a"]), np.array([1.0]), r"is float64, in Keras \|S1"),
        (np.array([1.0]), np.array([b"a"]), r"is \|S1, in Keras float64"),
        (np.array([np.nan]), np.array([np.nan]), "Keras itself gave NaN"),
    ],
)
def test_arrays_that_cannot_be_compared(expected, answer, problem):
    answers = agreement.compare({"y": expected}, {"y": answer})
    assert re.search(problem, answers["problem"])


def test_record_missing_or_empty(tflite_copy):
    record = golden.path_of(tflite_copy)
    np.savez(record)
    _fails(tflite_copy.parent, "empty golden record")
    record.unlink()
    _fails(tflite_copy.parent, "no golden record")


def test_damage_anywhere_in_a_record_is_one_line(tflite_copy):
    """Bytes changed at many places: it is read as it was, or refused in one line."""
    record = golden.path_of(tflite_copy)
    whole = record.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for start in range(0, len(whole), max(1, len(whole) // 150)):
        spoilt = bytearray(whole)
        spoilt[start : start + 4] = rng.bytes(len(spoilt[start : start + 4]))
        record.write_bytes(spoilt)
        try:
            golden.read(tflite_copy)
        except export.ExportError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert not any("\n" in refusal for refusal in refusals)
    for key in ("decode", "decode/inputs", "decode/weights/x", "decode/inputs/"):
        np.savez(record, **{key: np.zeros(3)})
        with pytest.raises(export.ExportError, match="unreadable golden record"):
            golden.read(tflite_copy)


# ---- the fresh process ---------------------------------------------------------------


def test_child_of_tflite_imports_neither_tfgen_nor_tensorflow(
    tflite_copy, tmp_path, monkeypatch
):
    for name in ("tfgen", "tensorflow", "keras"):
        _plant(tmp_path, monkeypatch, f"{name}.py", "raise RuntimeError('imported')")
    assert export.check(tflite_copy.parent, require_report=False)


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
