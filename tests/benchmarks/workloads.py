"""What is trained in the benchmarks of speed: networks, batches, and tfgen's models.

The networks are those of the presets at the papers' sizes, but for two that the Keras
examples have otherwise: discriminators of GANs without normalisation, and a U-Net
without dropout, whose draws would not be the same.
"""

from typing import NamedTuple


class Workload(NamedTuple):
    """One row of a table.

    Attributes:
        kind: `"vae"`, `"gan"`, `"wgan_gp"`, `"pix2pix"` or `"cyclegan"`.
        size: Height and width of the images.
        channels: Of the images.
        batch_size: Images of a step; pairs come one by one, as in the papers.
        num_images: Of an epoch.
        steps_per_execution: As the command line chooses it.
        jit_compile: XLA; `"auto"` on a GPU only.
    """

    kind: str
    size: int
    channels: int
    batch_size: int
    num_images: int
    steps_per_execution: int = 1
    jit_compile: bool | str = "auto"

    @property
    def image_shape(self):
        return (self.size, self.size, self.channels)

    @property
    def is_translation(self):
        return self.kind in ("pix2pix", "cyclegan")


NUM_DIGITS = 4000  # of mnist_5k, for training

# The digits are those of mnist_5k; other images are noise: what is in them takes no
# time. (5 discriminator steps of 32 images are one step of WGAN-GP.)
WORKLOADS = {
    "mlp_vae": Workload("vae", 28, 1, 128, NUM_DIGITS, 32, jit_compile=True),
    "conv_vae": Workload("vae", 28, 1, 128, NUM_DIGITS, 8),
    "gan": Workload("gan", 28, 1, 128, NUM_DIGITS, 4),
    "wgan_gp": Workload("wgan_gp", 28, 1, 160, NUM_DIGITS, 2),
    "dcgan_64": Workload("gan", 64, 3, 64, 256),
    "pix2pix_128": Workload("pix2pix", 128, 3, 1, 8),
    "pix2pix_256": Workload("pix2pix", 256, 3, 1, 4),
    "cyclegan_128": Workload("cyclegan", 128, 3, 1, 2),
}
GPU_FACTOR = 32  # how much longer a GPU's epochs are
GPU_STEPS = 16  # of an execution there, at least
DISCRIMINATOR_STEPS = 5
GAN_LATENT_DIM = 100
HIDDEN_UNITS, MLP_LATENT_DIM, CONV_LATENT_DIM = (256, 256), 128, 16


def enlarge_for_gpu():
    """Makes epochs and executions as long as a GPU needs them; all images are noise."""
    for name, work in WORKLOADS.items():
        WORKLOADS[name] = work._replace(
            num_images=GPU_FACTOR * work.num_images,
            steps_per_execution=max(GPU_STEPS, work.steps_per_execution),
        )


def has_digits(work):
    """Returns whether a workload's images are those of mnist_5k."""
    return work.size == 28 and work.num_images == NUM_DIGITS


def build_networks(name):
    """Returns the networks of a workload, in the order of the model's arguments."""
    from tfgen import networks

    work = WORKLOADS[name]
    shape = work.image_shape
    if name == "mlp_vae":
        size = MLP_LATENT_DIM
        return (
            networks.build_mlp_encoder(shape, 2 * size, hidden_units=HIDDEN_UNITS),
            networks.build_mlp_decoder(size, shape, hidden_units=HIDDEN_UNITS),
        )
    if name == "conv_vae":
        size = CONV_LATENT_DIM
        return (
            networks.build_conv_encoder(shape, 2 * size),
            networks.build_conv_decoder(size, shape),
        )
    if work.kind in ("gan", "wgan_gp"):
        filters = 64 if work.size == 64 else 32
        return (
            networks.build_dcgan_generator(GAN_LATENT_DIM, shape, filters=filters),
            networks.build_dcgan_discriminator(
                shape, filters=filters, normalization=None
            ),
        )
    build_discriminator = networks.build_patchgan_discriminator
    if work.kind == "pix2pix":
        generator = networks.build_unet_generator(shape, dropout=0.0)
        return generator, build_discriminator((*shape[:2], 2 * shape[2]))
    generators = (networks.build_resnet_generator(shape) for _ in range(2))
    return *generators, build_discriminator(shape), build_discriminator(shape)


def build_model(name, model_class=None, adam=None):
    """Returns tfgen's model, compiled as the presets do.

    Args:
        name: One of `WORKLOADS`.
        model_class: In place of the workload's own.
        adam: Class of the optimizers, in place of `FusedAdam`.
    """
    import tfgen
    from tfgen.optimizers import FusedAdam

    work = WORKLOADS[name]
    own_class, options = {  # by name: VAE imports TensorFlow Probability
        "vae": ("VAE", {}),
        "gan": ("GAN", {}),
        "wgan_gp": (
            "GAN",
            {
                "loss": "wasserstein",
                "gradient_penalty": "wgan_gp",
                "discriminator_steps": DISCRIMINATOR_STEPS,
            },
        ),
        "pix2pix": ("Pix2Pix", {}),
        "cyclegan": ("CycleGAN", {}),
    }[work.kind]
    model = (model_class or getattr(tfgen, own_class))(
        *build_networks(name), seed=0, **options
    )
    adam = adam or FusedAdam
    adams = [adam(1e-3)] if work.kind == "vae" else two_adams(adam)
    model.compile(
        *adams,
        jit_compile=work.jit_compile,
        steps_per_execution=work.steps_per_execution,
    )
    return model


def two_adams(adam):
    return [adam(2e-4, beta_1=0.5) for _ in range(2)]


def make_arrays(name):
    """Returns the images of an epoch, `(images,)` or pairs, float32 in [0, 1]."""
    import numpy as np

    work = WORKLOADS[name]
    if has_digits(work):
        import tfgen

        return (tfgen.data.load_array("mnist_5k", split="train"),)
    shape = (work.num_images, *work.image_shape)
    count = 2 if work.is_translation else 1
    return tuple(
        np.random.default_rng(i).random(shape, "float32") for i in range(count)
    )


def make_batches(name):
    """Returns a `tf.data.Dataset` as `tfgen.data` makes it."""
    import tensorflow as tf

    import tfgen

    work = WORKLOADS[name]
    if has_digits(work):
        return tfgen.data.load_images("mnist_5k", batch_size=work.batch_size)
    # From memory, with tf.data's autotuning off.
    arrays = make_arrays(name)
    data = tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])
    return data.batch(work.batch_size).prefetch(4)
