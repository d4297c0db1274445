"""The multi-scale structural similarity of images.

Reference: [Wang et al., 2003](https://doi.org/10.1109/ACSSC.2003.1292216), eq. 7.
"""

import tensorflow as tf

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the paper
_WINDOW, _STDDEV = 11, 1.5  # pixels
_C1, _C2 = 0.01**2, 0.03**2
_LEAST = 1e-6  # a power of 0 has no gradient


def ms_ssim(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the multi-scale structural similarity of images: `(batch,)`, at most 1.

    Its scales are as many of the paper's five as the image has windows of 11 pixels
    for, their weights divided by their sum: 2 at 28 pixels, 3 at 64, 5 from 176.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        others: Likewise.
    """
    side = min(images.shape[1:3])
    if side < _WINDOW:
        raise ValueError(
            f"MS-SSIM needs images of {_WINDOW} pixels or more. Received: "
            f"{tuple(images.shape[1:])}"
        )
    num_scales = min((side // _WINDOW).bit_length(), len(_SCALE_WEIGHTS))
    weights = _SCALE_WEIGHTS[:num_scales]
    powers = [weight / sum(weights) for weight in weights]
    product = 1.0
    for index, power in enumerate(powers):
        if index:
            images, others = (
                tf.nn.avg_pool2d(x, 2, 2, "VALID") for x in (images, others)
            )
        luminance, structure = _compare(images, others)
        is_last = index == num_scales - 1
        value = luminance * structure if is_last else structure
        value = tf.reduce_mean(value, axis=(1, 2))
        product *= tf.maximum(value, _LEAST) ** power
    return tf.reduce_mean(product, axis=-1)


def _compare(images: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns maps of likeness: of luminance, and of contrast and structure."""
    mean, other_mean = _blur(images), _blur(others)
    both = mean * other_mean
    squares = mean**2 + other_mean**2
    covariance = _blur(images * others) - both
    variances = _blur(images**2 + others**2) - squares
    luminance = (2.0 * both + _C1) / (squares + _C1)
    return luminance, (2.0 * covariance + _C2) / (variances + _C2)


def _blur(images: tf.Tensor) -> tf.Tensor:
    places = tf.range(_WINDOW, dtype=tf.float32) - (_WINDOW - 1) / 2
    kernel = tf.nn.softmax(-0.5 * (places / _STDDEV) ** 2)
    for shape in ((_WINDOW, 1, 1, 1), (1, _WINDOW, 1, 1)):
        filters = tf.tile(tf.reshape(kernel, shape), (1, 1, images.shape[-1], 1))
        images = tf.nn.depthwise_conv2d(images, filters, [1, 1, 1, 1], "VALID")
    return images
