"""Commands on a run whose data are not where they were."""

import json
import os
import shutil

import pytest

import tfgen as package
from tests.cli.conftest import tfgen
from tfgen.errors import UserError


@pytest.fixture
def moved(vae_run, tmp_path):
    """A run whose data are gone."""
    run = shutil.copytree(vae_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["data"] = str(tmp_path / "gone" / "photos")
    (run / "config.json").write_text(json.dumps(config))
    return run


def test_commands_that_need_data_say_where_they_were(moved, tmp_path, folder, capsys):
    for command in (
        ("reconstruct",),
        ("traverse",),
        ("interpolate",),
        ("edit", "--attribute", "class_1"),
        ("evaluate", "--metrics", "losses", "--no-report"),
    ):
        name, *flags = command
        out = () if name == "evaluate" else ("--out", tmp_path / f"{name}.png")
        assert tfgen(name, moved, *flags, *out) == 2
        error = capsys.readouterr().err.strip()
        assert os.path.join("gone", "photos") in error, name
        assert "did you mean" not in error
        assert "\n" not in error
        assert tfgen(name, moved, *flags, *out, "--data", folder) == 0, name
        capsys.readouterr()
    assert tfgen("latents", moved, "--out", tmp_path / "latents") == 2
    assert not (tmp_path / "latents").exists()


def test_what_needs_no_data_works_without_them(moved, tmp_path, capsys):
    assert tfgen("sample", moved, "--out", tmp_path / "s.png") == 0
    out = tmp_path / "shipped"
    flags = ("--formats", "edge", "--latency-seconds", 0)
    assert tfgen("export", moved, "--out", out, *flags) == 0
    shown = capsys.readouterr().out
    assert "No fidelity on held-out images" in shown
    assert os.path.join("gone", "photos") in shown
    (entry,) = json.loads((out / "report.json").read_text())["exports"]
    rows = [row for file in entry["files"] for row in file["rows"]]
    assert rows
    assert all(row["difference"] < 1e-3 for row in rows)


def test_int8_wants_the_data_that_calibrate_it(moved, tmp_path):
    with pytest.raises(UserError, match="calibrated on training images"):
        package.Run(moved).export(tmp_path / "out", quantizations=["int8"])
    assert not (tmp_path / "out").exists()


def test_home_is_expanded(vae_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run").symlink_to(vae_run)
    assert tfgen("sample", "~/run", "--num", 4, "--out", "~/deep/s.png") == 0
    assert (tmp_path / "deep" / "s.png").is_file()
