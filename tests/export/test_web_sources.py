"""The page's own sources: no build step, no text taken for markup, no foreign host."""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from export.errors import ExportError
from export.formats import web
from export.verify import browser
from export.web.runtimes import Runtimes, find_runtimes

VERIFY = web.SOURCES.parent / "verify"  # has what `check --web` asks a page for
SCRIPTS = {path.name: path.read_text() for path in web.SOURCES.glob("*.js")}
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
    lines = [source.splitlines() for source in SCRIPTS.values()]
    every = [line for source in lines for line in source]
    code = [line for line in every if re.match(r"\s*(?!//)\S", line)]
    assert len(code) <= 600
    assert len(every) <= 700
    assert max(map(len, lines)) <= 240
    assert max(map(len, every)) <= 100


def test_the_page_takes_every_script():
    copied = {name for name in web._SCRIPTS if name.endswith(".js")}
    assert copied == SCRIPTS.keys()
    imported = {
        name
        for source in SCRIPTS.values()
        for name in re.findall(r'from "\./([^"]+)"', source)
    }
    assert imported | {"demo.js"} == copied


def test_node_and_eslint_find_no_fault():
    """ESLint where it was installed: `npm install eslint`, as `.ci/run` does."""
    if not shutil.which("node"):
        pytest.skip("no node on the PATH")
    for source in SCRIPTS.values():
        command = ["node", "--check", "--input-type=module"]
        subprocess.run(command, input=source, text=True, check=True)
    paths = os.environ.get("NODE_PATH", "").split(os.pathsep)
    linters = [pathlib.Path(path) / "eslint/bin/eslint.js" for path in paths if path]
    config = pathlib.Path(__file__).parents[2] / ".ci/eslint.config.mjs"
    for linter in filter(pathlib.Path.is_file, linters):
        command = ["node", linter, "--config", config, web.SOURCES, VERIFY]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_pinned_hashes_are_those_of_the_packages():
    """Of the copy at hand, where it is of the pinned version."""
    with find_runtimes(None, False, lambda step: None) as runtimes:
        if runtimes.packages is None:
            pytest.skip("no npm package @litertjs/core")
        pinned = json.loads((web.SOURCES / "cdn.json").read_text())
        for name, digest in pinned["files"].items():
            content = (runtimes.packages / name).read_bytes()
            found = base64.b64encode(hashlib.sha384(content).digest()).decode()
            assert digest == f"sha384-{found}", name


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
    assert browser.files_of(tmp_path) == []
    assert "Content-Security-Policy" in (tmp_path / web.PAGE).read_text()


def test_a_page_of_another_version_is_refused(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/models.json").write_text(json.dumps({"format": 1, "models": []}))
    with pytest.raises(ExportError, match="another version of tfgen: make it again"):
        browser.files_of(tmp_path)
