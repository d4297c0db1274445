"""A teacher's translations in the generators' loss, and nowhere else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import test_translation as plain
from tests.models.test_translation import IMAGES, TARGETS, generate, signed

WEIGHT = 3.0


def teach(one):
    """A teacher of one's own weights: darker than the images, or lighter."""
    return lambda images: 0.5 * images + one * 0.5


def test_pix2pix_learns_from_a_teacher():
    model, other = plain.make_pix2pix(), plain.make_pix2pix()
    model.distill_from({"ab": teach(0.0)}, WEIGHT)
    terms = model.compute_terms(IMAGES, TARGETS, training=False)
    expected = other.compute_terms(IMAGES, TARGETS, training=False)
    fake = generate(model.generator, signed(IMAGES))
    distance = np.mean(np.abs(signed(0.5 * IMAGES) - fake))
    assert float(terms["distillation_loss"]) == pytest.approx(distance, rel=1e-5)
    total = float(expected["generator_loss"]) + WEIGHT * distance
    assert float(terms["generator_loss"]) == pytest.approx(total, rel=1e-5)


def test_cyclegan_learns_the_ways_that_are_taught():
    for ways in ({"ab": teach(0.0), "ba": teach(1.0)}, {"ba": teach(1.0)}):
        model = plain.make_cyclegan()
        model.distill_from(ways, WEIGHT)
        found = model.compute_terms(IMAGES, TARGETS, training=False)
        distances = {
            "ab": signed(0.5 * IMAGES) - generate(model.generator_ab, signed(IMAGES)),
            "ba": signed(0.5 * TARGETS + 0.5)
            - generate(model.generator_ba, signed(TARGETS)),
        }
        expected = np.mean([np.abs(distances[way]) for way in ways])
        found = float(found["distillation_loss"])
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_teacher_is_followed_in_training_and_is_not_trained():
    """With its term alone the student's translations come near the teacher's."""
    teacher = plain.pointwise_generator()
    teacher.set_weights([-2.0 * weight for weight in teacher.get_weights()])
    before = teacher.get_weights()
    model = plain.make_pix2pix(rates=(0.01, 0.0), lambda_l1=0.0)
    model.distill_from(
        {"ab": lambda images: 0.5 * teacher(2.0 * images - 1.0) + 0.5}, 100.0
    )
    losses = []
    for _ in range(30):
        model.reset_metrics()
        losses.append(float(model.train_step((IMAGES, TARGETS))["distillation_loss"]))
    assert losses[-1] < 0.8 * losses[0]
    for one, other in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_knows_no_teacher(tmp_path):
    model, names = plain.make_pix2pix(), plain.make_pix2pix().term_names
    model.distill_from({"ab": teach(0.0)})
    data = tf.data.Dataset.from_tensor_slices((IMAGES, TARGETS)).batch(2)
    history = model.fit(data, validation_data=data, verbose=0).history
    assert {"distillation_loss", "val_distillation_loss"} < set(history)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.term_names == names
    assert set(loaded.evaluate(data, return_dict=True, verbose=0)) == set(names)
    np.testing.assert_array_equal(loaded.translate(IMAGES), model.translate(IMAGES))
    assert len(loaded.weights) == len(model.weights)


def test_what_does_not_fit_is_refused():
    model = plain.make_pix2pix()
    with pytest.raises(ValueError, match=r"must be one of \('ab',\). Received: 'ba'"):
        model.distill_from({"ba": teach(0.0)})
    with pytest.raises(ValueError, match="`weight` must be at least 0"):
        model.distill_from({"ab": teach(0.0)}, -1.0)
    model.distill_from({"ab": lambda images: images[..., :1]})
    with pytest.raises(ValueError, match="must be shaped like the student's"):
        model.train_step((IMAGES, TARGETS))
