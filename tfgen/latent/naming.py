"""What codes tell of the data: latent variables, or latents along directions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgen.metrics import factors_followed

_LEAST_SHARE = 0.02  # of a code's variance between classes, that is worth a word
_TIMES_CHANCE = 4.0


def name_codes(
    codes: np.ndarray,
    factors: Any = None,
    classes: np.ndarray | None = None,
    class_names: Sequence[str] = (),
) -> list[str]:
    """Returns for each code what `name_factors` or `name_classes` says, or "".

    Args:
        codes: `(n, d)`.
        factors: Of the first images, as `tfgen.data.load_factors` returns them; or
            None.
        classes: Integers `(n,)`, used without factors; or None.
        class_names: Of all classes.
    """
    if factors is not None:
        return name_factors(codes[: len(factors.values)], factors)
    if classes is not None:
        return name_classes(codes, classes, class_names)
    return [""] * codes.shape[1]


def name_classes(
    codes: np.ndarray, classes: np.ndarray, class_names: Sequence[str]
) -> list[str]:
    """Returns for each code ", from <class> to <class> (<share>)".

    They are the classes whose mean is least and greatest; the share of the code's
    variance lies between classes (the correlation ratio). Of a share that chance may
    give, (classes - 1) / (n - 1) on average, it returns ", no class".

    Args:
        codes: `(n, d)`.
        classes: Integers `(n,)`.
        class_names: Of all classes.
    """
    present, counts = np.unique(classes, return_counts=True)
    means = np.stack([codes[classes == c].mean(axis=0) for c in present])
    between = counts @ np.square(means - codes.mean(axis=0)) / len(codes)
    shares = between / np.maximum(codes.var(axis=0), np.finfo(np.float32).tiny)
    chance = (len(present) - 1) / max(len(codes) - 1, 1)
    least = max(_TIMES_CHANCE * chance, _LEAST_SHARE)
    return [
        f", from {class_names[low]} to {class_names[high]} ({share:.2f})"
        if share > least
        else ", no class"
        for low, high, share in zip(
            present[means.argmin(axis=0)],
            present[means.argmax(axis=0)],
            shares,
            strict=True,
        )
    ]


def name_factors(latents: np.ndarray, factors: Any) -> list[str]:
    """Returns for each latent variable ", follows <factor> (<share known of it>)".

    It follows none if the share is not clearly above that of other images' factors.

    Args:
        latents: `(n, latent_dim)`.
        factors: Of the same images, as `tfgen.data.load_factors` returns them.
    """
    varying = np.flatnonzero(np.ptp(factors.values, axis=0))  # of few images, not all
    if not len(varying):
        return [", follows no factor"] * latents.shape[1]
    # Two variables and two factors are the least: the first of each comes once more.
    codes = np.hstack([latents, latents[:, :1]])
    values = factors.values[:, [*varying, varying[0]]]
    best, shares = factors_followed(codes, values)
    _, by_chance = factors_followed(codes, np.random.default_rng(0).permutation(values))
    return [
        f", follows {factors.names[varying[column]]} ({share:.2f})"
        if share > 2.0 * chance
        else ", follows no factor"
        for column, share, chance in zip(best, shares, by_chance, strict=True)
    ][:-1]
