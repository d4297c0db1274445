"""What is installed, and what importing it costs."""

import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import tfgen

ROOT = pathlib.Path(__file__).parent.parent


def test_the_wheel_holds_the_two_packages_and_nothing_else(tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "build", "runs", "quickstart")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation")
    subprocess.run(
        (*pip, "-w", str(tmp_path), str(source)),
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"tfgen", "export"}
    for ending in ("py", "j2", "js", "css", "html", "keras", "json"):
        for package in ("tfgen", "export"):
            for file in ROOT.glob(f"{package}/**/*.{ending}"):
                assert file.relative_to(ROOT).as_posix() in names


def test_the_top_level_is_what_was_agreed():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    visible -= {"tfgen.egg-info", "build", "runs", "quickstart"}
    assert visible == {
        *("tfgen", "export", "tests", "setup.cfg", "setup.py"),
        *("README.md", "LICENSE", "CHANGELOG.md"),
    }


def test_import_tfgen_and_export_are_light():
    code = (
        "import sys, tfgen, export\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'VAE' in dir(tfgen)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_commands_import_nothing_heavy_until_they_run():
    code = (
        "import importlib, pkgutil, sys, tfgen.cli\n"
        "for module in pkgutil.iter_modules(tfgen.cli.__path__, 'tfgen.cli.'):\n"
        "    importlib.import_module(module.name)\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_load():
    for name in tfgen.__all__:
        assert getattr(tfgen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Vae'"):
        tfgen.Vae  # noqa: B018
