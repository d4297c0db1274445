"""The distance to held-out images: its value, its epochs, its state."""

import keras
import numpy as np
import pytest

import tfgen
from tests.callbacks.test_mode_coverage import Sampler, run_epochs
from tests.contracts import dataset
from tests.models import small
from tests.models.test_contracts import make_vae
from tfgen.callbacks import FeatureDistance
from tfgen.metrics import kernel_distance
from tfgen.training import ExactBackup

REAL = np.arange(24, dtype="float32").reshape(6, 2, 2, 1) / 24
MADE = REAL[::-1, ::-1] ** 2


def features(images):
    """Two of each image: its mean and its first pixel."""
    images = np.asarray(images)
    return np.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0]], axis=1)


def test_value_is_the_unbiased_mmd_by_hand():
    """(1 + x.y / 2)^3 over pairs, of a sample with itself left out."""
    callback = FeatureDistance(REAL, lambda: MADE, network=features)
    (logs,) = run_epochs(callback, None)
    x, y = features(REAL).astype(float), features(MADE).astype(float)
    kernel = lambda a, b: (1 + a @ b / 2) ** 3
    pairs = [(i, j) for i in range(6) for j in range(6)]
    expected = np.mean([kernel(s[i], s[j]) for s in (x, y) for i, j in pairs if i != j])
    expected = 2 * expected - 2 * np.mean([kernel(x[i], y[j]) for i, j in pairs])
    assert logs["val_kernel_distance"] == pytest.approx(expected, rel=1e-6)


def test_measures_every_few_epochs_and_repeats_between():
    calls = []
    make = lambda: calls.append(0) or MADE * 0.9 ** len(calls)
    callback = FeatureDistance(REAL, make, network=features, every=3)
    values = [log["val_kernel_distance"] for log in run_epochs(callback, None, 7)]
    assert len(calls) == 3  # after epochs 1, 3 and 6
    assert values[0] == values[1] != values[2] == values[3] == values[4] != values[5]


def test_samples_are_as_many_as_images_with_labels_in_turn():
    model = Sampler([0.0], num_classes=4)
    callback = FeatureDistance(np.zeros((7, 1, 1, 1)), network=features, batch_size=5)
    run_epochs(callback, model, 2)
    assert [(n, seed) for n, seed, _ in model.calls] == [(5, 0), (2, 1)] * 2
    np.testing.assert_array_equal(model.calls[1][2], [1, 2])


def test_fit_reports_it_and_early_stopping_follows_it():
    model, images = make_vae()(), small.images()
    callbacks = [
        FeatureDistance(images),
        keras.callbacks.EarlyStopping(
            "val_kernel_distance", mode="min", min_delta=1e9, patience=2
        ),
    ]
    history = model.fit(dataset(images), epochs=9, verbose=0, callbacks=callbacks)
    assert len(history.history["val_kernel_distance"]) == 3  # the first is the best
    random = tfgen.metrics.build_random_features(images.shape[1:])
    made = model.sample(len(images), seed=0)
    expected = kernel_distance(random(np.asarray(made)), random(images)).value
    assert callbacks[0].distance == pytest.approx(expected, rel=1e-4)


def test_a_resumed_run_repeats_the_last_figure(tmp_path):
    values = iter((0.0, 0.5, 0.9))
    make = lambda: np.full_like(REAL, next(values))

    def fit(epochs):
        distance = FeatureDistance(REAL, make, network=features, every=4)
        backup = ExactBackup(tmp_path / "backup", callbacks=[distance])
        model = make_vae()()
        data = dataset(small.images())
        callbacks = [distance, backup]
        return model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks).history

    first = fit(2)["val_kernel_distance"]
    assert fit(3)["val_kernel_distance"][-1] == first[-1] == first[0]


@pytest.mark.parametrize("wrong", [{"every": 0}, {"images": REAL[:2]}])
def test_arguments_are_checked(wrong):
    with pytest.raises(ValueError, match="`every` must be at least 1, and `images` 3"):
        FeatureDistance(**{"images": REAL, **wrong})
