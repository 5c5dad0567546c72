from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import special
from statsmodels.stats.multitest import multipletests

from analysis.methods.multiplicity import benjamini_hochberg, holm, joint_step_down

Adjust = Callable[[ArrayLike], NDArray[np.float64]]

# Benjamini and Hochberg (1995), JRSS B 57, 289-300, section 3.2: thrombolysis after infarction, 15 comparisons.
INFARCTION = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0
]  # fmt: skip

# R 4: p.adjust(p, "holm")
HOLM_IN_R = [
    (INFARCTION, [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213, *[1.0] * 6]),
    ([0.04, 0.001, 0.03, 0.02], [0.06, 0.004, 0.06, 0.06]),
]

# R 4: p.adjust(p, "BH")
BENJAMINI_HOCHBERG_IN_R = [
    (
        INFARCTION,
        [
            0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.0638571428571429, 0.0638571428571429, 0.0645, 0.0765, 0.486,
            0.581181818181818, 0.714875, 0.75323076923077, 0.813214285714286, 1.0,
        ],
    ),
    ([0.04, 0.001, 0.03, 0.02], [0.04, 0.004, 0.04, 0.04]),
    ([0.03, 0.01, 0.9, 0.02, 0.02, 0.2], [0.045, 0.04, 0.9, 0.04, 0.04, 0.24]),
]  # fmt: skip

p_values = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.02, 0.05, 1.0]))
families = st.integers(1, 4).flatmap(
    lambda K: st.tuples(st.lists(p_values, min_size=K, max_size=K), st.lists(p_values, min_size=K, max_size=K))
)


def closed_testing(difference: list[float], equivalence: list[float]) -> list[float]:
    """Adjusted p by brute force: the largest Bonferroni p of any set that could be true together.

    A set can be true if it holds at most one of the two hypotheses of each comparison.
    """
    K = len(difference)
    pooled = [*difference, *equivalence]
    adjusted = [0.0] * (2 * K)
    for choice in itertools.product((None, 0, 1), repeat=K):
        members = [k + K * side for k, side in enumerate(choice) if side is not None]
        if members:
            p = min(1.0, len(members) * min(pooled[m] for m in members))
            for m in members:
                adjusted[m] = max(adjusted[m], p)
    return adjusted


@settings(deadline=None, derandomize=True, max_examples=300)
@given(family=families)
def test_equals_closed_testing(family: tuple[list[float], list[float]]) -> None:
    """The shortcut is exact for every family, not only on the safe side.

    The largest set that could be true together and has no p below ``p_(i)`` holds one hypothesis of each
    comparison that is not yet answered twice: ``m_i`` of them. Only where hypotheses i and j are the two questions
    of one comparison is there no such set with both, and there nothing is lost: m stays ``m_i`` until another
    comparison is answered twice, and that answer, with a p no smaller, still carries the factor ``m_i``.
    """
    corrected = joint_step_down(*family)
    assert [*corrected.difference, *corrected.equivalence] == pytest.approx(closed_testing(*family), rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(family=families)
def test_knowing_that_both_cannot_be_true_costs_nothing_and_often_helps(
    family: tuple[list[float], list[float]],
) -> None:
    corrected = joint_step_down(*family)
    without = holm([*family[0], *family[1]])
    assert (np.array([*corrected.difference, *corrected.equivalence]) <= without + 1e-15).all()


@settings(deadline=None, derandomize=True, max_examples=100)
@given(family=families, seed=st.integers(0, 99))
def test_order_does_not_matter_and_nothing_shrinks(family: tuple[list[float], list[float]], seed: int) -> None:
    difference, equivalence = (np.array(side) for side in family)
    order = np.random.default_rng(seed).permutation(len(difference))
    plain = joint_step_down(difference.tolist(), equivalence.tolist())
    shuffled = joint_step_down(difference[order].tolist(), equivalence[order].tolist())
    assert np.array(plain.difference)[order] == pytest.approx(np.array(shuffled.difference))
    assert np.array(plain.equivalence)[order] == pytest.approx(np.array(shuffled.equivalence))
    assert (np.array(plain.difference) >= difference).all()
    assert (np.array(plain.equivalence) >= equivalence).all()
    assert max(*plain.difference, *plain.equivalence) <= 1


def test_a_worked_example() -> None:
    # Sorted: .004 (x 3), .006 (x 3, which answers both questions of the first), then x 2 for the rest.
    corrected = joint_step_down([0.004, 0.30, 0.02], [0.006, 0.01, 0.90])
    assert corrected.difference == pytest.approx((0.012, 0.60, 0.04))
    assert corrected.equivalence == pytest.approx((0.018, 0.02, 0.90))


def test_one_comparison_needs_no_correction() -> None:
    corrected = joint_step_down([0.04], [0.03])
    assert (corrected.difference, corrected.equivalence) == ((0.04,), (0.03,))


def test_an_undefined_comparison_still_counts() -> None:
    nan = math.nan
    corrected = joint_step_down([0.01, nan, 0.02], [0.5, nan, 0.03])
    assert corrected.difference[0] == pytest.approx(0.03)
    assert corrected.difference[2] == pytest.approx(0.06)
    assert corrected.equivalence[2] == pytest.approx(0.09)
    assert corrected.equivalence[0] == pytest.approx(1.0)
    assert math.isnan(corrected.difference[1])
    assert math.isnan(corrected.equivalence[1])
    half = joint_step_down([0.01, 0.04], [nan, 0.03])
    assert half.difference == pytest.approx((0.02, 0.08))
    assert math.isnan(half.equivalence[0])


def test_no_comparisons() -> None:
    corrected = joint_step_down([], [])
    assert (corrected.difference, corrected.equivalence) == ((), ())


def test_the_family_keeps_its_level() -> None:
    """Eight comparisons, true gaps at 0 or at the margin: some false claim in at most alpha of studies.

    Holm on the differences beside equivalence tests that are left raw claims something false far more often.
    """
    rng = np.random.default_rng(1)
    studies, K, margin = 3000, 8, 2.5
    gap = np.array([0.0] * 4 + [margin] * 4)
    false_joint = false_separate = 0
    for _ in range(studies):
        z = gap + rng.standard_normal(K)
        difference = 2 * special.ndtr(-np.abs(z))
        equivalence = np.maximum(special.ndtr(-(z + margin)), special.ndtr(z - margin))
        wrong_difference, wrong_equivalence = gap == 0, gap >= margin
        joint = joint_step_down(difference.tolist(), equivalence.tolist())
        false_joint += bool(
            (np.array(joint.difference)[wrong_difference] <= 0.05).any()
            or (np.array(joint.equivalence)[wrong_equivalence] <= 0.05).any()
        )
        ordered = np.sort(difference)
        held = np.flatnonzero(ordered * np.arange(K, 0, -1) > 0.05)
        by_holm = difference < ordered[held[0]] if held.size else np.ones(K, dtype=bool)
        false_separate += bool(by_holm[wrong_difference].any() or (equivalence[wrong_equivalence] <= 0.05).any())
    assert false_joint <= special.bdtrik(1 - 1e-4, studies, 0.05)
    assert false_separate > 0.10 * studies


@pytest.mark.parametrize(("p", "expected"), HOLM_IN_R)
def test_holm_equals_r(p: list[float], expected: list[float]) -> None:
    assert holm(p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("p", "expected"), BENJAMINI_HOCHBERG_IN_R)
def test_benjamini_hochberg_equals_r(p: list[float], expected: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_adjusted_values_keep_the_order_of_unsorted_input(adjust: Adjust) -> None:
    order = np.random.default_rng(0).permutation(15)
    assert adjust(np.array(INFARCTION)[order]) == pytest.approx(adjust(INFARCTION)[order], rel=1e-12)
    # The largest p comes first here: in the order of size it would be last.
    assert np.argmax(adjust([0.9, 0.001, 0.3])) == 0


@settings(deadline=None, derandomize=True, max_examples=25)
@given(p=st.lists(p_values, min_size=1, max_size=6))
def test_holm_equals_its_definition(p: list[float]) -> None:
    order = sorted(range(len(p)), key=p.__getitem__)
    expected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        expected[index] = largest
    assert holm(p) == pytest.approx(expected)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(p=st.lists(p_values, min_size=1, max_size=6))
def test_holm_closes_the_bonferroni_test(p: list[float]) -> None:
    sets = [chosen for size in range(1, len(p) + 1) for chosen in itertools.combinations(range(len(p)), size)]
    expected = [max(min(1.0, len(s) * min(p[m] for m in s)) for s in sets if k in s) for k in range(len(p))]
    assert holm(p) == pytest.approx(expected)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(p=st.lists(p_values, min_size=1, max_size=6))
def test_benjamini_hochberg_equals_its_definition(p: list[float]) -> None:
    # Claimed at level q where at least k p-values lie at or below k q / K, for a k that reaches this p.
    K = len(p)
    expected = [min([1.0] + [K * x / sum(y <= x for y in p) for x in p if x >= mine]) for mine in p]
    assert benjamini_hochberg(p) == pytest.approx(expected)


# Few examples: every call of multipletests collects all garbage, which takes tens of milliseconds.
@settings(deadline=None, derandomize=True, max_examples=10)
@given(p=st.lists(p_values, min_size=1, max_size=12))
def test_adjusted_values_equal_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(p=st.lists(p_values, min_size=1, max_size=8))
def test_adjusted_values_never_fall_below_the_raw_ones(p: list[float]) -> None:
    stepped, discovered = holm(p), benjamini_hochberg(p)
    assert (discovered >= np.array(p) * (1 - 1e-12)).all()
    assert (stepped >= discovered * (1 - 1e-12)).all()
    assert stepped.max() <= 1


def test_benjamini_hochberg_keeps_the_share_of_false_claims() -> None:
    # With independent tests the expected share is exactly (true nulls / K) alpha = 0.07.
    rng, studies, K, nulls = np.random.default_rng(2), 4000, 10, 7
    z = rng.standard_normal((studies, K)) + np.where(np.arange(K) < nulls, 0.0, 3.0)
    claimed = np.array([benjamini_hochberg(p) for p in special.ndtr(-z)]) <= 0.1
    share = claimed[:, :nulls].sum(axis=1) / np.maximum(claimed.sum(axis=1), 1)
    assert abs(share.mean() - 0.07) < 4 * share.std() / math.sqrt(studies)


def test_undefined_values_stay_and_count() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.03, math.nan, 0.08], nan_ok=True)
    assert benjamini_hochberg([0.01, math.nan, 0.04]) == pytest.approx([0.03, math.nan, 0.06], nan_ok=True)
    for adjust in (holm, benjamini_hochberg):
        assert adjust([]).size == 0
        assert np.isnan(adjust([math.nan, math.nan])).all()
        # As cautious as if the undefined p were 1.
        assert adjust([0.02, math.nan, 0.01])[[0, 2]] == pytest.approx(adjust([0.02, 1.0, 0.01])[[0, 2]])


def test_the_input_is_left_alone() -> None:
    p = np.array([0.9, 0.001, 0.3])
    holm(p)[:] = 0
    benjamini_hochberg(p)[:] = 0
    assert p.tolist() == [0.9, 0.001, 0.3]


@pytest.mark.parametrize("bad", [1.5, -0.1, math.inf])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, bad])
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([0.1, bad])
    with pytest.raises(ValueError, match="between 0 and 1"):
        joint_step_down([0.1, 0.2], [0.1, bad])


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="one-dimensional"):
        holm([[0.1, 0.2]])
    with pytest.raises(ValueError, match="one-dimensional"):
        benjamini_hochberg([[0.1, 0.2]])
    with pytest.raises(ValueError, match="got 2 for the difference and 1 for equivalence"):
        joint_step_down([0.1, 0.2], [0.1])
