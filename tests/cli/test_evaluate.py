"""`tfgen evaluate`: what it prints and writes; the figures are tests/evaluation's."""

import re
import shlex
import shutil

import pytest

from tests.cli.conftest import SMALL, tfgen
from tests.runs import read_metrics
from tfgen.cli import tables
from tfgen.evaluation import evaluate
from tfgen.training.config import Config


def test_figures_are_printed_and_written_beside_another_run(
    vae_run, quick_run, tmp_path, capsys, monkeypatch
):
    run = shutil.copytree(vae_run, tmp_path / "run")
    monkeypatch.delenv("COLUMNS", raising=False)
    flags = ("--metrics", "losses,likelihood", "--num-samples", 2)
    assert tfgen("evaluate", run, *flags, "--beside", quick_run) == 0
    shown = capsys.readouterr().out
    figures, other = read_metrics(run), read_metrics(quick_run)
    for name in ("elbo", "log_likelihood", "reconstruction_loss"):
        row = rf"{name} .*{figures[name]:.4f}.*{other[name]:.4f}"
        assert re.search(row, shown), name
    assert str(quick_run) in shown
    assert str(run / "report.html") in shown
    assert str(quick_run) in (run / "report.html").read_text()


def test_tables_fit_80_columns_and_cut_nothing(quick_run, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    evaluation = evaluate(
        quick_run, metrics="losses,likelihood,latent_space", features="random"
    )
    tables.print_evaluation(evaluation, {"other": evaluation.as_dict()})
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    for figures in evaluation.figures.values():
        for figure in figures:
            assert figure.name in shown
            assert " ".join(figure.meaning.split()) in " ".join(shown.split())


def test_cells_that_do_not_fit_are_wrapped(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    cells = ["x" * 60, "y" * 60]
    tables.print_table("", ("first", "second"), [cells])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert [shown.count("x"), shown.count("y")] == [60, 60]


def test_a_terminal_is_shown_progress(vae_run, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(vae_run, tmp_path / "run")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    flags = ("--metrics", "losses,latents", "--no-report")
    assert tfgen("evaluate", run, *flags) == 0
    assert "encoding test images" in capsys.readouterr().err
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--metrics", "likelihod"), "'likelihod': choose of losses, likelihood"),
        (("--metrics", "translation"), "translation: it does not suit VAE"),
        (("--beside", "nowhere"), "nowhere is not evaluated yet"),
        (("--data", "~/no/such/folder"), "no/such/folder"),
        (("--seed", 2**31), "seed"),
    ],
)
def test_mistakes_are_one_line(vae_run, flags, words, capsys):
    before = sorted(vae_run.iterdir())
    assert tfgen("evaluate", vae_run, *flags) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "\n" not in error
    assert sorted(vae_run.iterdir()) == before


def test_data_that_moved_are_named(vae_run, many_images, tmp_path, capsys):
    run = shutil.copytree(vae_run, tmp_path / "run")
    flags = ("--metrics", "losses", "--no-report", "--data", many_images)
    assert tfgen("evaluate", run, *flags) == 0
    _, command = read_metrics(run)["commands"]
    assert f"--data {many_images}" in command


@pytest.mark.large
def test_commands_of_the_report_make_it_again(vae_run, tmp_path):
    run = shutil.copytree(vae_run, tmp_path / "run")
    assert tfgen("evaluate", run, "--num-samples", 20) == 0
    figures = read_metrics(run)
    train, again = map(shlex.split, figures["commands"])
    assert {"--num-samples", "20"} <= set(again)
    train[train.index("--out") + 1] = again[2] = str(tmp_path / "again")
    assert tfgen(*train[1:]) == 0
    assert tfgen(*again[1:]) == 0
    first, second = Config.read(run), Config.read(tmp_path / "again")
    assert second == first
    assert set(SMALL) >= {"--filters", str(second.overrides["filters"])}
    del figures["commands"]
    repeated = read_metrics(tmp_path / "again")
    assert {name: repeated[name] for name in figures} == figures
