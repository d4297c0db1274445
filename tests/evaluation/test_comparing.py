"""`compare`: arrays, folders and names; features of networks in files; the command."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import tfgen
from tests.cli.conftest import tfgen as run_command
from tfgen.errors import UserError
from tfgen.evaluation import compare
from tfgen.metrics import build_random_features, compare_samples

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 3)
REAL = RNG.uniform(size=(60, *SHAPE)).astype("float32")
FAKE = REAL[:40] ** 2


def means(images):
    """Six features an image: means and deviations of its channels."""
    images = np.asarray(images)
    return np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Both sets as PNG files; those of the fake ones are twice as large."""
    base = tmp_path_factory.mktemp("sets")
    for name, images, scale in (("real", REAL, 1), ("fake", FAKE, 2)):
        (base / name).mkdir()
        for index, image in enumerate(images):
            pixels = np.round(255 * image).astype("uint8").repeat(scale, 0)
            file = base / name / f"{index:03d}.png"
            Image.fromarray(pixels.repeat(scale, 1)).save(file)
    return base


def test_arrays_are_scored_as_samples_are():
    found = compare(REAL, FAKE, features=means, seed=3)
    expected = compare_samples(REAL, FAKE, means, seed=3)
    assert (found.scores, found.floors) == (expected.scores, expected.floors)
    assert found.num_samples == 30
    assert found.scores["kernel_distance"] > 10 * abs(found.floors["kernel_distance"])


def test_all_images_of_a_folder_are_taken_at_the_real_ones_size(folders):
    found = compare(str(folders / "real"), folders / "fake", features=means)
    assert found.num_samples == 30  # none is held out
    expected = compare(REAL, FAKE, features=means)
    for name, value in found.scores.items():  # of another division at random
        if "distance" in name:
            assert value == pytest.approx(expected.scores[name], rel=0.5), name


def test_features_of_a_file(tmp_path, monkeypatch):
    inputs = keras.Input((16, 16, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    keras.Model(inputs, pooled).save(tmp_path / "net.keras")
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("GlobalAveragePool", ["f"], ["y"]),
        ],
        "pool",
        [value("x", onnx.TensorProto.UINT8, ["n", 3, 16, 16])],
        [value("y", onnx.TensorProto.FLOAT, ["n", 3, 1, 1])],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=8),
        str(tmp_path / "net.onnx"),
    )
    monkeypatch.setattr("tfgen.metrics.compare_samples", lambda *a, **k: a[2])
    network = compare(REAL, FAKE, features=str(tmp_path / "net.keras"))
    # The mean of an image that is resized is about the image's own.
    np.testing.assert_allclose(network(REAL), REAL.mean((1, 2)), atol=0.02)
    assert network.__name__ == "net.keras"
    other = compare(REAL, FAKE, features=str(tmp_path / "net.onnx"))
    np.testing.assert_allclose(other(REAL) / 255, network(REAL), atol=0.003)
    network = compare(REAL, FAKE, features="random")
    np.testing.assert_array_equal(network(REAL), build_random_features(SHAPE)(REAL))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fake": FAKE[:, :4]}, r"images of one shape.*\(8, 8, 3\) and \(4, 8, 3\)"),
        ({"real": REAL[:10]}, "needs 20 real images"),
        ({"features": "vgg"}, "must be one of data, random"),
        ({"features": "gone.onnx"}, "there is no such file"),
        ({"features": "data"}, "needs the real images' name"),
    ],
)
def test_mistakes_are_one_line(arguments, said):
    with pytest.raises(UserError, match=said):
        tfgen.evaluation.compare(**{"real": REAL, "fake": FAKE, **arguments})


def test_command(folders, tmp_path, capsys):
    out = tmp_path / "figures.json"
    real, fake = folders / "real", folders / "fake"
    with pytest.warns(UserWarning, match="full rank"):
        assert run_command("compare", real, fake, "--out", out) == 0
    printed = capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert figures["num_samples"] == 30
    assert figures["feature_network"] in printed
    for name in ("kernel_distance", "precision", "coverage"):
        assert name in printed
        assert np.isfinite([figures["scores"][name], figures["floors"][name]]).all()
    assert run_command("compare", real, tmp_path / "gone") == 2
