"""Files that TensorFlow Serving reads beside a SavedModel: warm-up requests, configs.

They are made with the messages of `tensorflow-serving-api`, imported on use.
"""

import importlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from export._staging import staging, write_texts
from export.errors import ExportError
from export.verify import golden

_MOUNT = "/models"  # where the container sees the folder that `write_configs` is given

_WARMUP = "tf_serving_warmup_requests"
_MOST_RECORDS = 1000  # with more, TF Serving refuses to load the model

_MODELS_HEADER = """\
# The models of this folder. Rewritten at every export: keep changes in another file.
"""

_BATCHING = """\
# How TensorFlow Serving gathers requests into batches (--enable_batching
# --batching_parameters_file=/models/batching.config), for models of images.
# Written once. To change it, pass the server a copy: `tfgen check` holds this file to
# its hash.

# Rows of the largest batch, and of the largest request: one with more is refused.
# Convolutions on images of 64 pixels or more gain little beyond it, and activations of
# 32 images of 256x256 still fit a GPU.
max_batch_size { value: 32 }

# Microseconds that the first request of a batch waits for others: little beside the
# tens of milliseconds that an image takes, and enough for concurrent clients to meet.
batch_timeout_micros { value: 2000 }

# Batches that wait, for each endpoint; then requests fail at once (UNAVAILABLE) and a
# client can go elsewhere. 8 x 32 images of 256x256x3 are 0.2 GB.
max_enqueued_batches { value: 8 }

# Threads that run batches, shared by all models: one slow model leaves some to the
# others. More compete for the same cores, since one convolution uses them all.
num_batch_threads { value: 4 }

# A batch is padded to the next of these, so that only six shapes are ever planned and
# tuned. 1 stands there so that a lone request is not padded. The last one must equal
# max_batch_size.
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
allowed_batch_sizes: 8
allowed_batch_sizes: 16
allowed_batch_sizes: 32
"""


def write_warmup(
    version: pathlib.Path, name: str, goldens: Mapping[str, golden.Golden]
) -> None:
    """Writes `assets.extra/tf_serving_warmup_requests` into a version folder.

    TensorFlow Serving runs these requests before it serves the version, so that no
    client waits while graphs are optimised and kernels set up. Each endpoint, and
    `serving_default`, gets two: the first golden row alone, which is what a client
    mostly sends, and all rows. The second one matters where work depends on the batch
    size (XLA, cuDNN); with batching it is padded to the next allowed size. Other sizes
    are left out: every row costs one more inference before the version is served.

    Args:
        version: Folder of the SavedModel, named by its number.
        name: What TensorFlow Serving calls the model.
        goldens: Examples by endpoint; the first is `serving_default` too, unless given.
            Inputs are numbers, or bytes (dtype `S` or object).

    Raises:
        ExportError: No examples, a folder that is not a version, over 1000 requests,
            or `tensorflow-serving-api` is not installed.
    """
    if not _is_number(version.name):
        raise ExportError(
            f"a version folder is named by its number. Received: {version}"
        )
    if not goldens:
        raise ExportError(f"{version}: no golden examples to make warm-up requests of")
    messages = require("apis.prediction_log_pb2")
    import tensorflow as tf

    records = [
        messages.PredictionLog(predict_log={"request": request}).SerializeToString()
        for request in _requests(name, int(version.name), goldens)
    ]
    if len(records) > _MOST_RECORDS:
        raise ExportError(
            f"TensorFlow Serving takes {_MOST_RECORDS} warm-up requests; {name} has "
            f"{len(records)}: export fewer endpoints"
        )
    target = version / "assets.extra" / _WARMUP
    with staging(target) as folder:
        with tf.io.TFRecordWriter(str(folder / target.name)) as writer:
            for record in records:
                writer.write(record)
        (folder / target.name).replace(target)


def write_configs(serving: pathlib.Path) -> None:
    """Writes `models.config` and `batching.config` for TensorFlow Serving.

    `models.config` lists every folder in `serving` that holds a version, at the path
    that it has when `serving` is mounted at `/models`. It is rewritten. An existing
    `batching.config` is left as it is.

    Raises:
        ExportError: No such folder, or `tensorflow-serving-api` is not installed.
    """
    if not serving.is_dir():
        raise ExportError(f"{serving} is not a folder: export a model into it first")
    messages = require("config.model_server_config_pb2")
    from google.protobuf import text_format

    models = [
        {"name": name, "base_path": f"{_MOUNT}/{name}", "model_platform": "tensorflow"}
        for name in _find_models(serving)
    ]
    config = messages.ModelServerConfig(model_config_list={"config": models})
    text = text_format.MessageToString(config, as_utf8=True)
    write_texts(serving, {"models.config": _MODELS_HEADER + text})
    if not (serving / "batching.config").exists():
        write_texts(serving, {"batching.config": _BATCHING})


def require(module: str) -> Any:
    """Returns a module of `tensorflow_serving`.

    Raises:
        ExportError: `tensorflow-serving-api` is not installed.
    """
    try:
        return importlib.import_module(f"tensorflow_serving.{module}")
    except ImportError as error:
        raise ExportError(
            f'{error}; TensorFlow Serving needs: pip install "tfgen[serving]"'
        ) from error


def _requests(
    name: str, version: int, goldens: Mapping[str, golden.Golden]
) -> Iterator[Any]:
    default = {"serving_default": next(iter(goldens.values()))}
    for endpoint, example in {**default, **goldens}.items():
        rows = len(next(iter(example.inputs.values())))
        for size in sorted({1, rows}):
            inputs = {key: array[:size] for key, array in example.inputs.items()}
            yield _request(name, version, endpoint, inputs)


def _request(name: str, version: int, endpoint: str, inputs: golden.Arrays) -> Any:
    import tensorflow as tf

    request = require("apis.predict_pb2").PredictRequest()
    request.model_spec.name = name
    request.model_spec.version.value = version
    request.model_spec.signature_name = endpoint
    for key, array in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
    return request


def _find_models(serving: pathlib.Path) -> list[str]:
    return sorted(
        folder.name
        for folder in serving.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")  # nor what `staging` left
        and any(_is_number(path.name) and path.is_dir() for path in folder.iterdir())
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()
