"""Small networks and images that the model tests share."""

import keras
import numpy as np

IMAGE_SHAPE = (8, 8, 1)
LATENT_DIM = 3


def images(count=20, shape=IMAGE_SHAPE):
    """Smooth blobs: `(count, *shape)` float32 in [0, 1]."""
    rng = np.random.default_rng(0)
    height, width, channels = shape
    rows, columns = np.mgrid[:height, :width]
    centres = rng.uniform(2, min(height, width) - 2, (count, 2, 1, 1))
    squares = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2
    blobs = np.exp(-squares / 4.0)[..., np.newaxis]
    return np.repeat(blobs, channels, axis=-1).astype("float32")


def labels(count=20):
    return np.arange(count, dtype="int32") % 3


def targets(count=20):
    """What `images` may be translated to: negatives, mirrored."""
    return 1.0 - images(count)[:, :, ::-1]


def seeded():
    """Makes initial weights the same at every call of a `make_model`."""
    keras.utils.set_random_seed(0)
