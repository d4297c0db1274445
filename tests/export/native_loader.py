"""The loader of TensorFlow Serving, compiled: what a server does, without a server.

`native/loader.cc` is built against the shared libraries of the installed TensorFlow. It
loads a SavedModel, answers the warm-up requests that lie in it, and no Python runs.

Example, in a test of any folder:

```python
@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    return native_loader.build(tmp_path_factory)


def test_serves(loader, version):
    native_loader.assert_native_loader_agrees(loader, version)
```
"""

import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import named_tensor_pb2
from tensorflow_serving.apis import prediction_log_pb2

from export.verify import golden
from tests.made_once import made_once

SOURCE = pathlib.Path(__file__).with_name("native") / "loader.cc"
REQUESTS = pathlib.Path("assets.extra", "tf_serving_warmup_requests")
TOLERANCE = 1e-5  # the same kernels as Keras; see export.check.TOLERANCES

_LINKED = "libtensorflow_framework.so.2"
_OPENED = "libtensorflow_cc.so.2"  # by the loader itself: the operations


class LoaderError(RuntimeError):
    """The loader refused a model or a request: its own line says why."""


# ---- the binary ----------------------------------------------------------------------


def find_compiler():
    """Returns the path of a C++ compiler (`$CXX`, g++, clang++, c++), or None."""
    names = (os.environ.get("CXX"), "g++", "clang++", "c++")
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def build(tmp_path_factory):
    """Returns the compiled loader; skips the test where none can be compiled.

    The processes of pytest-xdist share it: the first compiles, the others wait.
    """
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("the native loader needs a C++ compiler: install g++ or set CXX")
    for library in (_LINKED, _OPENED):
        if not pathlib.Path(tf.sysconfig.get_lib(), library).is_file():
            pytest.skip(f"the native loader needs {library}: TensorFlow's Linux wheel")
    key = hashlib.sha256(SOURCE.read_bytes() + tf.version.VERSION.encode())
    name = f"loader-{key.hexdigest()[:16]}"
    compile_it = functools.partial(compile_loader, compiler)
    return made_once(tmp_path_factory, name, compile_it)


def compile_loader(compiler, binary):
    """Compiles `native/loader.cc` to `binary`: about 15 s of a core, 1 GB of memory.

    Raises:
        RuntimeError: The compiler failed; the message holds its first errors.
    """
    command = [
        compiler,
        "-O0",  # headers are what takes the time, and the work is done in TensorFlow
        "-DNDEBUG",  # as TensorFlow was built: inline functions are shared with it
        *tf.sysconfig.get_compile_flags(),
        str(SOURCE),
        *("-o", str(binary)),
        *("-L", tf.sysconfig.get_lib(), f"-l:{_LINKED}"),
        f"-Wl,-rpath,{tf.sysconfig.get_lib()}",
    ]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    if compiled.returncode:
        raise RuntimeError(f"{compiler} failed on {SOURCE}:\n{compiled.stderr[:3000]}")


# ---- answers -------------------------------------------------------------------------


def replay(binary, version, timeout=300.0):
    """Returns the loader's answers to the warm-up requests of a version folder.

    Returns:
        Arrays by output name, by `<index>/<signature>` of the request, in order.

    Raises:
        LoaderError: The loader refused; the message is its line.
        AssertionError: It crashed, or ended without a line.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "answers")
        ran = subprocess.run(
            [str(binary), str(version), str(out)],
            env={"PATH": os.defpath, "TF_CPP_MIN_LOG_LEVEL": "3"},  # no Python's paths
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        assert out.exists() == (ran.returncode == 0), "answers are written whole or not"
        if ran.returncode:
            raise LoaderError(_line(ran))
        return _read_answers(out)


def _line(ran):
    lines = [line for line in ran.stderr.splitlines() if line.startswith("loader: ")]
    assert ran.returncode > 0, f"died of signal {-ran.returncode}: {ran.stderr[-2000:]}"
    assert len(lines) == 1, f"no line that says what was wrong: {ran.stderr[-2000:]}"
    return lines[0].removeprefix("loader: ")


def _read_answers(path):
    answers = {}
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        named = named_tensor_pb2.NamedTensorProto.FromString(record)
        request, output = named.name.rsplit("/", 1)
        answers.setdefault(request, {})[output] = tf.make_ndarray(named.tensor)
    return answers


# ---- agreement -----------------------------------------------------------------------


def assert_native_loader_agrees(binary, version):
    """Asserts that the loader answers the warm-up requests as Keras did.

    Every endpoint, and `serving_default`, must have a request, whose inputs are the
    first rows of the golden ones; answers must be `assert_close` to the golden rows.
    """
    version = pathlib.Path(version)
    expected = golden.expected(version)
    rows = _rows_of_requests(version, expected)
    asked = {name for name, _ in rows.values()}
    assert asked == set(expected), f"{version}: only {asked} have a request"
    answers = replay(binary, version)
    assert answers.keys() == rows.keys()
    for request, (endpoint, count) in rows.items():
        outputs = expected[endpoint].outputs
        assert answers[request].keys() == outputs.keys(), request
        for name, array in outputs.items():
            where = f"{version}: request {request}, output '{name}'"
            assert_close(answers[request][name], array[:count], where)


def assert_close(answer, expected, where):
    """Asserts the same type, shape and values; NaN and infinity agree with nothing.

    Bytes must be the same, or pictures whose pixels are a level of 255 apart at most:
    a difference of 1e-5 may fall on either side of what is rounded.
    """
    assert answer.shape == expected.shape, where
    if expected.dtype.kind in "SO":
        pairs = zip(answer.flat, expected.flat, strict=True)
        assert all(one == other or _look_alike(one, other) for one, other in pairs), (
            where
        )
        return
    assert answer.dtype == expected.dtype, where
    assert np.isfinite(expected).all(), where
    np.testing.assert_allclose(
        answer, expected, rtol=0, atol=TOLERANCE, equal_nan=False, err_msg=where
    )


def _look_alike(one, other):
    try:
        one, other = (
            tf.cast(tf.io.decode_png(file), tf.int32) for file in (one, other)
        )
    except tf.errors.InvalidArgumentError:
        return False
    return one.shape == other.shape and bool(tf.reduce_all(abs(one - other) <= 1))


def _rows_of_requests(version, expected):
    """Returns endpoint and number of rows by `<index>/<signature>`."""
    rows = {}
    records = tf.data.TFRecordDataset(str(version / REQUESTS)).as_numpy_iterator()
    for index, record in enumerate(records):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        name = request.model_spec.signature_name or "serving_default"
        assert name in expected, f"{version}: '{name}' is not in the golden record"
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        rows[f"{index}/{name}"] = name, _count_rows(inputs, expected[name].inputs)
    return rows


def _count_rows(inputs, goldens):
    assert inputs.keys() == goldens.keys()
    (count,) = {len(array) for array in inputs.values()}
    assert count > 0
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, goldens[name][:count], err_msg=name)
    return count
