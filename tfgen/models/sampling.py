"""Samples of the models that decode latents of a prior, else of `Normal(0, I)`.

Truncation moves latents towards their mean `m`, which is 0 for `Normal(0, I)`:

    z' = m + truncation (z - m)

so that samples are more typical, and less varied, the nearer it is to 0: precision for
recall. Every sample stays a version of what its seed makes without truncation.

Reference: [Karras et al., 2019](https://arxiv.org/abs/1812.04948), app. B. (Brock et
al., 2019, draw latents anew that are far out: another image of the same seed.)
"""

import tensorflow as tf

from tfgen.models import checks, draws
from tfgen.models.endpoints import endpoint


class SamplingMixin:
    """Adds `sample` to a model with `latent_dim` and `_images(latents, labels)`."""

    has_prior = True
    can_truncate = True

    @endpoint("seeds", "labels", returns="images", name="sample", condition="has_prior")
    def sample_of_seeds(self, seeds, labels=None, truncation=None):
        """Returns an image for each seed, int64 `(batch,)`."""
        shape = (self._noise_dim,)
        noise = draws.of_seeds(draws.standard_normal, seeds, shape)
        return self._images_of_noise(noise, labels, truncation)

    def sample(self, num_samples, seed=None, labels=None, truncation=None):
        """Returns images `(num_samples, height, width, channels)` in `[0, 1]`.

        Those of a VAE are means of `p(x | z)`.

        Args:
            num_samples: Integer.
            seed: Integer for repeatable samples; `None` draws new ones.
            labels: Integers `(num_samples,)` if the model is conditional; `None` goes
                through the classes in turn.
            truncation: Float in [0, 1], how far latents stay from their mean; `None` is
                1, as they were drawn.
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
        return self._images_of_noise(noise, labels, truncation)

    def _images_of_noise(self, noise, labels, truncation):
        latents = self._draw_latents(noise, labels)
        return self._images(self._truncated(latents, labels, truncation), labels)

    def _truncated(self, latents, labels, truncation):
        if truncation is None:
            return latents
        if not self.can_truncate:
            raise ValueError(
                f"{type(self).__name__} has discrete codes, which have no mean: "
                "leave `truncation` out."
            )
        centre = self._latent_centre(latents, labels)
        return centre + truncation * (latents - centre)

    @property
    def _noise_dim(self):
        return self.latent_dim

    def _draw_latents(self, noise, labels):
        return noise

    def _latent_centre(self, latents, labels):
        """Returns the mean of latents, which truncation moves them to."""
        return 0.0
