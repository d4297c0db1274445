"""What is measured is what is served: examples and calibration by endpoint."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export.formats import tflite
from export.verify import golden, litert
from export.verify.examples import sort_by_endpoint

SPECS = {
    "encode": [tf.TensorSpec((None, 4), name="images")],
    "decode": [tf.TensorSpec((None, 2), name="latents"), tf.TensorSpec(None, name="y")],
    "translate": [tf.TensorSpec((None, 4), name="images")],
}
SHAPE = (8, 8, 3)


def test_an_endpoints_own_arrays_come_before_those_of_an_input():
    data = {"images": [1, 2], "y": [7], "translate": {"images": [3]}}
    examples = sort_by_endpoint(data, SPECS, "examples")
    assert examples.of("encode")["images"].tolist() == [1, 2]
    assert examples.of("translate")["images"].tolist() == [3]
    assert examples.of("decode")["y"].tolist() == [7]
    assert examples.shared == {"encode"}
    own = sort_by_endpoint(
        {"translate": {"images": [3]}, "encode": {"images": [3]}}, SPECS, "examples"
    )
    assert own.shared == set()
    assert sort_by_endpoint([5], SPECS, "examples").of("encode")["images"] == [5]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image": [1]}, r"`examples` name no input of an endpoint: \['image'\]"),
        ({"encod": {"images": [1]}}, r"no endpoint: 'encod'; there are \['encode', "),
        ({"encode": {"image": [1]}}, r"'encode' name no input of it: \['image'\]"),
        ({"decode": {"latents": [1, 2], "y": [1]}}, "as many rows for each input"),
    ],
)
def test_mistakes_are_named(data, message):
    with pytest.raises(export.ExportError, match=message):
        sort_by_endpoint(data, SPECS, "examples")


class TwoWays(keras.Model):
    """Translates both ways, as CycleGAN does: two domains, one name for both inputs."""

    def __init__(self):
        super().__init__()
        self.ab = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")
        self.ba = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")
        self.ab.build((None, *SHAPE))
        self.ba.build((None, *SHAPE))

    def signatures(self):
        spec = tf.TensorSpec((None, *SHAPE), tf.float32, name="images")

        def serve(layer):
            return tf.function(lambda x: {"images": layer(x)}, input_signature=[spec])

        return {"translate_ab": serve(self.ab), "translate_ba": serve(self.ba)}


@pytest.fixture(scope="module")
def domains():
    rng = np.random.default_rng(0)
    grey = rng.uniform(0.49, 0.51, (24, *SHAPE)).astype("float32")
    return grey, rng.uniform(size=(24, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def conversion(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model, folder = TwoWays(), tmp_path_factory.mktemp("ways")
    return tflite.convert(export.export_saved_model(model, folder))


@pytest.mark.parametrize("given", ["by endpoint", "by input"])
def test_int8_holds_its_floor_on_images_of_the_second_domain(
    conversion, domains, tmp_path, given
):
    a, b = domains
    own = {"translate_ab": {"images": a}, "translate_ba": {"images": b}}
    data = own if given == "by endpoint" else {"images": a}
    path = tmp_path / "m.tflite"
    written = tflite.write(conversion, path, "int8", data, data)
    rows = {"images": b}
    quantised = golden.run_rows(litert.load(path.read_bytes())["translate_ba"], rows)
    function = conversion.functions["translate_ba"]
    exact = golden.run_rows(lambda row: function(**row), rows)
    psnr = golden.psnr("images", exact["images"], quantised["images"])
    assert psnr >= 30.0
    if given == "by input":  # by ranges, not by giving up 8 bits
        assert written.kept_float == []
    # What is reported is what is true there.
    assert written.fidelity["translate_ba"].psnr == pytest.approx(psnr, abs=6.0)


def test_examples_of_endpoints_are_recorded(tmp_path, domains):
    a, b = domains
    data = {"translate_ab": {"images": a}, "translate_ba": {"images": b}}
    version = export.export_saved_model(TwoWays(), tmp_path, examples=data)
    record = golden.read(version)
    np.testing.assert_array_equal(record["translate_ab"].inputs["images"], a[:3])
    np.testing.assert_array_equal(record["translate_ba"].inputs["images"], b[:3])
