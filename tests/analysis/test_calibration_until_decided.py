"""A cut of the calibration of runs until decided: in normal theory, answer by answer, and one against the other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.methods.looks import sequential_p
from calibration.counts import Count, Size
from calibration.families import ALPHA, PROMISED
from calibration.normal_looks import _sequential, at_the_end, draw_studies, until_decided
from calibration.page import page
from calibration.promises import broken, promises
from calibration.simulation import Calibration
from calibration.until_decided import (
    DECIDED_LOOKS,
    TRUTHS,
    Decided,
    DecidedRates,
    Truth,
    count_decided,
    decided_studies,
    design_gap,
)

STRONG = PROMISED[2]
SIZE = Size(studies=40, resampled=40, normal=40_000)


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
    assert rates["the design's gap"].shown_at_the_end.rate == pytest.approx(0.8, abs=0.03)
    bad = replace(rates["no gap"], false=Count(hits=200, studies=2000))
    assert faults(bad) == [
        "any false claim of a study that runs until decided; strong seed effect, no gap, K = 3, normal theory: 0.1, "
        "promised at most 0.055"
    ]


@pytest.mark.parametrize("truth", ["the design's gap", "equal, to be shown"])
def test_answers_judged_as_in_a_report_do_as_normal_theory_says(truth: Truth) -> None:
    theory, answers = counted(truth, size=1), counted(truth, size=1, normal=False)
    error = math.sqrt(0.25 / SIZE.resampled)
    assert answers.shown.rate == pytest.approx(theory.shown.rate, abs=3.5 * error)
    assert answers.saved == pytest.approx(theory.saved, abs=3.5 * 0.3 / math.sqrt(SIZE.resampled))
    assert answers.false.studies == answers.shown.studies == SIZE.resampled


@pytest.mark.parametrize("sides", [1, 2])
def test_levels_read_off_the_table_are_those_of_the_analysis(sides: int) -> None:
    p = np.array([1e-9, 3e-4, 0.011, 0.3])
    for k in (0, 2, len(DECIDED_LOOKS) - 1):
        expected = [sequential_p([np.nan] * k + [one], DECIDED_LOOKS, sides=sides) for one in p]  # type: ignore[arg-type]
        assert _sequential(p, DECIDED_LOOKS, k, sides) == pytest.approx(expected, rel=2e-3)


def test_without_giving_up_every_gap_that_looks_find_is_one_that_they_find_when_they_give_up(
    rng: np.random.Generator,
) -> None:
    """Giving up is not binding: it takes claims away and adds none."""
    drawn = draw_studies(STRONG, 20, rng, gaps=(0.02,), studies=2000)
    never = until_decided(drawn, DECIDED_LOOKS, margin=0.01, alpha=ALPHA, hopeless=0.0)
    soon = until_decided(drawn, DECIDED_LOOKS, margin=0.01, alpha=ALPHA, hopeless=0.3)
    assert not (soon.difference & ~never.difference).any()
    assert (soon.trials <= never.trials).all()
    assert soon.trials.mean() < never.trials.mean()
    assert at_the_end(drawn, margin=0.01, alpha=ALPHA).trials.tolist() == [40.0] * 2000


def test_the_gap_of_the_design_grows_with_the_number_of_comparisons() -> None:
    gaps = [design_gap(STRONG, size) for size in (1, 3, 7)]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1]


def test_the_page_shows_both_ways() -> None:
    cells = decided_studies()
    assert len({(one.regime.name, one.size, one.truth, one.normal) for one in cells}) == len(cells)
    text = page(
        Calibration(size=SIZE, decided=(counted("no gap"), counted("no gap", size=1, normal=False))),
        command="nox -s calibration",
        minutes=1,
    )
    assert "### Until decided" in text
    assert text.count("| strong seed effect | 3 | no gap |") == 1
    assert text.count("| strong seed effect | 1 | no gap |") == 1
