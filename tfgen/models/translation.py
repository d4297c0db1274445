"""What the models that translate images share: pairs as data, the papers' objective."""

import tensorflow as tf

from tfgen import losses
from tfgen.losses import ADVERSARIAL_LOSSES
from tfgen.models.adversarial import AdversarialModel, mixes_images

# losses.py has each pair as its own paper has it. The papers of image translation use
# squares without LSGAN's halves, and halve the discriminator's loss, so that it learns
# slower than the generator.
_LEAST_SQUARES_FACTOR = 2.0
_DISCRIMINATOR_FACTOR = 0.5

SINGLE_IMAGE = (
    "batch normalisation in a generator needs batches of at least 2 images, the last "
    "one too: use instance normalisation or another batch size"
)


class TranslationModel(AdversarialModel):
    """Base of the models that `fit` on `(images, targets)`, of one domain and another.

    References:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004), sec. 3.3, and
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), sec. 4: the factor 1/2.
    """

    def _set_loss(self, loss):
        table = {k: ADVERSARIAL_LOSSES[k] for k in ("non_saturating", "least_squares")}
        self.loss = loss
        self._loss = losses.get("loss", loss, table, losses.AdversarialLoss)
        is_squares = isinstance(self._loss, losses.LeastSquares)
        self._factor = _LEAST_SQUARES_FACTOR if is_squares else 1.0

    def _generator_loss(self, fake_logits):
        return self._factor * self._loss.generator(fake_logits)

    def _discriminator_loss(self, real_logits, fake_logits):
        factor = _DISCRIMINATOR_FACTOR * self._factor
        return factor * self._loss.discriminator(real_logits, fake_logits)

    def _check_batch(self, images, *generators):
        """Refuses to train batch normalisation on single images.

        At inference it uses averages over training in place of the image's own
        statistics: with a batch of 1 the exported model would give another image than
        the one that was trained. (XLA drops the check.)
        """
        if any(mixes_images(generator) for generator in generators):
            tf.debugging.assert_greater(tf.shape(images)[0], 1, SINGLE_IMAGE)
