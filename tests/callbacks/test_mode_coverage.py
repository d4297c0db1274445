import math
import pathlib
import warnings

import keras
import numpy as np
import pytest

from tests.contracts import dataset
from tests.models import small
from tests.models.test_contracts import make_gan, make_vae
from tfgen.callbacks import ModeCoverage, mode_coverage

NUM_CLASSES = 4


class Sampler(keras.Model):
    """Its samples are of the classes that it is told, in turn: pixel = class."""

    def __init__(self, classes, num_classes=None):
        super().__init__()
        self.kinds, self.num_classes, self.calls = list(classes), num_classes, []

    def sample(self, num_samples, seed=None, labels=None):
        self.calls.append((num_samples, seed, labels))
        kinds = labels if labels is not None else np.resize(self.kinds, num_samples)
        return np.asarray(kinds, "float32").reshape(num_samples, 1, 1, 1)


def classify(images):
    classes = np.asarray(images)[:, 0, 0, 0].astype(int)
    return np.eye(NUM_CLASSES)[classes] * 3.0 - 5.0


def run_epochs(callback, model, epochs=1):
    callback.set_model(model)
    logs = [{} for _ in range(epochs)]
    for epoch in range(epochs):
        callback.on_epoch_end(epoch, logs[epoch])
    return logs


def test_modes_and_entropy_go_into_the_logs():
    callback = ModeCoverage(classify, num_samples=80)
    (logs,) = run_epochs(callback, Sampler([0, 0, 2, 3]))
    assert logs["modes"] == 3
    assert logs["mode_entropy"] == pytest.approx(1.5 * math.log(2.0))
    np.testing.assert_allclose(callback.shares, [0.5, 0.0, 0.25, 0.25])


def test_samples_come_in_batches_of_other_seeds_the_same_each_epoch():
    model = Sampler([0, 1])
    run_epochs(ModeCoverage(classify, num_samples=25, seed=7, batch_size=10), model, 2)
    assert model.calls == [(10, 7, None), (10, 8, None), (5, 9, None)] * 2


def test_labels_run_through_the_classes_from_batch_to_batch():
    model = Sampler([], num_classes=3)
    run_epochs(ModeCoverage(classify, num_samples=8, batch_size=5), model)
    labels = np.concatenate([labels for _, _, labels in model.calls])
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert labels.dtype == np.int32


def test_collapse_is_warned_of_once_after_patience():
    callback = ModeCoverage(classify, num_samples=20, patience=2)
    model = Sampler([2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_epochs(callback, model)
    with pytest.warns(UserWarning, match="Mode collapse: 1 of 4 classes"):
        run_epochs(callback, model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_epochs(callback, model, 3)


def test_half_of_the_classes_is_no_collapse_and_a_good_epoch_starts_anew():
    callback = ModeCoverage(classify, num_samples=20, patience=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_epochs(callback, Sampler([0, 3]), 5)
        for classes in ([0], [0, 1], [0], [0, 1]):
            run_epochs(callback, Sampler(classes))


def test_few_samples_make_no_mode():
    model = Sampler([0] * 95 + [1] * 5)
    for min_share, modes in ((0.05, 2), (0.06, 1)):
        callback = ModeCoverage(classify, num_samples=100, min_share=min_share)
        assert run_epochs(callback, model)[0]["modes"] == modes


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("make_model", [make_gan, make_vae])
def test_it_works_in_fit_with_a_keras_classifier(make_model, num_classes):
    images = keras.Input(small.IMAGE_SHAPE)
    scores = keras.layers.Dense(5)(keras.layers.Flatten()(images))
    callback = ModeCoverage(keras.Model(images, scores), num_samples=30, batch_size=20)
    model = make_model(num_classes=num_classes)()
    labels = None if num_classes is None else small.labels()
    data = dataset(small.images(), labels)
    history = model.fit(data, epochs=2, verbose=0, callbacks=[callback]).history
    assert len(history["modes"]) == len(history["mode_entropy"]) == 2
    assert 1 <= history["modes"][-1] <= 5
    assert callback.shares.sum() == pytest.approx(1.0)


def test_it_leaves_training_alone():
    one, other = make_gan()(), make_gan()()
    flat = lambda images: np.reshape(images, (len(images), -1))
    callback = ModeCoverage(flat, num_samples=10, patience=99)
    one.fit(dataset(small.images()), epochs=2, verbose=0, callbacks=[callback])
    other.fit(dataset(small.images()), epochs=2, verbose=0)
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_it_knows_no_model():
    source = pathlib.Path(mode_coverage.__file__).read_text()
    assert "tfgen.models" not in source


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"`num_samples`.*0, 250, 3"):
        ModeCoverage(classify, num_samples=0)
