"""TensorFlow 2.17 and 2.20 run our SavedModels and quantised files with equal answers.

Each is installed once, with pip, into an environment in pytest's cache.
"""

import subprocess
import sys

import numpy as np
import pytest

from export.formats import tflite
from export.verify import golden

pytestmark = pytest.mark.large

CHILD = """
import sys
import numpy as np
import tensorflow as tf

def decode(strings):
    return np.stack([tf.io.decode_png(one).numpy() / 255 for one in strings])

def compare(path, run):
    arrays = np.load(path)
    for name in sorted({key.split("/")[0] for key in arrays.files if "/" in key}):
        tensors = {
            kind: {
                key.split("/")[2]: arrays[key]
                for key in arrays.files
                if key.startswith(f"{name}/{kind}/")
            }
            for kind in ("inputs", "outputs")
        }
        answers = run(name, tensors["inputs"])
        for key, expected in tensors["outputs"].items():
            answer = np.asarray(answers[key])
            if answer.dtype.kind in "OS":
                answer, expected = decode(answer), decode(expected)
            print(path, name, np.abs(answer - expected).max())

version, file = sys.argv[1:]
loaded = tf.saved_model.load(version)

def serve(name, inputs):
    tensors = {key: tf.constant(array) for key, array in inputs.items()}
    return loaded.signatures[name](**tensors)

compare(f"{version}/assets.extra/golden.npz", serve)
interpreter = tf.lite.Interpreter(file)

def run_rows(name, inputs):
    runner = interpreter.get_signature_runner(name)
    count = len(next(iter(inputs.values())))
    rows = [runner(**{k: v[i:i + 1] for k, v in inputs.items()}) for i in range(count)]
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}

compare(file.removesuffix(".tflite") + ".golden.npz", run_rows)
for wrong in ((8, 8, 1), (1, 8, 8, 3)):
    try:
        loaded.signatures["negative"](images=tf.zeros(wrong))
    except tf.errors.InvalidArgumentError:
        print("refused", wrong, 0)
"""


@pytest.fixture(params=["2.17", "2.20"])
def python(request):
    """The interpreter of an environment with that TensorFlow."""
    folder = request.config.cache.mkdir(f"tensorflow-{request.param}")
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    package = f"tensorflow-cpu=={request.param}.*"
    pip = [str(python), "-m", "pip", "install", "--quiet", package]
    if subprocess.run(pip, check=False).returncode:
        pytest.skip(f"pip cannot install {package}")
    return python


def test_answers_are_equal(python, shipped, tmp_path):
    path = tmp_path / "quantised.tflite"
    tflite.write(tflite.convert(shipped.version), path, "dynamic_int8")
    command = [str(python), "-c", CHILD, str(shipped.version), str(path)]
    lines = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    differences = {
        tuple(line.split()[:2]): float(line.split()[-1])
        for line in lines
        if not line.startswith("refused")
    }
    assert len([line for line in lines if line.startswith("refused")]) == 2
    names = {name for _, name in differences}
    assert names == set(golden.read(shipped.version))
    for (file, _), difference in differences.items():
        limit = 1e-5 if "saved" in file else 0.2  # 35 dB of what is about 1 to 10
        assert difference <= limit, differences
    assert np.isfinite(list(differences.values())).all()
