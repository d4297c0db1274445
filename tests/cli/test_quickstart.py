"""The whole path: on the command line, and in ten lines of Python."""

import json

import pytest
from PIL import Image

import export
import tfgen as package
from tests.runs import OPTIONS, OVERRIDES, read_metrics

# Of measuring, which differs from one time to the next.
_TIMES = {"seconds", "created", "commands"}


def test_quickstart_opens_everything_once(quick_run):
    calls = json.loads((quick_run / "opened.json").read_text())
    models = [path for name, path, *_ in calls if name == "model"]
    assert sum(path.endswith("model.keras") for path in models) <= 1
    # Validation reads test images, and all that is drawn and measured reads them once.
    assert sum(name == "data" and split == "test" for name, *_, split in calls) <= 2


def test_quickstart_leaves_pictures_figures_and_files(quick_run):
    for name in ("samples", "reconstructions", "traversal", "interpolation"):
        with Image.open(quick_run / f"{name}.png") as picture:
            assert min(picture.size) > 100
    assert {"elbo", "precision", "continuity_step"} <= set(read_metrics(quick_run))
    assert (quick_run / "report.html").is_file()
    out = quick_run / "export"
    served = out / "serving" / "vae_mnist_5k" / "1"
    assert (served / "saved_model.pb").is_file()
    assert (served / "assets.extra" / "tf_serving_warmup_requests").is_file()
    edge = {path.name for path in (out / "edge").glob("*.tflite")}
    names = {f"vae_mnist_5k-v1-{kind}.tflite" for kind in ("float32", "dynamic_int8")}
    assert edge == names


@pytest.mark.large
def test_the_same_path_in_python_gives_the_same_figures(
    quick_run, many_images, tmp_path
):
    path = tmp_path / "run"
    run = package.train("vae_mnist_5k", many_images, path, **OPTIONS, **OVERRIDES)
    evaluation = package.evaluate(run)
    entry = run.export(tmp_path / "export", formats=["edge"], latency_seconds=0.0)
    (result, *_) = export.check(tmp_path / "export")

    figures, shown = evaluation.as_dict(), read_metrics(quick_run)
    assert set(figures) == set(shown)
    for name in set(shown) - _TIMES:
        if isinstance(shown[name], float):
            assert figures[name] == pytest.approx(shown[name], rel=1e-3, abs=1e-4), name
        else:
            assert figures[name] == shown[name], name
    (exported,) = json.loads((quick_run / "export/report.json").read_text())["exports"]
    files = [
        next(file for file in x["files"] if file["format"] == "tflite")
        for x in (entry, exported)
    ]
    for here, there in zip(files[0]["rows"], files[1]["rows"], strict=True):
        assert here["endpoint"] == there["endpoint"]
        assert here["psnr"] == pytest.approx(there["psnr"], abs=3.0)  # dB, above 100
    assert result.quantization == "float32"
    assert not (path / "metrics.json").exists()  # the library writes where it is told
