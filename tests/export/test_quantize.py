"""Quantised files: what is stored, what is computed, and what they may lose."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import export
from export.formats import flatbuffer, quantize, runtimes, tflite
from export.verify import fidelity, golden, litert
from export.verify.examples import Examples

SIZE = 12
IMAGES = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="images")


class Filters(keras.Model):
    """A convolution, a transposed one, and normalisation between them."""

    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.network = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 3)),
                layers.Conv2D(8, 3, strides=2, padding="same", name="down"),
                layers.BatchNormalization(),
                layers.LeakyReLU(),
                layers.Conv2DTranspose(4, 4, strides=2, padding="same", name="up"),
                layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="last"),
            ]
        )
        self(keras.Input((SIZE, SIZE, 3)))

    def call(self, images):
        return self.network(images, training=False)

    def signatures(self):
        @tf.function(input_signature=[IMAGES])
        def translate(images):
            return {"images": self(images)}

        return {"translate": translate}


def images_of(count, seed=0):
    shape = (count, SIZE, SIZE, 3)
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


@pytest.fixture(scope="module")
def filters():
    keras.utils.set_random_seed(0)
    return Filters()


@pytest.fixture(scope="module")
def conversion(filters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    examples = {"images": images_of(20)}
    return tflite.convert(export.export_saved_model(filters, folder, examples=examples))


@pytest.fixture(scope="module")
def written(conversion, tmp_path_factory):
    """Every quantization of one conversion: path and findings by name."""
    folder = tmp_path_factory.mktemp("edge")
    files = {}
    for name in quantize.QUANTIZATIONS:
        path = folder / f"{name}.tflite"
        files[name] = (path, tflite.write(conversion, path, name, images_of(20, 1)))
    return files


def tensors_of(path):
    """Returns kind and number of scales of each convolution's input and weights."""
    model = flatbuffer.read(path.read_bytes())
    names = {v: k for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    (graph,) = model.subgraphs
    found = {}
    operations = flatbuffer.operations(model, graph)
    for name, operator in zip(operations, graph.operators, strict=True):
        if name in flatbuffer.WEIGHTED:
            where = flatbuffer.WEIGHTED[name]
            activation = operator.inputs[2 if name == "TRANSPOSE_CONV" else 0]
            kinds = [names[graph.tensors[activation].type]]
            weight = graph.tensors[operator.inputs[where]]
            kinds.append(names[weight.type])
            scale = weight.quantization and weight.quantization.scale
            found.setdefault(name, []).append(
                (*kinds, 0 if scale is None else len(scale))
            )
    return found


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("float32", ("FLOAT32", "FLOAT32")),
        ("float16", ("FLOAT32", "FLOAT32")),  # after a DEQUANTIZE of FLOAT16
        ("dynamic_int8", ("FLOAT32", "INT8")),
        ("int8", ("INT8", "INT8")),
    ],
)
def test_what_convolutions_take(written, name, kinds):
    path, _ = written[name]
    found = tensors_of(path)
    assert {key: len(items) for key, items in found.items()} == {
        "CONV_2D": 2,
        "TRANSPOSE_CONV": 1,
    }
    per_channel = kinds[1] == "INT8"
    assert found["CONV_2D"][0] == (*kinds, 8 if per_channel else 0)
    assert found["TRANSPOSE_CONV"][0] == (*kinds, 4 if per_channel else 0)
    model = flatbuffer.read(path.read_bytes())
    halves = [
        t for t in model.subgraphs[0].tensors if t.type == schema.TensorType.FLOAT16
    ]
    assert len(halves) == (3 if name == "float16" else 0)
    for runner in litert.load(path.read_bytes()).values():  # whatever is inside
        assert runner({"images": images_of(1)})["images"].dtype == np.float32


def test_fidelity_of_each_is_what_numpy_finds(written, filters):
    held_out = images_of(20)  # the examples of the SavedModel come first
    psnr = {}
    for name, (path, findings) in written.items():
        endpoint = litert.load(path.read_bytes())["translate"]
        rows = held_out[:3]  # golden ones
        found = np.concatenate([endpoint({"images": x[None]})["images"] for x in rows])
        error = np.mean((found - filters(rows).numpy()) ** 2)
        (row,) = findings.rows
        assert row.psnr == pytest.approx(-10 * np.log10(error), abs=0.5)
        psnr[name] = findings.fidelity["translate"].psnr
        # The worse of all rows and of the golden ones; another process ran `row`.
        assert psnr[name] <= row.psnr + 0.1
        assert findings.fidelity["translate"].ssim > 0.99
        assert findings.kept_float == []
        assert row.graph["partitions"] == 1
        assert row.graph["outside"] == {}
    assert psnr["float32"] > psnr["float16"] > psnr["dynamic_int8"] > psnr["int8"]
    for name, floor in quantize.FLOORS_DB.items():
        assert psnr[name] >= floor


@pytest.mark.parametrize(
    ("name", "versions", "runtime"),
    [
        ("float32", {"CONV_2D": 1, "TRANSPOSE_CONV": 1}, (1, 5)),
        ("float16", {"CONV_2D": 1, "DEQUANTIZE": 3}, (1, 15)),
        ("dynamic_int8", {"CONV_2D": 5, "TRANSPOSE_CONV": 5}, (2, 17)),
        ("int8", {"CONV_2D": 3, "TRANSPOSE_CONV": 3}, (2, 3)),
    ],
)
def test_a_file_says_which_runtimes_run_it(written, name, versions, runtime):
    """An old runtime refuses a newer operator, and answers wrongly to none."""
    content = written[name][0].read_bytes()
    model = flatbuffer.read(content)
    (graph,) = model.subgraphs
    names = flatbuffer.operations(model, graph)
    found = {
        kind: model.operatorCodes[operator.opcodeIndex].version
        for kind, operator in zip(names, graph.operators, strict=True)
    }
    assert {kind: found[kind] for kind in versions} == versions
    asked = runtimes.minimum_runtime(content).split(".")
    assert tuple(map(int, asked[:2])) >= runtime


def test_fully_connected_layers_in_8_bits_need_2_17(sensitive, tmp_path):
    path = tmp_path / "a.tflite"
    tflite.write(sensitive, path, "dynamic_int8")
    assert runtimes.minimum_runtime(path.read_bytes()) == "2.17.0"
    versions = {
        (code.builtinCode, code.version)
        for code in flatbuffer.read(path.read_bytes()).operatorCodes
    }
    assert (schema.BuiltinOperator.FULLY_CONNECTED, 12) in versions


def test_files_shrink(written):
    sizes = {name: path.stat().st_size for name, (path, _) in written.items()}
    assert sizes["float16"] < sizes["float32"]
    assert golden.read_quantization(written["int8"][0]) == "int8"
    assert golden.read_quantization(written["float32"][0]) == "float32"


def test_check_holds_a_quantised_file_to_its_floor(written, tmp_path):
    for part in ("tflite", "golden.npz"):
        source = written["int8"][0].parent / f"int8.{part}"
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (row,) = export.check(tmp_path, require_report=False)
    assert (row.quantization, row.floor_db, row.tolerance) == ("int8", 30.0, None)
    record = golden.read(tmp_path / "int8.tflite")
    record["translate"].outputs["images"] += np.float32(0.1)  # 20 dB
    golden.write(tmp_path / "int8.golden.npz", record, "int8")
    with pytest.raises(export.CheckError, match=r"PSNR (19|20)\.\d dB, at least 30 dB"):
        export.check(tmp_path, require_report=False)


# ---- Mistakes ------------------------------------------------------------------------


def test_int8_needs_data(conversion, tmp_path):
    with pytest.raises(export.ExportError, match="'translate' needs training images"):
        tflite.write(conversion, tmp_path / "a.tflite", "int8")
    assert not list(tmp_path.iterdir())


def test_unknown_quantization(filters, tmp_path):
    with pytest.raises(
        export.ExportError, match=r"one of float32, .* Received: 'int4'"
    ):
        export.export_tflite(filters, tmp_path / "a.tflite", quantization="int4")
    assert not list(tmp_path.iterdir())


# ---- Layers that must stay -----------------------------------------------------------


@pytest.fixture(scope="module")
def sensitive(tmp_path_factory):
    """The middle layer's input has one value that drowns the others in 8 bits."""
    keras.utils.set_random_seed(0)
    loud = keras.layers.Dense(8, name="loud")
    quiet = keras.layers.Dense(8, name="quiet")
    last = keras.layers.Dense(4, name="last")
    vectors = keras.Input((8,))
    model = keras.Model(vectors, last(quiet(loud(vectors))))
    kernel, bias = loud.get_weights()
    bias[0] = 3e3
    loud.set_weights([kernel, bias])
    kernel, bias = quiet.get_weights()
    kernel[0] = 0.0  # and does not matter
    quiet.set_weights([kernel, bias])
    spec = tf.TensorSpec((None, 8), tf.float32, name="x")

    @tf.function(input_signature=[spec])
    def run(x):
        return {"y": model(x)}

    model.signatures = lambda: {"run": run}
    folder = tmp_path_factory.mktemp("sensitive")
    return tflite.convert(export.export_saved_model(model, folder))


def test_layers_that_lose_too_much_stay_in_float32(sensitive, tmp_path):
    path = tmp_path / "a.tflite"
    written = tflite.write(sensitive, path, "dynamic_int8")
    assert len(written.kept_float) == 1
    assert "quiet" in written.kept_float[0]
    assert written.fidelity["run"].psnr >= quantize.FLOORS_DB["dynamic_int8"]
    kinds = [weight for _, weight, _ in tensors_of(path)["FULLY_CONNECTED"]]
    assert kinds == ["INT8", "FLOAT32", "INT8"]


def test_only_layers_of_the_signature_that_misses_are_kept():
    """Two signatures: `good` reaches the floor; `bad` does with both of its layers."""
    layers = [
        flatbuffer.Layer((name,), frozenset([signature]))
        for name, signature in (("a", "good"), ("b", "bad"), ("c", "bad"), ("d", "bad"))
    ]

    class Names:
        def quantize(self, keep=()):
            return " ".join(keep).encode()

    def psnr(content):
        gains = {"b": 1.0, "c": 5.0, "d": 20.0}
        return {
            "good": 31.0,
            "bad": 8.0 + sum(gains.get(k, 0) for k in content.decode()),
        }

    content, kept = quantize.quantize_to_floor(Names(), layers, psnr, 30.0)
    assert kept == ["d", "c"]
    assert content == b"d c"
    with pytest.raises(export.ExportError, match=r"reaches 31\.0 dB.*must reach 40 dB"):
        quantize.quantize_to_floor(Names(), layers, psnr, 40.0)


def test_a_floor_out_of_reach_fails_the_export(sensitive, tmp_path, monkeypatch):
    monkeypatch.setitem(quantize.FLOORS_DB, "dynamic_int8", 1000.0)
    with pytest.raises(export.ExportError, match=r"must reach 1000 dB.* trained"):
        tflite.write(sensitive, tmp_path / "a.tflite", "dynamic_int8")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_run_counts_as_lost(conversion, written):
    content = written["int8"][0].read_bytes()
    references = fidelity.make_references(
        conversion.functions, conversion.goldens, Examples({})
    )
    assert fidelity.measure_psnr(content, references)["translate"] >= 30.0
    assert fidelity.measure_psnr(content[:100], references) == {"translate": 0.0}
