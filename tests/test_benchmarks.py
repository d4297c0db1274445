"""The scripts in tests/benchmarks import, explain themselves, and name what exists."""

import ast
import importlib
import json
import pathlib
import sys

import numpy as np
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


def write_sharpness(folder, means):
    """Writes what finished runs leave, and returns the file of their lines."""
    out, lines = folder / "runs.jsonl", []
    for name in means:
        key = {"data": "mnist_5k", "means": name, "seed": 0, "minutes": 1 / 3}
        figures = {"psnr": 20.0, "sharpness": 0.5, "reconstructions": 1.0}
        lines.append(json.dumps({**key, "steps": 7, **figures, "samples": 2.0}))
        images = np.zeros((2, 8, 28, 28, 1), np.uint8)
        np.save(folder / f"runs_mnist_5k_{name}_0.npy", images)
    out.write_text("\n".join(lines) + "\n")
    return out


def test_sharpness_runs_nothing_again(tmp_path, monkeypatch, capsys):
    import sharpness

    out = write_sharpness(tmp_path, sharpness.MEANS)
    monkeypatch.setattr(sharpness, "train", lambda *_: pytest.fail("it is there"))
    flags = ("--quick", "--data", "mnist_5k", "--out", str(out))
    monkeypatch.setattr(sys, "argv", ["sharpness.py", *flags])
    sharpness.main()
    text = capsys.readouterr().out
    assert "| vaegan | 7 | 20.000 ± 0.000 | 0.500 ± 0.000 |" in text
    assert (tmp_path / "runs_mnist_5k.png").exists()


@pytest.mark.large
def test_sharpness_trains_what_is_missing(tmp_path, monkeypatch):
    import sharpness

    out = write_sharpness(tmp_path, ["pixel"])
    flags = ("--quick", "--means", "pixel,vaegan,fsq", "--data", "mnist_5k")
    monkeypatch.setattr(sys, "argv", ["s.py", *flags, "--out", str(out)])
    sharpness.main()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["means"] for row in rows] == ["pixel", "vaegan", "fsq"]
    for row in rows[1:]:
        assert row["steps"] >= 1
        assert all(np.isfinite(row[key]) for key in sharpness.SCORES)


def test_gradient_energy_is_that_of_differences():
    import sharpness

    images = np.zeros((1, 3, 3, 1), np.float32)
    images[0, 1, 1] = 2.0
    assert sharpness.gradient_energy(images) == pytest.approx(2 * 2 * 4.0 / 6)
    assert sharpness.gradient_energy(images + 1.0) == sharpness.gradient_energy(images)


@pytest.mark.large
def test_steps_of_cyclegan_are_compared_and_a_finished_run_is_not_repeated(
    tmp_path, monkeypatch, capsys
):
    import cyclegan_steps

    arguments = ["--quick", "--out", str(tmp_path / "steps.jsonl"), "--pairs", "digits"]
    monkeypatch.setattr(sys, "argv", ["cyclegan_steps.py", *arguments])
    cyclegan_steps.main()
    lines = (tmp_path / "steps.jsonl").read_text()
    assert lines.count("\n") == len(cyclegan_steps.VARIANTS)
    first = capsys.readouterr().out
    assert "rank over 1 pairs | full" in first
    monkeypatch.setattr(cyclegan_steps, "run", None)
    cyclegan_steps.main()
    assert capsys.readouterr().out == first
    assert (tmp_path / "steps.jsonl").read_text() == lines


def test_bounds_are_means_over_seeds_and_nothing_runs_again(
    tmp_path, monkeypatch, capsys
):
    import reproduce

    out = tmp_path / "bounds.jsonl"
    key = {"row": "vae_binary", "digits": "mnist", "steps": 9, "epochs": None}
    key |= {"samples": 5, "num_test": 7, "minutes": 1.0, "active_units": 50}
    lines = [
        json.dumps({**key, "seed": seed, "elbo": value, "log_likelihood": value + 2})
        for seed, value in ((0, -100.0), (1, -98.0))
    ]
    out.write_text("\n".join(lines))
    monkeypatch.setattr(reproduce, "run_binary", lambda *_: pytest.fail("it is there"))
    flags = ("vae_binary", "--digits", "mnist", "--steps", "9", "--seeds", "0,1")
    more = ("--samples", "5", "--num-test", "7", "--results", str(out))
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *flags, *more])
    reproduce.main()
    row = capsys.readouterr().out.splitlines()[-1]
    assert "| mnist, 9 steps, diagonal | 2.0 | elbo -99 ± 1, log_likelihood -97" in row
