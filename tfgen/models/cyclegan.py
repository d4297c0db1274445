"""CycleGAN: one domain into another and back, learnt without pairs.

For images `a` and `b` of the two domains, generators `G` (a to b) and `F` (b to a), and
discriminators `D_A` and `D_B`:

    adversarial_ab_loss = g( D_B(G(a)) )        adversarial_ba_loss = g( D_A(F(b)) )
    cycle_loss      = mean |F(G(a)) - a| + mean |G(F(b)) - b|
    identity_loss   = mean |F(a) - a|    + mean |G(b) - b|
    generator_loss  = adversarial_ab_loss + adversarial_ba_loss
                      + lambda_cycle * (cycle_loss + lambda_identity * identity_loss)
    discriminator_a_loss = d( D_A(a), D_A(pool(F(b))) ) / 2,   and so for b

with images in [-1, 1], means over pixels, and `(g, d)` squares or cross-entropies. The
cycle term forbids a generator to forget what it was shown, the identity term to repaint
an image that is of its target domain already. Discriminators see a history of generated
images (image_pool.py), which keeps them from running in circles with the generators.

A step moves both generators along one gradient of the summed loss, so that the cycle
term reaches both generators of a cycle, then both discriminators. No network sees the
same image twice, and those that a generator needs at once are one call.

References:
- [Zhu et al., 2017](https://arxiv.org/abs/1703.10593): eqs. 1 to 4, sec. 4 (squares,
  history, and D's loss halved), sec. 5.2 (identity).
- [Taigman et al., 2017](https://arxiv.org/abs/1611.02200), eq. 5: the identity term.
"""

import keras
import tensorflow as tf

from tfgen.models import checks, draws
from tfgen.models.base import image_spec, symbolic_inputs
from tfgen.models.draws import uniform
from tfgen.models.endpoints import endpoint
from tfgen.models.image_pool import ImagePool
from tfgen.models.translation import TranslationModel, to_signed, to_unit


@keras.saving.register_keras_serializable(package="tfgen")
class CycleGAN(TranslationModel):
    """Translation between two domains without pairs.

    Args:
        generator_ab: Built `keras.Model` from images of domain A
            `(batch, height, width, channels)` to images of domain B, in `[-1, 1]`.
        generator_ba: The same from B to A.
        discriminator_a: Built `keras.Model` from images of A to logits `(batch, ...)`,
            one a patch.
        discriminator_b: The same for B.
        lambda_cycle: Float, the weight of the cycle term.
        lambda_identity: Float, the weight of the identity term as a share of
            `lambda_cycle`; 0 spares its computation.
        pool_size: Integer, generated images of each domain that are kept for the
            discriminators; 0 for none.
        loss: `"least_squares"`, `"non_saturating"`, or a `losses.AdversarialLoss`.
        seed: Integer seed of the draws from the history.

    Call arguments:
        inputs: Images of A `(batch, height, width, channels)` in `[0, 1]`.
        training: Whether the generator runs as in training.

    Returns:
        Their translations to B, in `[0, 1]`.

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
        self.input_specs["images_a"] = image_spec(self.image_shape_a)
        self.input_specs["images_b"] = image_spec(self.image_shape_b)
        self._check_arguments()
        self.pool_a, self.pool_b = ImagePool(pool_size), ImagePool(pool_size)
        self.pool_a.build(discriminator_a.inputs[0].shape)
        self.pool_b.build(discriminator_b.inputs[0].shape)
        self(symbolic_inputs(generator_ab))  # builds the model: save and export need it

    @property
    def generator_variables(self):
        models = (self.generator_ab, self.generator_ba)
        return [v for model in models for v in model.trainable_variables]

    @property
    def discriminator_variables(self):
        models = (self.discriminator_a, self.discriminator_b)
        return [v for model in models for v in model.trainable_variables]

    # ---- The objective --------------------------------------------------------------

    def generator_terms(self, batch, fake, training):
        """Returns the generators' terms; `fake` is what `_fake` returned."""
        logits_a, logits_b = (
            self._run(network, images, training=training)
            for network, images in (
                (self.discriminator_a, fake["fake_a"]),
                (self.discriminator_b, fake["fake_b"]),
            )
        )
        real_a, real_b = batch["real_a"], batch["real_b"]
        terms = {
            "adversarial_ab_loss": self._generator_loss(logits_b),
            "adversarial_ba_loss": self._generator_loss(logits_a),
            "cycle_loss": _l1(fake["cycled_a"], real_a) + _l1(fake["cycled_b"], real_b),
            "identity_loss": tf.constant(0.0),
        }
        if self.lambda_identity:
            terms["identity_loss"] = _l1(fake["same_a"], real_a)
            terms["identity_loss"] += _l1(fake["same_b"], real_b)
        kept = terms["cycle_loss"] + self.lambda_identity * terms["identity_loss"]
        adversarial_loss = terms["adversarial_ab_loss"] + terms["adversarial_ba_loss"]
        return terms | {"generator_loss": adversarial_loss + self.lambda_cycle * kept}

    def discriminator_terms(self, batch, fake, training):
        """Returns the discriminators' terms, and their sum as `discriminator_loss`."""
        losses = {}
        for name in ("a", "b"):
            logits = self._run_both(
                getattr(self, f"discriminator_{name}"),
                batch[f"real_{name}"],
                fake[f"fake_{name}"],
                training=training,
            )
            losses[f"discriminator_{name}_loss"] = self._discriminator_loss(*logits)
        return losses | {"discriminator_loss": sum(losses.values())}

    def compute_terms(self, images_a, images_b, *, training):
        """Returns the scalars named in `metrics`, without a step or the history."""
        batch = {"real_a": to_signed(images_a), "real_b": to_signed(images_b)}
        fake = self._fake(batch, training)
        terms = self.generator_terms(batch, fake, training)
        return self._reported(terms | self.discriminator_terms(batch, fake, training))

    def train_step(self, data):
        images_a, images_b = self._unpack(data)
        self._check_batch(images_a, self.generator_ab, self.generator_ba)
        batch = {"real_a": to_signed(images_a), "real_b": to_signed(images_b)}
        with self._generator_step(images_a) as step:
            fake = self._fake(batch, training=True)
            terms = self.generator_terms(batch, fake, training=True)
            step.minimize(terms["generator_loss"])
        terms |= self._discriminator_step(batch, self._exchange(fake), images_a)
        return self._track(self._reported(terms), images_a)

    def _fake(self, batch, training):
        """Returns all that the generators make of a batch, in `[-1, 1]`."""
        how = {"training": training}
        ab, ba = self.generator_ab, self.generator_ba
        real_a, real_b = batch["real_a"], batch["real_b"]
        fake = {}
        if self.lambda_identity:
            fake["fake_b"], fake["same_b"] = self._run_both(ab, real_a, real_b, **how)
            fake["fake_a"], fake["same_a"] = self._run_both(ba, real_b, real_a, **how)
        else:
            fake["fake_b"] = self._run(ab, real_a, **how)
            fake["fake_a"] = self._run(ba, real_b, **how)
        fake["cycled_a"] = self._run(ba, fake["fake_b"], **how)
        fake["cycled_b"] = self._run(ab, fake["fake_a"], **how)
        return fake

    def _exchange(self, fake):
        """Returns images from the history, as many, in the place of some."""
        if not self.pool_size:
            return fake
        size = tf.shape(fake["fake_a"])[0]
        seed = self._step_seed(training=True)
        uniform_draws = draws.of_batch(uniform, size, (4,), seed)
        return {
            "fake_a": self.pool_a(fake["fake_a"], uniform_draws[:, :2]),
            "fake_b": self.pool_b(fake["fake_b"], uniform_draws[:, 2:]),
        }

    def _reported(self, terms):
        return {name: terms[name] for name in self.term_names}

    # ---- Use ------------------------------------------------------------------------

    def call(self, inputs, training=False):
        return self._translate(self.generator_ab, inputs, training)

    @endpoint("images_a", returns="images")
    def translate_ab(self, images):
        """Returns translations to B, in `[0, 1]`, of images of A in `[0, 1]`."""
        return self._translate(self.generator_ab, images)

    @endpoint("images_b", returns="images")
    def translate_ba(self, images):
        """Returns translations to A, in `[0, 1]`, of images of B in `[0, 1]`."""
        return self._translate(self.generator_ba, images)

    def translate(self, images, direction="ab"):
        """Returns translations: `translate_ab` or `translate_ba`."""
        checks.choice("direction", direction, ("ab", "ba"))
        translate = self.translate_ab if direction == "ab" else self.translate_ba
        return translate(images)

    def _translate(self, generator, images, training=False):
        return to_unit(self._run(generator, to_signed(images), training=training))

    def _check_arguments(self):
        discriminators = (self.discriminator_a, self.discriminator_b)
        checks.networks(self, self.generator_ab, self.generator_ba, *discriminators)
        weights = {"lambda_identity": self.lambda_identity, "pool_size": self.pool_size}
        checks.at_least(0, lambda_cycle=self.lambda_cycle, **weights)
        for name, network, expected in (
            ("generator_ab", self.generator_ab.output_shape, self.image_shape_b),
            ("generator_ba", self.generator_ba.output_shape, self.image_shape_a),
            ("discriminator_a", self.discriminator_a.input_shape, self.image_shape_a),
            ("discriminator_b", self.discriminator_b.input_shape, self.image_shape_b),
        ):
            if network[-1] != expected[-1]:
                raise ValueError(
                    f"`{name}` has {network[-1]} channels at the images of a domain "
                    f"that has {expected[-1]}"
                )
        if self.lambda_identity and self.image_shape_a[-1] != self.image_shape_b[-1]:
            raise ValueError(
                "The identity term needs domains of equal channels: pass "
                "lambda_identity=0. Received: "
                f"{self.image_shape_a[-1]} and {self.image_shape_b[-1]}"
            )


def _l1(one, other):
    return tf.reduce_mean(tf.abs(one - other))
