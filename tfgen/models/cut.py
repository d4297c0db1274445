"""CUT: one domain into another without pairs, by one generator.

For images `x` of domain A and `y` of domain B, a generator `G` and a discriminator `D`
of B, and vectors `H_l(.)` of some places of layer `l` of the generator:

    adversarial_loss   = g( D(G(x)) )
    nce_loss           = mean over layers of  patch_nce( H_l(G(x)), H_l(x) )
    identity_nce_loss  = mean over layers of  patch_nce( H_l(G(y)), H_l(y) )
    generator_loss     = adversarial_loss + lambda_nce * nce_loss
                         + lambda_identity_nce * identity_nce_loss
    discriminator_loss = d( D(y), D(G(x)) ) / 2

with images in [-1, 1]. A place of the translation shall be told from all others by the
same place of the input, and no second generator is needed to hold what an image shows.
The input's vectors are constants: gradients reach the layers through the translation. A
training step takes a step of the discriminator, then one of generator and `H`.

FastCUT is `lambda_nce=10.0, lambda_identity_nce=0.0` (its mirrored inputs are not here:
let the data be mirrored).

Reference: [Park et al., 2020](https://arxiv.org/abs/2007.15651): eqs. 1 to 5, app. C.1.
"""

import keras
import tensorflow as tf

from tfgen.losses import patch_nce
from tfgen.models import checks
from tfgen.models.batches import to_signed, to_unit
from tfgen.models.draws import uniform
from tfgen.models.endpoints import endpoint
from tfgen.models.translation import TranslationModel


@keras.saving.register_keras_serializable(package="tfgen")
class CUT(TranslationModel):
    """Translation from one domain to another without pairs, by one generator.

    Args:
        generator: Built `keras.Model` from images of domain A
            `(batch, height, width, channels)` to images of domain B, in `[-1, 1]`.
        discriminator: Built `keras.Model` from images of B to logits `(batch, ...)`.
        projector: Built `keras.Model` of features of the generator's layers, each an
            input of the layer's name, to unit vectors:
            `tfgen.networks.build_patch_projector`.
        lambda_nce: Float, the weight of the term of images of A.
        lambda_identity_nce: Float, of that of images of B; 0 spares its computation.
        temperature: Float, what products of vectors are divided by.
        num_patches: Integer, places a layer, drawn anew at each step; all, where a
            layer has fewer.
        loss: `"least_squares"`, `"non_saturating"`, or a `losses.AdversarialLoss`.
        ema_decay: Float in [0, 1), of the moving average of the generator's weights,
            which `translate` then uses; `None` for none.
        seed: Integer seed of the places.

    Called on images of A in `[0, 1]`, it returns their translations to B in `[0, 1]`.
    `fit` takes `(images_a, images_b)` in `[0, 1]`, which need not correspond.

    Example:

    >>> generator = tfgen.networks.build_resnet_generator((64, 64, 3), num_blocks=6)
    >>> discriminator = tfgen.networks.build_patchgan_discriminator((64, 64, 3))
    >>> layers = ("images", "down_1", "down_2", "block_1", "block_4")
    >>> projector = tfgen.networks.build_patch_projector(generator, layers)
    >>> model = tfgen.CUT(generator, discriminator, projector)
    >>> adam = lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)
    >>> model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    >>> model.fit(tfgen.data.load_domains("openmoji", image_size=64), epochs=10)
    >>> images_b = model.translate(images_a)
    """

    term_names = (
        "generator_loss",
        "discriminator_loss",
        "adversarial_loss",
        "nce_loss",
        "identity_nce_loss",
    )
    data_keys = ("images_a", "images_b")
    call_keys = ("images_a",)

    def __init__(
        self,
        generator,
        discriminator,
        projector,
        *,
        lambda_nce=1.0,
        lambda_identity_nce=1.0,
        temperature=0.07,
        num_patches=256,
        loss="least_squares",
        ema_decay=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.projector = projector
        self.lambda_nce = lambda_nce
        self.lambda_identity_nce = lambda_identity_nce
        self.temperature = temperature
        self.num_patches = num_patches
        self._set_loss(loss)
        self.image_shape = tuple(generator.inputs[0].shape[1:])
        shapes = {"images_a": self.image_shape, "images_b": generator.output_shape[1:]}
        for key, shape in shapes.items():
            spec = tf.TensorSpec((None, *shape), tf.float32, "images")
            self.input_specs[key] = spec
        self._check_arguments()
        self._add_averages(ema_decay)
        self._build_for(generator)

    @property
    def generator_variables(self):
        """Trainable variables of generator and projector."""
        return self._variables_of(("generator", "projector"))

    # ---- The objective --------------------------------------------------------------

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminator's term, of images in `[-1, 1]`."""
        images = batch["real_b"], fake["fake_b"]
        logits = self._run_both(self.discriminator, *images, training=training)
        return {"discriminator_loss": self._discriminator_loss(*logits)}

    def generator_terms(self, batch, fake, training):
        """Returns the generator's terms; `fake` is what `_fake` returned."""
        logits = self._run(self.discriminator, fake["fake_b"], training=training)
        terms = {
            "adversarial_loss": self._generator_loss(logits),
            "nce_loss": self._nce(batch, batch["real_a"], fake["fake_b"], training),
            "identity_nce_loss": tf.zeros(()),
        }
        if self.lambda_identity_nce:
            images = batch["real_b"], fake["same_b"]
            terms["identity_nce_loss"] = self._nce(batch, *images, training)
        terms["generator_loss"] = (
            terms["adversarial_loss"]
            + self.lambda_nce * terms["nce_loss"]
            + self.lambda_identity_nce * terms["identity_nce_loss"]
        )
        return self._taught(terms, ab=(batch["real_a"], fake["fake_b"]))

    def _nce(self, batch, images, translations, training):
        """Returns the mean over layers of the loss of their patches."""
        keys = self._vectors(images, batch["seed"], training)
        queries = self._vectors(translations, batch["seed"], training)
        losses = [
            patch_nce(query, tf.stop_gradient(key), self.temperature)
            for query, key in zip(queries, keys, strict=True)
        ]
        return tf.add_n(losses) / len(losses)

    def _vectors(self, images, seed, training):
        """Returns unit vectors of some places, `(batch, patches, dim)` a layer."""
        layers = [self.generator.get_layer(x.name) for x in self.projector.inputs]
        # Shares the generator's layers, and runs no further than to the last of them.
        encoder = keras.Model(self.generator.inputs, [x.output for x in layers])
        features = encoder(images, training=training)
        features = features if isinstance(features, list) else [features]
        vectors = self.projector([self._choose(x, seed) for x in features])
        return vectors if isinstance(vectors, list) else [vectors]

    def _choose(self, features, seed):
        """Returns features `(batch, patches, channels)`, of the same places of all."""
        shape = tf.shape(features)
        places = shape[1] * shape[2]
        order = tf.argsort(uniform((places,), seed))[: self.num_patches]
        features = tf.reshape(features, (shape[0], places, features.shape[-1]))
        return tf.gather(features, order, axis=1)

    def train_step(self, data):
        images_a, images_b = self._unpack(data)
        self._check_batch(images_a, self.generator)
        batch = self._batch(images_a, images_b, training=True)
        return self._track(self._alternating_step(batch, images_a), images_a)

    def _batch(self, images_a, images_b, training):
        return {
            "real_a": to_signed(images_a),
            "real_b": to_signed(images_b),
            "seed": self._step_seed(training),
        }

    def _fake(self, batch, training):
        """Returns what the generator makes of a batch, in `[-1, 1]`."""
        if not self.lambda_identity_nce:
            images = batch["real_a"]
            return {"fake_b": self._run(self.generator, images, training=training)}
        images = batch["real_a"], batch["real_b"]
        fake_b, same_b = self._run_both(self.generator, *images, training=training)
        return {"fake_b": fake_b, "same_b": same_b}

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        generator = self._averaged("generator", training)
        return to_unit(self._run(generator, to_signed(inputs), training=training))

    @endpoint("images_a", returns="images")
    def translate(self, images):
        """Returns translations to B, in `[0, 1]`, of images of A in `[0, 1]`."""
        return self(images)

    def _check_arguments(self):
        checks.networks(self, self.generator, self.discriminator)
        checks.at_least(0, lambda_nce=self.lambda_nce)
        checks.at_least(0, lambda_identity_nce=self.lambda_identity_nce)
        checks.at_least(1, num_patches=self.num_patches)
        if not self.temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0. Received: {self.temperature}"
            )
        channels = self.generator.output_shape[-1]
        checks.channels(self, "input", discriminator=channels)
        if self.lambda_identity_nce and channels != self.image_shape[-1]:
            raise ValueError(
                "The identity term needs domains of equal channels: pass "
                f"lambda_identity_nce=0. Received: {self.image_shape[-1]}, {channels}"
            )
