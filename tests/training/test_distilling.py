"""`--distill-from`: a small model that learns from a trained one's translations too."""

import keras
import numpy as np
import pytest

import tfgen
from tests.runs import cyclegan_run, pairs_folder, pix2pix_run, run_tfgen  # noqa: F401
from tfgen.errors import UserError

SMALL = {"image_size": 16, "filters": 2, "discriminator_filters": 2, "batch_size": 20}
OPTIONS = {**SMALL, "patch_layers": 1, "epochs": 2}


class StopAfterOne(keras.callbacks.Callback):
    """What Ctrl-C does when an epoch has ended."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def student(pairs_folder, pix2pix_run, tmp_path_factory):  # noqa: F811
    out = tmp_path_factory.mktemp("student") / "run"
    options = {**OPTIONS, "direction": "ba", "distill_from": pix2pix_run}
    return tfgen.train("pix2pix_256", pairs_folder, out, **options)


def test_the_run_names_its_teacher(student, pix2pix_run):  # noqa: F811
    assert student.config.distill_from == str(pix2pix_run)
    assert len(student.history["distillation_loss"]) == 2
    assert len(student.history["val_distillation_loss"]) == 2
    words = " ".join(student.config.arguments())
    assert f"--distill-from {pix2pix_run} --distill-weight 10.0" in words
    alone = tfgen.load(student.path)  # without a teacher
    assert "distillation_loss" not in [metric.name for metric in alone.metrics]
    assert alone.count_params() < 0.5 * tfgen.load(pix2pix_run).count_params()


def test_the_loss_is_the_distance_to_the_teacher(student, pix2pix_run):  # noqa: F811
    """The last epoch's, of test images: measured anew from both files."""
    inputs, _ = student.arrays("test")
    one, other = (tfgen.load(path) for path in (student.path, pix2pix_run))
    distance = 2.0 * np.mean(np.abs(one.translate(inputs) - other.translate(inputs)))
    figure = student.history["val_distillation_loss"][-1]
    assert figure == pytest.approx(distance, rel=1e-3)


@pytest.mark.large
def test_resuming_is_exact(student, pairs_folder, pix2pix_run, tmp_path):  # noqa: F811
    options = {**OPTIONS, "direction": "ba", "distill_from": pix2pix_run}
    options |= {"out": tmp_path / "half", "callbacks": [StopAfterOne()]}
    with pytest.raises(KeyboardInterrupt):
        tfgen.train("pix2pix_256", pairs_folder, **options)
    whole = tfgen.train(resume=tmp_path / "half")
    for one, other in zip(whole.model.weights, student.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert whole.history["distillation_loss"] == student.history["distillation_loss"]


@pytest.mark.large
def test_a_cyclegan_learns_the_way_that_a_pix2pix_has(
    pairs_folder,  # noqa: F811
    pix2pix_run,  # noqa: F811
    tmp_path,
):
    """The teacher was trained from b to a."""
    options = {**OPTIONS, "epochs": 1, "num_blocks": 0, "distill_from": pix2pix_run}
    run = tfgen.train("cyclegan_256", pairs_folder, tmp_path / "run", **options)
    assert set(run.model._teacher.translate) == {"ba"}


@pytest.mark.large
def test_a_model_of_ones_own_learns_too(
    pairs_folder,  # noqa: F811
    pix2pix_run,  # noqa: F811
    tmp_path,
):
    names = {"image_size", "filters", "discriminator_filters", "patch_layers"}
    sizes = {name: OPTIONS[name] for name in names}
    model = tfgen.create_model("pix2pix_256", **sizes, seed=0)
    options = {"epochs": 1, "direction": "ba", "distill_from": pix2pix_run}
    run = tfgen.train(model, pairs_folder, tmp_path / "run", **options)
    assert len(run.history["distillation_loss"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distill_from": "nothing"}, "--distill-from nothing: no such run"),
        ({"distill_weight": -1.0}, "--distill-weight must be a number from 0"),
        ({"direction": "ab"}, "it translates ba alone"),
        ({"image_size": 32}, "it translates images of 16x16x3, unlike the model"),
    ],
)
def test_what_does_not_fit_is_refused(
    options,
    message,
    pairs_folder,  # noqa: F811
    pix2pix_run,  # noqa: F811
    tmp_path,
):
    options = {**OPTIONS, "direction": "ba", "distill_from": pix2pix_run, **options}
    with pytest.raises(UserError, match=message) as caught:
        tfgen.train("pix2pix_256", pairs_folder, tmp_path / "run", **options)
    assert "\n" not in str(caught.value)


def test_models_of_images_have_no_teacher(capsys):
    assert run_tfgen("train", "vae_mnist_5k", "--distill-from", "x") == 2
    with pytest.raises(UserError, match="goes with models that translate"):
        tfgen.train("vae_mnist_5k", distill_from="x")
