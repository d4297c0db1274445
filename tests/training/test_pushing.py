"""What is published, into a folder and through a local double of the hub."""

import json
import pathlib
import shutil
import sys
import types

import numpy as np
import pytest

import tfgen
from tfgen.errors import UserError

VAE = "vae_mnist_5k"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Stands for the module `huggingface_hub`: repositories are folders."""
    root = tmp_path / "hub"

    def create_repo(repo_id, exist_ok):
        assert exist_ok
        (root / repo_id).mkdir(parents=True, exist_ok=True)

    def upload_folder(repo_id, folder_path):
        shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)

    def snapshot_download(repo_id, allow_patterns):
        if not (root / repo_id).is_dir():
            raise OSError("404 Client Error.\nRepository not found")
        names = {path.name for path in (root / repo_id).iterdir()}
        assert names <= set(allow_patterns)
        return str(root / repo_id)

    double = types.ModuleType("huggingface_hub")
    functions = (create_repo, upload_folder, snapshot_download)
    vars(double).update({function.__name__: function for function in functions})
    monkeypatch.setitem(sys.modules, "huggingface_hub", double)
    return root


def test_a_preset_goes_through_the_hub(hub):
    address = "hf://somebody/digits"
    assert tfgen.push(VAE, address) == "https://huggingface.co/somebody/digits"
    model = tfgen.load(address)
    np.testing.assert_array_equal(model.sample(2, seed=0), tfgen.load(VAE).sample(2, 0))
    run = tfgen.training.opening.open_run(address)
    assert run.config.data == "mnist_5k"
    text = (hub / "somebody" / "digits" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: keras\n")
    assert "MNIST by Yann LeCun" in text
    assert "log_likelihood" in text
    with pytest.raises(UserError, match="cannot load hf://somebody/else: 404 Client"):
        tfgen.load("hf://somebody/else")


def test_a_run_leaves_without_paths_of_this_machine(folder, tmp_path):
    options = {"epochs": 1, "batch_size": 16, "filters": 4, "latent_dim": 3}
    run = tfgen.train(VAE, folder, tmp_path / "run", **options)
    figures = {"elbo": -1.5, "elbo_error": 0.25, "commands": [str(tmp_path)]}
    (run.path / "metrics.json").write_text(json.dumps(figures))
    out = pathlib.Path(tfgen.push(run, tmp_path / "out"))
    for name in ("config.json", "metrics.json", "README.md"):
        text = (out / name).read_text()
        assert str(tmp_path) not in text
        assert str(folder) not in text
    assert "| elbo | -1.5000 ± 0.2500 |" in (out / "README.md").read_text()
    one, other = tfgen.load(out).sample(2, 0), run.model.sample(2, 0)
    np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError, match="is not empty"):
        tfgen.push(run, out)
    tfgen.push(run, out, overwrite=True)


def test_without_the_hub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"tfgen\[hub\]"):
        tfgen.load("hf://somebody/digits")
