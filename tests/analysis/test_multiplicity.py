from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from analysis.multiplicity import holm, joint_step_down

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
    found = joint_step_down(*family)
    assert [*found.difference, *found.equivalence] == pytest.approx(closed_testing(*family), rel=1e-12)


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
    found = joint_step_down([0.004, 0.30, 0.02], [0.006, 0.01, 0.90])
    assert found.difference == pytest.approx((0.012, 0.60, 0.04))
    assert found.equivalence == pytest.approx((0.018, 0.02, 0.90))


def test_one_comparison_needs_no_correction() -> None:
    found = joint_step_down([0.04], [0.03])
    assert (found.difference, found.equivalence) == ((0.04,), (0.03,))


def test_an_undefined_comparison_still_counts() -> None:
    nan = math.nan
    found = joint_step_down([0.01, nan, 0.02], [0.5, nan, 0.03])
    assert found.difference[0] == pytest.approx(0.03)
    assert found.difference[2] == pytest.approx(0.06)
    assert found.equivalence[2] == pytest.approx(0.09)
    assert found.equivalence[0] == pytest.approx(1.0)
    assert math.isnan(found.difference[1])
    assert math.isnan(found.equivalence[1])
    half = joint_step_down([0.01, 0.04], [nan, 0.03])
    assert half.difference == pytest.approx((0.02, 0.08))
    assert math.isnan(half.equivalence[0])


def test_no_comparisons() -> None:
    found = joint_step_down([], [])
    assert (found.difference, found.equivalence) == ((), ())


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


def test_holm_keeps_the_order_of_unsorted_input() -> None:
    # R: p.adjust(c(0.04, 0.001, 0.03, 0.02), "holm") is 0.06 0.004 0.06 0.06.
    assert holm([0.04, 0.001, 0.03, 0.02]) == pytest.approx([0.06, 0.004, 0.06, 0.06])


@settings(deadline=None, derandomize=True, max_examples=25)
@given(p=st.lists(p_values, min_size=1, max_size=6))
def test_holm_equals_its_definition(p: list[float]) -> None:
    order = sorted(range(len(p)), key=p.__getitem__)
    expected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        expected[index] = largest
    assert holm(p) == pytest.approx(expected)


def test_holm_keeps_undefined_values_and_counts_them() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.03, math.nan, 0.08], nan_ok=True)
    assert holm([]).size == 0


@pytest.mark.parametrize("bad", [1.5, -0.1, math.inf])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, bad])
    with pytest.raises(ValueError, match="between 0 and 1"):
        joint_step_down([0.1, 0.2], [0.1, bad])


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="one-dimensional"):
        holm([[0.1, 0.2]])
    with pytest.raises(ValueError, match="got 2 for the difference and 1 for equivalence"):
        joint_step_down([0.1, 0.2], [0.1])
