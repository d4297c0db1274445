"""What a paired GAN's generator may minimise besides: three terms, each with a weight.

For an image `x`, its target `y`, noise `z` and `z'`, a discriminator of several scales
`D_k` with features `D_k^i` of its layers `i`, and a distance `d` of images:

    feature_matching_loss = sum over k, i of  mean |D_k^i(x, y) - D_k^i(x, G(x, z))|
    perceptual_loss       = d(y, G(x, z))
    diversity             = mean of  min( |G(x, z) - G(x, z')| / |z - z'|, 10 )

The generator raises the diversity: noise that changes nothing would leave it at 0. The
first two steady the adversarial loss, as L1 does, but leave room for what is not
aligned to the pixel.

References:
- [Wang et al., 2018](https://arxiv.org/abs/1711.11585), eqs. 4 and 5: features. The
  sums are the paper's; its code divides them by the numbers of layers and scales.
- [Johnson et al., 2016](https://arxiv.org/abs/1603.08155), eq. 2, and
  [Zhao et al., 2017](https://doi.org/10.1109/TCI.2016.2644865), eq. 8: perceptual.
- [Mao et al., 2019](https://arxiv.org/abs/1903.05628), eq. 2, and
  [Yang et al., 2019](https://arxiv.org/abs/1901.09024), eq. 4: diversity.
"""

import keras
import tensorflow as tf

from tfgen import distributions, losses
from tfgen.models import checks
from tfgen.models.batches import to_unit
from tfgen.models.translation import divide_scales


class PairTermsMixin:
    """Adds the terms to a paired GAN; those of weight 0 are not computed."""

    def _add_pair_terms(
        self, lambda_feature_matching, perceptual, lambda_perceptual, lambda_diversity
    ):
        self.lambda_feature_matching = lambda_feature_matching
        self.perceptual = perceptual
        self.lambda_perceptual = lambda_perceptual
        self.lambda_diversity = lambda_diversity
        self._perceptual = _distance_of(perceptual)
        weights = {
            "feature_matching_loss": lambda_feature_matching,
            "perceptual_loss": lambda_perceptual if self._perceptual else 0.0,
            "diversity": -lambda_diversity,
        }
        self._pair_weights = {name: x for name, x in weights.items() if x}
        for name in self._pair_weights:
            self._add_term(name)

    def _pair(self, batch, targets):
        """Returns pairs as the discriminator sees them: both augmented alike."""
        images = [batch["images"], targets]
        images = [self._augmented(x, batch["augment_draws"]) for x in images]
        return tf.concat(images, axis=-1)

    def _pair_terms(self, batch, fake, training):
        """Returns the terms, and their weighted sum."""
        terms = {name: getattr(self, f"_{name}") for name in self._pair_weights}
        terms = {name: term(batch, fake, training) for name, term in terms.items()}
        weighted = [x * terms[name] for name, x in self._pair_weights.items()]
        return terms, tf.add_n(weighted) if weighted else 0.0

    def _feature_matching_loss(self, batch, fake, training):
        pairs = self._pair(batch, batch["targets"]), self._pair(batch, fake)
        outputs = self._run_both(self.discriminator, *pairs, training=training)
        scales = zip(*map(divide_scales, outputs), strict=True)
        return tf.add_n(
            [losses.feature_matching(real[:-1], fake[:-1]) for real, fake in scales]
        )

    def _perceptual_loss(self, batch, fake, training):
        return tf.reduce_mean(
            self._perceptual(to_unit(batch["targets"]), to_unit(fake))
        )

    def _diversity(self, batch, fake, training):
        noise = batch["noise"], batch["other_noise"]
        other = self._fake({**batch, "noise": noise[1]}, training)
        return losses.diversity(fake, other, *noise)

    def _check_terms_and_noise(self):
        for name in ("feature_matching", "perceptual", "diversity"):
            argument = f"lambda_{name}"
            checks.at_least(0, **{argument: getattr(self, argument)})
        pairs = self.discriminator.inputs[0]
        outputs = divide_scales(self.discriminator.compute_output_spec(pairs))
        if self.lambda_feature_matching and min(map(len, outputs)) < 2:
            raise ValueError(
                "Feature matching needs a discriminator that returns its features: "
                "build_patchgan_discriminator(..., with_features=True)"
            )
        if self.dropout_at_inference and not self.noise_dim:
            raise ValueError(
                "dropout_at_inference=True needs a generator of [images, noise]. It "
                "takes images alone."
            )
        if self.noise_dim and not self.dropout_at_inference:
            noise = self.generator.get_layer(self.generator.inputs[1].name)
            if not noise.optional:
                raise ValueError(
                    "The generator always takes noise: pass dropout_at_inference=True"
                )
        if self.lambda_diversity and not self.dropout_at_inference:
            raise ValueError(
                "Several outputs for one input need noise outside training too: pass "
                "dropout_at_inference=True with lambda_diversity"
            )


def _distance_of(perceptual):
    """Returns the distance of images that a name or a network stands for."""
    if perceptual is None:
        return None
    if isinstance(perceptual, keras.Model):
        return distributions.Perceptual(perceptual).distance
    checks.choice("perceptual", perceptual, ("ms_ssim",))
    return distributions.MultiScaleSimilarity().distance
