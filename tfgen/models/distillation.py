"""Distillation: a generator learns from the translations of a larger one as well.

    distillation_loss = mean over ways of  mean |T(x) - G(x)|        (images in [-1, 1])
    generator_loss   += weight * distillation_loss

for a teacher `T`, which is not trained. A teacher is no part of the model: it is handed
to the training, and a model that is saved and loaded knows none.

Reference: [Li et al., 2020](https://arxiv.org/abs/2003.08936), eq. 1: what a CycleGAN's
small generators learn from, where there are no pairs. Its term of features is not here.
"""

import keras
import tensorflow as tf

from tfgen.losses import l1
from tfgen.models import checks
from tfgen.models.batches import to_signed, to_unit


class DistillationMixin:
    """Adds a teacher to the training of a model that translates."""

    _teacher = None

    def distill_from(self, translate, weight=10.0):
        """Adds the distance to a teacher's translations to the generators' loss.

        Call it before `fit`, under the strategy's scope if there is one; of a model
        that was loaded call it again.

        Args:
            translate: Dict, `"ab"`, the only way of a model of one, or `"ba"` -> a
                function from images to translations, both `(batch, height, width,
                channels)` in [0, 1].
            weight: Float, of the distance.

        Raises:
            ValueError: A way is not one of the model's.
        """
        checks.at_least(0, weight=weight)
        for way in translate:
            checks.choice("translate", way, self.ways)
        self._teacher = Teacher(translate, weight)
        self.train_function = self.test_function = None  # they are traced anew

    @property
    def metrics(self):
        return [*self.trackers, *([self._teacher.tracker] if self._teacher else [])]

    def _taught(self, terms, **ways):
        """Returns the generators' terms, with the teacher's if there is one.

        Args:
            terms: With a `generator_loss`.
            ways: Way -> inputs and translations in [-1, 1].
        """
        if self._teacher is None:
            return terms
        loss = self._teacher.loss(ways)
        total = terms["generator_loss"] + self._teacher.weight * loss
        return {**terms, "generator_loss": total, "distillation_loss": loss}


class Teacher:
    """A teacher's translations, and the mean of the distance to them.

    A plain object: Keras neither trains nor saves what it holds.
    """

    def __init__(self, translate, weight):
        self.translate, self.weight = translate, weight
        self.tracker = keras.metrics.Mean(name="distillation_loss")

    def loss(self, ways):
        """Returns the mean over the ways that are taught."""
        losses = []
        for way, function in self.translate.items():
            inputs, fake = ways[way]
            taught = to_signed(tf.stop_gradient(function(to_unit(inputs))))
            if taught.shape[1:] != fake.shape[1:]:
                raise ValueError(
                    "The teacher's translations must be shaped like the student's. "
                    f"Received: {taught.shape[1:]} and {fake.shape[1:]}"
                )
            losses.append(l1(taught, fake))
        return tf.add_n(losses) / len(losses)
