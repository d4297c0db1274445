"""What features know of labels: a linear probe, and nearest neighbours.

The features stay as they are. Of some images they and the labels are known, and the
labels of others are told from their features:

    linear     by multinomial logistic regression on standardised features
    neighbors  by the most frequent label among the k nearest

A linear probe is told of what lies along a direction, whatever its scale. Neighbours
see what the distance of features sees, and so what varies most.

References:
- [Alain & Bengio, 2017](https://arxiv.org/abs/1610.01644), sec. 3: linear probes.
- [Cover & Hart, 1967](https://doi.org/10.1109/TIT.1967.1053964): nearest neighbours.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn

_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse weights of the penalty
_VALIDATION_SHARE = 0.2
_MOST_ITERATIONS = 200


class Probe(NamedTuple):
    """What `probe` returns: the share of labels that are told right, in [0, 1].

    Attributes:
        linear: By logistic regression.
        neighbors: By the nearest neighbours.
        chance: By the most frequent label.
    """

    linear: float
    neighbors: float
    chance: float


def probe(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    *,
    num_neighbors: int = 5,
    seed: int = 0,
) -> Probe:
    """Measures how well labels can be told from features.

    Accuracies grow with the number of images: compare features of the same ones.

    Args:
        features: `(num_images, ...)`, flattened: what is learned from.
        labels: Integers `(num_images,)`, of two values or more.
        test_features: `(num_others, ...)`, of other images.
        test_labels: Integers `(num_others,)`.
        num_neighbors: Integer k.
        seed: Integer, of the fifth of the images that chooses how strongly the
            regression is penalised: the other ones then learn with it too.
    """
    x, y = _checked(features, labels)
    test_x, test_y = _checked(test_features, test_labels)
    if x.shape[1] != test_x.shape[1] or len(np.unique(y)) < 2:
        raise ValueError(
            "Both sets must have as many features, and the labels two values. "
            f"Received: {x.shape}, {test_x.shape}, labels {np.unique(y)}"
        )
    neighbors = import_sklearn("neighbors").KNeighborsClassifier(
        min(num_neighbors, len(x))
    )
    values, counts = np.unique(y, return_counts=True)
    chance = np.mean(test_y == values[counts.argmax()])
    with _one_thread():
        nearest = neighbors.fit(x, y).score(test_x, test_y)
        scaler = import_sklearn("preprocessing").StandardScaler().fit(x)
        x, test_x = scaler.transform(x), scaler.transform(test_x)
        linear = _regress(x, y, _choose_strength(x, y, seed)).score(test_x, test_y)
    return Probe(float(linear), float(nearest), float(chance))


def _one_thread() -> Any:
    """Products are small: threads that wait for one another make them slower.

    On two cores that others use too, a fit takes a fifteenth of the time.
    """
    import threadpoolctl  # which scikit-learn requires

    return threadpoolctl.threadpool_limits(1)


def _choose_strength(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    order = np.random.default_rng(seed).permutation(len(x))
    count = max(1, round(_VALIDATION_SHARE * len(x)))
    held_out, rest = order[:count], order[count:]
    if len(np.unique(y[rest])) < 2:
        return 1.0
    scores = [
        _regress(x[rest], y[rest], strength).score(x[held_out], y[held_out])
        for strength in _STRENGTHS
    ]
    return _STRENGTHS[int(np.argmax(scores))]


def _regress(x: np.ndarray, y: np.ndarray, strength: float) -> Any:
    model = import_sklearn("linear_model").LogisticRegression(
        C=strength, max_iter=_MOST_ITERATIONS, tol=1e-3
    )
    with warnings.catch_warnings():
        # What is left to learn after so many iterations is the training images' own.
        category = import_sklearn("exceptions").ConvergenceWarning
        warnings.simplefilter("ignore", category)
        return model.fit(x, y)


def _checked(
    features: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    features, labels = np.asarray(features, np.float64), np.asarray(labels)
    is_labelled = np.issubdtype(labels.dtype, np.integer) and labels.ndim == 1
    if not is_labelled or features.shape[:1] != labels.shape or not len(labels):
        raise ValueError(
            "Features must be (n, ...), labels integers (n,). Received: "
            f"{features.shape} and {labels.dtype} {labels.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError("Features must be finite.")
    return features.reshape(len(features), -1), labels
