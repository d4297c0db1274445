import re
import subprocess
import sys

import pytest

import export

from .serving_double import ModelsDouble, RestDouble

PURE = """
import sys, export
assert callable(export.check)
heavy = {"tensorflow", "keras", "tfgen"} & set(sys.modules)
assert not heavy, heavy
"""


def test_import_is_light(pytestconfig):
    subprocess.run([sys.executable, "-c", PURE], cwd=pytestconfig.rootpath, check=True)


def test_public_names():
    assert dir(export) == [
        "CheckError",
        "CheckResult",
        "Client",
        "ExportError",
        "add_to_page",
        "check",
        "export_model",
        "export_onnx",
        "export_saved_model",
        "export_tflite",
    ]
    assert all(getattr(export, name) for name in dir(export))
    assert issubclass(export.CheckError, export.ExportError)
    assert issubclass(export.ExportError, RuntimeError)
    with pytest.raises(AttributeError, match="no attribute 'tflight'"):
        export.tflight  # noqa: B018


def test_names_stay_functions_after_their_modules_load(shipped):
    assert callable(export.check)


def test_no_module_imports_tfgen(pytestconfig):
    for path in (pytestconfig.rootpath / "export").glob("*.py"):
        assert not re.search(r"^\s*(import|from) tfgen", path.read_text(), re.M), path


@pytest.mark.large
def test_example_of_the_docstring_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", export.__doc__, re.DOTALL)
    # What it times: see test_latency.py.
    quick = example.replace("examples=", "latency_seconds=0,\n    examples=")
    assert quick != example
    exec(compile(quick, "example", "exec"), {"__name__": "example"})
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 5  # the SavedModel's endpoint, twin and default; two .tflite's
    assert lines[0].startswith("shipped/edge/brighten-v1-float32.tflite [brighten]")
    assert all(line.endswith(": ok") for line in lines)


SNIPPETS = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("imported", ["Client", "ai_edge_litert", "onnxruntime"])
def test_snippets_of_the_readme_run(imported, request, pytestconfig, monkeypatch):
    """On a folder that has what they name, and a server that has the model."""
    text = (pytestconfig.rootpath / "export" / "README.md").read_text()
    (snippet,) = [code for code in SNIPPETS.findall(text) if imported in code]
    bundle = request.getfixturevalue("bundle")
    if imported == "onnxruntime":
        pytest.importorskip("onnxruntime", reason='needs: pip install "tfgen[onnx]"')
        written = request.getfixturevalue("tmp_path") / "onnx"
        pytest.importorskip("tf2onnx", reason='needs: pip install "tfgen[onnx]"')
        shipped = request.getfixturevalue("shipped")
        export.export_onnx(shipped.model, written, "digits-v1", ["decode"])
        snippet = snippet.replace("shipped/onnx", str(written))
    elif imported == "Client":
        models = ModelsDouble({"digits": bundle / "serving" / "digits"})
        server = RestDouble(models)
        request.addfinalizer(server.close)
        snippet = snippet.replace("http://localhost:8501", server.address)
    names = {}
    # The model of these tests has 4 latent variables, and 8x8 images.
    code = snippet.replace("8), ", "4), ").replace("shipped/", f"{bundle}/")
    exec(compile(code, "README.md", "exec"), names)
    assert names["images"].shape[1:] == (8, 8, 1)
