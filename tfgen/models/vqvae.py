"""Vector-quantised autoencoder: an image as a grid of discrete codes.

For an image `x`, features `E(x)` on a grid, and the quantiser's nearest vectors `q`:

    loss = -log p(x | q(E(x))) + commitment * sum over the grid |E(x) - sg(q)|^2
           - log prior(codes)                                        (nats per image)

`sg` stops gradients; backwards `q` is taken for the identity. Finite scalar
quantisation has no codebook and no commitment (layers/quantizers.py). The prior sees
codes alone, so that it does not change what is learned of the images: a distribution of
sequences of codes (layers/causal_transformer.py), from which images are sampled.

It learns along with the rest; or alone, in a second phase, of codes that stay:

    tfgen train PRESET --prior none --out codes
    tfgen train PRESET --init-from codes --freeze 'encoder/*' --freeze 'decoder/*'

References:
- [van den Oord et al., 2017](https://arxiv.org/abs/1711.00937), eq. 3.
- [Razavi et al., 2019](https://arxiv.org/abs/1906.00446), sec. 2: averages.
- [Mentzer et al., 2024](https://arxiv.org/abs/2309.15505), sec. 3: `"fsq"`.
"""

from typing import ClassVar

import keras
import tensorflow as tf

from tfgen import distributions, replicas
from tfgen.layers.causal_transformer import CausalTransformer
from tfgen.layers.quantizers import resolve_quantizer
from tfgen.losses import get
from tfgen.models import checks
from tfgen.models.base import GenerativeModel
from tfgen.models.endpoints import endpoint
from tfgen.models.sampling import SamplingMixin

PRIORS = {"transformer": CausalTransformer}


@keras.saving.register_keras_serializable(package="tfgen")
class VQVAE(SamplingMixin, GenerativeModel):
    """Autoencoder with discrete codes, and a prior over them.

    Args:
        encoder: Built `keras.Model` from images `(batch, height, width, channels)` in
            `[0, 1]` to a grid of features `(batch, rows, columns, size)`. With `"fsq"`
            the size is that of `levels`.
        decoder: Built `keras.Model` from such a grid to what the likelihood takes.
        quantizer: `"fsq"`, `"vq"`, or a `layers.Quantizer`.
        levels: Integers, values of each number of `"fsq"`: (8, 5, 5, 5) make 1,000.
        num_codes: Integer, rows of the codebook of `"vq"`.
        commitment: Float, the weight of the distance of features to their vectors.
        likelihood: A name in `distributions.LIKELIHOODS`, or an object.
        prior: `"transformer"`, a `layers.CausalTransformer`, or `None`: no samples.
        num_classes: Integer for a prior that is conditional on a label. Encoder and
            decoder take no labels.
        seed: Integer seed of restarts and samples.

    Called on images, it returns reconstructions. `fit` reports the terms of the loss,
    the share of codes that a batch uses, and the perplexity of their frequencies there.

    Example:

    >>> encoder = tfgen.networks.build_resnet_encoder((64, 64, 3), (8, 8, 4))
    >>> decoder = tfgen.networks.build_resnet_decoder((8, 8, 4), (64, 64, 3))
    >>> model = tfgen.VQVAE(encoder, decoder, prior="transformer")
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> model.fit(images, epochs=20)
    """

    term_names = (
        *("loss", "reconstruction_loss", "commitment_loss", "prior_loss"),
        *("code_use", "perplexity"),
    )
    call_keys = ("images",)
    can_truncate = False
    attribute_of: ClassVar = {"likelihood": "pixel_likelihood"}

    def __init__(
        self,
        encoder,
        decoder,
        *,
        quantizer="fsq",
        levels=(8, 5, 5, 5),
        num_codes=512,
        commitment=0.25,
        likelihood="gaussian",
        prior=None,
        num_classes=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(num_classes=num_classes, seed=seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.levels = tuple(levels)
        self.num_codes = num_codes
        self.commitment = commitment
        *self.grid, dim = encoder.output_shape[1:]
        self.quantizer = resolve_quantizer(quantizer, levels, num_codes, dim)
        self.pixel_likelihood = distributions.likelihood(likelihood)
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        self.pixel_likelihood.build_for(dim, self.image_shape)
        self._check_arguments()
        num_places = self.grid[0] * self.grid[1]
        self.prior = get("prior", prior, PRIORS, CausalTransformer)
        if self.prior is not None:
            self.prior.build_for(self.quantizer.num_codes, num_places, num_classes)
        self._add_inputs(images=self.image_shape, uniforms=(num_places,))
        self.input_specs["codes"] = tf.TensorSpec((None, *self.grid), tf.int32, "codes")
        self.index_limits["codes"] = self.quantizer.num_codes
        self._build_for(encoder)

    # ---- The objective --------------------------------------------------------------

    def compute_terms(self, images, labels=None, *, training):
        """Returns the scalars named in `metrics`; losses are in nats."""
        features = self._float(self.encoder, images, training)
        vectors, codes, distances = self.quantizer.straight_through(features)
        log_likelihood = self._likelihood(vectors, training).log_prob(images)
        terms = {
            "reconstruction_loss": -tf.reduce_mean(log_likelihood),
            "commitment_loss": tf.reduce_mean(distances),
            "prior_loss": self._prior_loss(codes, labels),
            **self._frequencies(codes),
        }
        if training and self.quantizer.trainable:
            seed = self._step_seed(training)
            self.quantizer.update(tf.stop_gradient(features), codes, seed)
        loss = terms["reconstruction_loss"] + terms["prior_loss"]
        loss += self.commitment * terms["commitment_loss"]
        return {"loss": loss, **terms}

    def _prior_loss(self, codes, labels):
        if self.prior is None:
            return tf.constant(0.0)
        codes = tf.reshape(codes, (-1, self.grid[0] * self.grid[1]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            codes, self.prior(codes, labels)
        )
        return tf.reduce_mean(tf.reduce_sum(losses, axis=-1))

    def _frequencies(self, codes):
        """Returns how many of the codes the global batch uses, and how evenly."""
        one_hot = tf.one_hot(tf.reshape(codes, [-1]), self.quantizer.num_codes)
        counts = replicas.global_sum(tf.reduce_sum(one_hot, axis=0))
        shares = tf.math.divide_no_nan(counts, tf.reduce_sum(counts))
        entropy = -tf.reduce_sum(tf.math.xlogy(shares, shares))
        used = tf.cast(counts > 0, tf.float32)
        return {"code_use": tf.reduce_mean(used), "perplexity": tf.exp(entropy)}

    def _float(self, network, inputs, training=False):
        return tf.cast(network(inputs, training=training), tf.float32)

    def _likelihood(self, vectors, training=False):
        outputs = self._float(self.decoder, vectors, training)
        return self.pixel_likelihood.distribution(outputs)

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        features = self._float(self.encoder, inputs, training)
        return self._images(
            self.quantizer.straight_through(features)[0], training=training
        )

    @endpoint("images", returns="images")
    def reconstruct(self, images):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self.decode(self.encode(images))

    @endpoint("images", returns="codes")
    def encode(self, images):
        """Returns codes int32 `(batch, rows, columns)`."""
        return self.quantizer.encode(self._float(self.encoder, images))

    @endpoint("codes", returns="images")
    def decode(self, codes):
        """Returns images `(batch, height, width, channels)` in `[0, 1]`."""
        return self._images(self.quantizer.decode(codes))

    @endpoint("uniforms", "labels", returns="images", condition="has_prior")
    def draw(self, uniforms, labels=None):
        """Returns images of uniform draws in (0, 1), `(batch, rows * columns)`."""
        return self._images(self._draw_vectors(uniforms, labels))

    def _draw_vectors(self, uniforms, labels):
        vectors = self.quantizer.combine(self.prior.sample(uniforms, labels))
        return tf.reshape(vectors, (-1, *self.grid, self.quantizer.dim))

    @property
    def has_prior(self):
        """Whether there is a prior to sample from."""
        return self.prior is not None

    @property
    def _noise_dim(self):
        if self.prior is None:
            raise ValueError("`sample` needs a prior: VQVAE(..., prior='transformer')")
        return self.grid[0] * self.grid[1]

    def _draw_latents(self, noise, labels):
        return self._draw_vectors(0.5 * tf.math.erfc(-noise * 0.5**0.5), labels)

    def _images(self, vectors, labels=None, training=False):
        means = self._likelihood(vectors, training).mean()
        return tf.clip_by_value(means, 0.0, 1.0)

    def _check_arguments(self):
        checks.at_least(0, commitment=self.commitment)
        checks.image_decoder(self, self.pixel_likelihood.params_per_channel)
        dim, taken = self.quantizer.dim, self.decoder.inputs[0].shape[1:]
        returned = self.encoder.output_shape[1:]
        if len(returned) != 3 or returned[-1] != dim or tuple(taken) != returned:
            raise ValueError(
                f"`encoder` must return, and `decoder` take, (rows, columns, {dim}) "
                f"with this quantizer. Received: {returned} and {tuple(taken)}"
            )
