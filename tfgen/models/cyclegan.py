"""CycleGAN: one domain into another and back, learnt without pairs.

For images `a` and `b` of the two domains, generators `G` (a to b) and `F` (b to a), and
discriminators `D_A` and `D_B`:

    adversarial_ab_loss = g( D_B(G(a)) )        adversarial_ba_loss = g( D_A(F(b)) )
    cycle_loss      = mean |F(G(a)) - a| + mean |G(F(b)) - b|
    identity_loss   = mean |F(a) - a|    + mean |G(b) - b|
    generator_loss  = adversarial_ab_loss + adversarial_ba_loss
                      + lambda_cycle * (cycle_loss + lambda_identity * identity_loss)
    discriminator_a_loss = d( D_A(a), D_A(pool(F(b))) ) / 2,   and so for b

with images in [-1, 1], means over pixels, and `(g, d)` squares or cross-entropies.
Discriminators see a history of generated images (image_pool.py). A step moves both
generators, then both discriminators.

References:
- [Zhu et al., 2017](https://arxiv.org/abs/1703.10593): eqs. 1 to 4, sec. 4 (squares,
  history, and D's loss halved), sec. 5.2 (identity).
- [Taigman et al., 2017](https://arxiv.org/abs/1611.02200), eq. 5: the identity term.
"""

import keras
import tensorflow as tf

from tfgen.losses import l1
from tfgen.models import checks, draws
from tfgen.models.batches import to_signed, to_unit
from tfgen.models.draws import uniform
from tfgen.models.endpoints import endpoint
from tfgen.models.image_pool import ImagePool
from tfgen.models.translation import TranslationModel


@keras.saving.register_keras_serializable(package="tfgen")
class CycleGAN(TranslationModel):
    """Translation between two domains without pairs.

    Args:
        generator_ab: Built `keras.Model` from images of domain A
            `(batch, height, width, channels)` to images of domain B, in `[-1, 1]`.
        generator_ba: The same from B to A.
        discriminator_a: Built `keras.Model` from images of A to logits `(batch, ...)`.
        discriminator_b: The same for B.
        lambda_cycle: Float, the weight of the cycle term.
        lambda_identity: Float, the weight of the identity term as a share of
            `lambda_cycle`; 0 spares its computation.
        pool_size: Integer, size of the history of each domain; 0 for none.
        loss: `"least_squares"`, `"non_saturating"`, or a `losses.AdversarialLoss`.
        ema_decay: Float in [0, 1) of averages of the generators, which then translate.
        seed: Integer seed of the draws from the history.

    Called on images of A in `[0, 1]`, it returns their translations to B in `[0, 1]`.
    `fit` takes `(images_a, images_b)` in `[0, 1]`, which need not correspond.

    Example:

    >>> shape = (64, 64, 3)
    >>> generators = [tfgen.networks.build_resnet_generator(shape) for _ in range(2)]
    >>> build_discriminator = tfgen.networks.build_patchgan_discriminator
    >>> discriminators = [build_discriminator(shape) for _ in range(2)]
    >>> model = tfgen.CycleGAN(*generators, *discriminators)
    >>> adam = lambda: keras.optimizers.Adam(2e-4, beta_1=0.5)
    >>> model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    >>> model.fit(tfgen.data.load_domains("openmoji", image_size=64), epochs=10)
    >>> images_b = model.translate(images_a, direction="ab")
    """

    term_names = (
        "generator_loss",
        "adversarial_ab_loss",
        "adversarial_ba_loss",
        "cycle_loss",
        "identity_loss",
        "discriminator_a_loss",
        "discriminator_b_loss",
    )
    data_keys = ("images_a", "images_b")
    call_keys = ("images_a",)
    ways = ("ab", "ba")
    generators = ("generator_ab", "generator_ba")
    discriminators = ("discriminator_a", "discriminator_b")

    def __init__(
        self,
        generator_ab,
        generator_ba,
        discriminator_a,
        discriminator_b,
        *,
        lambda_cycle=10.0,
        lambda_identity=0.5,
        pool_size=50,
        loss="least_squares",
        ema_decay=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.generator_ab = generator_ab
        self.generator_ba = generator_ba
        self.discriminator_a = discriminator_a
        self.discriminator_b = discriminator_b
        self.lambda_cycle = lambda_cycle
        self.lambda_identity = lambda_identity
        self.pool_size = pool_size
        self._set_loss(loss)
        self.image_shape_a = tuple(generator_ab.inputs[0].shape[1:])
        self.image_shape_b = tuple(generator_ba.inputs[0].shape[1:])
        # Each way is served as what takes `images`.
        shapes = {"images_a": self.image_shape_a, "images_b": self.image_shape_b}
        for key, shape in shapes.items():
            spec = tf.TensorSpec((None, *shape), tf.float32, "images")
            self.input_specs[key] = spec
        self._check_arguments()
        self._add_averages(ema_decay)
        self.pool_a, self.pool_b = ImagePool(pool_size), ImagePool(pool_size)
        self.pool_a.build(discriminator_a.inputs[0].shape)
        self.pool_b.build(discriminator_b.inputs[0].shape)
        self._build_for(generator_ab)

    # ---- The objective --------------------------------------------------------------

    def generator_terms(self, batch, fake, training):
        """Returns the generators' terms; `fake` is what `_fake` returned."""
        logits_a = self._run(self.discriminator_a, fake["fake_a"], training=training)
        logits_b = self._run(self.discriminator_b, fake["fake_b"], training=training)
        real_a, real_b = batch["real_a"], batch["real_b"]
        terms = {
            "adversarial_ab_loss": self._generator_loss(logits_b),
            "adversarial_ba_loss": self._generator_loss(logits_a),
            "cycle_loss": l1(fake["cycled_a"], real_a) + l1(fake["cycled_b"], real_b),
            "identity_loss": l1(fake["same_a"], real_a) + l1(fake["same_b"], real_b),
        }
        l1_loss = terms["cycle_loss"] + self.lambda_identity * terms["identity_loss"]
        adversarial_loss = terms["adversarial_ab_loss"] + terms["adversarial_ba_loss"]
        terms["generator_loss"] = adversarial_loss + self.lambda_cycle * l1_loss
        ways = {"ab": (real_a, fake["fake_b"]), "ba": (real_b, fake["fake_a"])}
        return self._taught(terms, **ways)

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminators' terms, and their sum as `discriminator_loss`."""
        terms = {}
        for name in ("a", "b"):
            network = getattr(self, f"discriminator_{name}")
            images = batch[f"real_{name}"], fake[f"fake_{name}"]
            logits = self._run_both(network, *images, training=training)
            terms[f"discriminator_{name}_loss"] = self._discriminator_loss(*logits)
        return terms | {"discriminator_loss": sum(terms.values())}

    def train_step(self, data):
        images_a, images_b = self._unpack(data)
        self._check_batch(images_a, self.generator_ab, self.generator_ba)
        batch = self._batch(images_a, images_b, training=True)
        with self._generator_step(images_a) as step:
            fake = self._fake(batch, training=True)
            terms = self.generator_terms(batch, fake, training=True)
            step.minimize(terms["generator_loss"])
        self._update_averages()
        terms |= self._discriminator_step(batch, self._exchange(fake), images_a)
        return self._track(terms, images_a)

    def _batch(self, images_a, images_b, training):
        return {"real_a": to_signed(images_a), "real_b": to_signed(images_b)}

    def _fake(self, batch, training):
        """Returns all that the generators make of a batch, in `[-1, 1]`."""
        mode, ab, ba = {"training": training}, self.generator_ab, self.generator_ba
        real_a, real_b = batch["real_a"], batch["real_b"]
        fake = {"same_a": real_a, "same_b": real_b}  # as far as the weight 0 goes
        if self.lambda_identity:
            fake["fake_b"], fake["same_b"] = self._run_both(ab, real_a, real_b, **mode)
            fake["fake_a"], fake["same_a"] = self._run_both(ba, real_b, real_a, **mode)
        else:
            fake["fake_b"] = self._run(ab, real_a, **mode)
            fake["fake_a"] = self._run(ba, real_b, **mode)
        fake["cycled_a"] = self._run(ba, fake["fake_b"], **mode)
        fake["cycled_b"] = self._run(ab, fake["fake_a"], **mode)
        return fake

    def _exchange(self, fake):
        """Returns the fake images, some exchanged for older ones of the history."""
        size, seed = tf.shape(fake["fake_a"])[0], self._step_seed(training=True)
        uniform_draws = draws.of_batch(uniform, size, (4,), seed)
        return {
            "fake_a": self.pool_a(fake["fake_a"], uniform_draws[:, :2]),
            "fake_b": self.pool_b(fake["fake_b"], uniform_draws[:, 2:]),
        }

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        return self._translate("generator_ab", inputs, training)

    @endpoint("images_a", returns="images")
    def translate_ab(self, images):
        """Returns translations to B, in `[0, 1]`, of images of A in `[0, 1]`."""
        return self._translate("generator_ab", images)

    @endpoint("images_b", returns="images")
    def translate_ba(self, images):
        """Returns translations to A, in `[0, 1]`, of images of B in `[0, 1]`."""
        return self._translate("generator_ba", images)

    def translate(self, images, direction="ab"):
        """Returns translations: `translate_ab` or `translate_ba`."""
        checks.choice("direction", direction, ("ab", "ba"))
        return getattr(self, f"translate_{direction}")(images)

    def _translate(self, name, images, training=False):
        generator = self._averaged(name, training)
        return to_unit(self._run(generator, to_signed(images), training=training))

    def _check_arguments(self):
        discriminators = (self.discriminator_a, self.discriminator_b)
        checks.networks(self, self.generator_ab, self.generator_ba, *discriminators)
        checks.at_least(0, lambda_cycle=self.lambda_cycle)
        checks.at_least(0, lambda_identity=self.lambda_identity)
        of_a, of_b = self.image_shape_a[-1], self.image_shape_b[-1]
        checks.channels(self, "output", generator_ab=of_b, generator_ba=of_a)
        checks.channels(self, "input", discriminator_a=of_a, discriminator_b=of_b)
        if self.lambda_identity and of_a != of_b:
            raise ValueError(
                "The identity term needs domains of equal channels: pass "
                f"lambda_identity=0. Received: {of_a} and {of_b}"
            )
