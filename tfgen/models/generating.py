"""What a GAN's generator takes: latents, which may hold codes, labels, and options.

Options are inputs of a network by name, each of which may be left out: `noise`, normal
draws for its pixels, and `truncation`, how far styles stay from their mean
(`networks.build_style_generator`). Codes are those of `auxiliary.Codes`.
"""

import tensorflow as tf

from tfgen import auxiliary
from tfgen.models.batches import to_signed, to_unit
from tfgen.models.endpoints import endpoint
from tfgen.models.options import options_of
from tfgen.models.sampling import SamplingMixin


class GeneratingMixin(SamplingMixin):
    """Adds `auxiliary` to a GAN, and what its networks take and return with it."""

    @property
    def codes(self):
        """The `auxiliary.Codes` that latents begin with, or `None`."""
        has_codes = self._auxiliary is not None and self._auxiliary.has_codes
        return self._auxiliary if has_codes else None

    @property
    def has_own_prior(self):
        """Whether latents are drawn otherwise than from `Normal(0, I)`: as codes."""
        return self.codes is not None

    @property
    def classifies(self):
        """Whether the discriminator tells classes."""
        return self._auxiliary is not None and self._auxiliary.takes_labels

    def _add_auxiliary(self, identifier):
        self.auxiliary = identifier
        self._auxiliary = auxiliary.get(identifier)
        if self._auxiliary is not None:
            self._check_auxiliary()
            for name in self._auxiliary.term_names:
                self._add_term(name)
        if self.has_own_prior:
            self._add_inputs(noise=(self.latent_dim,))

    def _check_auxiliary(self):
        expected = self._auxiliary.num_outputs(self.num_classes)
        if self.has_own_prior and self.latent_dim < self._auxiliary.dim:
            raise ValueError(
                f"`generator` must take the {self._auxiliary.dim} numbers of the codes "
                f"and more. Received: {self.latent_dim} latents"
            )
        shapes = self.discriminator.output_shape
        received = shapes[1] if isinstance(shapes, list) else None
        if received != (None, expected):
            raise ValueError(
                "`discriminator` must return logits and a second output of "
                f"{expected} numbers: num_outputs={expected}. Received: {shapes}"
            )

    # ---- The generator --------------------------------------------------------------

    @property
    def pixel_noise_dim(self):
        """How many normal draws an image of the generator takes for its pixels."""
        options = options_of(self.generator)
        return options["noise"].shape[-1] if "noise" in options else 0

    def _generate(self, network, latents, labels=None, *, training=False, **options):
        """Returns images in `[-1, 1]`; options that are left out are `None`."""
        values = [options.get(name) for name in options_of(network)]
        return self._run(network, latents, labels, *values, training=training)

    @property
    def _noise_dim(self):
        return self.latent_dim + self.pixel_noise_dim

    def _draw_latents(self, noise, labels):
        return self.draw_latents(noise) if self.has_own_prior else noise

    def _latent_centre(self, latents, labels):
        return self._auxiliary.centre(latents) if self.has_own_prior else 0.0

    def _images_of_noise(self, noise, labels, truncation):
        latents, pixels = noise[:, : self.latent_dim], noise[:, self.latent_dim :]
        latents, options = self._draw_latents(latents, labels), {"noise": pixels}
        if truncation is not None and "truncation" in options_of(self.generator):
            options["truncation"] = tf.fill((tf.shape(noise)[0], 1), truncation)
            truncation = None  # of styles, not of latents
        latents = self._truncated(latents, labels, truncation)
        return self._images(latents, labels, **options)

    def _images(self, latents, labels=None, training=False, **options):
        network = self._averaged("generator", training)
        options = {"training": training, **options}
        return to_unit(self._generate(network, latents, labels, **options))

    # ---- The discriminator ----------------------------------------------------------

    @endpoint("images", "labels", returns="logits")
    def discriminate(self, images, labels=None):
        """Returns logits `(batch, ...)` of images in `[0, 1]`."""
        return self._judge(to_signed(images), labels, training=False)

    def _judge(self, images, labels, training):
        return logits_of(self._outputs(images, labels, training))

    def _outputs(self, images, labels, training):
        return self._run(self.discriminator, images, labels, training=training)

    # ---- The second output ----------------------------------------------------------

    @endpoint("noise", returns="latents", condition="has_own_prior")
    def draw_latents(self, noise):
        """Returns latents with codes, of standard normal noise of their shape."""
        return self._auxiliary.latents(noise)

    @endpoint("images", returns="codes", condition="has_own_prior")
    def recognize(self, images):
        """Returns the codes of images as they lie in latents, `(batch, codes)`.

        Categories are probabilities, and numbers means, of the posterior.
        """
        return self._auxiliary.means(self._second_output(images))

    @endpoint("images", returns="probabilities", condition="classifies")
    def classify(self, images):
        """Returns probabilities of the classes, `(batch, num_classes)`."""
        return tf.nn.softmax(self._second_output(images))

    def _auxiliary_terms(self, real, fake, batch):
        """Returns what the discriminator minimises besides, and its terms."""
        if self._auxiliary is None:
            return 0.0, {}
        targets = self._auxiliary.targets(batch)
        return self._auxiliary.discriminator(real[1], fake[1], targets)

    def _auxiliary_loss(self, fake, batch):
        """Returns what the generator minimises besides."""
        if self._auxiliary is None:
            return 0.0
        return self._auxiliary.generator(fake[1], self._auxiliary.targets(batch))

    def _second_output(self, images):
        return self._outputs(to_signed(images), None, training=False)[1]


def logits_of(outputs):
    """Returns the logits of a discriminator that may have a second output."""
    return outputs[0] if isinstance(outputs, list) else outputs
