"""Which latent variable stays where one factor of the data is held fixed.

Rows that share a value of one factor, and are drawn at random otherwise, differ in all
other factors. A classifier must tell the shared factor from the codes of such rows:

    FactorVAE score:  argmin_i  Var(z_i) / Var_data(z_i)    ->  the factor, by majority
    BetaVAE score:    mean over pairs of |z - z'|           ->  the factor, linearly

Both are accuracies on draws that the classifier was not fitted to: 1 where each factor
has codes of its own (one or several); chance, 1/k, for noise; and 1/2 where factors are
turned in pairs by 45 degrees, since the codes of a pair move alike whichever is fixed.

References:
- [Kim & Mnih, 2018](https://arxiv.org/abs/1802.05983), sec. 4: the FactorVAE score.
- [Higgins et al., 2017](https://openreview.net/forum?id=Sy2fzU9gl), sec. 3: the BetaVAE
  score. Codes are divided by their deviation here, so that their unit does not matter.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import import_sklearn
from tfgen.metrics.disentanglement import check_codes


def factor_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    num_votes: int = 800,
    group_size: int = 64,
    seed: int = 0,
) -> float:
    """Returns the FactorVAE score, in [0, 1].

    Args:
        codes: `(n, d)`, such as posterior means. Constant codes do not count.
        factors: Integers `(n, k)`, each of at least two values, drawn independently.
        num_votes: Integer, groups to fit the classifier to, and as many to judge it.
        group_size: Integer of at least 2, rows of a group (fewer where fewer share a
            value).
        seed: Integer.
    """
    _check_counts(num_votes=num_votes)
    _check_counts(2, group_size=group_size)
    codes, groups = _prepare(codes, factors)
    rng = np.random.default_rng(seed)
    fixed = rng.integers(len(groups), size=2 * num_votes)
    votes = []
    for j in fixed:
        members = groups[j].draw_members(group_size, rng)
        votes.append(codes[members].var(axis=0).argmin())
    counts = np.zeros((codes.shape[1], len(groups)))
    np.add.at(counts, (votes[:num_votes], fixed[:num_votes]), 1)
    predicted = counts.argmax(axis=1)[votes[num_votes:]]
    return float(np.mean(predicted == fixed[num_votes:]))


def beta_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    num_points: int = 800,
    num_pairs: int = 64,
    seed: int = 0,
) -> float:
    """Returns the BetaVAE score, in [0, 1].

    Args:
        codes, factors: As in `factor_vae_score`.
        num_points: Integer, points to fit the classifier to, and as many to judge it.
        num_pairs: Integer, pairs of rows that a point is the mean of.
        seed: Integer.
    """
    _check_counts(num_points=num_points, num_pairs=num_pairs)
    codes, groups = _prepare(codes, factors)
    rng = np.random.default_rng(seed)
    fixed = np.arange(2 * num_points) % len(groups)  # every factor, in both halves
    points = []
    for j in fixed:
        rows, partners = groups[j].draw_pairs(num_pairs, rng)
        points.append(np.abs(codes[rows] - codes[partners]).mean(axis=0))
    classifier = import_sklearn("linear_model").LogisticRegression(max_iter=1000)
    classifier.fit(points[:num_points], fixed[:num_points])
    return float(classifier.score(points[num_points:], fixed[num_points:]))


class Groups(NamedTuple):
    """The rows that share a value of one factor with another row.

    Attributes:
        order: Those rows, sorted by value: `(m,)`.
        starts: Of each of them, where its group starts in `order`: `(m,)`.
        sizes: Of each of them, the rows of its group, 2 or more: `(m,)`.
    """

    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def draw_members(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Returns up to `count` rows of one group, likelier the larger it is."""
        place = rng.integers(len(self.order))
        start, size = self.starts[place], self.sizes[place]
        return self.order[start + rng.choice(size, min(count, size), replace=False)]

    def draw_pairs(
        self, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns rows, and for each another row of its group, both `(count,)`."""
        places = rng.integers(len(self.order), size=count)
        starts, sizes = self.starts[places], self.sizes[places]
        steps = 1 + rng.integers(sizes - 1)  # never all around, back to the same row
        partners = starts + (places - starts + steps) % sizes
        return self.order[places], self.order[partners]


def _prepare(
    codes: npt.ArrayLike, factors: npt.ArrayLike
) -> tuple[np.ndarray, list[Groups]]:
    """Returns codes of deviation 1, without constant ones, and each factor's groups."""
    codes, factors = check_codes(codes, factors)
    codes = codes[:, np.ptp(codes, axis=0) > 0.0]
    if not codes.shape[1]:
        raise ValueError("All codes are constant: they tell no factor.")
    return codes / codes.std(axis=0), [group_rows(factor) for factor in factors.T]


def group_rows(factor: np.ndarray) -> Groups:
    """Groups rows by their value of a factor, integers from 0 `(n,)`."""
    counts = np.bincount(factor)
    order = np.argsort(factor, kind="stable")
    order = order[counts[factor[order]] > 1]
    if not len(order):
        raise ValueError("No two rows share a value of a factor: pass more rows.")
    values, starts = np.unique(factor[order], return_index=True)
    group = np.searchsorted(values, factor[order])
    return Groups(order, starts[group], counts[values][group])


def _check_counts(least: int = 1, **counts: int) -> None:
    for name, count in counts.items():
        if count < least:
            raise ValueError(f"`{name}` must be at least {least}. Received: {count}")
