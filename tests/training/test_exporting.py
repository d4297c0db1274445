"""What an export is compared on: images of the right domain, labels of every class."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfgen.errors import UserError
from tfgen.training import Run
from tfgen.training.exporting import _licence, endpoint_data, export_run

IMAGES = tf.TensorSpec((None, 2, 2, 1), tf.float32, name="images")
LABELS = tf.TensorSpec((None,), tf.int32, name="labels")
SEEDS = tf.TensorSpec((None,), tf.int64, name="seeds")


class Arrays:
    """The data of a run: images are numbered, labels sorted as folders sort them."""

    def __init__(self, kind):
        self.kind = kind

    images = np.arange(400.0).reshape(400, 1, 1, 1)

    def arrays(self, split, num_images):
        images = self.images[:num_images]
        return images if self.kind == "images" else (images, -images)

    def in_order(self, split, labels):
        data = (self.images, np.arange(400) // 40)
        return tf.data.Dataset.from_tensor_slices(data).batch(32)


def model(num_classes=None, **inputs):
    functions = {
        name: SimpleNamespace(input_signature=specs) for name, specs in inputs.items()
    }
    return SimpleNamespace(signatures=lambda: functions, num_classes=num_classes)


def test_each_direction_has_images_of_its_own_domain():
    translator = model(translate_ab=[IMAGES], translate_ba=[IMAGES])
    data = endpoint_data(Arrays("domains"), translator, "test", 8)
    assert data["translate_ab"]["images"].max() == 7
    assert data["translate_ba"]["images"].min() == -7


def test_labels_are_the_images_own_and_of_every_class():
    conditional = model(10, encode=[IMAGES, LABELS], decode=[LABELS], sample=[SEEDS])
    data = endpoint_data(Arrays("images"), conditional, "test", 16)
    assert data["encode"]["labels"][:10].tolist() == list(range(10))
    images = data["encode"]["images"].ravel()
    np.testing.assert_array_equal(images // 40, data["encode"]["labels"])
    assert len(images) == 16
    assert set(data["decode"]) == {"labels"}
    assert data["sample"] == {}


def test_without_classes_there_are_no_labels():
    data = endpoint_data(Arrays("images"), model(encode=[IMAGES]), "test", 4)
    assert data["encode"]["images"].ravel().tolist() == [0, 1, 2, 3]


def test_the_data_of_a_trained_preset_are_whose_its_card_says():
    run = Run("conditional_gan_fashion_mnist")
    assert run.attribution is None  # nobody to name below pictures
    assert _licence(run) == "Fashion-MNIST by Zalando Research (MIT)"


@pytest.mark.parametrize("out", [".", "exports/new"])
def test_nothing_is_exported_into_the_data(tmp_path, out):
    """Pictures there would be images of the next training."""
    run = SimpleNamespace(config=SimpleNamespace(data=str(tmp_path)))
    with pytest.raises(UserError, match="lies in the data"):
        export_run(run, tmp_path / out)
