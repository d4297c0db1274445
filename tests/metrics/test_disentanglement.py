"""Disentanglement against codes whose scores theory gives, scikit-learn and by hand."""

import importlib.util
import math

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics

from tfgen.errors import UserError
from tfgen.metrics import disentanglement, fixed_factor

RNG = np.random.default_rng(0)
# Every combination once: the factors are independent in the sample, to the digit.
GRID = np.stack(np.meshgrid(*[np.arange(5)] * 4, indexing="ij"), -1).reshape(-1, 4)
A, B, C, D = GRID.T

PERFECT = GRID[:, ::-1] * [1.0, -2.0, 0.1, 30.0] + [0.0, 5.0, 0.0, -100.0]
TURNED = np.stack([A + B, A - B, C + D, C - D], axis=1)
DUPLICATED = np.concatenate([PERFECT, -PERFECT], axis=1)
NOISE = RNG.normal(size=GRID.shape)


def gaps(codes):
    return [
        disentanglement.mig(codes, GRID),
        disentanglement.sap(codes, GRID),
        disentanglement.modularity(codes, GRID),
    ]


def fixed_factor_scores(codes):
    return [
        fixed_factor.factor_vae_score(codes, GRID, num_votes=400),
        fixed_factor.beta_vae_score(codes, GRID, num_points=400, num_pairs=32),
    ]


def test_a_code_for_each_factor_is_perfect():
    assert gaps(PERFECT) == pytest.approx([1.0, 1.0, 1.0])
    assert disentanglement.dci(PERFECT, GRID) == pytest.approx((1.0, 1.0, 1.0))
    assert fixed_factor_scores(PERFECT) == [1.0, 1.0]


def test_turned_factors_are_known_but_not_apart():
    assert gaps(TURNED) == pytest.approx([0.0, 0.0, 1.0 - 1.0 / 3.0])
    scores = disentanglement.dci(TURNED, GRID, num_trees=50)
    assert scores.disentanglement == pytest.approx(0.5, abs=0.03)
    assert scores.completeness == pytest.approx(0.5, abs=0.03)
    assert scores.informativeness == pytest.approx(1.0, abs=0.01)
    assert fixed_factor_scores(TURNED) == pytest.approx([0.5, 0.5], abs=0.08)


def test_two_codes_for_each_factor_lack_compactness_only():
    assert gaps(DUPLICATED) == pytest.approx([0.0, 0.0, 1.0])
    scores = disentanglement.dci(DUPLICATED, GRID, num_trees=50)
    assert scores.disentanglement == pytest.approx(1.0)
    # The forest shares the use of equal codes by lot.
    assert scores.completeness == pytest.approx(1 - math.log(2) / math.log(8), abs=0.03)
    assert scores.informativeness == pytest.approx(1.0)
    assert fixed_factor_scores(DUPLICATED) == [1.0, 1.0]


def test_noise_is_at_chance():
    mig, sap, _ = gaps(NOISE)
    assert 0.0 < mig < 0.02
    assert 0.0 < sap < 0.01
    scores = disentanglement.dci(NOISE, GRID)
    assert 0.0 < scores.disentanglement < 0.05
    assert 0.0 < scores.completeness < 0.05
    assert scores.informativeness == pytest.approx(0.2, abs=0.05)
    assert fixed_factor_scores(NOISE) == pytest.approx([0.25, 0.25], abs=0.08)


def test_scores_do_not_depend_on_the_codes_order_or_scale_or_the_factors_names():
    noisy = GRID + 0.6 * np.roll(GRID, 1, axis=1) + 0.5 * NOISE
    scores = gaps(noisy)
    assert all(0.1 < score < 0.97 for score in scores)
    other = noisy[:, [2, 0, 3, 1]] * [-3.0, 0.01, 1.0, 50.0] + 7.0
    assert gaps(other) == pytest.approx(scores, abs=0.01)
    score = disentanglement.mig(noisy, 10 * GRID - 3)
    assert score == pytest.approx(scores[0])


def test_constant_codes_change_nothing():
    constant = np.concatenate([PERFECT, np.full((len(GRID), 1), 3.0)], axis=1)
    assert gaps(constant) == pytest.approx([1.0, 1.0, 1.0])
    assert disentanglement.dci(constant, GRID)[:2] == pytest.approx((1.0, 1.0))
    assert fixed_factor_scores(constant) == [1.0, 1.0]
    assert disentanglement.modularity(np.zeros((len(GRID), 2)), GRID) == 0.0


# ---- The tables ----------------------------------------------------------------------


def test_mutual_information_against_sklearn():
    codes = np.stack([RNG.integers(7, size=500), RNG.integers(-3, 4, size=500)], axis=1)
    factors = (codes + RNG.integers(3, size=codes.shape)) // 2
    # Few values are taken as they are, however unevenly they are spaced.
    information = disentanglement.mutual_information(np.exp(4.0 * codes), factors)
    for i, j in np.ndindex(2, 2):
        expected = sklearn.metrics.mutual_info_score(codes[:, i], factors[:, j])
        assert information[i, j] == pytest.approx(expected, rel=1e-10)


def test_many_values_are_cut_into_bins_of_equal_width():
    code = RNG.uniform(-1.0, 1.0, size=(400, 1)) ** 3
    factor = (code + RNG.normal(size=code.shape) > 0.2).astype(int)
    factor[code.argmax()] = 0  # not as its neighbours
    information = disentanglement.mutual_information(
        np.repeat(code, 2, axis=1), np.repeat(factor, 2, axis=1), num_bins=6
    )
    width = np.ptp(code) / 6
    bins = np.minimum(np.floor((code - code.min()) / width), 5).ravel()
    expected = sklearn.metrics.mutual_info_score(bins, factor.ravel())
    np.testing.assert_allclose(information, np.full((2, 2), expected), rtol=1e-10)


def test_mig_is_relative_to_each_factors_entropy():
    """A factor of two values and one of eight, each known, weigh the same."""
    codes = np.stack([np.repeat([0, 1], 8), np.tile(np.arange(8), 2)], axis=1)
    assert disentanglement.mig(codes, codes) == pytest.approx(1.0)
    known = disentanglement.mutual_information(codes, codes)
    np.testing.assert_allclose(known, np.diag(np.log([2.0, 8.0])), atol=1e-12)


def entropy_of_bit(share):
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_modularity_in_closed_form():
    """One code knows the first of three factors, and now and then the second."""
    factors = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1, 2, 3]), -1).reshape(-1, 3)
    x, y, z = factors.T
    codes = np.stack([x + 2 * (y * (z == 0)), z], axis=1)
    # The bit y * (z == 0) is 1 in an eighth of the rows, a quarter of those of y = 1,
    # and half of those of z = 0.
    about_y = entropy_of_bit(1 / 8) - entropy_of_bit(1 / 4) / 2
    about_z = entropy_of_bit(1 / 8) - math.log(2) / 4
    first = 1.0 - (about_y**2 + about_z**2) / (math.log(2) ** 2 * 2)
    assert 0.9 < first < 0.999
    score = disentanglement.modularity(codes, factors)
    assert score == pytest.approx((first + 1.0) / 2)


def test_sap_against_linear_regression():
    codes = GRID @ RNG.normal(size=(4, 3)) + RNG.normal(size=(len(GRID), 3))
    scores = np.empty((3, 4))
    for i, j in np.ndindex(*scores.shape):
        x, y = codes[:, [i]], GRID[:, j]
        scores[i, j] = sklearn.linear_model.LinearRegression().fit(x, y).score(x, y)
    second, first = np.sort(scores, axis=0)[-2:]
    score = disentanglement.sap(codes, GRID)
    assert score == pytest.approx(np.mean(first - second), rel=1e-10)


def test_sap_of_a_category_is_by_thresholds():
    """The values in disorder along the code: no line predicts them, thresholds do."""
    shape, size = np.meshgrid(np.arange(3), np.arange(30))
    factors = np.stack([shape.ravel(), size.ravel()], axis=1)
    codes = np.stack([np.array([1.0, 5.0, 0.0])[factors[:, 0]], factors[:, 1]], axis=1)
    by_line = np.corrcoef(codes[:, 0], factors[:, 0])[0, 1] ** 2
    score = disentanglement.sap(codes, factors)
    assert score == pytest.approx((by_line + 1.0) / 2)
    # Three values: knowing nothing, a third is right.
    score = disentanglement.sap(codes, factors, categorical=[0])
    assert score == pytest.approx((1.0 - 1.0 / 3.0 + 1.0) / 2)


def test_thresholds_give_rare_values_their_weight():
    """A code that knows nothing scores a half, however unequal the two values are."""
    factor = np.repeat([0, 1], [900, 100])
    codes = RNG.normal(size=(1000, 2))
    factors = np.stack([factor, np.arange(1000) % 2], axis=1)
    score = disentanglement.sap(codes, factors, categorical=[0, 1])
    assert score == pytest.approx(0.0, abs=0.06)
    codes[:, 0] += 100 * factor
    score = disentanglement.sap(codes, factors, categorical=[0, 1])
    assert score == pytest.approx(0.25, abs=0.06)


def test_thresholds_find_rare_values():
    """Of 1,000 rows 20 are of the rare value, fewer than of the other beside them."""
    factor = np.repeat([0, 1], [980, 20])
    codes = np.stack([RNG.uniform(size=1000), np.zeros(1000)], axis=1)
    codes[factor == 1, 0] = np.linspace(0.9, 1.0, 20)
    factors = np.stack([factor, factor], axis=1)
    score = disentanglement.sap(codes, factors, categorical=[0, 1])
    assert score == pytest.approx(0.95 - 0.5, abs=0.03)


def test_disentanglement_and_completeness_by_hand():
    """Rows are codes: one is used 3/4 of the time for the first factor, one not."""
    used = np.array([[0.75, 0.25], [0.25, 0.0], [0.0, 0.75], [0.0, 0.0]])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    by_weight = (1.0 * (1 - entropy / math.log(2)) + 0.25 + 0.75) / 2.0
    by_factor = 1 - entropy / math.log(4)
    scores = disentanglement.score_importances(used)
    assert scores == pytest.approx((by_weight, by_factor))
    half = [[1.0, 0.0], [0.0, 0.0]]  # the second factor is not predicted
    assert disentanglement.score_importances(half) == pytest.approx((1.0, 0.5))
    assert disentanglement.score_importances(np.zeros((2, 2))) == (0.0, 0.0)


def test_factors_followed():
    codes = np.stack([B, -A, NOISE[:, 0], C + 10 * D], axis=1)
    factors, shares = disentanglement.factors_followed(codes, GRID, num_bins=25)
    assert factors[[0, 1]].tolist() == [1, 0]
    assert shares[[0, 1]] == pytest.approx([1.0, 1.0])
    assert factors[3] in (2, 3)
    assert 0.0 < shares[2] < 0.1


# ---- Draws ---------------------------------------------------------------------------


def test_seeds_decide():
    noisy = GRID + 2.0 * NOISE
    scores = (
        disentanglement.dci,
        lambda *x, seed: fixed_factor.factor_vae_score(*x, 200, 8, seed=seed),
        lambda *x, seed: fixed_factor.beta_vae_score(*x, 200, 2, seed=seed),
    )
    for score in scores:
        first = score(noisy, GRID, seed=1)
        assert score(noisy, GRID, seed=1) == first
        assert score(noisy, GRID, seed=2) != first


def test_scores_do_not_depend_on_the_unit_of_a_code():
    noisy = GRID + 2.0 * NOISE
    for score in (fixed_factor.factor_vae_score, fixed_factor.beta_vae_score):
        scaled = score(noisy * [1.0, 1024.0, 2.0**-9, 1.0], GRID, 200, 8)
        assert scaled == score(noisy, GRID, 200, 8)


def test_scores_are_of_draws_that_the_classifier_was_not_made_with():
    """Few draws of many codes of noise could be learnt by heart."""
    noise = RNG.normal(size=(len(GRID), 200))
    for score in (fixed_factor.factor_vae_score, fixed_factor.beta_vae_score):
        assert score(noise, GRID, 60) < 0.5


def test_groups_share_their_value_and_never_pair_a_row_with_itself():
    factor = np.array([4, 0, 4, 2, 0, 4, 1])  # 1, 2 stand alone
    groups = fixed_factor.group_rows(factor)
    rng = np.random.default_rng(0)
    rows, partners = groups.draw_pairs(500, rng)
    assert (factor[rows] == factor[partners]).all()
    assert (rows != partners).all()
    assert {*rows} == {*partners} == {0, 1, 2, 4, 5}
    pairs = {*zip(rows.tolist(), partners.tolist(), strict=True)}
    assert len(pairs) == 2 + 6
    for _ in range(50):
        members = groups.draw_members(10, rng).tolist()
        assert sorted(members) in ([1, 4], [0, 2, 5])
        assert len(groups.draw_members(2, rng)) == 2


def test_few_rows_a_value_are_enough_and_none_are_refused():
    factors = np.stack([np.arange(60) // 2, np.arange(60) % 3], axis=1)
    assert fixed_factor.beta_vae_score(factors, factors, 50, 20) == 1.0
    lone = np.stack([np.arange(60), np.arange(60) % 3], axis=1)
    for score in (fixed_factor.factor_vae_score, fixed_factor.beta_vae_score):
        with pytest.raises(ValueError, match="No two rows share a value"):
            score(lone, lone)


# ---- Refusals ------------------------------------------------------------------------


SCORES = [
    disentanglement.mig,
    disentanglement.modularity,
    disentanglement.sap,
    disentanglement.dci,
    fixed_factor.factor_vae_score,
    fixed_factor.beta_vae_score,
]


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (GRID[:, :1], GRID, r"`codes` must be \(n, 2 or more\).*\(625, 1\)"),
        (GRID, A, r"`factors` must be.*\(625,\)"),
        (GRID[:9], GRID, "9 codes and 625 factors"),
        (np.where(GRID, GRID, np.nan), GRID, "finite"),
        (GRID, GRID / 2, "integers.*float64"),
        (GRID, GRID * [1, 1, 0, 1], "Factor 2 has a single value"),
    ],
)
def test_arguments_are_checked(codes, factors, message):
    for score in SCORES:
        with pytest.raises(ValueError, match=message):
            score(codes, factors)


def test_counts_are_checked():
    with pytest.raises(ValueError, match=r"20 rows or more.*: 10"):
        disentanglement.dci(NOISE[:10], GRID[-10:, [2, 3]])
    with pytest.raises(ValueError, match="`group_size` must be at least 2"):
        fixed_factor.factor_vae_score(GRID, GRID, group_size=1)
    with pytest.raises(ValueError, match="`num_pairs` must be at least 1"):
        fixed_factor.beta_vae_score(GRID, GRID, num_pairs=0)
    with pytest.raises(ValueError, match="All codes are constant"):
        fixed_factor.beta_vae_score(0 * GRID, GRID)


def test_without_sklearn_it_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "tfgen\[metrics\]"') as error:
        disentanglement.dci(NOISE, GRID)
    assert "\n" not in str(error.value)
