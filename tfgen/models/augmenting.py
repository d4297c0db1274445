"""Augmentation of what a discriminator sees, and the strength of an adaptive one."""

import tensorflow as tf

from tfgen import augmentation, replicas


class AugmentingMixin:
    """Adds `augment` to an adversarial model, whose weights an adaptive strength joins.

    Reference: [Karras et al., 2020](https://arxiv.org/abs/2006.06676), sec. 3.
    """

    def _add_augmentations(self, augment):
        self.augment = augment
        self._augmentations = augmentation.get(augment)
        self.augment_strength = None
        if any(x.is_adaptive for x in self._augmentations):
            self.augment_strength = self.add_weight(
                name="augment_strength",
                initializer="zeros",
                trainable=False,
                autocast=False,
                dtype="float32",
                aggregation="only_first_replica",  # replicas write the same value
            )
            self._add_term("augment_strength")

    def _augmented(self, images, uniform_draws):
        return augmentation.diff_augment(
            images, self._augmentations, uniform_draws, self.augment_strength
        )

    def _strength_terms(self):
        """Returns the strength as a term, if there is one."""
        if self.augment_strength is None:
            return {}
        return {"augment_strength": tf.convert_to_tensor(self.augment_strength)}

    def _adapt(self, real_signs, images):
        """Moves the strength by the mean sign of the logits of this batch's images."""
        if self.augment_strength is None:
            return
        _, total = replicas.global_rows(tf.shape(images)[0])
        signs = replicas.global_sum(replicas.weigh(real_signs, tf.shape(images)[0]))
        for one in self._augmentations:
            if one.is_adaptive:
                moved = one.adapt(self.augment_strength, signs, total)
                self.augment_strength.assign(moved)
