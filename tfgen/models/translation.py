"""What the models that translate images share: pairs as data, the papers' objective."""

import tensorflow as tf

from tfgen import losses
from tfgen.losses import ADVERSARIAL_LOSSES
from tfgen.models.adversarial import AdversarialModel, mixes_images
from tfgen.models.distillation import DistillationMixin

# losses.py has each pair as its own paper has it. The papers of image translation use
# squares without LSGAN's halves, and halve the discriminator's loss, so that it learns
# slower than the generator.
_LEAST_SQUARES_FACTOR = 2.0
_DISCRIMINATOR_FACTOR = 0.5

SINGLE_IMAGE = (
    "batch normalisation in a generator needs batches of at least 2 images, the last "
    "one too: use instance normalisation or another batch size"
)


class TranslationModel(DistillationMixin, AdversarialModel):
    """Base of the models that `fit` on `(images, targets)`, of one domain and another.

    A discriminator that judges images at several scales has a list of logits, or a dict
    of lists, `"features"` and `"logits"`. The losses of its scales are summed.

    References:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004), sec. 3.3, and
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), sec. 4: the factor 1/2.
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), eq. 3: scales.
    """

    ways = ("ab",)

    def _set_loss(self, loss):
        table = {k: ADVERSARIAL_LOSSES[k] for k in ("non_saturating", "least_squares")}
        self.loss = loss
        self._loss = losses.get("loss", loss, table, losses.AdversarialLoss)
        is_squares = isinstance(self._loss, losses.LeastSquares)
        self._factor = _LEAST_SQUARES_FACTOR if is_squares else 1.0

    def _generator_loss(self, fake_outputs):
        scales = divide_scales(fake_outputs)
        losses = [self._loss.generator(logits) for *_, logits in scales]
        return self._factor * tf.add_n(losses)

    def _discriminator_loss(self, real_outputs, fake_outputs):
        pairs = _pair_logits(real_outputs, fake_outputs)
        losses = [self._loss.discriminator(*pair) for pair in pairs]
        return _DISCRIMINATOR_FACTOR * self._factor * tf.add_n(losses)

    def _real_signs(self, real_outputs, fake_outputs):
        """Returns the mean sign of real logits, which an adaptive strength follows."""
        pairs = _pair_logits(real_outputs, fake_outputs)
        return tf.add_n([self._loss.real_signs(*pair) for pair in pairs]) / len(pairs)

    def _check_batch(self, images, *generators):
        """Refuses to train batch normalisation on single images.

        At inference it uses averages over training in place of the image's own
        statistics: with a batch of 1 the exported model would give another image than
        the one that was trained. (XLA drops the check.)
        """
        if any(mixes_images(generator) for generator in generators):
            tf.debugging.assert_greater(tf.shape(images)[0], 1, SINGLE_IMAGE)


def divide_scales(outputs):
    """Returns a discriminator's outputs as lists, one a scale: features, then logits.

    Args:
        outputs: Logits; a list of them, one a scale; or a dict of `"logits"`, such a
            list, and `"features"`, a list of lists.
    """
    if isinstance(outputs, dict):
        scales = zip(outputs["features"], outputs["logits"], strict=True)
        return [[*features, logits] for features, logits in scales]
    scales = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [[logits] for logits in scales]


def _pair_logits(real_outputs, fake_outputs):
    """Returns the real and the fake logits of each scale."""
    scales = map(divide_scales, (real_outputs, fake_outputs))
    return [(real[-1], fake[-1]) for real, fake in zip(*scales, strict=True)]
