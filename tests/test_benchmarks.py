"""The scripts in tests/benchmarks import, explain themselves, and name what exists."""

import ast
import importlib
import pathlib
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
ROOTS = ("tfgen", "export", "tests", *SCRIPTS)


@pytest.fixture(autouse=True)
def as_scripts(monkeypatch):
    """They import each other as scripts do, and may set environment variables."""
    monkeypatch.syspath_prepend(FOLDER)
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.setenv(name, "0")
    yield
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def resolve(module, names):
    """Raises unless the names lead from a module to something that exists."""
    value = importlib.import_module(module)
    for name in names:
        try:
            value = getattr(value, name)
        except AttributeError:
            module = f"{module}.{name}"
            value = importlib.import_module(module)
        if callable(value) and not isinstance(value, type):
            return


def names_of(tree):
    """Yields `(module, names)` of all that a script takes from this repository.

    Those within functions too, which only a long run would reach.
    """
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name if alias.asname else alias.name.split(".")[0]
                aliases[alias.asname or root] = (root, ())
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                aliases[alias.asname or alias.name] = (node.module, (alias.name,))
                yield node.module, (alias.name,)
    for node in ast.walk(tree):
        words = ast.unparse(node).split(".") if isinstance(node, ast.Attribute) else ()
        if words and words[0] in aliases and all(map(str.isidentifier, words)):
            module, names = aliases[words[0]]
            yield module, (*names, *words[1:])


def unknown_names(tree):
    unknown = []
    for module, names in names_of(tree):
        if module.split(".")[0] not in ROOTS or module == "in_torch":
            continue
        try:
            resolve(module, names)
        except (ImportError, AttributeError):
            unknown.append(".".join([module, *names]))
    return unknown


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_imports_explains_itself_and_names_what_exists(
    name, monkeypatch, capsys
):
    if name == "in_torch":
        pytest.importorskip("torch")
    script = importlib.import_module(name)
    if hasattr(script, "main"):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
        with pytest.raises(SystemExit) as stop:
            script.main()
        assert stop.value.code == 0
        assert capsys.readouterr().out.startswith("usage:")
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assert unknown_names(tree) == []


def test_a_name_that_is_gone_is_found():
    text = "import tfgen\ndef f():\n from tfgen.data import gone\n tfgen.VAE.lost(1)"
    found = unknown_names(ast.parse(text))
    assert found == ["tfgen.data.gone", "tfgen.VAE.lost"]


@pytest.mark.parametrize("name", ["mlp_vae", "gan", "wgan_gp", "pix2pix", "cyclegan"])
def test_models_are_built_as_workloads_say(name, monkeypatch):
    import workloads

    if name in ("pix2pix", "cyclegan"):
        small = workloads.Workload(name, 32, 3, 1, 2)
        monkeypatch.setitem(workloads.WORKLOADS, name, small)
    assert workloads.build_model(name).compiled


def test_savings_are_undone_by_methods_that_gan_has():
    import train

    import tfgen

    for variant in train.GAN_SAVINGS:
        methods = {
            n for n, v in vars(train.plainer_gan(variant)).items() if callable(v)
        }
        assert methods
        assert methods <= set(dir(tfgen.GAN))
