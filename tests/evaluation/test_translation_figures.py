"""How good translations are: against the truth, the input, the mean and real images."""

import shutil

import numpy as np
import pytest

from tests.runs import read_metrics, run_tfgen
from tfgen import inference, metrics
from tfgen.evaluation import Subject, evaluate, measure, translation
from tfgen.inference import Translator
from tfgen.training.run import Run


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
