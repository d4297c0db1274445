"""A whole export: what lies where, and that nothing lies there half."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf

import export
from export import bundle
from export.report import hashes, report

from .small import LATENTS, Endpoints


def make_model(factor=2.0):
    @tf.function(input_signature=[LATENTS])
    def scale(latents):
        return {"y": factor * latents * model.scale.value}

    model = Endpoints(scale=scale)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two versions of one name, the second in two quantizations."""
    folder = tmp_path_factory.mktemp("bundle") / "out"
    export.export_model(
        make_model(), folder, "scaler", latency_seconds=0.05, licence="CC0"
    )
    steps = []
    export.export_model(
        make_model(3.0),
        folder,
        "scaler",
        2,
        quantizations=["float32", "float16"],
        latency_seconds=0,
        progress=steps.append,
    )
    assert steps == ["SavedModel", "TFLite float32", "TFLite float16", "report"]
    return folder


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_lies_where(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "SHA256SUMS",
        "edge",
        "report.html",
        "report.json",
        "serving",
    ]
    assert names_in(folder / "serving")[:3] == [
        "batching.config",
        "models.config",
        "scaler",
    ]
    assert (folder / "serving/scaler/2/saved_model.pb").is_file()
    assert {path.name for path in (folder / "edge").glob("*.tflite")} == {
        "scaler-v1-float32.tflite",
        "scaler-v2-float16.tflite",
        "scaler-v2-float32.tflite",
    }
    assert not list(folder.rglob(".*"))


def test_the_report_holds_both_versions(folder):
    first, second = json.loads((folder / "report.json").read_text())["exports"]
    assert [first["version"], second["version"]] == [1, 2]
    assert first["licence"] == "CC0"
    assert first["endpoints"]["scale"]["inputs"] == {
        "latents": {"dtype": "float32", "shape": [None, 4], "range": ""}
    }
    runtimes = {figure["runtime"] for figure in first["latency"]}
    assert runtimes == {"Keras predict", "Keras litert export", "SavedModel", "LiteRT"}
    assert second["latency"] == []
    for file in (*first["files"], *second["files"]):
        assert all(row["ok"] for row in file["rows"])
        assert all((folder / path).is_file() for path in file["sha256"])
    saved = first["files"][0]
    assert saved["path"] == "serving/scaler/1"
    assert f"{saved['path']}/assets.extra/tf_serving_warmup_requests" in saved["sha256"]


@pytest.mark.large
def test_check_finds_any_change(folder):
    """And nothing else: every file is run, and is right."""
    assert hashes.verify(folder, report.read(folder)) == []
    file = folder / "edge" / "scaler-v2-float32.tflite"
    before = file.read_bytes()
    # In the description: no number changes.
    file.write_bytes(before.replace(b"not bounded", b"not Bounded", 1))
    try:
        with pytest.raises(export.CheckError) as error:
            export.check(folder)
        summary, line = str(error.value).splitlines()
        assert summary.startswith("1 of ")
        assert "scaler-v2-float32.tflite" in line
        assert len({row.file for row in error.value.results}) == 5
        assert all(row.ok for row in error.value.results)
    finally:
        file.write_bytes(before)


def test_modes_are_those_of_the_umask(folder):
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.rglob("*"):
        full = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & 0o777 == full & ~umask, path


def test_a_version_is_one_model_in_every_format(tmp_path):
    options = {"latency_seconds": 0}
    export.export_model(make_model(), tmp_path, "m", formats=["edge"], **options)
    before = names_in(tmp_path)
    for formats in (["edge"], ["serving"]):
        with pytest.raises(export.ExportError, match=r"float32.* exists already"):
            export.export_model(
                make_model(3.0), tmp_path, "m", formats=formats, **options
            )
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("other", ["m", "n"])
def test_another_export_that_comes_first_is_kept_whole(tmp_path, other):
    """Of one version, the first to be published wins; of two names, both are there."""

    def come_first(step):
        if step == "report":
            export.export_model(make_model(3.0), tmp_path, other, **options)

    def run():
        export.export_model(make_model(), tmp_path, "m", progress=come_first, **options)

    options = {"formats": ["edge"], "latency_seconds": 0}

    if other == "m":
        with pytest.raises(export.ExportError, match="exists already"):
            run()
    else:
        run()
    names = [entry["name"] for entry in report.read(tmp_path)["exports"]]
    assert names == sorted({"m", other})
    assert hashes.verify(tmp_path, report.read(tmp_path)) == []
    assert len(list((tmp_path / "edge").glob("*.tflite"))) == len(names)
    assert not list(tmp_path.rglob(".*"))


def test_a_version_is_not_replaced(folder):
    before = names_in(folder)
    with pytest.raises(export.ExportError, match="scaler/1 exists already: choose an"):
        export.export_model(make_model(), folder, "scaler", latency_seconds=0)
    assert names_in(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a/b"}, "letters, digits.*'a/b'"),
        ({"name": ".hidden"}, "letters, digits"),
        ({"version": 0}, "positive integer"),
        ({"formats": ["coreml"]}, "`formats` must be some of serving, edge, onnx"),
        ({"formats": []}, "`formats` must be some of"),
        ({"quantizations": "int8"}, "`quantizations` must be some of"),
        ({"quantizations": ["int4"]}, "float32, float16, dynamic_int8, int8"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(arguments, message, tmp_path):
    arguments = {"name": "m", "latency_seconds": 0, **arguments}
    with pytest.raises(export.ExportError, match=message):
        export.export_model(make_model(), tmp_path / "out", **arguments)
    assert not list(tmp_path.rglob("*.pb"))


def test_a_file_that_differs_leaves_nothing(tmp_path, monkeypatch):
    check_file = bundle.check_file

    def spoil(file):
        return [
            dataclasses.replace(r, ok=False, difference=0.5) for r in check_file(file)
        ]

    monkeypatch.setattr(bundle, "check_file", spoil)
    options = {"formats": ["serving"], "latency_seconds": 0}
    with pytest.raises(export.CheckError, match=r"serving/m/1 \[scale\]: differs"):
        export.export_model(make_model(), tmp_path, "m", **options)
    assert names_in(tmp_path) == []


def test_only_the_formats_that_were_asked_for(tmp_path):
    pytest.importorskip("tf2onnx", reason='needs: pip install "tfgen[onnx]"')
    pytest.importorskip("onnxruntime", reason='needs: pip install "tfgen[onnx]"')
    export.export_model(make_model(), tmp_path, "m", formats=["onnx"])
    assert not (tmp_path / "serving").exists()
    assert not (tmp_path / "edge").exists()
    assert (tmp_path / "onnx" / "m-v1-scale.onnx").is_file()
    (row,) = export.check(tmp_path)
    assert (row.format, row.endpoint) == ("onnx", "scale")
    assert row.difference <= np.float64(1e-4)
