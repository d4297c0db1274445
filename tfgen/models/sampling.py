"""Samples of the models that decode latents of a prior, else of `Normal(0, I)`."""

import tensorflow as tf

from tfgen.models import checks, draws
from tfgen.models.endpoints import endpoint


class SamplingMixin:
    """Adds `sample` to a model with `latent_dim` and `_images(latents, labels)`."""

    has_prior = True

    @endpoint("seeds", "labels", returns="images", name="sample", condition="has_prior")
    def sample_of_seeds(self, seeds, labels=None):
        """Returns an image for each seed, int64 `(batch,)`."""
        shape = (self._noise_dim,)
        noise = draws.of_seeds(draws.standard_normal, seeds, shape)
        return self._images(self._draw_latents(noise, labels), labels)

    def sample(self, num_samples, seed=None, labels=None):
        """Returns images `(num_samples, height, width, channels)` in `[0, 1]`.

        Those of a VAE are means of `p(x | z)`.

        Args:
            num_samples: Integer.
            seed: Integer for repeatable samples; `None` draws new ones.
            labels: Integers `(num_samples,)` if the model is conditional; `None` goes
                through the classes in turn.
        """
        if self.num_classes is not None and labels is None:
            labels = tf.range(num_samples) % self.num_classes
        if labels is not None:
            labels = checks.as_input(self, "labels", labels)
            if len(labels) != num_samples:
                raise ValueError(
                    f"`labels` must be {num_samples}, one for each image. Received: "
                    f"{len(labels)}"
                )
        if seed is None:
            seed = self.seed_generator.next()
        else:
            seed = tf.constant([seed, 0], tf.int64)
        noise = draws.standard_normal((num_samples, self._noise_dim), seed)
        return self._images(self._draw_latents(noise, labels), labels)

    @property
    def _noise_dim(self):
        return self.latent_dim

    def _draw_latents(self, noise, labels):
        return noise
