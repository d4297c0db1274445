"""The page's own sources: no build step, no text taken for markup, no foreign host."""

import json
import re

import pytest

from export.errors import ExportError
from export.formats import web
from export.web.runtimes import Runtimes, find_runtimes

SCRIPTS = {name: (web.SOURCES / name).read_text() for name in ("demo.js", "runtime.js")}
# Ways by which a text becomes markup or code.
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc"
    r"|createContextualFragment|\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:"
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_keep_the_rules(name):
    source = SCRIPTS[name]
    assert UNSAFE.findall(source) == []
    assert re.findall(r"https?://", source) == []
    assert re.findall(r"\b(?:var|alert|debugger)\b|[^=!]==[^=]|!=[^=]", source) == []
    assert not any(line.rstrip() != line or "\t" in line for line in source.split("\n"))


def test_the_page_is_small():
    lines = [source.count("\n") for source in SCRIPTS.values()]
    assert max(lines) <= 670
    assert sum(lines) <= 900


def test_rules_find_what_breaks_them():
    assert UNSAFE.search("node.innerHTML = `<b>${name}</b>`")
    assert UNSAFE.search('setTimeout("run()", 1)')


def test_without_a_copy_a_pinned_cdn_with_hashes(tmp_path):
    runtimes = Runtimes.of_folder(tmp_path)
    modules = runtimes.import_map()
    assert set(modules["imports"].values()) == set(modules["integrity"])
    (host,) = runtimes.hosts()
    assert all(url.startswith(f"{host}/") for url in modules["integrity"])
    litert = runtimes.describe()["litert"]
    assert f"@{litert['version']}/" in litert["wasm"]
    digests = [*modules["integrity"].values(), *litert["integrity"].values()]
    assert len(digests) == 10
    assert all(re.fullmatch(r"sha384-[\w+/]{64}", digest) for digest in digests)


def test_a_runtime_folder_without_the_package_is_named(tmp_path):
    asked = find_runtimes(tmp_path, False, lambda step: None)
    with pytest.raises(ExportError, match="npm install @litertjs/core@"):
        asked.__enter__()


def test_models_json_is_written_for_exports_that_ask_for_it(tmp_path):
    export = {"name": "a", "version": 1, "files": [], "endpoints": {}}
    web.write(tmp_path, {"exports": [export]})
    assert list(tmp_path.iterdir()) == []
    web.write(tmp_path, {"exports": [{**export, "web": {"page": {}}}]})
    (model,) = json.loads((tmp_path / web.MODELS).read_text())["models"]
    assert model["name"] == "a"
    assert "Content-Security-Policy" in (tmp_path / web.PAGE).read_text()
