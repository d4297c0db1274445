"""CycleGAN with other steps, for `cyclegan_steps.py`.

They differ in what goes into the second generator of a cycle, and in how its images are
compared with those of the data.
"""

import tensorflow as tf

import tfgen
from tfgen.losses import l1
from tfgen.models.batches import to_signed, to_unit
from tfgen.models.draws import standard_normal
from tfgen.models.translation import divide_scales

VARIANTS = ("full", "outer", "noise", "round", "falling", "features")
STDDEV = 0.1  # of the noise, on images in [-1, 1]
LEAST_WEIGHT = 0.1  # of the falling term, in the end
MOST_FEATURES = 0.95  # the share of features in the distance, in the end


class StepVariant(tfgen.CycleGAN):
    """A CycleGAN whose attribute `variant` is one of `VARIANTS`, set before training.

    `share`, from 0 to 1, says how much of the training is over.
    """

    variant = "full"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.share = tf.Variable(0.0, trainable=False)

    def _fake(self, batch, training):
        """As in CycleGAN, but for `_handed`."""
        mode, ab, ba = {"training": training}, self.generator_ab, self.generator_ba
        real_a, real_b = batch["real_a"], batch["real_b"]
        fake = {}
        fake["fake_b"], fake["same_b"] = self._run_both(ab, real_a, real_b, **mode)
        fake["fake_a"], fake["same_a"] = self._run_both(ba, real_b, real_a, **mode)
        seed = self._step_seed(training)
        fake["cycled_a"] = self._run(ba, self._handed(fake["fake_b"], seed), **mode)
        fake["cycled_b"] = self._run(ab, self._handed(fake["fake_a"], -seed), **mode)
        return fake

    def _handed(self, images, seed):
        """Returns what the second generator of a cycle gets, of images of the first."""
        if self.variant == "outer":
            return tf.stop_gradient(images)
        if self.variant == "noise":
            return images + STDDEV * standard_normal(tf.shape(images), seed)
        if self.variant == "round":
            rounded = tf.round((images + 1) * 127.5) / 127.5 - 1
            return images + tf.stop_gradient(rounded - images)
        return images

    def generator_terms(self, batch, fake, training):
        terms = super().generator_terms(batch, fake, training)
        added = 0.0
        if self.variant == "falling":
            added = -(1 - LEAST_WEIGHT) * self.share * terms["cycle_loss"]
        elif self.variant == "features":
            by_features = sum(
                self._feature_distance(name, batch, fake, training) for name in "ab"
            )
            moved = by_features - terms["cycle_loss"]
            added = MOST_FEATURES * self.share * moved
        terms["generator_loss"] += self.lambda_cycle * added
        return terms

    def _feature_distance(self, name, batch, fake, training):
        """Returns the distance of a cycle in the discriminator's last features."""
        network = getattr(self, f"discriminator_{name}")
        images = batch[f"real_{name}"], fake[f"cycled_{name}"]
        outputs = self._run_both(network, *images, training=training)
        real, cycled = (divide_scales(x)[0][-2] for x in outputs)
        return l1(real, cycled)

    def apply(self, way, images, averaged):
        """Returns translations in [0, 1], of the weights or of their averages."""
        name = f"generator_{way}"
        network = self._averaged(name, False) if averaged else getattr(self, name)
        return to_unit(self._run(network, to_signed(images)))
