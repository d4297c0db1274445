"""How good translations are: against the truth, the input, the mean and real images."""

import dataclasses
import shutil
import types

import numpy as np
import pytest

import tfgen
from tests.runs import read_metrics, run_tfgen
from tfgen import inference, metrics
from tfgen.data.degrade import find_holes
from tfgen.degradations import read_steps
from tfgen.evaluation import Subject, evaluate, measure, translation
from tfgen.evaluation.filling import make_filler
from tfgen.evaluation.tables import translation_tables
from tfgen.inference import Translator
from tfgen.presets import get_preset
from tfgen.training.run import Run
from tfgen.training.settings import preset_config


def test_pix2pix_is_measured_against_the_truth(pix2pix_run):
    evaluation, run = evaluate(pix2pix_run, metrics="translation"), Run(pix2pix_run)
    assert set(evaluation.translation) == {"ba"}
    inputs, targets = run.arrays("test")
    train_targets = run.arrays("train")[1]
    mean = np.broadcast_to(train_targets.mean(axis=0), inputs.shape)
    outputs = inference.translate(run.model, inputs)
    for row, images in {"model": outputs, "copy": inputs, "mean_image": mean}.items():
        figures = evaluation.translation["ba"][row]
        error = np.mean(np.abs(images - targets))
        assert figures["mean_absolute_error"] == pytest.approx(error, rel=1e-4)
        squares = np.mean((images - targets) ** 2, axis=(1, 2, 3))
        psnr = np.mean(-10 * np.log10(squares))
        assert figures["psnr"] == pytest.approx(psnr, rel=1e-4)
        assert -1.0 <= figures["ssim"] <= 1.0
    real = evaluation.translation["ba"]["real"]
    assert set(real) == {"kernel_distance", "kernel_distance_error"}


def test_a_set_larger_than_memory_streams(cyclegan_run, monkeypatch):
    tables = []
    for limit in (2**30, 0):
        monkeypatch.setattr("tfgen.data.loading.IN_MEMORY_BYTES", limit)
        subject = Subject(Run(cyclegan_run))
        (count,) = measure("translation", subject)
        assert count.value > 2
        tables.append(subject.translation)
        monkeypatch.setattr(translation, "_BATCH_SIZE", 2)
    assert set(tables[0]) == {"ab", "ba"}
    for direction, rows in tables[0].items():
        for row, figures in rows.items():
            streamed = tables[1][direction][row]
            assert streamed == pytest.approx(figures, rel=1e-4, abs=1e-6), row
    copies = [tables[0][d]["copy"]["mean_absolute_error"] for d in ("ab", "ba")]
    assert copies[0] == pytest.approx(copies[1])
    models = [tables[0][d]["model"]["mean_absolute_error"] for d in ("ab", "ba")]
    assert models[0] != models[1]


def test_few_images_have_no_distance(cyclegan_run, monkeypatch):
    """And the images of both groups are read once."""
    from tfgen import data

    calls, load = [], data.load_domains
    monkeypatch.setattr(
        data, "load_domains", lambda *a, **k: calls.append(a[1]) or load(*a, **k)
    )
    evaluation = evaluate(cyclegan_run, num_images=2)
    assert set(evaluation.figures) == {"losses", "translation"}
    assert sorted(calls) == ["test", "train"]
    assert set(evaluation.translation["ab"]["model"]) == {
        *("mean_absolute_error", "psnr", "ssim")
    }


def test_noise_does_not_depend_on_the_batch():
    """Image number i of all has the noise of i, whichever batch it is in."""
    seen = []

    class Noisy:
        def signatures(self):
            return {"translate": None, "sample": None}

    translator = Translator(Noisy(), "ab", seed=3)
    translator.endpoints.run = lambda name, images, seeds, batch_size: (
        seen.append(seeds) or {"images": images}
    )
    images = np.zeros((5, 8, 8, 3), "float32")
    translator(images, "ab")
    translator(images[:2], "ab")
    translator(images[2:], "ab", start=2)
    np.testing.assert_array_equal(np.concatenate(seen[1:]), seen[0])


def test_domains_without_pairs_have_distances_only(
    cyclegan_run, pairs_folder, tmp_path, monkeypatch
):
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(cyclegan_run, run)
    for index, path in enumerate(sorted(pairs_folder.rglob("*.png"))):
        split = "test" if index % 4 == 0 else "train"
        target = data / f"{split}{path.parent.name.upper()}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("000", "004"):  # domains of unequal length
        (data / "testB" / f"{name}.png").unlink()
    monkeypatch.setattr(translation, "_BATCH_SIZE", 3)  # one ends within a batch
    flags = ("--data", data, "--no-report", "--metrics", "translation")
    assert run_tfgen("evaluate", run, *flags) == 0
    found = read_metrics(run)
    moved = Run(run, data=data)
    test, train = (moved.arrays(split) for split in ("test", "train"))
    assert found["num_images"] == len(test[0]) == len(test[1]) + 2 > 6
    network = metrics.build_random_features(test[0].shape[1:])
    for direction, real in (("ab", 1), ("ba", 0)):
        rows = found["translation"][direction]
        outputs = inference.translate(moved.model, test[1 - real], direction)
        for row, images in (("model", outputs), ("real", test[real])):
            distance = metrics.kernel_distance(network(images), network(train[real]))
            assert set(rows[row]) == {"kernel_distance", "kernel_distance_error"}
            value = pytest.approx(distance.value, rel=1e-3, abs=1e-6)
            assert rows[row]["kernel_distance"] == value, (direction, row)


@pytest.fixture
def inpainting(folder):
    """The configuration of a run that fills holes."""
    preset, overrides = get_preset("inpaint_256"), {"image_size": 16, "channels": 1}
    return preset_config(preset, overrides, data=str(folder), seed=3, batch_size=4)


def test_a_hole_is_filled_from_its_border(inpainting):
    """A ramp is biharmonic: it comes back."""
    pytest.importorskip("skimage.restoration")
    ramp = np.linspace(0.2, 0.8, 16, dtype="float32")[:, np.newaxis, np.newaxis]
    images = np.tile(ramp, (3, 1, 16, 2))
    holes = find_holes(read_steps("mask25"), images.shape[1:], 3, 7, 3)
    holes[:, [0, -1]] = holes[:, :, [0, -1]] = False
    inputs = np.where(holes[..., np.newaxis], 0.5, images)
    assert np.abs(inputs - images).max() > 0.05
    filled = make_filler(inpainting)(inputs, 7)
    np.testing.assert_allclose(filled[:, 3:-3, 3:-3], images[:, 3:-3, 3:-3], atol=0.06)
    assert make_filler(dataclasses.replace(inpainting, degrade="gray")) is None


@pytest.mark.large
def test_a_filled_hole_stands_beside_the_model(inpainting, tmp_path):
    skimage = pytest.importorskip("skimage.restoration")
    sizes = {"image_size": 16, "filters": 4, "discriminator_filters": 4}
    model = tfgen.create_model("inpaint_256", **sizes, patch_layers=1, channels=1)
    run = Run.of(tmp_path / "run", inpainting)
    vars(run)["model"] = model
    subject = Subject(run)
    (count,) = measure("translation", subject)
    inputs, targets = run.arrays("test")
    assert count.value == len(inputs) > 3
    holes = find_holes(read_steps("mask25"), inputs.shape[1:], 3, 0, len(inputs))
    np.testing.assert_allclose(inputs[holes], 128 / 255)
    np.testing.assert_array_equal(inputs[~holes], targets[~holes])
    filled = [
        skimage.inpaint_biharmonic(image[..., 0], hole)
        for image, hole in zip(inputs, holes, strict=True)
    ]
    error = np.abs(np.clip(filled, 0, 1) - targets[..., 0]).mean()
    rows = subject.translation["ab"]
    assert rows["fill"]["mean_absolute_error"] == pytest.approx(error, rel=1e-4)
    assert rows["fill"]["psnr"] > rows["copy"]["psnr"]
    assert "kernel_distance" not in rows["fill"]


def test_the_trivial_answer_is_named(inpainting):
    """Of a copy it is said that it is an interpolation, where it is one."""
    config = dataclasses.replace(inpainting, degrade="downscale4")
    figures = {"copy": {"psnr": 20.0}, "model": {"psnr": 25.0}}
    subject = types.SimpleNamespace(config=config)
    evaluation = types.SimpleNamespace(translation={"ab": figures}, subject=subject)
    labels = [label for label, _ in translation_tables(evaluation)["a to b"]]
    assert labels == ["the input, copied: bicubic interpolation", "the model"]
