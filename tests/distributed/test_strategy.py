"""TF_CONFIG and its mistakes: what is said before anything is waited for."""

import json

import pytest

from tests.cli.conftest import tfgen
from tfgen.errors import UserError
from tfgen.training.strategy import is_chief, make_strategy

HOSTS = ["host-0:1", "host-1:2"]


def tf_config(index=0, kind="worker", **cluster):
    return {
        "cluster": cluster or {"worker": HOSTS},
        "task": {"type": kind, "index": index},
    }


@pytest.fixture
def configure(monkeypatch):
    return lambda config: monkeypatch.setenv("TF_CONFIG", json.dumps(config))


def test_one_worker_is_the_chief(configure):
    configure(tf_config(0))
    assert is_chief("multi_worker")
    configure(tf_config(1))
    assert not is_chief("multi_worker")
    assert is_chief("none")
    assert is_chief("mirrored")
    configure(tf_config(0, chief=["host-2:3"], worker=HOSTS))
    assert not is_chief("multi_worker")
    configure(tf_config(0, "chief", chief=["host-2:3"], worker=HOSTS))
    assert is_chief("multi_worker")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "no JSON",
        "[]",
        "{}",
        '{"cluster": {"worker": ["host-0:1"]}}',
        json.dumps(tf_config(2)),
        json.dumps(tf_config(-1)),
        json.dumps(tf_config("0")),
        json.dumps(tf_config(0, "chief")),
        json.dumps(tf_config(worker=["host-0", "host-1"])),
        json.dumps(tf_config(worker=["host-0:1", "host-0:1"])),
        json.dumps(tf_config(worker="host-0:1")),
        json.dumps(tf_config(worker=HOSTS, ps=["host-2:3"])),
    ],
)
def test_mistakes_show_what_is_expected(text, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    flags = ("--strategy", "multi_worker", "--out", tmp_path / "run")
    assert tfgen("train", "vae_mnist_5k", *flags) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert '{"cluster": {"worker": ["host-0:12345", "host-1:12345"]}, ' in error
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="TF_CONFIG"):
        make_strategy("multi_worker")


def test_none_is_the_default_strategy():
    import tensorflow as tf

    assert make_strategy("none") is tf.distribute.get_strategy()
