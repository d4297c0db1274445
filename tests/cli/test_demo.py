"""`tfgen demo`: the page of a run and of an export, and what it says of latents."""

import json
import re
import threading
import urllib.request

from tests.runs import run_tfgen
from tfgen.latent.finding import find_directions
from tfgen.presets import list_presets
from tfgen.training import Run
from tfgen.training.demo_page import describe_page


def write_packages(folder):
    """Writes npm packages whose code no test here runs."""
    for path in ("core/package.json", "core/dist/index.js", "wasm-utils/dist/index.js"):
        file = folder / "node_modules/@litertjs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"version": "2.5.3"}))
    return folder


def test_latents_are_in_the_order_of_traverse(vae_run):
    page = describe_page(Run(vae_run))
    importances = [float(row["label"].split()[2]) for row in page["latents"]]
    assert importances == sorted(importances, reverse=True)
    assert sorted(row["index"] for row in page["latents"]) == [0, 1, 2]
    assert all(" nats, " in row["label"] for row in page["latents"])
    assert [len(row["vector"]) for row in page["directions"]] == [3, 3, 3]
    assert page["directions"][0]["label"] == "towards class_0"
    json.dumps(page, allow_nan=False)


def test_a_gan_has_directions_that_need_no_data(gan_run, tmp_path):
    """Those of `tfgen traverse`, and the data's classes where the data are there."""
    run = Run(gan_run)
    page = describe_page(run)
    assert page["classes"] == ["class_0", "class_1", "class_2"]
    directions, _ = find_directions(run.endpoints, "sefa", 8)
    for row, direction in zip(page["directions"], directions, strict=True):
        assert re.fullmatch(r"SeFa \d: \d+% of the variance", row["label"])
        assert (row["vector"], row["span"]) == (direction.tolist(), 3.0)
    gone, lines = Run(gan_run, data=tmp_path / "gone"), []
    vars(gone).update(model=run.model, endpoints=run.endpoints)
    without = describe_page(gone, lines.append)
    assert without["directions"] == page["directions"]
    assert "classes" not in without
    assert "does not say what latent variables mean" in lines[0]


def test_a_run_becomes_a_page_without_a_browser(vae_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")  # no Chromium: the packages below run nowhere
    packages = write_packages(tmp_path / "npm")
    flags = ("--out", tmp_path / "demo", "--runtime", packages, "--quantize", "float32")
    assert run_tfgen("demo", vae_run, *flags) == 0
    assert f"LiteRT.js from {packages}" in capsys.readouterr().out
    models = json.loads((tmp_path / "demo/web/models.json").read_text())
    (model,) = models["models"]
    assert models["runtimes"]["litert"]["version"] == "2.5.3"
    assert len(model["page"]["latents"]) == 3
    assert (tmp_path / "demo" / model["files"][0]["path"]).is_file()
    # What is exported already is taken into another page as it is.
    again = ("--out", tmp_path / "again", "--runtime", packages)
    assert run_tfgen("demo", tmp_path / "demo", *again) == 0
    copied = json.loads((tmp_path / "again/web/models.json").read_text())
    assert copied == models
    assert run_tfgen("check", tmp_path / "again") == 0
    # A model once in a page is not written over.
    assert run_tfgen("demo", tmp_path / "demo", *again) == 2
    capsys.readouterr()
    assert run_tfgen("demo", vae_run, *flags) == 2
    assert "already: name another --out" in capsys.readouterr().err


def test_a_runtime_that_is_not_there_is_named(vae_run, tmp_path, capsys):
    flags = ("--out", tmp_path / "demo", "--runtime", tmp_path)
    assert run_tfgen("demo", vae_run, "--quantize", "float32", *flags) == 2
    assert "npm install @litertjs/core" in capsys.readouterr().err
    assert not (tmp_path / "demo/report.json").exists()


def test_the_zoo_is_one_page_of_every_trained_preset(tmp_path, monkeypatch, capsys):
    added = []

    def add(model, out, **options):
        added.append(model)
        return [{"name": model, "web": {"runtime": "npm"}}]

    monkeypatch.setattr("tfgen.cli.demo.add", add)
    assert run_tfgen("demo", "--zoo", "--out", tmp_path) == 0
    assert added == list_presets(trained=True) != []
    assert "vae_mnist_5k: LiteRT.js from npm" in capsys.readouterr().out
    assert run_tfgen("demo", "--out", tmp_path) == 2
    assert "or --zoo for all" in capsys.readouterr().err


def test_open_serves_the_page_and_opens_it(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("a page")
    opened, read = [], []

    def serve_one(server):
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with urllib.request.urlopen(opened[0]) as answer:
            read.append(answer.read())
        thread.join()

    monkeypatch.setattr("webbrowser.open", opened.append)
    server = "http.server.ThreadingHTTPServer.serve_forever"
    monkeypatch.setattr(server, serve_one)
    monkeypatch.setattr("tfgen.cli.demo.add", lambda *arguments, **options: [])
    assert run_tfgen("demo", "run", "--open", "--out", tmp_path) == 0
    assert read == [b"a page"]
