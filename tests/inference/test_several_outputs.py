"""Several outputs for one input: files of `translate --num`, and their diversity."""

import numpy as np
import pytest
from PIL import Image

import tfgen
from tests.runs import pairs_folder, pix2pix_run, run_tfgen  # noqa: F401
from tfgen.errors import UserError
from tfgen.evaluation import evaluate
from tfgen.inference.files import translate_files
from tfgen.metrics import build_random_features, extract_features, pairwise_distance
from tfgen.training.opening import open_run

SMALL = {"image_size": 16, "filters": 2, "discriminator_filters": 2, "patch_layers": 1}


@pytest.fixture(scope="module")
def noisy():
    """A generator with a latent whose effect can be seen, untrained."""
    options = {**SMALL, "noise_dim": 3, "initial_stddev": 0.3, "seed": 0}
    return tfgen.create_model("pix2pix_256", **options)


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 37, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def pixels_of(path):
    return np.asarray(Image.open(path))


def test_outputs_are_those_of_the_seeds_and_stand_in_a_grid(noisy, photo, tmp_path):
    run = open_run(noisy)
    written = translate_files(run, photo, tmp_path / "out", num=3, seed=5).written
    names = ["cat-1.png", "cat-2.png", "cat-3.png", "cat-grid.png"]
    assert [path.name for path in written] == names
    *outputs, grid = map(pixels_of, written)
    for index, output in enumerate(outputs):
        alone = tmp_path / f"{index}.png"
        translate_files(run, photo, alone, seed=5 + index)
        np.testing.assert_array_equal(output, pixels_of(alone))
    assert np.abs(np.int32(outputs[0]) - outputs[1]).max() > 0
    panels = [grid[:, 38 * i : 38 * i + 37] for i in range(4)]
    assert grid.shape == (24, 3 * 38 + 37, 3)
    for panel, expected in zip(panels, [pixels_of(photo), *outputs], strict=True):
        np.testing.assert_array_equal(panel, expected)
    with pytest.raises(UserError, match=r"cat-1.png exists: name another OUT"):
        translate_files(run, photo, tmp_path / "out", num=3)


def test_a_model_without_noise_has_one_output(
    pix2pix_run,  # noqa: F811
    photo,
    tmp_path,
    capsys,
):
    words = ("translate", pix2pix_run, photo, tmp_path / "out", "--num", 2)
    assert run_tfgen(*words) == 2
    assert "one output for one input" in capsys.readouterr().err


def test_diversity_is_measured_beside_that_of_targets(noisy, pairs_folder):  # noqa: F811
    run = open_run(noisy, pairs_folder)
    evaluation = evaluate(run, metrics="translation")
    figure = evaluation.find("diversity")
    inputs, targets = run.arrays("test")
    network = build_random_features(run.image_shape)
    function = noisy.signatures()["sample"]
    seeds = np.arange(len(inputs), dtype="int64")
    features = [
        extract_features(
            np.asarray(function(inputs, seeds + seed * 2**32)["images"]), network
        )
        for seed in range(4)
    ]
    expected = pairwise_distance(np.stack(features, axis=1)).mean()
    assert figure.value == pytest.approx(expected, rel=1e-4)
    real = pairwise_distance(extract_features(targets, network)[None])[0]
    assert figure.floor == pytest.approx(real, rel=1e-4)
    assert figure.value > 0
    assert figure.error > 0


def test_pairwise_distance():
    features = [[[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]], [[1.0, 1.0]] * 3]
    np.testing.assert_allclose(pairwise_distance(features), [10.0 / 3, 0.0])
    with pytest.raises(ValueError, match="num 2 or more"):
        pairwise_distance(np.zeros((3, 1, 2)))
