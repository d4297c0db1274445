"""Steps as the Keras examples and TensorFlow tutorials write them, to be compared with.

Each function takes built networks and returns a `keras.Model` with a `train_step` and
`prepare(jit_compile)`, which compiles it.
"""

import keras
import tensorflow as tf
from keras import ops


def vae(encoder, decoder):
    """The VAE with a Sampling step and losses of its own."""

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.seed_generator = keras.random.SeedGenerator(0)
            names = ("total_loss", "reconstruction_loss", "kl_loss")
            self.means = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self):
            return self.means

        def train_step(self, data):
            with tf.GradientTape() as tape:
                mean, log_var = ops.split(self.encoder(data), 2, axis=-1)
                noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
                logits = self.decoder(mean + ops.exp(0.5 * log_var) * noise)
                errors = keras.losses.binary_crossentropy(data, logits, True)
                reconstruction = ops.mean(ops.sum(errors, axis=(1, 2)))
                kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
                kl = ops.mean(ops.sum(kl, axis=1))
                total = reconstruction + kl
            gradients = tape.gradient(total, self.trainable_weights)
            pairs = zip(gradients, self.trainable_weights, strict=True)
            self.optimizer.apply_gradients(pairs)
            values = (total, reconstruction, kl)
            for tracker, value in zip(self.means, values, strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.means}

        def prepare(self, jit_compile):
            self.compile(keras.optimizers.Adam(1e-3), jit_compile=jit_compile)
            self.optimizer.build(self.trainable_weights)

    return Tutorial()


class Adversarial(keras.Model):
    """What all tutorials but the VAE share: an Adam a network, trackers, draws."""

    def __init__(self, names, networks):
        super().__init__()
        self.networks = networks
        self.seed_generator = keras.random.SeedGenerator(0)
        self.means = [keras.metrics.Mean(name=name) for name in names]
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @property
    def metrics(self):
        return self.means

    def prepare(self, jit_compile):
        self.compile(jit_compile=jit_compile)
        self.adams = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in self.networks]
        for adam, network in zip(self.adams, self.networks, strict=True):
            adam.build(network.trainable_weights)

    def draw(self, size):
        """Returns latents of the first network, the generator."""
        shape = (size, self.networks[0].input_shape[-1])
        return keras.random.normal(shape, seed=self.seed_generator)

    def descend(self, index, tape, loss):
        """Takes a step of one network."""
        weights = self.networks[index].trainable_weights
        self.adams[index].apply(tape.gradient(loss, weights), weights)

    def report(self, *losses):
        for tracker, value in zip(self.means, losses, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.means}


def gan(generator, discriminator):
    """The GAN with a new generator pass for each network."""

    class Tutorial(Adversarial):
        def train_step(self, real):
            real = 2.0 * real - 1.0
            size = ops.shape(real)[0]
            both = ops.concatenate([generator(self.draw(size), training=True), real])
            targets = ops.concatenate([ops.zeros((size, 1)), ops.ones((size, 1))])
            with tf.GradientTape() as tape:
                d_loss = self.entropy(targets, discriminator(both, training=True))
            self.descend(1, tape, d_loss)
            latents = self.draw(size)
            with tf.GradientTape() as tape:
                fake = generator(latents, training=True)
                logits = discriminator(fake, training=True)
                g_loss = self.entropy(ops.ones((size, 1)), logits)
            self.descend(0, tape, g_loss)
            return self.report(g_loss, d_loss)

    return Tutorial(("g", "d"), [generator, discriminator])


def wgan_gp(generator, discriminator, num_steps):
    """Keras's example: new images for every step, real and fake ones apart.

    The batch is divided between the discriminator's steps, as tfgen does it.
    """

    class Tutorial(Adversarial):
        def gradient_penalty(self, real, fake):
            shape = (ops.shape(real)[0], 1, 1, 1)
            weight = keras.random.uniform(shape, seed=self.seed_generator)
            between = real + weight * (fake - real)
            with tf.GradientTape() as tape:
                tape.watch(between)
                logits = discriminator(between, training=True)
            gradient = tape.gradient(logits, between)
            norm = ops.sqrt(ops.sum(ops.square(gradient), axis=[1, 2, 3]) + 1e-12)
            return ops.mean((norm - 1.0) ** 2)

        def train_step(self, real):
            size = ops.shape(real)[0] // num_steps
            for index in range(num_steps):
                part = 2.0 * real[index * size : (index + 1) * size] - 1.0
                with tf.GradientTape() as tape:
                    fake = generator(self.draw(size), training=True)
                    d_loss = ops.mean(discriminator(fake, training=True))
                    d_loss -= ops.mean(discriminator(part, training=True))
                    d_loss += 10.0 * self.gradient_penalty(part, fake)
                self.descend(1, tape, d_loss)
            with tf.GradientTape() as tape:
                fake = generator(self.draw(size), training=True)
                g_loss = -ops.mean(discriminator(fake, training=True))
            self.descend(0, tape, g_loss)
            return self.report(g_loss, d_loss)

    return Tutorial(("g", "d"), [generator, discriminator])


def pix2pix(generator, discriminator):
    """TensorFlow's tutorial: two tapes over one forward pass."""

    class Tutorial(Adversarial):
        def train_step(self, data):
            images, targets = (2.0 * part - 1.0 for part in data)
            with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
                fake = generator(images, training=True)
                real_logits = discriminator(
                    ops.concatenate([images, targets], axis=-1), training=True
                )
                fake_logits = discriminator(
                    ops.concatenate([images, fake], axis=-1), training=True
                )
                g_loss = self.entropy(ops.ones_like(fake_logits), fake_logits)
                g_loss += 100.0 * ops.mean(ops.abs(targets - fake))
                d_loss = self.entropy(ops.ones_like(real_logits), real_logits)
                d_loss += self.entropy(ops.zeros_like(fake_logits), fake_logits)
            self.descend(0, g_tape, g_loss)
            self.descend(1, d_tape, d_loss)
            return self.report(g_loss, d_loss)

    return Tutorial(("g", "d"), [generator, discriminator])


def cyclegan(generator_ab, generator_ba, discriminator_a, discriminator_b):
    """Keras's example: one persistent tape, a gradient for each of four networks."""

    class Tutorial(Adversarial):
        def train_step(self, data):
            a, b = (2.0 * part - 1.0 for part in data)
            square, absolute = keras.losses.MeanSquaredError(), ops.abs
            with tf.GradientTape(persistent=True) as tape:
                fake_b = generator_ab(a, training=True)
                fake_a = generator_ba(b, training=True)
                cycled_a = generator_ba(fake_b, training=True)
                cycled_b = generator_ab(fake_a, training=True)
                same_a = generator_ba(a, training=True)
                same_b = generator_ab(b, training=True)
                real_a = discriminator_a(a, training=True)
                false_a = discriminator_a(fake_a, training=True)
                real_b = discriminator_b(b, training=True)
                false_b = discriminator_b(fake_b, training=True)
                ab_loss = square(ops.ones_like(false_b), false_b)
                ab_loss += 10.0 * ops.mean(absolute(b - cycled_b))
                ab_loss += 5.0 * ops.mean(absolute(b - same_b))
                ba_loss = square(ops.ones_like(false_a), false_a)
                ba_loss += 10.0 * ops.mean(absolute(a - cycled_a))
                ba_loss += 5.0 * ops.mean(absolute(a - same_a))
                a_loss, b_loss = (
                    0.5 * square(ops.ones_like(real), real)
                    + 0.5 * square(ops.zeros_like(false), false)
                    for real, false in ((real_a, false_a), (real_b, false_b))
                )
            losses = (ab_loss, ba_loss, a_loss, b_loss)
            for index, loss in enumerate(losses):
                self.descend(index, tape, loss)
            return self.report(*losses)

    networks = [generator_ab, generator_ba, discriminator_a, discriminator_b]
    return Tutorial(("ab", "ba", "a", "b"), networks)
