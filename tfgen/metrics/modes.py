"""How many modes samples reach: classes that a classifier finds among them.

A generator that has collapsed makes a few kinds of image only, however good. With `h_c`
the share of samples of class `c`:

    modes   = #{ c : h_c >= min_share }
    entropy = -sum_c h_c log h_c          0 (one class) to log(num_classes) (all equal)

References:
- [Metz et al., 2017](https://arxiv.org/abs/1611.02163), sec. 3.3: modes counted by a
  classifier of MNIST digits.
- [Srivastava et al., 2017](https://arxiv.org/abs/1705.07761), sec. 4: that, and modes
  of Gaussian mixtures.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class ModeCoverage(NamedTuple):
    """What `mode_coverage` returns.

    Attributes:
        modes: Number of classes with enough samples.
        entropy: Of the shares, in nats.
        shares: Share of the samples of each class, float64 `(num_classes,)`.
    """

    modes: int
    entropy: float
    shares: np.ndarray


def mode_coverage(
    classes: npt.ArrayLike, num_classes: int, min_share: float = 0.01
) -> ModeCoverage:
    """Counts the classes among samples.

    Args:
        classes: Integers `(num_samples,)` in `[0, num_classes)`, what a classifier
            says of each sample. Without samples there is no mode, and no entropy.
        num_classes: Integer.
        min_share: Float, the least share of the samples that makes a mode: above 0, so
            that a few mistakes of the classifier make none.
    """
    classes = np.asarray(classes)
    integral = np.issubdtype(classes.dtype, np.integer) or not classes.size
    if classes.ndim != 1 or not integral:
        raise ValueError(
            "`classes` must be integers (num_samples,). Received: "
            f"{classes.dtype} {classes.shape}"
        )
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ValueError(
            f"`classes` must be in [0, {num_classes}). Received: {classes.min()} to "
            f"{classes.max()}"
        )
    if not 0.0 < min_share <= 1.0:
        raise ValueError(f"`min_share` must be in (0, 1]. Received: {min_share}")
    counts = np.bincount(classes.astype(np.int64), minlength=num_classes)
    shares = counts / max(classes.size, 1)
    present = shares[shares > 0]
    entropy = float(np.sum(present * -np.log(present)))
    return ModeCoverage(int(np.sum(shares >= min_share)), entropy, shares)
