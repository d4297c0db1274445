"""Codes of a GAN: what of them is told, how they are walked, where draws hold them.

The networks are set by hand: the first pixels of an image are its codes, and the
discriminator reads them.
"""

import keras
import numpy as np
import pytest
import sklearn.metrics

import tfgen
from tests.runs import run_tfgen
from tfgen.auxiliary import Codes
from tfgen.errors import UserError
from tfgen.evaluation import evaluate
from tfgen.evaluation.codes import match_classes
from tfgen.figures import gallery, pictures
from tfgen.latent.finding import draw_latents, require_codes
from tfgen.latent.inversion import _draw
from tfgen.latent.walks import code_walks

SHAPE, LATENT_DIM = (28, 28, 1), 6
RNG = np.random.default_rng(0)


def make_gan(head, num_classes=None, reads=1.0):
    """A GAN that paints its latents, or label, and reads them."""
    keras.utils.set_random_seed(0)
    latents = keras.Input((LATENT_DIM,), name="latents")
    inputs, painted, width = latents, latents, LATENT_DIM
    if num_classes is not None:
        labels = keras.Input((), dtype="int32", name="labels")
        painted = keras.ops.one_hot(labels, num_classes) + 0.0 * latents[:, :1]
        inputs, width = [latents, labels], num_classes
    paint = keras.layers.Dense(28 * 28, use_bias=False)
    pixels = keras.layers.Activation("tanh")(paint(painted))
    generator = keras.Model(inputs, keras.layers.Reshape(SHAPE)(pixels))
    paint.set_weights([0.5 * np.eye(width, 28 * 28)])
    images = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(images)
    tell = keras.layers.Dense(tfgen.auxiliary.get(head).num_outputs(num_classes))
    outputs = [keras.layers.Dense(1)(flat), tell(flat)]
    discriminator = keras.Model(images, outputs)
    kernel = np.zeros((28 * 28, tell.units))
    kernel[: tell.units, :] = reads * np.eye(tell.units)
    tell.set_weights([kernel, np.zeros(tell.units)])
    model = tfgen.GAN(
        generator, discriminator, auxiliary=head, num_classes=num_classes, seed=0
    )
    model.compile()
    return model


def figures_of(model, folder, group="codes"):
    figures = evaluate(model, data=str(folder), metrics=group).figures[group]
    return {figure.name: figure for figure in figures}


def test_codes_that_are_painted_are_told(folder):
    head = Codes((3,), 2)
    figures = figures_of(make_gan(head), folder)
    assert figures["category_0_accuracy"].value == 1.0
    assert figures["category_0_accuracy"].floor == pytest.approx(1 / 3)
    for name in ("number_0", "number_1"):
        assert figures[f"{name}_correlation"].value > 0.99
    assert make_gan(head).codes is head
    blind = figures_of(make_gan(head, reads=0.0), folder)
    assert blind["category_0_accuracy"].value == pytest.approx(1 / 3, abs=0.05)


def test_categories_of_test_images_are_compared_with_their_classes(folder):
    """By scikit-learn's mutual information, and the commonest class of each."""
    model = make_gan(Codes((3,), 2))
    figures = figures_of(model, folder)
    images, classes = tfgen.data.load_array(str(folder), "test", labels=True)
    categories = np.asarray(model.recognize(images))[:, :3].argmax(axis=1)
    expected = sklearn.metrics.mutual_info_score(classes, categories)
    information = figures["category_0_class_information"].value
    assert information == pytest.approx(expected, abs=1e-9)
    accuracy = figures["category_0_class_accuracy"].value
    assert accuracy == pytest.approx(match_classes(categories, classes))


def test_each_category_is_matched_to_its_commonest_class():
    categories = np.array([0, 0, 0, 0, 3, 3])
    classes = np.array([0, 1, 2, 2, 1, 0])
    assert match_classes(categories, classes) == pytest.approx((2 + 1) / 6)


def test_classes_are_told(folder):
    figures = figures_of(make_gan("classes", num_classes=3), folder)
    assert figures["generated_class_accuracy"].value == 1.0
    assert 0.0 <= figures["class_accuracy"].value <= 1.0
    assert figures["class_accuracy"].floor == pytest.approx(1 / 3, abs=0.2)


def test_draws_hold_codes():
    model = make_gan(Codes((3,), 2))
    endpoints = tfgen.inference.Endpoints(model)
    noise = np.random.default_rng(7).normal(size=(9, LATENT_DIM)).astype("float32")
    latents = draw_latents(endpoints, 9, 7)
    np.testing.assert_allclose(latents, model.draw_latents(noise), atol=1e-6)
    assert set(np.unique(latents[:, :3])) == {0.0, 1.0}
    drawn, _ = _draw(model, 9, np.random.default_rng(7))  # for inversion
    np.testing.assert_allclose(drawn, latents, atol=1e-6)


def test_a_walk_moves_one_code():
    codes, latent = Codes((3,), 2), RNG.normal(size=LATENT_DIM)
    walks = code_walks(codes, latent, steps=5, span=3.0)
    assert list(walks) == ["category_0", "number_0", "number_1"]
    np.testing.assert_array_equal(walks["category_0"][:, :3], np.eye(3))
    np.testing.assert_allclose(walks["category_0"][:, 3:], [latent[3:]] * 3, rtol=1e-6)
    numbers = walks["number_1"]
    np.testing.assert_allclose(numbers[[0, -1], 4], [-(3**0.5), 3**0.5], rtol=1e-6)
    rest = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(numbers[:, rest], [latent[rest]] * 5, rtol=1e-6)


def test_traversals_and_films_show_each_code_by_its_name(tmp_path, folder, monkeypatch):
    seen, compose = [], pictures.compose

    def spy(panels, *rest):
        seen.append(panels)
        return compose(panels, *rest)

    monkeypatch.setattr(pictures, "compose", spy)
    make_gan(Codes((3,), 2)).save(tmp_path / "model.keras")
    command = ("traverse", tmp_path / "model.keras", "--out", tmp_path / "t.png")
    assert run_tfgen(*command, "--data", folder, "--steps", 4) == 0
    assert list(seen[0]) == ["category_0", "number_0", "number_1"]
    run = tfgen.Run(tmp_path / "model.keras", data=str(folder))
    frames = gallery.traversal_film(run, 6, seed=-1)
    assert len(frames) == 6
    assert np.ptp(np.stack(frames).astype(int), axis=0).max() > 0
    with pytest.raises(UserError, match="--auxiliary codes"):
        require_codes(tfgen.inference.Endpoints(make_gan("classes", num_classes=3)))
