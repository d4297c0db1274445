"""The README of an exported folder: what can be run of it is extracted and run."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse

import markdown_it
import numpy as np
import pytest
import tensorflow as tf

from export.report import guide, report, snippets, wording
from export.report.templates import markdown
from export.serving.twins import example_bytes

from .serving_double import ModelsDouble, PredictionServiceDouble, RestDouble

NAME = 'odd "näme" $(x)'
FENCE = re.compile(r"^```(\w+)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
REST, GRPC = "http://localhost:8501", "localhost:8500"


def _file(path, file_format, endpoints):
    rows = [{"endpoint": name, "difference": 0.0, "ok": True} for name in endpoints]
    common = {"quantization": "float32", "size_bytes": 1000, "sha256": {}}
    return {"path": path, "format": file_format, "rows": rows, **common}


def _export(name, version, endpoints, edge=()):
    files = [_file(f"serving/{name}/{version}", "saved_model", endpoints)]
    if edge:
        path = f"edge/{name}-v{version}-float32.tflite"
        files.append(_file(path, "tflite", edge))
    return {"name": name, "version": version, "endpoints": endpoints, "files": files}


def _write(directory, *exports):
    guide.write(directory, {"format": 1, "exports": list(exports)})
    return (directory / "README.md").read_text(encoding="utf-8")


def _blocks(text, language):
    return [code for found, code in FENCE.findall(text) if found == language]


def _section(text, title, level="###"):
    """Returns what stands below a heading, down to the next one."""
    start = text.index(f"\n{level} {title}\n") + 1
    return re.split(r"\n#", text[start:], maxsplit=1)[0]


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    """An exported folder whose model has an odd name, and the README."""
    folder = tmp_path_factory.mktemp("exported")
    (entry,) = report.read(bundle)["exports"]
    renamed = {"serving/digits/1": f"serving/{NAME}/2"}
    renamed |= {
        file["path"]: file["path"].replace("digits-v1", f"{NAME}-v2")
        for file in entry["files"][1:]
    }
    for old, new in renamed.items():
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (bundle / old).is_dir() else shutil.copy
        copy(bundle / old, folder / new)
    files = [file | {"path": renamed[file["path"]]} for file in entry["files"]]
    text = _write(folder, entry | {"name": NAME, "version": 2, "files": files})
    (folder / "photo.png").write_bytes(example_bytes(np.full((1, 8, 8, 1), 0.5))[0])
    return folder, text, entry["endpoints"]


@pytest.fixture(scope="module")
def servers(exported):
    """Test doubles of TensorFlow Serving; they say what they leave out."""
    models = ModelsDouble({NAME: exported[0] / "serving" / NAME})
    doubles = RestDouble(models), PredictionServiceDouble(models)
    yield doubles
    for double in doubles:
        double.close()


def _run(command, folder):
    ran = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{pathlib.Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


# ---- snippets that run ---------------------------------------------------------------


def test_python_of_the_device_runs_without_tensorflow(exported):
    folder, text, _ = exported
    (code,) = _blocks(_section(text, f"{markdown(NAME)} in Python"), "python")
    ending = "\nimport sys; assert 'tensorflow' not in sys.modules"
    printed = _run([sys.executable, "-c", code + ending], folder).splitlines()
    expected = re.findall(r"print\(.*\)  # \w+ (\(.*?\))", code)
    assert printed == expected
    assert len(printed) == 5  # reconstruct, negative, decode: 1; encode: 2
    assert "(1, 8, 8, 1)" in printed


def _body_makers(text, endpoints):
    for endpoint in endpoints:
        script = _blocks(_section(text, f"`{endpoint}`"), "sh")[0]
        words = shlex.split(script)
        assert words[:2] == ["python3", "-c"]
        yield endpoint, words


def test_bodies_are_json_of_the_right_shapes(exported):
    folder, text, endpoints = exported
    for endpoint, words in _body_makers(text, endpoints):
        body = json.loads(_run([sys.executable, *words[1:3]], folder))
        assert body["signature_name"] == endpoint
        specs = endpoints[endpoint]["inputs"]
        assert set(body["inputs"]) == set(specs)
        for name, spec in specs.items():
            shape = (1, *spec["shape"][1:])
            array = np.array(body["inputs"][name])
            assert array.shape == shape
            if spec["dtype"] == "string":
                assert set(array[0]) == {"b64"}
            else:
                assert array.dtype.kind == np.dtype(spec["dtype"]).kind


def test_address_is_quoted(exported):
    _, text, endpoints = exported
    for _, words in _body_makers(text, endpoints):
        (url,) = [word for word in words if word.startswith(REST)]
        path = url.removeprefix(f"{REST}/v1/models/").removesuffix(":predict")
        assert re.fullmatch(r"[\w%.~-]+", path)
        assert urllib.parse.unquote(path) == NAME


def test_every_curl_call_is_answered(exported, servers):
    if shutil.which("curl") is None:
        pytest.skip("the calls of the README need curl: install it to run them")
    folder, text, endpoints = exported
    for endpoint in endpoints:
        (script,) = _blocks(_section(text, f"`{endpoint}`"), "sh")
        assert script.count(REST) == 1
        _run(["bash", "-ec", script.replace(REST, servers[0].address)], folder)
        answer = json.loads((folder / "answer.json").read_text())
        assert list(answer) == ["outputs"], answer
        if "image_bytes" in endpoints[endpoint]["outputs"]:
            image = tf.io.decode_png((folder / "image.png").read_bytes())
            assert image.shape == (8, 8, 1)
            (folder / "image.png").unlink()


def _exec(code, address):
    """Runs Python that calls a server, in this process, which has TensorFlow loaded."""
    assert code.count(GRPC) == 1
    code = code.replace(GRPC, address.removeprefix("grpc://"))
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_every_grpc_call_is_answered(exported, servers, monkeypatch, capsys):
    folder, text, endpoints = exported
    monkeypatch.chdir(folder)
    for endpoint, specs in endpoints.items():
        (code,) = _blocks(_section(text, f"`{endpoint}`"), "python")
        _exec(code, servers[1].address)
        numbers = {k: v for k, v in specs["outputs"].items() if v["dtype"] != "string"}
        shapes = [str((1, *spec["shape"][1:])) for spec in numbers.values()]
        assert capsys.readouterr().out.splitlines() == shapes, endpoint
        if "image_bytes" in specs["outputs"]:
            image = tf.io.decode_png(pathlib.Path("image.png").read_bytes())
            assert image.shape == (8, 8, 1)
            pathlib.Path("image.png").unlink()


def test_call_without_this_package_is_answered(exported, servers, capsys):
    section = _section(exported[1], "Call without this package", "##")
    (code,) = _blocks(section, "python")
    assert "export" not in code
    _exec(code, servers[1].address)
    assert capsys.readouterr().out == "{'images': (1, 8, 8, 1)}\n"


# ---- what cannot be run here ---------------------------------------------------------


def test_kotlin_and_swift_have_true_names_and_sizes(exported):
    text = exported[1]
    kotlin = "\n".join(_blocks(text, "kotlin"))
    swift = "\n".join(_blocks(text, "swift"))
    for name in ("reconstruct", "negative", "encode", "decode"):
        assert f'runSignature(inputs, outputs, "{name}")' in kotlin
        assert f'signatureRunner(with: "{name}")' in swift
    assert "sample" not in kotlin + swift
    assert '"latents" to buffer(4 * 4),  // float32 (1, 4)\n' in kotlin
    assert '"images" to buffer(4 * 64),  // float32 (1, 8, 8, 1) in [0, 1]' in kotlin
    floats = "bytes([Float32](repeating: 0.5, count: 64))"
    assert f'"images": {floats},  // float32 (1, 8, 8, 1) in [0, 1]' in swift
    assert 'openFd("odd \\"näme\\" \\$(x)-v2-float32.tflite")' in kotlin
    assert 'forResource: "odd \\"näme\\" $(x)-v2-float32"' in swift
    for code in (kotlin, swift):
        for opening, closing in ("()", "{}", "[]"):
            assert code.count(opening) == code.count(closing)


def test_docker_serves_the_folder_with_its_configs(exported):
    section = _section(exported[1], "Serve with Docker", "##")
    (script,) = _blocks(section, "sh")
    words = shlex.split(script.replace("\\\n", ""))
    assert words[:2] == ["docker", "run"]
    assert "type=bind,source=$PWD/serving,target=/models,readonly" in words
    image = words.index("tensorflow/serving")
    assert {"8500:8500", "8501:8501"} <= set(words[:image])
    assert set(words[image + 1 :]) == {
        "--model_config_file=/models/models.config",
        "--model_config_file_poll_wait_seconds=60",
        "--enable_batching",
        "--batching_parameters_file=/models/batching.config",
    }
    assert "fails the whole batch" in section


# ---- the report decides --------------------------------------------------------------

VALUES = {"shape": [None, 4], "dtype": "float32"}


def _simple(name, version, **more):
    endpoints = {"run": {"inputs": {"x": VALUES}, "outputs": {"y": VALUES}}}
    return _export(name, version, endpoints, ["run"]) | more


def test_newest_version_of_every_name_is_called(tmp_path):
    text = _write(
        tmp_path,
        _simple("gan", 1),
        _simple("vae", 10, description="Ten."),
        _simple("vae", 9),
    )
    assert "Served: `gan` version 1, `vae` version 10." in text
    assert "- **vae**, version 9" in text
    assert "- **vae**, version 10: Ten." in text
    assert "edge/vae-v10-float32.tflite" in text
    assert "edge/vae-v9-float32.tflite" not in text
    assert text.count("\n## Call vae\n") == 1


def test_advice_is_given_on_files_that_are_present(tmp_path):
    one = _simple("vae", 1)
    one["files"].append(one["files"][1] | {"quantization": "int8", "path": "edge/i"})
    text = _write(tmp_path, one)
    advice = re.findall(r"^- `(\w+)`: ", text, re.MULTILINE)
    assert advice == ["float32", "int8"]
    for file in one["files"][1:]:
        sentence = markdown(wording.sentence(file))
        assert f"| .tflite {file['quantization']} | 1.00 kB | {sentence} |" in text
    one["files"] = one["files"][:1]
    assert "Run on a device" not in _write(tmp_path, one)


def test_licence_and_check_are_told(tmp_path):
    text = _write(tmp_path, _simple("vae", 1, licence="CC BY-SA 4.0, OpenMoji"))
    licence = _section(text, "Licence and attribution", "##")
    assert "- vae, version 1: CC BY-SA 4.0, OpenMoji" in licence
    assert "tfgen check ." in _section(text, "Check", "##")
    assert "Licence" not in _write(tmp_path, _simple("vae", 1))


def test_words_of_a_user_are_not_markup(tmp_path):
    text = _write(
        tmp_path,
        _simple("a`b", 1, description="# x\n\n```sh\n<b>[y](z)", licence="*l*\n# m"),
    )
    assert "\\# x \\`\\`\\`sh \\<b\\>\\[y\\](z)" in text
    assert "\\*l\\* \\# m" in text
    assert "`` a`b `` version 1" in text


NASTY = "<script>\n\n```\n# `x` \"q\" 'q' | [a](b) **b** $(d) \\ \u2028 &lt; ~~s~~ "
STRUCTURE = ("format", "quantization", "dtype")


def _spoil(value, spoil_keys=False):
    """Puts hostile text before every string, and before names of endpoints."""
    if isinstance(value, list):
        return [_spoil(item) for item in value]
    if isinstance(value, dict):
        return {
            (NASTY + key if spoil_keys else key): (
                item
                if key in STRUCTURE
                else _spoil(item, key in ("endpoints", "inputs", "outputs"))
                if key != "endpoints"
                else {
                    NASTY + name: {
                        kind: _spoil(specs, spoil_keys=True)
                        for kind, specs in endpoint.items()
                    }
                    for name, endpoint in item.items()
                }
            )
            for key, item in value.items()
        }
    return NASTY + value if isinstance(value, str) else value


def _parse(text):
    """Returns the blocks of a text in Markdown, and what stands within its lines."""
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child.type for token in tokens for child in token.children or []]
    return [(token.type, token.tag, token.info) for token in tokens], inline


def test_hostile_text_anywhere_in_a_report_changes_no_structure(bundle):
    (entry,) = report.read(bundle)["exports"]
    entry |= {"licence": "CC0", "description": "Digits."}
    onnx = entry["files"][1] | {"format": "onnx", "path": "onnx/a.onnx"}
    entry["files"].append(onnx)
    clean = guide.render({"exports": [entry]})
    dirty = guide.render({"exports": [_spoil(entry)]})
    assert dirty.count("script") > 100
    blocks, inline = _parse(clean)
    dirty_blocks, dirty_inline = _parse(dirty)
    assert dirty_blocks == blocks
    for markup in ("html_inline", "link_open", "image", "strong_open", "em_open"):
        assert dirty_inline.count(markup) == inline.count(markup), markup
    assert "html_inline" not in inline
    for code in _blocks(dirty, "python"):
        compile(code, "snippet", "exec")
    for code in _blocks(dirty, "sh"):
        subprocess.run(["bash", "-n", "-c", code], check=True)
    for language in ("kotlin", "swift"):
        lines = len(_blocks(clean, language)), len("".join(_blocks(clean, language)))
        assert lines[0] == len(_blocks(dirty, language))
        assert all("<script>\n" not in code for code in _blocks(dirty, language))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "`a`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("a\n b", "`a b`")],
)
def test_code_within_a_line(text, shown):
    assert snippets.code(text) == shown


def test_the_guide_says_what_was_run_and_which_runtimes(exported):
    text = " ".join(exported[1].split())
    for language in ("Kotlin", "Swift"):
        (section,) = re.findall(rf"in {language} (.{{40}})", text)
        assert section.startswith("**Not run by this project**")
    for words in ("TensorFlow 2.17, 2.20 and 2.21", "LiteRT (`ai-edge-litert`) 2.3 or",
                  "Browsers: ", "Give each thread its own", "SHA256SUMS"):  # fmt: skip
        assert words in text


def test_every_type_has_a_filler(tmp_path):
    free = [None, None, None, 3]
    specs = {
        "images": {"dtype": "float32", "shape": free, "range": "[0, 1]"},
        "seeds": {"dtype": "int64", "shape": [None]},
        "lambda": {"dtype": "bool", "shape": [None, 2]},
        "prompt": {"dtype": "string", "shape": [None]},
    }
    endpoints = {"run": {"inputs": specs, "outputs": {"y": VALUES}}}
    text = _section(_write(tmp_path, _export("m", 1, endpoints)), "`run`")
    words = shlex.split(_blocks(text, "sh")[0])
    inputs = json.loads(_run([sys.executable, *words[1:3]], tmp_path))["inputs"]
    assert np.array(inputs["images"]).shape == (1, 64, 64, 3)
    assert set(np.ravel(inputs["images"])) == {0.5}
    assert (inputs["seeds"], inputs["prompt"]) == ([0], ["text"])
    assert inputs["lambda"] == [[False, False]]
    (code,) = _blocks(text, "python")
    compile(code, "snippet", "exec")
    assert '**{"lambda": np.full((1, 2), False, "bool")}' in code


def test_failure_leaves_the_older_file(tmp_path, monkeypatch):
    before = _write(tmp_path, _simple("vae", 1))

    def fail(self, *args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pathlib.Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        _write(tmp_path, _simple("gan", 1))
    monkeypatch.undo()
    assert (tmp_path / "README.md").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
