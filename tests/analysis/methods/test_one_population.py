from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.fixed_sets import set_scores, set_strata
from analysis.methods.one_population import gap_over_examples, gap_over_seeds


@pytest.mark.parametrize("confidence", [0.95, 0.9875])
def test_over_seeds_is_students_t_of_pairs_and_welchs_without(rng: np.random.Generator, confidence: float) -> None:
    treatment, baseline = rng.normal(0.9, 0.02, 7), rng.normal(0.88, 0.01, 7)
    paired = gap_over_seeds(treatment, baseline, paired=True)
    expected = stats.ttest_rel(treatment, baseline).confidence_interval(confidence)
    assert paired.interval(confidence) == pytest.approx(tuple(expected))
    unequal = gap_over_seeds(treatment, baseline[:4], paired=False)
    welch = stats.ttest_ind(treatment, baseline[:4], equal_var=False)
    assert unequal.df == pytest.approx(welch.df)
    assert unequal.interval(confidence) == pytest.approx(tuple(welch.confidence_interval(confidence)))


def test_over_examples_is_students_t_of_the_mean_differences(rng: np.random.Generator) -> None:
    treatment, baseline = rng.random((5, 60)) < 0.9, rng.random((3, 60)) < 0.8
    found = gap_over_examples(treatment, baseline)
    expected = stats.ttest_1samp(treatment.mean(axis=0) - baseline.mean(axis=0), 0.0)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)))


def test_over_examples_has_the_crossed_test_s_error_where_seeds_change_nothing(rng: np.random.Generator) -> None:
    sets = np.repeat([0, 1], [20, 60])
    one = set_scores(rng.random((2, 80)) < [[0.9], [0.6]], sets)
    treatment, baseline = np.tile(one[:1], (4, 1)), np.tile(one[1:], (4, 1))
    strata = set_strata(sets)
    both = crossed_test(treatment, baseline, paired=False, strata=strata)
    found = gap_over_examples(treatment, baseline, strata=strata)
    assert (found.standard_error, found.df) == pytest.approx((both.standard_error, both.df))
    assert found.df < 79


@pytest.mark.parametrize("paired", [True, False])
def test_one_seed_has_no_interval_and_equal_seeds_an_error_of_0(paired: bool) -> None:
    one = gap_over_seeds([0.9], [0.8], paired=paired)
    assert one.estimate == pytest.approx(0.1)
    assert math.isnan(one.standard_error)
    assert math.isnan(one.interval(0.95).low)
    alike = gap_over_seeds([0.1 + 0.2, 0.3, 0.3], [0.2, 0.2, 0.2], paired=paired)
    assert alike.standard_error == 0


def test_one_example_has_no_interval_and_equal_examples_an_error_of_0() -> None:
    assert math.isnan(gap_over_examples([[1.0]], [[0.0]]).standard_error)
    assert gap_over_examples([[0.1 + 0.2, 0.3]], [[0.0, 0.0]]).standard_error == 0
