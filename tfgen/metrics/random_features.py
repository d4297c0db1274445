"""Features of images from a convolutional network that was never trained.

They compare sets of images of any kind without a download: `kernel_distance` of them
sees colours, contrast, edges and texture, not what an image shows. Figures are
comparable among runs with the same image shape and seed, and with no published FID or
KID.

Reference: [Naeem et al., 2020](https://arxiv.org/abs/2002.09797), on random
embeddings, which suit images unlike ImageNet's better than trained ones.
"""

import keras
import numpy as np
from keras import ops

_CHANNELS = (16, 16, 16, 16)


def build_random_features(
    image_shape: tuple[int, int, int], seed: int = 0
) -> keras.Model:
    """Builds a fixed network: four stages of convolution 3x3, stride 2, and ReLU.

    Kernels are normal with variance 2 / inputs (He), so that every stage keeps the
    scale of the pixels. Features are each stage's channel means over the image, and
    their standard deviations over it.

    Args:
        image_shape: `(height, width, channels)`.
        seed: Integer. The same weights on every machine.

    Returns:
        Images `(batch, height, width, channels)` in [0, 1] -> features `(batch, 128)`,
        float32 whatever the global dtype policy.
    """
    rng = np.random.default_rng(seed)
    images = keras.Input(image_shape, name="images")
    hidden = keras.layers.Rescaling(2.0, offset=-1.0, dtype="float32")(images)
    features, kernels = [], []
    for channels in _CHANNELS:
        shape = (3, 3, hidden.shape[-1], channels)
        scale = np.sqrt(2.0 / np.prod(shape[:3]))
        kernels.append((scale * rng.standard_normal(shape)).astype(np.float32))
        hidden = keras.layers.Conv2D(
            channels,
            3,
            strides=2,
            padding="same",
            activation="relu",
            use_bias=False,
            dtype="float32",
        )(hidden)
        features += [ops.mean(hidden, axis=(1, 2)), ops.std(hidden, axis=(1, 2))]
    model = keras.Model(
        images, ops.concatenate(features, axis=-1), name="random_features"
    )
    model.set_weights(kernels)
    model.trainable = False
    return model
