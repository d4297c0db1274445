"""No request can harm a server: what is refused, and what has no rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export.guard import guard, limits_of
from export.serving.twins import example_bytes
from export.verify import golden

from .small import IMAGES, LABELS, LATENTS, Endpoints

REFUSED = tf.errors.InvalidArgumentError


class Conditional(keras.Model):
    """Convolutions, labels of three classes, and an endpoint that takes any rank."""

    num_classes = 3

    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.network = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, strides=2, padding="same"),
                layers.BatchNormalization(),
                layers.Conv2DTranspose(4, 4, strides=2, padding="same"),
                layers.Conv2D(3, 3, padding="same"),
            ]
        )

    def signatures(self):
        @tf.function(input_signature=[IMAGES, LABELS])
        def colour(images, labels):
            labels = tf.one_hot(labels, 3)[:, tf.newaxis, tf.newaxis]
            return {"images": tf.sigmoid(self.network(images) + labels)}

        @tf.function(input_signature=[IMAGES])
        def negative(images):
            return {"images": 1.0 - images}

        return {"colour": colour, "negative": negative}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    return tf.saved_model.load(str(export.export_saved_model(Conditional(), folder)))


def images_of(*shape):
    return tf.zeros(shape)


@pytest.mark.parametrize(
    "shape", [(), (8,), (8, 8, 1), (1, 1, 8, 8, 1), (1, 8, 8, 3), (1, 9, 8, 1)]
)
def test_an_input_of_another_shape_is_refused(served, shape):
    with pytest.raises(REFUSED):
        served.signatures["negative"](images=images_of(*shape))


@pytest.mark.parametrize("shape", [(), (1, 1)])
def test_encoded_images_must_be_a_list(served, shape):
    with pytest.raises(REFUSED):
        served.signatures["negative_bytes"](image_bytes=tf.zeros(shape, tf.string))


@pytest.mark.parametrize("labels", [[3, 0], [0, -1], [-3, 1], [[0, 1]], [0], [0, 1, 2]])
@pytest.mark.parametrize("endpoint", ["colour", "colour_bytes"])
def test_labels_of_no_class_or_of_other_rows_are_refused(served, labels, endpoint):
    images = {"images": images_of(2, 8, 8, 1)}
    if endpoint == "colour_bytes":
        record = example_bytes(np.zeros((2, 8, 8, 1)))
        images = {"image_bytes": tf.constant(record)}
    served.signatures[endpoint](**images, labels=tf.constant([0, 2]))
    with pytest.raises(REFUSED):
        served.signatures[endpoint](**images, labels=tf.constant(labels))


def test_what_is_wrong_with_labels_is_said(served):
    with pytest.raises(REFUSED, match=r"labels must be in \[0, 3\). Received:\] \[7\]"):
        served.signatures["colour"](
            images=images_of(1, 8, 8, 1), labels=tf.constant([7])
        )


def test_no_rows_have_an_answer_without_rows(served):
    answer = served.signatures["colour"](
        images=images_of(0, 8, 8, 1), labels=tf.zeros(0, tf.int32)
    )
    assert answer["images"].shape == (0, 8, 8, 3)
    nothing = tf.zeros(0, tf.string)
    answer = served.signatures["colour_bytes"](
        image_bytes=nothing, labels=tf.zeros(0, tf.int32)
    )
    assert answer["image_bytes"].shape == (0,)


def test_labels_of_a_model_without_classes_are_its_own(tmp_path):
    ignore = tf.function(lambda labels: {"y": 2 * labels}, input_signature=[LABELS])
    version = export.export_saved_model(Endpoints(ignore=ignore), tmp_path)
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["ignore"](labels=tf.constant([-1, 255]))
    assert answer["y"].numpy().tolist() == [-2, 510]


@pytest.mark.parametrize("for_onnx", [False, True])
def test_integers_of_any_name_have_limits(for_onnx):
    codes = tf.TensorSpec((None, 2, 2), tf.int32, name="codes")
    endpoint = tf.function(lambda codes: {"codes": codes}, input_signature=[codes])
    model = Endpoints(endpoint=endpoint)
    model.index_limits = {"codes": np.int64(5)}
    guarded = guard(endpoint, limits_of(model), for_onnx)
    right = tf.constant([[[0, 4], [2, 3]]])
    np.testing.assert_array_equal(guarded(right)["codes"], right)
    for wrong in (right + 1, right - 1):
        with pytest.raises(REFUSED):
            guarded(wrong)


# ---- Answers that a server could not hand out ----------------------------------------


def normalise_over_rows(x):
    return {"y": x - tf.reduce_mean(x, axis=0)}


def sum_of_earlier_rows(x):  # the first row is right
    return {"y": tf.cumsum(x, axis=0)}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (normalise_over_rows, "'y' of a row alone is not that of the row in a batch"),
        (sum_of_earlier_rows, "let no row depend on another one"),
        (lambda x: {"y": tf.random.normal(tf.shape(x))}, "random numbers from `seeds`"),
        (lambda x: {"y": tf.reduce_sum(x)}, r"a row for each row.*shape \(\) for 3"),
        (lambda x: {"y": x[:1]}, r"a row for each row.*shape \(1, 4\) for 3 rows"),
        (lambda x: {"y": {"z": x}}, "not nested. Its output 'y' is a dict"),
    ],
)
def test_endpoints_that_a_batch_would_spoil_are_refused(tmp_path, function, message):
    endpoint = tf.function(function, input_signature=[LATENTS], autograph=False)
    with pytest.raises(export.ExportError, match=message):
        export.export_saved_model(Endpoints(endpoint=endpoint), tmp_path)
    assert not list(tmp_path.iterdir())


# ---- Models that are none of ours ----------------------------------------------------


def test_text_integers_and_booleans_are_served(tmp_path):
    """And integers of 64 bits, booleans and inputs passed through run on phones."""
    tokens = tf.TensorSpec((None, 5), tf.int64, name="tokens")
    words = tf.TensorSpec((None,), tf.string, name="words")
    embedding = keras.layers.Embedding(10, 4)
    embedding.build(None)
    lookup = keras.layers.StringLookup(vocabulary=["a", "ä"])
    model = Endpoints(
        embed=tf.function(
            lambda tokens: {
                "y": tf.reduce_mean(embedding(tokens), 1),
                "first": tokens[:, 0] > 0,
                "tokens": tokens,
            },
            input_signature=[tokens],
        ),
        index=tf.function(lambda w: {"y": lookup(w)}, input_signature=[words]),
    )
    model.layers_used = [embedding, lookup]
    examples = {"index": {"words": np.array(["ä", "zz", "a"])}}
    folder = tmp_path / "a (b), ü"  # as paths may be
    version = export.export_saved_model(model, folder / "saved", examples=examples)
    assert golden.read(version)["index"].outputs["y"].tolist() == [2, 0, 1]
    path = export.export_tflite(version, folder / "model.tflite")
    rows = export.check(folder, require_report=False)
    assert {row.endpoint for row in rows if row.file == path} == {"embed"}
    assert {row.endpoint for row in rows} == {"embed", "index", "serving_default"}


def test_half_precision_is_served_and_refused_for_the_edge_in_words(tmp_path):
    layer = keras.layers.Conv2D(1, 3, padding="same", dtype="mixed_float16")
    layer.build((None, 8, 8, 1))
    half = tf.function(
        lambda images: {"images": tf.cast(tf.sigmoid(layer(images)), tf.float32)},
        input_signature=[IMAGES],
    )
    model = Endpoints(half=half)
    model.layer = layer
    version = export.export_saved_model(model, tmp_path)
    with pytest.raises(export.ExportError, match="'half' computes in float16, for whi"):
        export.export_tflite(version, tmp_path / "a.tflite")
