"""How far translated images are from their targets: one value an image.

    MAE  = mean |x - y|             0 is best; unit: the range from black to white
    PSNR = -10 log10 mean (x - y)^2            dB, data range 1; infinite if equal
    SSIM = mean over windows and channels of
           (2 mu_x mu_y + C1) (2 s_xy + C2)
           / ((mu_x^2 + mu_y^2 + C1) (s_x^2 + s_y^2 + C2))            1 is best

Reference: [Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861), eq. 13 and
sec. III-C: SSIM, Gaussian window of 11x11 with deviation 1.5, C1 = 0.01^2, C2 = 0.03^2.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

_WINDOW = 11
_BATCH_PIXELS = 2**21  # numbers of an SSIM batch: some 100 MB with its products


def mean_absolute_error(outputs: npt.ArrayLike, targets: npt.ArrayLike) -> np.ndarray:
    """Returns the mean absolute difference of each pair: float64 `(n,)`.

    Args:
        outputs: Images float `(n, height, width, channels)` in [0, 1].
        targets: What they should be, likewise.
    """
    outputs, targets = _checked(outputs, targets)
    return np.abs(outputs - targets).mean(axis=(1, 2, 3), dtype=np.float64)


def psnr(outputs: npt.ArrayLike, targets: npt.ArrayLike) -> np.ndarray:
    """Returns the peak signal-to-noise ratio of each pair in dB: float64 `(n,)`.

    Args:
        outputs: Images float `(n, height, width, channels)` in [0, 1].
        targets: What they should be, likewise. Equal images give infinity.
    """
    outputs, targets = _checked(outputs, targets)
    errors = np.square(outputs - targets).mean(axis=(1, 2, 3), dtype=np.float64)
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(errors)


def ssim(outputs: npt.ArrayLike, targets: npt.ArrayLike) -> np.ndarray:
    """Returns the structural similarity of each pair: float64 `(n,)`, in [-1, 1].

    Args:
        outputs: Images float `(n, height, width, channels)` in [0, 1], of 11 pixels or
            more a side. Only windows that lie inside count.
        targets: What they should be, likewise.
    """
    outputs, targets = _checked(outputs, targets)
    if min(outputs.shape[1:3]) < _WINDOW:
        raise ValueError(
            f"SSIM needs images of {_WINDOW} pixels or more a side. "
            f"Received: {outputs.shape}"
        )
    size = max(1, _BATCH_PIXELS // outputs[0].size)
    batches = [
        tf.image.ssim(
            tf.constant(outputs[start : start + size], tf.float32),
            tf.constant(targets[start : start + size], tf.float32),
            max_val=1.0,
            filter_size=_WINDOW,
            filter_sigma=1.5,
            k1=0.01,
            k2=0.03,
        )
        for start in range(0, len(outputs), size)
    ]
    return np.concatenate(batches).astype(np.float64)


def _checked(
    outputs: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as arrays; raises a `ValueError` if they are not such images."""
    outputs, targets = np.asarray(outputs), np.asarray(targets)
    if outputs.shape != targets.shape or outputs.ndim != 4 or not outputs.size:
        raise ValueError(
            "Outputs and targets must both be (n, height, width, channels). Received: "
            f"{outputs.shape} and {targets.shape}"
        )
    for images in (outputs, targets):
        low, high = images.min(), images.max()
        is_float = np.issubdtype(images.dtype, np.floating)
        # NaN fails the comparison too.
        if not is_float or not -1e-6 <= low <= high <= 1.0 + 1e-6:
            raise ValueError(
                "Outputs and targets must be finite floats in [0, 1]. Received: "
                f"{images.dtype}, {low} to {high}"
            )
    return outputs, targets


def pairwise_distance(features: npt.ArrayLike) -> np.ndarray:
    """Returns how far several outputs for one input are apart: float64 `(n,)`.

    The mean distance, of Euclid, between the features of two outputs, over all pairs.

    Args:
        features: `(n, num, d)`, of `num` outputs, 2 or more, for each of n inputs.

    Reference: [Zhu et al., 2017](https://arxiv.org/abs/1711.11586), sec. 5.2: of random
        pairs, in features of a trained network.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 3 or features.shape[1] < 2:
        raise ValueError(
            f"Features must be (n, num, d), num 2 or more. Received: {features.shape}"
        )
    num = features.shape[1]
    pairs = [(i, j) for i in range(num) for j in range(i)]
    distances = [
        np.linalg.norm(features[:, i] - features[:, j], axis=1) for i, j in pairs
    ]
    return np.mean(distances, axis=0)
