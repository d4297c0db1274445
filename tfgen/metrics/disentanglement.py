"""Whether each latent variable follows one factor of the data, and each factor one.

All scores read a table with one row for each of the d latent variables ("codes") and
one column for each of the k known factors. They say how near it is to one large entry
a column (gaps, completeness) or a row (modularity, disentanglement).

    MIG        = 1/k sum_j ( I_aj - I_bj ) / H(v_j)      a, b: the best two of factor j
    SAP        = 1/k sum_j ( S_aj - S_bj )                         likewise, S in [0, 1]
    modularity = mean_i 1 - sum_j (I_ij - T_ij)^2 / (t_i^2 (k - 1))
                 t_i = max_j I_ij;  T_ij = t_i where I_ij is largest, otherwise 0
    D = sum_i w_i (1 - H(R_i. / sum_j R_ij) / log k),  w_i = sum_j R_ij / sum R
    C = mean_j    (1 - H(R_.j / sum_i R_ij) / log d)

I is the mutual information of a code and a factor, H entropy, both in nats; S is how
well one code predicts one factor; R is how much a forest that predicts a factor uses a
code. The scores of codes whose answer is known, for factors that are independent in
the sample ("turned": the factors in pairs, by 45 degrees; "0+": above 0 by chance, the
more so the fewer the rows):

                           MIG   SAP   modularity     D                 C
    one code a factor      1     1     1              1                 1
    two codes a factor     0     0     1              1                 1 - log 2/log d
    turned                 0     0     1 - 1/(k - 1)  1 - log 2/log k   1 - log 2/log d
    noise                  0+    0+    arbitrary      0+                0+

Only `Dci.informativeness` says how much the codes know: those of turned factors know
all. Modularity judges noise by its chance correlations. SAP falls short of 1 for
factors without an order.

References:
- [Chen et al., 2018](https://arxiv.org/abs/1802.04942), eq. 6: MIG. They integrate over
  the posterior; here codes are binned, as in the comparison by
  [Locatello et al., 2019](https://arxiv.org/abs/1811.12359).
- [Kumar et al., 2018](https://arxiv.org/abs/1711.00848), sec. 3: SAP.
- [Ridgeway & Mozer, 2018](https://arxiv.org/abs/1802.05312): modularity.
- [Eastwood & Williams, 2018](https://openreview.net/forum?id=By-7dz-AZ): DCI, with the
  importances of a random forest, one of their two choices.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn

_MIN_LEAF = 5  # rows: a deeper tree would spend its importances on single rows


class Dci(NamedTuple):
    """What `dci` returns: three shares, 1 is best.

    Attributes:
        disentanglement: D, each code is used for one factor.
        completeness: C, each factor is read from one code.
        informativeness: Accuracy of factors predicted from all codes on held-out rows,
            averaged over the factors. Chance is 1 over the number of a factor's values.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information(
    codes: npt.ArrayLike, factors: npt.ArrayLike, num_bins: int = 20
) -> np.ndarray:
    """Estimates I of each code and each factor: float64 `(d, k)`, nats.

    A code with up to `num_bins` distinct values is used as it is; others are cut into
    bins of equal width from their least to their largest value. For independent samples
    the estimate is about `(bins - 1) (values - 1) / (2 n)` nats rather than 0.

    Args:
        codes: `(n, d)`, such as posterior means.
        factors: Integers `(n, k)`, each of at least two values.
        num_bins: Integer.
    """
    codes, factors = check_codes(codes, factors)
    bins = [_bin(code, num_bins) for code in codes.T]
    return np.array([[_information(b, factor) for factor in factors.T] for b in bins])


def factors_followed(
    codes: npt.ArrayLike, factors: npt.ArrayLike, num_bins: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the factor that each code knows most of, and what share of it.

    Args:
        codes, factors, num_bins: As in `mutual_information`.

    Returns:
        Columns of `factors`, int `(d,)`, and `I / H` in [0, 1], float64 `(d,)`.
    """
    shares = mutual_information(codes, factors, num_bins) / _entropies(factors)
    return shares.argmax(axis=1), shares.max(axis=1)


def mig(codes: npt.ArrayLike, factors: npt.ArrayLike, num_bins: int = 20) -> float:
    """Returns the mutual information gap, in [0, 1].

    Args:
        codes, factors, num_bins: As in `mutual_information`.
    """
    information = mutual_information(codes, factors, num_bins)
    return _mean_gap(information / _entropies(factors))


def modularity(
    codes: npt.ArrayLike, factors: npt.ArrayLike, num_bins: int = 20
) -> float:
    """Returns the modularity, in [0, 1]: a mean over codes that know anything.

    Args:
        codes: As in `mutual_information`. Constant codes do not count.
        factors, num_bins: As in `mutual_information`.
    """
    information = mutual_information(codes, factors, num_bins)
    information = information[information.max(axis=1) > 1e-12]
    if not len(information):
        return 0.0
    relative = np.square(information / information.max(axis=1, keepdims=True))
    deviations = (relative.sum(axis=1) - 1.0) / (information.shape[1] - 1)
    return float(np.mean(1.0 - deviations))


def sap(
    codes: npt.ArrayLike, factors: npt.ArrayLike, categorical: Collection[int] = ()
) -> float:
    """Returns the separated attribute predictability, in [0, 1].

    The score S of one code and one factor is the R^2 of a linear regression. For a
    factor without an order, it is the balanced accuracy of the best thresholds on the
    code, whose gap falls short of 1 by 1 over the number of values.

    Args:
        codes: `(n, d)`.
        factors: Integers `(n, k)`, each of at least two values.
        categorical: Columns of `factors` without an order, such as a shape:
            `tfgen.data.Factors.categorical`.
    """
    codes, factors = check_codes(codes, factors)
    columns = [
        _threshold_scores(codes, factor)
        if j in categorical
        else _regression_scores(codes, factor)
        for j, factor in enumerate(factors.T)
    ]
    return _mean_gap(np.stack(columns, axis=1))


def dci(
    codes: npt.ArrayLike, factors: npt.ArrayLike, num_trees: int = 20, seed: int = 0
) -> Dci:
    """Returns disentanglement, completeness and informativeness.

    For each factor, a random forest is fitted to one half of the rows, drawn at random,
    and judged by the other half.

    Args:
        codes: `(n, d)`, `n` of at least 20.
        factors: Integers `(n, k)`, each of at least two values.
        num_trees: Integer, of each forest.
        seed: Integer, of the halves and the forests.
    """
    codes, factors = check_codes(codes, factors)
    if len(codes) < 20:
        raise ValueError(f"DCI needs 20 rows or more. Received: {len(codes)}")
    rows = np.random.default_rng(seed).permutation(len(codes))
    train, test = np.array_split(rows, 2)
    ensemble = import_sklearn("ensemble")
    importances, accuracies = [], []
    for factor in factors.T:
        # Every split sees all codes: if it saw some of them, noise would be used too.
        forest = ensemble.RandomForestClassifier(
            num_trees, max_features=None, min_samples_leaf=_MIN_LEAF, random_state=seed
        )
        forest.fit(codes[train], factor[train])
        importances.append(forest.feature_importances_)
        accuracies.append(forest.score(codes[test], factor[test]))
    scores = score_importances(np.stack(importances, axis=1))
    return Dci(*scores, float(np.mean(accuracies)))


def score_importances(importances: npt.ArrayLike) -> tuple[float, float]:
    """Returns disentanglement and completeness of a table of one's own.

    Args:
        importances: `(d, k)` from 0: how much each code is used to predict each factor.
    """
    used = np.asarray(importances, np.float64)
    return _disentanglement(used), _completeness(used)


def check_codes(
    codes: npt.ArrayLike, factors: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns float64 `(n, d)` and factors as int64 numbered from 0 `(n, k)`."""
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    for name, array in (("codes", codes), ("factors", factors)):
        if array.ndim != 2 or array.shape[1] < 2:
            raise ValueError(
                f"`{name}` must be (n, 2 or more). Received: {array.shape}"
            )
    if len(codes) != len(factors):
        raise ValueError(f"Received {len(codes)} codes and {len(factors)} factors.")
    if not np.isfinite(codes).all():
        raise ValueError("`codes` must be finite.")
    if not np.issubdtype(factors.dtype, np.integer):
        raise ValueError(f"`factors` must be integers. Received: {factors.dtype}")
    values = [np.unique(factor, return_inverse=True) for factor in factors.T]
    for j, (known, _) in enumerate(values):
        if len(known) < 2:
            raise ValueError(f"Factor {j} has a single value: leave its column out.")
    return codes, np.stack([inverse for _, inverse in values], axis=1)


def _bin(code: np.ndarray, num_bins: int) -> np.ndarray:
    """Returns the bin of each number, integers from 0."""
    values, inverse = np.unique(code, return_inverse=True)
    if len(values) <= num_bins:
        return inverse
    edges = np.linspace(values[0], values[-1], num_bins + 1)[1:-1]
    return np.searchsorted(edges, code, side="right")


def _information(bins: np.ndarray, factor: np.ndarray) -> float:
    """Returns I of two arrays of integers from 0, in nats."""
    width = factor.max() + 1
    joint = np.bincount(bins * width + factor, minlength=(bins.max() + 1) * width)
    joint = joint.reshape(-1, width) / len(bins)
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return max(apart - _entropy(joint.ravel()), 0.0)


def _entropies(factors: npt.ArrayLike) -> np.ndarray:
    """Returns H of each factor, `(k,)` nats."""
    counts = [
        np.unique(factor, return_counts=True)[1] for factor in np.transpose(factors)
    ]
    return np.array([_entropy(count / count.sum()) for count in counts])


def _entropy(shares: np.ndarray) -> float:
    present = shares[shares > 0]
    return float(-np.sum(present * np.log(present)))


def _mean_gap(table: np.ndarray) -> float:
    """Returns the mean over columns of the largest entry less the second."""
    second, first = np.sort(table, axis=0)[-2:]
    return float(np.mean(first - second))


def _regression_scores(codes: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Returns R^2 of each code alone, 0 for a constant one: `(d,)`."""
    codes, factor = codes - codes.mean(axis=0), factor - factor.mean()
    spread = np.square(codes).sum(axis=0) * np.square(factor).sum()
    return np.square(factor @ codes) / np.where(spread > 0.0, spread, 1.0)


def _threshold_scores(codes: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Returns the balanced accuracy of thresholds on each code alone: `(d,)`."""
    tree, metrics = import_sklearn("tree"), import_sklearn("metrics")
    scores = []
    for code in codes.T[..., np.newaxis]:
        thresholds = tree.DecisionTreeClassifier(
            max_leaf_nodes=factor.max() + 1, class_weight="balanced", random_state=0
        )
        predicted = thresholds.fit(code, factor).predict(code)
        scores.append(metrics.balanced_accuracy_score(factor, predicted))
    return np.array(scores)


def _disentanglement(used: np.ndarray) -> float:
    """Returns D of importances `(d, k)`; codes that are not used do not count."""
    used = used[used.sum(axis=1) > 0.0]
    if not len(used):
        return 0.0
    return float(np.average(_concentration(used), weights=used.sum(axis=1)))


def _completeness(used: np.ndarray) -> float:
    """Returns C of importances `(d, k)`; a factor that is not predicted has 0."""
    predicted = used[:, used.sum(axis=0) > 0.0]
    return float(_concentration(predicted.T).sum() / used.shape[1])


def _concentration(rows: np.ndarray) -> np.ndarray:
    """Returns 1 for a row of one entry above 0, 0 for one of equal entries."""
    shares = rows / rows.sum(axis=1, keepdims=True)
    entropies = np.array([_entropy(share) for share in shares])
    return 1.0 - entropies / np.log(rows.shape[1])
