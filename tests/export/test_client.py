"""The client against test doubles of TensorFlow Serving; they say what they leave out.

Every promise is tried over REST and over gRPC, on real SavedModels.
"""

import json
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

import export
from export.serving.client import Client

from .serving_double import ModelsDouble, PredictionServiceDouble, RestDouble
from .small import LATENTS

INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
NUMBERS = ["bool", *INTEGERS, "float32", "float64"]
PIXELS = tf.TensorSpec((None, 4, 4, 1), tf.uint8, name="pixels")
PNG = tf.TensorSpec((None,), tf.string, name="png")
TEXT = tf.TensorSpec((None,), tf.string, name="text")


def _save_types(folder):
    """A model of every type, and of bytes in and out."""
    specs = [tf.TensorSpec((None, 2), name, name=f"{name}_in") for name in NUMBERS]

    def echo(*arrays):
        pairs = zip(NUMBERS, arrays, strict=True)
        return {f"{name}_out": tf.identity(array) for name, array in pairs}

    def encode(pixels):
        png = tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
        return {"png_bytes": png}

    def decode(png):
        def read(content):
            return tf.ensure_shape(tf.io.decode_png(content, 1), (4, 4, 1))

        return {"pixels": tf.map_fn(read, png, fn_output_signature=tf.uint8)}

    def join(text):
        return {"text": text + "!", "text_bytes": text + tf.constant(b"\xff\0")}

    def raw(text):
        return {"text": text + tf.constant(b"\xff")}

    def half(latents):
        return {"halves": tf.cast(latents, tf.bfloat16)}

    functions = {
        "echo": (echo, specs),
        "encode": (encode, [PIXELS]),
        "decode": (decode, [PNG]),
        "join": (join, [TEXT]),
        "raw": (raw, [TEXT]),
        "half": (half, [LATENTS]),
    }
    signatures = {
        name: tf.function(function, input_signature=signature)
        for name, (function, signature) in functions.items()
    }
    _save(folder / "1", **signatures)
    return folder


def _save_versions(folder):
    """Versions 2 and 10: the text `10` sorts first, the number last."""
    for version in (2, 10):

        @tf.function(input_signature=[LATENTS])
        def scale(latents, factor=float(version)):
            return {"latents": latents * factor}

        _save(folder / str(version), scale=scale)
    return folder


LABELS = tf.TensorSpec((None,), tf.int32, name="labels")
# Version -> what `scale` is from then on: its input, and its outputs.
UPDATES = {
    1: (LATENTS, lambda latents: {"latents": latents}),
    2: (LABELS, lambda labels: {"latents": tf.one_hot(labels, 4)}),
    3: (LATENTS, lambda latents: {"scaled": latents, "more": latents}),
    4: (LATENTS, lambda latents: {"latents": latents[:1]}),
    5: (LATENTS, lambda latents: {"latents": tf.cast(latents, tf.int32)}),
    6: (LATENTS, lambda latents: {"latents": latents[:, :2]}),
    7: (LATENTS, lambda latents: {"latents": latents > 0}),
}


def _save_updates(folder):
    for version, (spec, function) in UPDATES.items():
        scale = tf.function(function, input_signature=[spec])
        _save(folder / str(version), scale=scale)
    _save(folder / "8", paint=tf.function(UPDATES[1][1], input_signature=[LATENTS]))
    return folder


def _save(folder, **signatures):
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)


@pytest.fixture(scope="module")
def doubles(shipped, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    models = ModelsDouble(
        {
            "model": shipped.version.parent,
            "types": _save_types(folder / "types"),
            "two versions": _save_versions(folder / "versions"),
            "updated": _save_updates(folder / "updates"),
        }
    )
    doubles = {"rest": RestDouble(models), "grpc": PredictionServiceDouble(models)}
    yield doubles
    for double in doubles.values():
        double.close()


@pytest.fixture(params=["rest", "grpc"])
def double(request, doubles):
    double = doubles[request.param]
    double.calls.clear()
    yield double
    double.delay = 0.0
    if request.param == "rest":
        double.answer = None


@pytest.fixture
def rest(doubles):
    yield doubles["rest"]
    doubles["rest"].answer = None


# ---- numbers, types, bytes -----------------------------------------------------------


def test_every_endpoint_answers_as_keras(shipped, double):
    rng = np.random.default_rng(1)
    arrays = {
        "images": rng.uniform(size=(5, 8, 8, 1)).astype("float32"),
        "latents": rng.normal(size=(5, 4)).astype("float32"),
        "seeds": np.arange(5),
    }
    with Client(double.address, "model") as client:
        for name, function in shipped.model.signatures().items():
            (spec,) = function.input_signature
            answers = client.predict(name, **{spec.name: arrays[spec.name]})
            expected = function(tf.constant(arrays[spec.name]))
            assert set(answers) == set(expected)
            for key, tensor in expected.items():
                assert answers[key].dtype == np.float32
                np.testing.assert_allclose(answers[key], tensor, atol=1e-6)
        images = arrays["images"]
        default = client.predict("serving_default", images=images)
        same = client.predict("reconstruct", images=images)
    np.testing.assert_array_equal(default["images"], same["images"])


def _extremes(name):
    if name == "bool":
        return np.array([[True, False]])
    limits = np.iinfo(name) if "int" in name else np.finfo(name)
    return np.array([[limits.min, limits.max]], name)


def test_every_type_arrives_whole(double):
    arrays = {name: _extremes(name) for name in NUMBERS}
    inputs = {f"{name}_in": array for name, array in arrays.items()}
    answers = Client(double.address, "types").predict("echo", **inputs)
    for name, array in arrays.items():
        assert answers[f"{name}_out"].dtype == name
        np.testing.assert_array_equal(answers[f"{name}_out"], array)


def test_float32_is_kept_to_the_bit(double):
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2**32, (2000, 2), dtype=np.uint64).astype(np.uint32)
    floats = bits.view(np.float32)
    special = [[0.0, -0.0], [np.inf, -np.inf], [1e-45, 0.1], [16777217, 9e6]]
    floats = np.concatenate([floats[np.isfinite(floats).all(1)], np.float32(special)])
    inputs = {f"{name}_in": np.zeros((len(floats), 2), name) for name in NUMBERS}
    client = Client(double.address, "types")
    echoed = client.predict("echo", **inputs | {"float32_in": floats})["float32_out"]
    np.testing.assert_array_equal(echoed.view(np.uint32), floats.view(np.uint32))
    inputs = {name: array[:1] for name, array in inputs.items()}
    nan = client.predict("echo", **inputs | {"float32_in": [[np.nan, 1.0]]})
    assert np.isnan(nan["float32_out"][0, 0])


def test_images_as_png_both_ways(double):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (3, 4, 4, 1)).astype(np.uint8)
    with Client(double.address, "types") as client:
        png = client.predict("encode", pixels=pixels)["png_bytes"]
        assert png.dtype == object
        assert png.shape == (3,)
        assert all(item.startswith(b"\x89PNG") for item in png)
        for content in (png, list(png)):
            decoded = client.predict("decode", png=content)["pixels"]
            assert decoded.dtype == np.uint8
            np.testing.assert_array_equal(decoded, pixels)


def test_strings_keep_their_last_zeros_and_text_is_utf8(double):
    client = Client(double.address, "types")
    answers = client.predict("join", text=["é", b"zero\0", 'quote"\n'])
    texts = ["é!".encode(), b"zero\0!", b'quote"\n!']
    assert answers["text"].tolist() == texts
    ends = ["é".encode(), b"zero\0", b'quote"\n']
    assert answers["text_bytes"].tolist() == [item + b"\xff\0" for item in ends]
    stored = client.predict("join", text=np.array([b"ab", b"c"]))  # dtype S
    assert stored["text"].tolist() == [b"ab!", b"c!"]


def test_bytes_that_are_no_text_need_a_name_for_rest(doubles):
    answer = Client(doubles["grpc"].address, "types").predict("raw", text=["a"])
    assert answer["text"].tolist() == [b"a\xff"]
    with pytest.raises(export.ExportError, match="ends in `_bytes`, or gRPC"):
        Client(doubles["rest"].address, "types").predict("raw", text=["a"])


def test_messages_larger_than_the_default_limit(shipped, doubles):
    images = np.ones((20000, 8, 8, 1), "float32")  # 5 MB, and gRPC's default is 4
    client = Client(doubles["grpc"].address, "model")
    assert client.predict("negative", images=images)["images"].shape == images.shape


# ---- versions ------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "factor"), [(None, 10), (2, 2), (10, 10)])
def test_version(double, version, factor):
    ones = np.ones((2, 4), "float32")
    with Client(double.address, "two versions", version) as client:
        answer = client.predict("scale", latents=ones)
    np.testing.assert_array_equal(answer["latents"], factor * ones)


def test_endpoints_are_asked_for_once(double):
    client = Client(double.address, "two versions")
    assert not double.calls  # nor the server before it is needed
    for _ in range(3):
        client.predict("scale", latents=np.ones((1, 4)))
    assert len(double.calls) == 4


# ---- what is refused before it is sent -----------------------------------------------

ROWS = np.ones((2, 4))
UNEQUAL = {f"{name}_in": np.ones((1, 2), name) for name in NUMBERS}
UNEQUAL["bool_in"] = np.ones((2, 2), bool)


@pytest.mark.parametrize(
    ("model", "endpoint", "inputs", "message"),
    [
        (
            "model",
            "paint",
            {},
            r"'paint': .*no such endpoint: it has \['decode'",
        ),
        ("model", "decode", {}, r"takes the inputs \['latents'\]. Received: \[\]"),
        ("model", "decode", {"latents": ROWS, "seed": 1}, r"Received: .*'seed'"),
        ("model", "decode", {"latents": ROWS[0]}, r"shape \(None, 4\). Rec.*: \(4,\)"),
        ("model", "decode", {"latents": ROWS[:, 1:]}, r"shape .* Received: \(2, 3\)"),
        ("model", "decode", {"latents": ROWS > 0}, "must be float32. Received: bool"),
        ("model", "decode", {"latents": [["a"]]}, "must be float32. Received: <U1"),
        ("model", "decode", {"latents": [[1.0], []]}, "'latents' is not an array"),
        ("model", "decode", {"latents": 1e39 * ROWS}, "do not fit float32"),
        ("model", "reconstruct", {"images": np.ones((1, 8, 8, 1), "uint8")}, "float32"),
        ("model", "sample", {"seeds": [0.0]}, "must be int64. Received: float64"),
        ("model", "sample", {"seeds": np.uint64([2**63])}, "do not fit int64"),
        ("types", "encode", {"pixels": np.full((1, 4, 4, 1), -1)}, "do not fit uint8"),
        ("types", "decode", {"png": [1, b""]}, "must be bytes or str. Received: int"),
        ("types", "echo", UNEQUAL, "as many rows. Received: .*'bool_in': 2"),
        ("types", "decode", {"png": b"alone"}, r"shape \(None,\). Received: \(\)"),
    ],
)
def test_wrong_inputs_are_named_and_not_sent(double, model, endpoint, inputs, message):
    with pytest.raises(export.ExportError, match=message) as error:
        Client(double.address, model).predict(endpoint, **inputs)
    assert str(error.value).startswith(f"model '{model}', endpoint '{endpoint}': ")
    assert "\n" not in str(error.value)
    assert len(double.calls) == 1  # for the metadata


def test_numbers_are_cast_within_their_kind(double):
    client = Client(double.address, "model")
    single = client.predict("decode", latents=ROWS.astype("float32"))["images"]
    np.testing.assert_array_equal(
        client.predict("decode", latents=ROWS)["images"], single
    )
    seeds = [client.predict("sample", seeds=x)["images"] for x in ([3], np.uint8([3]))]
    np.testing.assert_array_equal(*seeds)


def test_an_empty_input_is_refused_by_rest_alone(doubles):
    empty = np.ones((0, 4))
    with pytest.raises(
        export.ExportError, match="'latents' is empty, which REST cannot"
    ):
        Client(doubles["rest"].address, "model").predict("decode", latents=empty)
    answer = Client(doubles["grpc"].address, "model").predict("decode", latents=empty)
    assert answer["images"].shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("address", "version", "message"),
    [
        ("localhost", None, r"http://host:8501 .* Received: 'localhost'"),
        ("http://", None, "Received: 'http://'"),
        ("ftp://localhost:8501", None, "Received: 'ftp://localhost:8501'"),
        ("http://localhost:8501", 0, "positive integer"),
        ("http://localhost:8501", "1", "positive integer. Received: '1'"),
        ("localhost:8500", True, "positive integer"),
        (None, None, "Received: None"),
    ],
)
def test_addresses_and_versions_that_cannot_be(address, version, message):
    with pytest.raises(export.ExportError, match=message):
        Client(address, "model", version)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "1", True])
def test_timeouts_and_names_that_cannot_be(timeout):
    with pytest.raises(export.ExportError, match="positive number of seconds"):
        Client("http://localhost:8501", "model", timeout=timeout)
    with pytest.raises(export.ExportError, match="`model` must be its name"):
        Client("http://localhost:8501", "")


# ---- what the server refuses ---------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "version", "said"),
    [
        ("other", None, r"Latest\(other\)"),
        ("two versions", 3, r"Specific\(two versions, 3\)"),
    ],
)
def test_model_or_version_that_is_not_served(double, model, version, said):
    said = f"(404|NOT_FOUND): Servable not found for request: {said}"
    with pytest.raises(export.ExportError, match=said) as error:
        Client(double.address, model, version).predict("scale", latents=ROWS)
    number = f" version {version}" if version else ""
    assert str(error.value).startswith(
        f"model '{model}'{number}, endpoint 'scale': the"
    )


def test_what_an_operation_refuses(double):
    with pytest.raises(export.ExportError, match=r"(400|INVALID_ARGUMENT): .*PNG") as e:
        Client(double.address, "types").predict("decode", png=[b"no image"])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, "(INVALID_ARGUMENT: input size|Missing named input: labels)"),
        (3, r"(the answer has the outputs .*latents|is not DT_FLOAT: dict)"),
        (4, "output 'latents' has 1 rows for 2 that were sent"),
        (5, r"output 'latents' is int32, not float32"),
        (6, r"output 'latents' must have the shape \(None, 4\). Rec.*: \(2, 2\)"),
        (7, "output 'latents' is (bool, not float32|not DT_FLOAT: bool)"),
        (8, "(400|FAILED_PRECONDITION): .*scale.* not found"),
    ],
)
def test_an_update_that_a_client_does_not_know(double, version, message):
    """Another version takes over, and its endpoint is not what the first one was."""
    client = Client(double.address, "updated")
    double.models.newest["updated"] = 1
    client.predict("scale", latents=ROWS)
    double.models.newest["updated"] = version
    if version == 5 and isinstance(double, RestDouble):
        assert client.predict("scale", latents=ROWS)["latents"].dtype == np.float32
        return  # JSON has one kind of number
    with pytest.raises(export.ExportError, match=message) as error:
        client.predict("scale", latents=ROWS)
    assert "\n" not in str(error.value)


def test_types_that_numpy_lacks(rest):
    with pytest.raises(export.ExportError, match="DT_BFLOAT16 has no NumPy type"):
        Client(rest.address, "types").predict("half", latents=ROWS)


@pytest.mark.parametrize(
    ("code", "content", "message"),
    [
        (200, b"<html>", "the answer is not JSON"),
        (200, b"[]", r"the answer lacks the outputs \['images'\]"),
        (200, b"{}", r"the answer lacks the outputs \['images'\]"),
        (200, b'{"outputs": [["x"]]}', "output 'images' is not DT_FLOAT"),
        (200, b'{"outputs": [[1.0], []]}', "output 'images' is not DT_FLOAT"),
        (200, b'{"outputs": [[null]]}', "'images' is not DT_FLOAT: NoneType"),
        (200, b'{"outputs": [[true]]}', "'images' is not DT_FLOAT: bool"),
        (200, b'{"outputs": [["1.5"]]}', "'images' is not DT_FLOAT: str"),
        (200, b'{"outputs": [[{"b64": ""}]]}', "'images' is not DT_FLOAT: dict"),
        (200, b'{"outputs": [[1e39]]}', "'images' is not DT_FLOAT: overflow"),
        (200, b'{"outputs": [[1.0]]}', r"shape \(None, 8, 8, 1\). Rec.*: \(1, 1\)"),
        (200, b"[" * 100_000, "the answer is not JSON"),
        (502, b"<html>\nBad Gateway", "the server answered 502: <html> Bad Gateway$"),
        (503, b"", "the server answered 503: Service Unavailable$"),
        (400, b'{"error": "two\\nlines"}', "the server answered 400: two lines$"),
    ],
)
def test_answers_that_are_no_answers(rest, code, content, message):
    client = Client(rest.address, "model")
    client.predict("decode", latents=ROWS)
    rest.answer = code, content
    with pytest.raises(export.ExportError, match=message):
        client.predict("decode", latents=ROWS)


def _metadata(spec):
    signature = {"decode": {"inputs": {"latents": spec}, "outputs": {}}}
    return {"metadata": {"signature_def": {"signature_def": signature}}}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"metadata": 1}, "is not TensorFlow Serving"),
        ([1], "is not TensorFlow Serving"),
        ({"metadata": {"signature_def": {"signature_def": []}}}, "not known here"),
        (_metadata({}), "not known here"),
        (_metadata({"dtype": "DT_FLOAT", "tensor_shape": {"dim": 4}}), "not known"),
        (
            _metadata(
                {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "four"}]}}
            ),
            "not known here .*four",
        ),
    ],
)
def test_another_web_server(rest, reply, message):
    rest.answer = 200, json.dumps(reply).encode()
    with pytest.raises(export.ExportError, match=message) as error:
        Client(rest.address, "model").predict("decode", latents=ROWS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_server_that_has_moved_is_not_followed(rest, code):
    """For what is posted would be asked for there."""
    client = Client(rest.address, "model")
    client.predict("decode", latents=ROWS)
    rest.answer = code, b"https://models.example/v1/models/model:predict"
    calls = len(rest.calls)
    for one in (client, Client(rest.address, "model")):
        with pytest.raises(export.ExportError, match=r"to https://models\.example$"):
            one.predict("decode", latents=ROWS)
    assert len(rest.calls) == calls + 2


# ---- no server, no answer ------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_dead_server(scheme):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"{scheme}://localhost:{free.getsockname()[1]}"
    target = address.removeprefix("grpc://")
    with pytest.raises(
        export.ExportError, match=f"{target} cannot be reached.*refused"
    ):
        Client(address, "model").predict("decode", latents=ROWS)


def test_timeout_is_not_tried_twice(double):
    client = Client(double.address, "two versions", timeout=0.5)
    client.predict("scale", latents=ROWS)
    double.calls.clear()
    double.delay = 1.0
    target = double.address.removeprefix("grpc://")
    with pytest.raises(export.ExportError, match=f"no answer from {target} in 0.5 s"):
        client.predict("scale", latents=ROWS)
    assert len(double.calls) == 1


START = b"HTTP/1.1 500 Sorry\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "seconds", "message"),
    [
        (b"", 0, "cannot be reached: "),
        (b"hello\r\n\r\n", 0, "cannot be reached: "),
        (START.replace(b"500", b"200") + b'{"met', 0, "cannot be reached: .*read"),
        (START + b'{"err', 0, "the server answered 500: Sorry"),
        (START + b'{"err', 1, "the server answered 500: Sorry"),
    ],
)
def test_server_that_hangs_up(sent, seconds, message):
    """Nothing, no HTTP, or half an answer, after which it ends or is silent."""
    with socket.create_server(("localhost", 0)) as server:

        def answer():
            connection = server.accept()[0]
            connection.recv(10_000)
            connection.sendall(sent)
            time.sleep(seconds)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://localhost:{server.getsockname()[1]}"
        with pytest.raises(export.ExportError, match=message):
            Client(address, "model", timeout=0.5).predict("decode", latents=ROWS)


def test_a_proxy_is_not_asked_for_this_machine(double, monkeypatch):
    """TensorFlow Serving's issue 387."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://localhost:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(double.address, "two versions") as client:
        assert client.predict("scale", latents=ROWS)["latents"].shape == (2, 4)


def test_the_port_of_the_other_protocol_is_named(doubles):
    """TensorFlow Serving's issue 1149."""
    grpc = doubles["grpc"].address.replace("grpc:", "http:")
    with pytest.raises(export.ExportError, match=r"cannot be reached: .*needs grpc:"):
        Client(grpc, "model").predict("decode", latents=ROWS)
    rest = doubles["rest"].address.replace("http:", "grpc:")
    with pytest.raises(export.ExportError, match=r"cannot be reached.*needs http:"):
        Client(rest, "model").predict("decode", latents=ROWS)


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://host:port", "http://a b:1", "http://" + "x" * 70]
)
def test_addresses_that_are_found_wrong_when_called(address):
    with pytest.raises(export.ExportError, match="cannot be reached: ") as error:
        Client(address, "model").predict("decode", latents=ROWS)
    assert "\n" not in str(error.value)


def test_closed_channel(doubles):
    with Client(doubles["grpc"].address, "two versions") as client:
        client.predict("scale", latents=ROWS)
    with pytest.raises(export.ExportError, match=r"cannot be called: .*closed"):
        client.predict("scale", latents=ROWS)


# ---- what it needs -------------------------------------------------------------------

LIGHT = """
import sys, export.serving.client
client = export.Client("http://localhost:1", "model")
try:
    client.predict("decode")
except export.ExportError:
    pass
heavy = {"tensorflow", "grpc", "google.protobuf"} & set(sys.modules)
assert not heavy, heavy
"""


def test_rest_needs_no_tensorflow(pytestconfig):
    subprocess.run([sys.executable, "-c", LIGHT], cwd=pytestconfig.rootpath, check=True)


def test_grpc_says_what_it_needs(monkeypatch):
    name = "tensorflow_serving.apis.prediction_service_pb2_grpc"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(export.ExportError, match=r'pip install "tfgen\[serving\]"'):
        Client("localhost:8500", "model")
