"""Draws of the prior of a model, which may be learned or fitted."""

import keras

from tfgen import distributions
from tfgen.models.endpoints import endpoint
from tfgen.models.sampling import SamplingMixin


class PriorMixin(SamplingMixin):
    """Draws from `latent_prior`, a `distributions.Prior`, or `None`: then nothing."""

    @property
    def has_prior(self):
        """Whether there is a prior to draw from."""
        return self.latent_prior is not None

    @property
    def has_own_prior(self):
        """Whether latents are drawn otherwise than from `Normal(0, I)`."""
        return self.has_prior and not self.latent_prior.is_standard

    def prior(self, labels=None):
        """`p(z)`: batch shape `()`; of classes `p(z | y)`: that of the labels."""
        return self.latent_prior.distribution(labels, getattr(self, "posterior", None))

    def with_prior(self, prior):
        """Returns the model as it is, but for its prior: untrained, and compiled alike.

        Where its divergence does not go with the prior, it is the KL from then on.

        Args:
            prior: A `distributions.Prior`, or the name of one.
        """
        serialize = keras.saving.serialize_keras_object
        config = self.get_config()
        config["prior"] = serialize(distributions.prior(prior))
        if "divergence" in config and self.divergence.name != "kl":
            config["divergence"] = serialize(distributions.KL())
        model = type(self).from_config(config)
        twins = {layer.name: layer for layer in model.layers}
        for layer in self.layers:
            if layer not in (self.latent_prior, getattr(self, "divergence", None)):
                twins[layer.name].set_weights(layer.get_weights())
        if self.compiled:
            model.compile_from_config(self.get_compile_config())
        return model

    @endpoint("noise", "labels", returns="latents", condition="has_own_prior")
    def draw_latents(self, noise, labels=None):
        """Returns draws of the prior, of standard normal noise."""
        return distributions.of_noise(self.prior(labels), noise)

    def _bind_parts(self, *parts):
        """Makes the weights of parts, and `noise` an input that draws are made of."""
        for part in parts:
            part.build_for(self.latent_dim, self.image_shape, self.num_classes)
        if self.has_own_prior:
            self._add_inputs(noise=(self._noise_dim,))

    @property
    def _noise_dim(self):
        return self.latent_prior.noise_dim

    def _draw_latents(self, noise, labels):
        return self.draw_latents(noise, labels) if self.has_own_prior else noise

    def _latent_centre(self, latents, labels):
        if not self.has_own_prior:
            return 0.0
        return distributions.moments(self.prior(labels))[0]

    @classmethod
    def from_config(cls, config):
        """Returns the model of a configuration, also of one that has `free_bits`."""
        if nats := config.pop("free_bits", 0.0):  # of files from before divergences
            divergence = distributions.FreeBits(nats)
            config["divergence"] = keras.saving.serialize_keras_object(divergence)
        return super().from_config(config)
