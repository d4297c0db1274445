"""What `tfgen latents` writes, read as the programs read it that it is for."""

import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from tests.cli.conftest import tfgen, write_images
from tfgen.files import replaced_folder
from tfgen.inference import encode
from tfgen.training.run import Config, Run


@pytest.fixture(scope="module")
def written(vae_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("latents") / "deep" / "out"
    assert tfgen("latents", vae_run, "--out", out) == 0
    return out


def read_projector(folder):
    text = (folder / "projector_config.pbtxt").read_text()
    (embedding,) = text_format.Parse(text, ProjectorConfig()).embeddings
    return embedding


def test_arrays_are_of_the_test_images_in_their_order(vae_run, written):
    run = Run(vae_run)
    images, labels = run.test_images(labels=True)
    posterior = encode(run.model, images)
    found = np.load(written / "latents.npz")
    assert set(found) == {"latents", "stddev", "kl", "labels", "class_names"}
    np.testing.assert_allclose(found["latents"], posterior["mean"], atol=1e-5)
    np.testing.assert_allclose(found["stddev"], posterior["stddev"], atol=1e-5)
    np.testing.assert_allclose(
        found["kl"], run.model.kl_per_dim(images), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_array_equal(found["labels"], labels)
    assert found["class_names"].tolist() == ["class_0", "class_1", "class_2"]
    assert found["latents"].dtype == "float32"


def test_the_projector_finds_its_files(vae_run, written):
    folder = written / "projector"
    embedding = read_projector(folder)
    found = np.load(written / "latents.npz")
    tensors = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(tensors, found["latents"], rtol=1e-5, atol=1e-6)
    classes = (folder / embedding.metadata_path).read_text().splitlines()
    assert classes == [f"class_{label}" for label in found["labels"]]  # no head
    assert tuple(embedding.sprite.single_image_dim) == (28, 28)
    sprite = np.asarray(Image.open(folder / embedding.sprite.image_path))
    assert sprite.shape == (3 * 28, 3 * 28, 3)
    images = Run(vae_run).test_images()
    fourth = sprite[28:56, :28] / 255.0  # three a row
    np.testing.assert_allclose(fourth, np.repeat(images[3], 3, -1), atol=0.003)


def test_batches_are_put_together(vae_run, written, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(vae_run, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "batch_size": 3}))  # of 8
    assert tfgen("latents", run, "--out", tmp_path / "out") == 0
    whole, parts = (np.load(x / "latents.npz") for x in (written, tmp_path / "out"))
    for name in whole:
        if whole[name].dtype.kind != "U":
            np.testing.assert_allclose(parts[name], whole[name], atol=1e-5)
    sprites = [x / "projector" / "sprite.png" for x in (written, tmp_path / "out")]
    np.testing.assert_array_equal(*(np.asarray(Image.open(x)) for x in sprites))


def test_known_factors_are_written(sprites_run, tmp_path):
    assert (
        tfgen("latents", sprites_run, "--out", tmp_path / "out", "--num-images", 7) == 0
    )
    found = np.load(tmp_path / "out" / "latents.npz")
    names = found["factor_names"].tolist()
    assert names == ["rotation", "scale", "shape", "x", "y"]
    assert found["factors"].shape == (7, 5)
    np.testing.assert_array_equal(found["factors"][:, 2], found["labels"])
    text = (tmp_path / "out" / "projector" / "metadata.tsv").read_text()
    rows = [row.split("\t") for row in text.splitlines()]
    assert rows[0] == ["class", *names]
    shapes = np.array(["half_disc", "arrow", "corner"])[found["labels"]].tolist()
    assert [row[0] for row in rows[1:]] == [row[3] for row in rows[1:]] == shapes
    assert [int(row[4]) for row in rows[1:]] == found["factors"][:, 3].tolist()


def test_images_without_classes(vae_run, tmp_path):
    images = write_images(tmp_path / "images", count=30, num_classes=1)
    for path in [*(images / "class_0").iterdir()]:
        path.rename(images / path.name)
    run, out = shutil.copytree(vae_run, tmp_path / "run"), tmp_path / "out"
    dataclasses.replace(Config.read(run), data=str(images)).write(run)
    assert tfgen("latents", run, "--out", out) == 0
    assert set(np.load(out / "latents.npz")) == {"latents", "stddev", "kl"}
    rows = (out / "projector" / "metadata.tsv").read_text().splitlines()
    assert rows == [str(i) for i in range(len(rows))]
    assert np.asarray(Image.open(out / "projection.png")).std() > 0


def test_what_is_refused(vae_run, written, tmp_path, capsys):
    assert tfgen("latents", vae_run, "--out", written) == 2
    assert "is not empty: choose another --out" in capsys.readouterr().err
    out = shutil.copytree(written, tmp_path / "out")
    (out / "thesis.tex").write_text("years of work")
    assert tfgen("latents", vae_run, "--out", out, "--overwrite") == 2
    assert "holds thesis.tex" in capsys.readouterr().err
    (out / "thesis.tex").unlink()
    (out / "latents.npz").write_text("old")
    flags = ("--overwrite", "--num-images", 5)
    assert tfgen("latents", vae_run, "--out", out, *flags) == 0
    assert len(np.load(out / "latents.npz")["latents"]) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "folder"
    for content in ("one", "two"):
        with replaced_folder(path) as temporary:
            (temporary / content).touch()
        assert [x.name for x in path.iterdir()] == [content]
    with contextlib.suppress(OSError), replaced_folder(path) as temporary:
        (temporary / "three").touch()
        raise OSError("full")
    assert [x.name for x in path.iterdir()] == ["two"]
    assert [x.name for x in path.parent.iterdir()] == ["folder"]
