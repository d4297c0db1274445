"""VAE with a discriminator: reconstructions are judged by what it sees, not by pixels.

For an image `x`, a latent `z ~ q(z | x)` and another `z' ~ p(z)`, decoder `G`, and a
discriminator `D` with features `F` of one of its stages:

    discriminator_loss  = d( D(x), D(G(z)) and D(G(z')) )
    reconstruction_loss = -log Normal( F(x); F(G(z)), scale )             nats per image
    adversarial_loss    = g( D(G(z)) and D(G(z')) )
    generator_loss      = reconstruction_loss + beta * KL( q(z | x) || p(z) )
                          + adversarial_weight * adversarial_loss

with a pair (g, d) of losses.py: means over both kinds of images that `G` makes. No
gradient of the adversarial loss passes the latents, so that encoder and prior learn
from the other two terms alone, as in the paper. Its decoder goes down `gamma *
reconstruction_loss + adversarial_loss`: the same, to Adam, with an
`adversarial_weight` of 1 / gamma.

References:
- [Larsen et al., 2016](https://arxiv.org/abs/1512.09300), eqs. 7 and 8, alg. 1.
- [Kingma & Welling, 2014](https://arxiv.org/abs/1312.6114), eq. 3: the bound.
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfgen import losses
from tfgen.models import checks
from tfgen.models.adversarial import AdversarialModel
from tfgen.models.batches import to_signed
from tfgen.models.vae import VAE

tfd = tfp.distributions


@keras.saving.register_keras_serializable(package="tfgen")
class VAEGAN(AdversarialModel, VAE):
    """VAE whose reconstructions are compared in a discriminator's features.

    Args:
        encoder, decoder: As in `VAE`.
        discriminator: Built `keras.Model` from images `(batch, height, width,
            channels)` in `[-1, 1]` to a dict, `"logits"` and `"features"`, as of
            `networks.build_dcgan_discriminator(..., with_features=True)`.
        loss: A name in `losses.ADVERSARIAL_LOSSES`, or a `losses.AdversarialLoss`.
        adversarial_weight: Float, of the decoder's adversarial loss beside nats.
        feature_stage: Integer, of the discriminator's stages: -1 for the last.
        feature_scale: Float, standard deviation of features.
        likelihood: What the decoder's outputs are the parameters of, as in `VAE`: its
            means are the images.
        posterior, prior, divergence, beta, num_classes, seed: As in `VAE`.

    Called on images, or `(images, labels)`, it returns reconstructions in `[0, 1]`. It
    has a VAE's endpoints, but no bound on log p(x): no loss is of pixels.

    Example:

    >>> from tfgen.networks import *
    >>> encoder = build_resnet_encoder((64, 64, 3), 2 * 64)
    >>> decoder = build_resnet_decoder(64, (64, 64, 3))
    >>> discriminator = build_dcgan_discriminator((64, 64, 3), with_features=True)
    >>> model = tfgen.VAEGAN(encoder, decoder, discriminator)
    >>> model.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4))
    >>> model.fit(images, epochs=50)
    """

    term_names = (
        *("generator_loss", "discriminator_loss"),
        *("reconstruction_loss", "kl_loss", "adversarial_loss"),
        *("real_logits", "fake_logits", "discriminator_accuracy"),
    )
    generators = (
        *("encoder", "decoder"),
        *("latent_posterior", "latent_prior", "divergence"),
    )

    def __init__(
        self,
        encoder,
        decoder,
        discriminator,
        *,
        loss="non_saturating",
        adversarial_weight=1000.0,
        feature_stage=-1,
        feature_scale=1.0,
        likelihood="bernoulli",
        posterior="diagonal",
        prior="standard_normal",
        divergence="kl",
        beta=1.0,
        num_classes=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            encoder,
            decoder,
            likelihood=likelihood,
            posterior=posterior,
            prior=prior,
            divergence=divergence,
            beta=beta,
            num_classes=num_classes,
            seed=seed,
            **kwargs,
        )
        self.has_density = False  # of pixels
        self.discriminator = discriminator
        self.loss = loss
        self.adversarial_weight = adversarial_weight
        self.feature_stage = feature_stage
        self.feature_scale = feature_scale
        rows, kind = losses.ADVERSARIAL_LOSSES, losses.AdversarialLoss
        self._loss = losses.get("loss", loss, rows, kind)
        self._check_arguments()
        self._add_averages(None)
        self._build_for(encoder)

    def _build_for(self, network):
        if hasattr(self, "discriminator"):  # a VAE's constructor does not have it yet
            super()._build_for(network)

    # ---- The objective --------------------------------------------------------------

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's terms, of images in `[-1, 1]`."""
        images = batch["real"], *fake["judged"]
        real_logits, *fakes = (self._judge(x, batch, training)[0] for x in images)
        # Each kind is half of what the real images are compared with.
        real_logits = tf.concat([real_logits, real_logits], axis=0)
        fake_logits = tf.concat(fakes, axis=0)
        return {
            "discriminator_loss": self._loss.discriminator(real_logits, fake_logits),
            "real_logits": tf.reduce_mean(real_logits),
            "fake_logits": tf.reduce_mean(fake_logits),
            "discriminator_accuracy": self._loss.accuracy(real_logits, fake_logits),
        }

    def generator_terms(self, batch, fake, training):
        """Returns the terms of encoder, decoder and prior."""
        real_logits, real = self._judge(batch["real"], batch, training)
        _, features = self._judge(fake["images"], batch, training)
        likelihood = tfd.Independent(tfd.Normal(features, self.feature_scale), 1)
        reconstruction_loss = -tf.reduce_mean(likelihood.log_prob(real))
        logits = [self._judge(x, batch, training)[0] for x in fake["judged"]]
        seen = [tf.concat(logits, axis=0)]
        if self._loss.is_relative:
            seen.append(tf.concat([real_logits, real_logits], axis=0))
        adversarial_loss = self._loss.generator(*seen)
        weight = (self.kl_weight if training else self.eval_beta).value
        loss = self.divergence.charge(fake["inferred"], weight)
        loss += reconstruction_loss + self.adversarial_weight * adversarial_loss
        return {
            "generator_loss": loss,
            "reconstruction_loss": reconstruction_loss,
            "kl_loss": fake["inferred"].kl(),
            "adversarial_loss": adversarial_loss,
        }

    def _judge(self, images, batch, training):
        """Returns logits `(batch, ...)`, and the features of a stage `(batch, n)`."""
        labels = batch["labels"]
        outputs = self._run(self.discriminator, images, labels, training=training)
        (features,), (logits,) = outputs["features"], outputs["logits"]
        features = features[self.feature_stage]
        return logits, tf.reshape(features, (-1, features[0].shape.num_elements()))

    # ---- Training -------------------------------------------------------------------

    def train_step(self, data):
        inputs = self._unpack(data)
        batch = self._batch(*inputs, training=True)
        return self._track(self._alternating_step(batch, inputs[0]), inputs[0])

    def _batch(self, images, labels=None, training=True):
        real, seed = to_signed(images), self._step_seed(training)
        return {"images": images, "real": real, "labels": labels, "seed": seed}

    def _fake(self, batch, training):
        """Returns the inferred, reconstructions, and both kinds that `D` judges."""
        labels = batch["labels"]
        inferred = self._infer(batch["images"], labels, 1, batch["seed"], training)
        latents = inferred.latents[0]
        fixed = (tf.stop_gradient(z) for z in (latents, inferred.draw_prior()))
        reconstructed, *judged = (
            to_signed(self.likelihood(z, labels, training).mean())
            for z in (latents, *fixed)
        )
        return {"inferred": inferred, "images": reconstructed, "judged": judged}

    def _check_arguments(self):
        checks.networks(self, self.discriminator)
        checks.at_least(0, adversarial_weight=self.adversarial_weight)
        if not self.feature_scale > 0.0:
            raise ValueError(
                f"`feature_scale` must be above 0. Received: {self.feature_scale}"
            )
        taken = tuple(self.discriminator.inputs[0].shape[1:])
        if taken != self.image_shape:
            raise ValueError(
                "`discriminator` must take images shaped like those of `encoder`, "
                f"{self.image_shape}. Received: {taken}"
            )
        outputs = self.discriminator.output
        is_one = isinstance(outputs, dict) and len(outputs["features"]) == 1
        stages = len(outputs["features"][0]) if is_one else 0
        if not -stages <= self.feature_stage < stages:
            raise ValueError(
                "`discriminator` must return the features of stage "
                f"{self.feature_stage}, at one scale: "
                "build_dcgan_discriminator(..., with_features=True)"
            )
