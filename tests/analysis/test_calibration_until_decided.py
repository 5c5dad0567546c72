"""A cut of the calibration of runs until decided: in normal theory, answer by answer, and one against the other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.methods.looks import sequential_p
from analysis.study.futility import HOPELESS
from calibration.counts import Count, Size
from calibration.families import ALPHA, PROMISED
from calibration.normal_looks import _sequential, at_the_end, draw_studies, until_decided
from calibration.page import page
from calibration.promises import broken, promises
from calibration.regimes import N_EXAMPLES
from calibration.simulation import Calibration
from calibration.until_decided import (
    DECIDED_SEEDS,
    TRUTHS,
    Decided,
    DecidedRates,
    Truth,
    count_decided,
    decided_studies,
    design_gap,
    judged_by_the_analysis,
)
from harness.study.looks import automatic_looks

STRONG = PROMISED[2]
SIZE = Size(studies=40, resampled=40, normal=40_000)
LOOKS = tuple(automatic_looks(DECIDED_SEEDS))


def counted(truth: Truth, *, size: int = 3, normal: bool = True) -> DecidedRates:
    return count_decided(Decided(regime=STRONG, size=size, truth=truth, normal=normal), SIZE, 5, size)


def faults(*rates: DecidedRates) -> list[str]:
    return broken(promises(Calibration(size=SIZE, decided=rates)))


def test_it_claims_no_more_that_is_false_keeps_its_power_and_saves_trials() -> None:
    rates = {truth: counted(truth) for truth in TRUTHS}
    assert faults(*rates.values()) == []
    for truth, least in (("the design's gap", 0.15), ("twice that gap", 0.45), ("equal, to be shown", 0.3)):
        one = rates[truth]
        assert one.saved > least, truth
        assert one.shown.rate > one.shown_at_the_end.rate - 0.04, truth
    # Where every second comparison has a gap, those without one are left with ever fewer arms.
    assert rates["twice that gap in half"].saved > 0.2
    assert rates["the design's gap"].shown_at_the_end.rate == pytest.approx(0.8, abs=0.03)
    bad = replace(rates["no gap"], false=Count(hits=200, studies=2000))
    assert faults(bad) == [
        "any false claim of a study that runs until decided; strong seed effect, no gap, K = 3, 20 seeds, normal "
        "theory: 0.1, promised at most 0.055"
    ]


@pytest.mark.parametrize("truth", ["the design's gap", "equal, to be shown"])
def test_answers_judged_as_in_a_report_do_as_normal_theory_says(truth: Truth) -> None:
    theory, answers = counted(truth, size=1), counted(truth, size=1, normal=False)
    error = math.sqrt(0.25 / SIZE.resampled)
    assert answers.shown.rate == pytest.approx(theory.shown.rate, abs=3.5 * error)
    assert answers.saved == pytest.approx(theory.saved, abs=3.5 * 0.3 / math.sqrt(SIZE.resampled))
    assert answers.false.studies == answers.shown.studies == SIZE.resampled


def test_both_routes_judge_the_same_studies_alike(rng: np.random.Generator) -> None:
    """Three comparisons, of which some leave early: who leaves when, what is pooled, and what is claimed at the end."""
    n_studies, N = 12, N_EXAMPLES
    drawn = draw_studies(STRONG, DECIDED_SEEDS, rng, gaps=(0.03, 0.0, 0.045), studies=n_studies)
    spread, noise = math.sqrt(drawn.example), math.sqrt(drawn.residual)
    by_example = rng.normal(0, spread, (n_studies, 4, 1, N))
    left_over = rng.normal(0, noise, (n_studies, 4, DECIDED_SEEDS, N))
    # The means are those that were drawn; the examples only add what varies around them.
    around = by_example - by_example.mean(axis=-1, keepdims=True) + left_over - left_over.mean(axis=-1, keepdims=True)
    means = drawn.seed_means.swapaxes(1, 2) + drawn.example_means[:, :, None]
    scores = means[..., None] + around
    pairs = scores[:, :-1].mean(axis=2) - scores[:, -1:].mean(axis=2)
    squares = DECIDED_SEEDS * pairs.var(axis=-1, ddof=1)
    same = replace(drawn, example_squares=squares / (DECIDED_SEEDS * drawn.example + drawn.residual))
    theory = until_decided(same, LOOKS, margin=0.01, alpha=ALPHA, hopeless=HOPELESS)
    answers = [judged_by_the_analysis(list(study), LOOKS, margin=0.01)[1] for study in scores]
    assert [tuple(row) for row in theory.difference] == [tuple(one.difference) for one in answers]
    assert [tuple(row) for row in theory.better] == [tuple(one.better) for one in answers]
    assert theory.trials.tolist() == [one.trials for one in answers]
    assert len(set(theory.trials.tolist())) > 3


@pytest.mark.parametrize("sides", [1, 2])
def test_levels_read_off_the_table_are_those_of_the_analysis(sides: int) -> None:
    p = np.array([1e-9, 3e-4, 0.011, 0.3])
    for k in (0, 2, len(LOOKS) - 1):
        expected = [sequential_p([np.nan] * k + [one], LOOKS, sides=sides) for one in p]  # type: ignore[arg-type]
        assert _sequential(p, LOOKS, k, sides) == pytest.approx(expected, rel=2e-3)


def test_giving_up_finds_no_gap_of_a_single_comparison_that_going_on_would_not(rng: np.random.Generator) -> None:
    """Giving up is not binding: of one comparison it takes claims away and adds none."""
    drawn = draw_studies(STRONG, 20, rng, gaps=(0.02,), studies=2000)
    never = until_decided(drawn, LOOKS, margin=0.01, alpha=ALPHA, hopeless=0.0)
    soon = until_decided(drawn, LOOKS, margin=0.01, alpha=ALPHA, hopeless=0.3)
    assert not (soon.difference & ~never.difference).any()
    assert (soon.trials <= never.trials).all()
    assert soon.trials.mean() < never.trials.mean()
    assert at_the_end(drawn, margin=0.01, alpha=ALPHA).trials.tolist() == [40.0] * 2000


def test_the_gap_of_the_design_grows_with_the_number_of_comparisons() -> None:
    gaps = [design_gap(STRONG, size, DECIDED_SEEDS) for size in (1, 3, 7)]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1]


def test_the_page_shows_both_ways() -> None:
    cells = decided_studies()
    assert len(set(cells)) == len(cells)
    for normal in (True, False):
        assert {one.size for one in cells if one.normal is normal} == {1, 3, 7}
    text = page(
        Calibration(size=SIZE, decided=(counted("no gap"), counted("no gap", size=1, normal=False))),
        command="nox -s calibration",
        minutes=1,
    )
    assert "### Until decided" in text
    assert text.count("| strong seed effect | 3 | 20 | no gap |") == 1
    assert text.count("| strong seed effect | 1 | 20 | no gap |") == 1
