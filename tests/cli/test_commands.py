import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfgen as package
from export.report import hashes, report
from export.verify.latency import Latency
from tests.cli.conftest import tfgen
from tfgen.cli import tables
from tfgen.inference import Endpoints, encode
from tfgen.training import Run


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.large
def test_tensorflow_starts_without_what_no_command_uses():
    code = (
        "import sys; from tfgen.cli.quiet import import_tensorflow\n"
        "import_tensorflow()\n"
        "print(*{'sklearn', 'pandas', 'matplotlib.pyplot'} & set(sys.modules))\n"
        "import keras, pandas, matplotlib.pyplot, sklearn.neighbors\n"
        "keras.ops.ones(2); pandas.DataFrame([1]); sklearn.neighbors.KDTree\n"
        "from absl import logging; logging.set_verbosity('warning')\n"  # as exports do
        "logging.warning('deprecated'); logging.error('broken')"
    )
    done = run_python(code)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
    assert "broken" in done.stderr
    assert "deprecated" not in done.stderr


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tfgen.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout


def test_list_shows_every_preset(capsys):
    assert tfgen("list") == 0
    shown = capsys.readouterr().out
    assert package.list_presets()
    for name in package.list_presets():
        assert name in shown
    assert "OpenMoji, CC BY-SA 4.0" in shown


def test_flags_are_the_arguments_of_the_preset(capsys):
    assert tfgen("train", "vae_mnist_5k", "--help") == 0
    shown = capsys.readouterr().out
    for flag in ("--latent-dim", "--beta", "--free-bits", "--seed", "--precision"):
        assert flag in shown
    assert "weight of the divergence" in shown


@pytest.mark.parametrize("name", ["vae_run", "conditional_run", "gan_run"])
def test_sample(name, request, tmp_path):
    run, out = request.getfixturevalue(name), tmp_path / "samples.png"
    assert tfgen("sample", run, "--num", 9, "--seed", 3, "--out", out) == 0
    first = out.read_bytes()
    assert tfgen("sample", run, "--num", 9, "--seed", 3, "--out", out) == 0
    assert out.read_bytes() == first
    assert tfgen("sample", run, "--num", 9, "--seed", 4, "--out", out) == 0
    assert out.read_bytes() != first
    assert np.asarray(Image.open(out)).std() > 0


def test_samples_do_not_depend_on_how_many_are_drawn(vae_run):
    endpoints = Endpoints(package.load(vae_run))
    many, few = endpoints.sample(300, seed=1), endpoints.sample(3, seed=1)
    np.testing.assert_allclose(many[:3], few, atol=1e-5)


def test_sample_of_a_label(conditional_run, vae_run, tmp_path, capsys):
    out = tmp_path / "samples.png"
    assert tfgen("sample", conditional_run, "--label", 2, "--out", out) == 0
    assert tfgen("sample", conditional_run, "--label", 3, "--out", out) == 2
    assert "3 classes" in capsys.readouterr().err
    assert tfgen("sample", vae_run, "--label", 0, "--out", out) == 2
    assert "no classes" in capsys.readouterr().err
    drawn = out.read_bytes()
    assert tfgen("sample", conditional_run, "--label", "class_2", "--out", out) == 0
    assert out.read_bytes() == drawn
    assert tfgen("sample", conditional_run, "--label", "class_3", "--out", out) == 2
    assert "no class 'class_3': choose of class_0" in capsys.readouterr().err


def test_a_folder_called_2_is_not_the_third_class():
    run = Run(".")
    vars(run)["class_names"] = ("0", "1", "10", "2")  # sorted as texts
    assert [run.find_class(name) for name in ("2", 2, "10", "3")] == [3, 3, 2, 3]


def test_an_autoencoder_says_why_it_does_not_sample(autoencoder_run, tmp_path, capsys):
    assert tfgen("sample", autoencoder_run, "--out", tmp_path / "s.png") == 2
    assert "train a VAE" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["vae_run", "conditional_run", "autoencoder_run"])
@pytest.mark.parametrize("command", ["reconstruct", "traverse", "interpolate"])
def test_pictures(name, command, request, tmp_path):
    run, out = request.getfixturevalue(name), tmp_path / "deep" / "picture.png"
    assert tfgen(command, run, "--out", out) == 0
    picture = np.asarray(Image.open(out))
    assert picture.shape[0] > 100
    assert picture.shape[1] > 100
    assert not list(out.parent.glob(".*"))


def test_a_gan_is_interpolated_between_draws(gan_run, tmp_path):
    out = tmp_path / "picture.png"
    assert tfgen("interpolate", gan_run, "--seed", 1, "--out", out) == 0
    first = out.read_bytes()
    assert tfgen("interpolate", gan_run, "--seed", 2, "--out", out) == 0
    assert out.read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_pictures_name_whom_the_data_is_from(vae_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(vae_run, run)
    config = json.loads((run / "config.json").read_text())
    config["attribution"] = "made by somebody " * 9
    sizes = []
    for _ in range(2):
        assert tfgen("sample", run, "--out", tmp_path / "s.png") == 0
        with Image.open(tmp_path / "s.png") as picture:
            sizes.append(picture.size)
        (run / "config.json").write_text(json.dumps(config))
    assert sizes[1][1] > sizes[0][1]


def test_latents_of_other_models(conditional_run, autoencoder_run, tmp_path):
    assert tfgen("latents", autoencoder_run, "--out", tmp_path / "a") == 0
    assert set(np.load(tmp_path / "a" / "latents.npz")) == {
        *("latents", "labels", "class_names")
    }
    assert tfgen("latents", conditional_run, "--out", tmp_path / "c") == 0
    run = package.Run(conditional_run)
    means = encode(run.model, *run.test_images(labels=True))["mean"]
    found = np.load(tmp_path / "c" / "latents.npz")["latents"]
    np.testing.assert_allclose(found, means, atol=1e-5)


def test_edit_of_other_models(conditional_run, autoencoder_run, tmp_path, monkeypatch):
    seen, run = [], Endpoints.run

    def spy(self, name, inputs, labels=None):
        if name == "decode":
            seen.append(labels)
        return run(self, name, inputs, labels)

    monkeypatch.setattr(Endpoints, "run", spy)
    flags = ("--attribute", "class_1", "--steps", 3, "--out", tmp_path / "e.png")
    assert tfgen("edit", autoencoder_run, *flags) == 0
    assert tfgen("edit", conditional_run, *flags, "--image", 0, "--image", 5) == 0
    _, labels = package.Run(conditional_run).test_images(labels=True)
    assert labels[0] != labels[5]
    assert seen[0] is None
    assert seen[1].tolist() == [labels[0]] * 3 + [labels[5]] * 3


def test_traversal_of_an_image_that_is_not_there(conditional_run, capsys):
    assert tfgen("traverse", conditional_run, "--image", 99) == 2
    assert "the test split has 8 images" in capsys.readouterr().err


def test_traversal_orders_variables_by_how_much_they_matter(vae_run, tmp_path):
    from tfgen.figures import pictures

    seen = []
    original = pictures.compose
    pictures.compose = lambda panels, *rest: (
        seen.extend(panels) or original(panels, *rest)
    )
    try:
        assert tfgen("traverse", vae_run, "--out", tmp_path / "t.png") == 0
    finally:
        pictures.compose = original
    nats = [float(title.split()[2]) for title in seen]
    assert len(nats) == 3
    assert nats == sorted(nats, reverse=True)


def test_export_and_check(vae_run, tmp_path, capsys):
    out = tmp_path / "export"
    flags = ("--name", "mine", "--version", 2, "--latency-seconds", 0)
    quantize = ("--quantize", "float32,int8")
    assert tfgen("export", vae_run, "--out", out, *flags, *quantize) == 0
    served = out / "serving" / "mine" / "2"
    assert (served / "saved_model.pb").is_file()
    assert (served / "assets.extra" / "tf_serving_warmup_requests").is_file()
    edge = {path.name for path in (out / "edge").glob("*.tflite")}
    assert edge == {"mine-v2-float32.tflite", "mine-v2-int8.tflite"}
    assert 'base_path: "/models/mine"' in (out / "serving/models.config").read_text()
    shown = capsys.readouterr().out
    for endpoint in package.load(vae_run).signatures():
        assert endpoint in shown
    (entry,) = json.loads((out / "report.json").read_text())["exports"]
    assert (entry["name"], entry["version"]) == ("mine", 2)
    assert entry["latency"] == []
    show_latency(entry, capsys)
    assert (out / "report.html").is_file()
    assert (out / "README.md").is_file()
    assert hashes.verify(out, report.read(out)) == []
    capsys.readouterr()
    assert tfgen("check", out / "edge") == 0
    shown = "".join(capsys.readouterr().out.split())  # titles are wrapped
    for file in edge:  # whose names have the version
        assert f"{file}," in shown
    (out / "edge" / "mine-v2-int8.tflite").unlink()
    shutil.rmtree(out / "serving")  # which would be run once more
    assert tfgen("check", out) == 1
    assert "mine-v2-int8.tflite" in capsys.readouterr().err


def show_latency(entry, capsys):
    """Holds what `export` shows of times, which are measured in `large` tests."""
    capsys.readouterr()
    tables.print_export({**entry, "latency": []})
    assert "Latency" not in capsys.readouterr().out
    times = Latency("decode", "LiteRT", "int8", 2, median_ms=1.234, p95_ms=5.678)
    failed = Latency("decode", "Keras predict", "float32", 1, problem="needs Flex")
    tables.print_export({**entry, "latency": [vars(times), vars(failed)]})
    shown = capsys.readouterr().out
    assert re.search(r"decode +LiteRT int8 +2 +1\.23 ms +5\.68 ms", shown)
    assert re.search(r"decode +Keras predict float32 +1 +needs Flex", shown)


@pytest.mark.large
@pytest.mark.parametrize(
    "name",
    ["conditional_run", "autoencoder_run", "gan_run", "pix2pix_run", "cyclegan_run"],
)
def test_export_of_other_models(name, request, tmp_path, capsys):
    run, out = request.getfixturevalue(name), tmp_path / "export"
    assert tfgen("export", run, "--out", out, "--latency-seconds", 0.1) == 0
    assert "Keras predict" in capsys.readouterr().out
    assert tfgen("check", out) == 0


def test_check_fails_with_1_and_export_refuses_with_2(vae_run, tmp_path, capsys):
    assert tfgen("check", tmp_path) == 1
    assert capsys.readouterr().err
    for flags, message in (
        (("--name", "a/b"), "'a/b'"),
        (("--quantize", "int8,int4"), "'int4': choose of float32, float16"),
        (("--format", "coreml"), "'coreml': choose of serving, edge, onnx"),
        (("--version", "0"), "--version"),
    ):
        assert tfgen("export", vae_run, "--out", tmp_path, *flags) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_damaged_runs_are_named(vae_run, tmp_path, capsys):
    (tmp_path / "model.keras").write_bytes((vae_run / "model.keras").read_bytes()[:999])
    assert tfgen("sample", tmp_path) == 2
    assert "model.keras" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{")
    assert tfgen("evaluate", tmp_path) == 2
    assert "config.json is damaged" in capsys.readouterr().err
