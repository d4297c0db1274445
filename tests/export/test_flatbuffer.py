"""What is read from, and written into, the content of a .tflite file."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export import export_tflite
from export.formats import flatbuffer, metadata
from export.verify import litert

from .metadata_reader import read as read_metadata


@pytest.fixture(scope="module")
def content(shipped):
    return shipped.tflite.read_bytes()


def run(content, signature="decode"):
    latents = np.linspace(-1, 1, 4, dtype="float32")[None]
    runner = Interpreter(model_content=content).get_signature_runner(signature)
    return runner(latents=latents)["images"]


def test_packed_again_it_is_the_same_model(content):
    again = flatbuffer.pack(flatbuffer.read(content))
    assert again[4:8] == b"TFL3"
    np.testing.assert_array_equal(run(again), run(content))


def test_one_signature_alone(content):
    alone = flatbuffer.extract(content, "decode")
    assert list(Interpreter(model_content=alone).get_signature_list()) == ["decode"]
    np.testing.assert_array_equal(run(alone), run(content))
    with pytest.raises(KeyError):
        flatbuffer.extract(content, "sample")


def test_appended_data_are_read(content):
    """The quantizer writes large weights behind the flatbuffer."""
    model = flatbuffer.read(content)
    index = max(
        (i for i, buffer in enumerate(model.buffers) if buffer.data is not None),
        key=lambda i: len(model.buffers[i].data),
    )
    data = np.asarray(model.buffers[index].data, np.uint8).tobytes()
    model.buffers[index].data = None
    model.buffers[index].offset, model.buffers[index].size = 2**20, len(data)
    outside = flatbuffer.pack(model).ljust(2**20, b"\0") + data
    np.testing.assert_array_equal(
        run(flatbuffer.pack(flatbuffer.read(outside))), run(content)
    )


def test_layers_that_share_weights_go_together(content):
    """The decoder serves `reconstruct`, `negative` and `decode`."""
    layers = flatbuffer.weighted_layers(content)
    assert len(layers) == 4  # two of the encoder, two of the decoder
    names = [name for layer in layers for name in layer.names]
    assert len(set(names)) == len(names)
    shared = {"reconstruct", "negative"}
    of_signatures = [layer.signatures for layer in layers]
    assert of_signatures.count(frozenset({*shared, "decode"})) == 2
    assert of_signatures.count(frozenset({*shared, "encode"})) == 2


def node(name, inputs, outputs):
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


def test_operations_outside_of_the_delegate_are_counted():
    """CONV -> (GATHER) -> ADD, RELU: two partitions around one that stayed."""
    originals = [
        node("CONV_2D", [0, 1], [2]),
        node("GATHER", [2], [3]),
        node("ADD", [3], [4]),
        node("RELU", [4], [5]),
    ]
    partitions = [node("DELEGATE", [0, 1], [2]), node("DELEGATE", [3], [5])]
    count = flatbuffer.count_outside
    assert count([*originals, *partitions]) == (2, 4, {"GATHER": 1})
    assert count(originals) == (
        0,
        4,
        {"CONV_2D": 1, "GATHER": 1, "ADD": 1, "RELU": 1},
    )
    whole = node("DELEGATE", [0, 1], [5])
    assert count([*originals, whole]) == (1, 4, {})


# ---- Metadata ------------------------------------------------------------------------


def test_metadata_can_be_read_back(content):
    about = metadata.About("digits", "Draws digits: 0 … 9.", "CC BY-SA 4.0, by Ä")
    bounds = {("decode", "images"): (0.0, 1.0)}
    described = metadata.add(content, about, bounds)
    found = read_metadata(described)
    assert (found["name"], found["description"], found["license"]) == (
        about.name,
        about.description,
        about.licence,
    )
    signatures = {item["name"]: item for item in found["signatures"]}
    assert set(signatures) == {"reconstruct", "negative", "encode", "decode"}
    assert signatures["decode"]["inputs"] == {"latents": None}
    assert signatures["decode"]["outputs"] == {"images": (0.0, 1.0)}
    assert set(signatures["encode"]["outputs"]) == {"mean", "stddev"}
    np.testing.assert_array_equal(run(described), run(content))


def test_metadata_of_an_export(content):
    found = read_metadata(content)
    assert found["name"] == "model"
    decode = next(item for item in found["signatures"] if item["name"] == "decode")
    assert decode["outputs"] == {"images": (0.0, 1.0)}
    again = metadata.add(content, metadata.About("other"))
    assert read_metadata(again)["name"] == "other"
    model = flatbuffer.read(again)
    assert [item.name for item in model.metadata].count(b"TFLITE_METADATA") == 1


def test_metadata_has_the_identifier_of_its_schema(content):
    data = flatbuffer.find_metadata(content, metadata.NAME)
    assert data[4:8] == b"M001"
    assert flatbuffer.find_metadata(content, "other") is None


class Layers(keras.Model):
    """Convolutions, plain, depthwise and transposed, and a product with a matrix."""

    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.parts = [
            layers.Conv2D(5, 3, strides=2, padding="same"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2DTranspose(2, 4, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(7),
        ]
        self(keras.Input((8, 12, 3)))

    def call(self, images):
        for layer in self.parts:
            images = layer(images)
        return images

    def signatures(self):
        spec = tf.TensorSpec((None, 8, 12, 3), tf.float32, name="images")
        encode = tf.function(lambda images: {"y": self(images)}, [spec])
        return {"encode": encode}


@pytest.fixture(scope="module")
def layers_file(tmp_path_factory):
    return export_tflite(Layers(), tmp_path_factory.mktemp("layers") / "layers.tflite")


def test_multiplications_are_those_of_the_layers(layers_file):
    plain = (4 * 6) * (3 * 3 * 3 * 5)  # places of the output, times weights
    depthwise = (4 * 6) * (3 * 3 * 5)
    transposed = (4 * 6) * (4 * 4 * 5 * 2)  # places of the input
    dense = (8 * 12 * 2) * 7
    counts = flatbuffer.count_multiplications(layers_file.read_bytes())
    assert counts == {"encode": plain + depthwise + transposed + dense}


def test_the_slow_kernels_run_what_is_small_only(layers_file, monkeypatch):
    content = layers_file.read_bytes()
    (count,) = flatbuffer.count_multiplications(content).values()
    row = {"images": np.zeros((1, 8, 12, 3), "float32")}
    answers = litert.load(content)["encode"](row)
    for most, names in (
        (count, {"reference", "compiled_model"}),
        (count - 1, {"compiled_model"}),
    ):
        monkeypatch.setattr(litert, "MOST_BY_REFERENCE", most)
        others = litert.load_others(content)
        report = litert.compare_runtimes(others, "encode", row, answers)
        assert set(report) == names
