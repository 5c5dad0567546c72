"""Intervals beside corrected verdicts: they never contradict them, and hold what they promise together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special

from analysis import tables
from analysis.methods.equivalence import tost
from analysis.methods.interval import Interval
from analysis.methods.looks import sequential_p, thresholds
from analysis.methods.multiplicity import benjamini_hochberg, joint_step_down
from analysis.methods.student import TResult
from analysis.study.gap_intervals import level_of_verdicts, verdict_interval
from analysis.study.plan import Correction
from analysis.study.primary_test import PValues
from analysis.study.report import analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

CORRECTIONS: tuple[Correction, ...] = ("holm", "benjamini_hochberg")
MARGIN = 0.01


def p_values(gap: TResult) -> PValues:
    return PValues(
        2 * float(special.stdtr(gap.df, -abs(gap.estimate) / gap.standard_error)),
        tost(gap.estimate, gap.standard_error, gap.df, margin=MARGIN).p_value,
    )


def family(rng: np.random.Generator, size: int) -> list[TResult]:
    """Gaps from far beyond the margin to far within it, so that every verdict occurs."""
    scale = 10.0 ** rng.uniform(-4, -2)
    return [
        TResult(
            estimate=float(rng.choice([-2, -1, -0.5, 0, 0.5, 1, 2])) * MARGIN + scale * rng.normal(),
            standard_error=scale * float(rng.uniform(0.3, 3)),
            df=float(rng.choice([2, 4, 12, 60, 800])),
        )
        for _ in range(size)
    ]


def corrected_by(correction: Correction, raw: list[PValues]) -> list[PValues]:
    difference, equivalence = [p.difference for p in raw], [p.equivalence for p in raw]
    if correction == "holm":
        adjusted = joint_step_down(difference, equivalence)
        return [PValues(*both) for both in zip(adjusted.difference, adjusted.equivalence, strict=True)]
    pooled = benjamini_hochberg([*difference, *equivalence]).tolist()
    return [PValues(*both) for both in zip(pooled[: len(raw)], pooled[len(raw) :], strict=True)]


def says(interval: Interval, margin: float = MARGIN) -> tuple[bool, bool]:
    """What a reader takes from an interval: that there is a gap, and that it lies within the margin."""
    low, high = interval
    return low >= 0 or high <= 0, -margin <= low and high <= margin


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_interval_and_verdict_never_contradict_each_other(correction: Correction) -> None:
    rng = np.random.default_rng(20)
    seen, cut_at_zero, cut_at_margin = set(), 0, 0
    for size in (1, 2, 3, 5, 8, 16) * 60:
        gaps, alpha = family(rng, size), float(rng.choice([0.01, 0.05, 0.2]))
        corrected = corrected_by(correction, [p_values(gap) for gap in gaps])
        confidence = 1 - level_of_verdicts(correction, alpha, corrected)
        for gap, both in zip(gaps, corrected, strict=True):
            interval = verdict_interval(gap, confidence, both, alpha=alpha, margin=MARGIN)
            shown = (both.difference < alpha, both.equivalence < alpha)
            assert says(interval) == shown
            assert interval.low <= gap.estimate <= interval.high
            seen.add(shown)
            whole = gap.interval(confidence)
            cut_at_zero += 0 in interval
            cut_at_margin += MARGIN in interval or -MARGIN in interval
            # A cut takes nothing but what the verdict rules out.
            assert interval.low in (whole.low, 0.0, -MARGIN)
            assert interval.high in (whole.high, 0.0, MARGIN)
    assert len(seen) == 4
    assert cut_at_margin > 10
    assert (cut_at_zero > 10) == (correction == "holm")


def test_only_two_answered_questions_of_another_comparison_let_a_verdict_show_more_than_its_interval() -> None:
    rng = np.random.default_rng(21)
    for _ in range(300):
        gaps = family(rng, 4)
        corrected = corrected_by("holm", [p_values(gap) for gap in gaps])
        answered = [both.difference < 0.05 and both.equivalence < 0.05 for both in corrected]
        for gap, both in zip(gaps, corrected, strict=True):
            interval = verdict_interval(gap, 1 - 0.05 / 4, both, alpha=0.05, margin=MARGIN)
            if 0 in interval:
                assert any(answered)
            if not any(answered) and both.equivalence >= 0.05:
                assert interval == gap.interval(1 - 0.05 / 4)


@pytest.mark.parametrize(
    "truth", [(0.0, 0.0, 0.0), (MARGIN, MARGIN, MARGIN), (0.0, 0.004, 0.03), (0.004, 0.005, 0.006)]
)
def test_what_the_intervals_of_one_table_hold_together(truth: tuple[float, ...]) -> None:
    rng, studies, df, sd = np.random.default_rng(22), 1500, 10, 0.0015
    all_hold = no_false_claim = both_hold = 0
    for _ in range(studies):
        gaps = [
            TResult(estimate=gap + sd * rng.normal(), standard_error=sd * math.sqrt(rng.chisquare(df) / df), df=df)
            for gap in truth
        ]
        corrected = corrected_by("holm", [p_values(gap) for gap in gaps])
        shown = [
            verdict_interval(gap, 1 - 0.05 / 3, both, alpha=0.05, margin=MARGIN)
            for gap, both in zip(gaps, corrected, strict=True)
        ]
        whole = [gap.interval(1 - 0.05 / 3) for gap in gaps]
        holds = all(low < gap < high for gap, (low, high) in zip(truth, whole, strict=True))
        claims = [says(interval) for interval in shown]
        honest = not any(
            (differs and gap == 0) or (within and abs(gap) >= MARGIN)
            for gap, (differs, within) in zip(truth, claims, strict=True)
        )
        all_hold, no_false_claim = all_hold + holds, no_false_claim + honest
        both_hold += all(low < gap < high for gap, (low, high) in zip(truth, shown, strict=True))
    error = 3.1 * math.sqrt(0.05 * 0.95 / studies)
    assert all_hold / studies > 0.95 - error
    assert no_false_claim / studies > 0.95 - error
    # A gap at the margin is lost by a false claim of equivalence as well as by an interval beyond it.
    assert both_hold / studies > (0.925 if MARGIN in truth else 0.945) - error


def test_intervals_of_looks_agree_with_what_was_shown_by_then() -> None:
    rng, looks, alpha = np.random.default_rng(23), (4, 8, 12, 20), 0.05
    seen, without = set(), 0
    for _ in range(25):
        # One growing mean for each comparison, with its known SD: seeds in, and a z test of many degrees of freedom.
        truth, K = rng.choice([0.0, 0.004, 0.02], size=3), 3
        draws = truth[:, None] + 0.012 * rng.normal(size=(K, looks[-1]))
        for k in range(1, len(looks) + 1):
            raw, gaps = [], []
            for rows in draws:
                so_far = [
                    TResult(estimate=rows[:n].mean(), standard_error=0.012 / math.sqrt(n), df=1e6) for n in looks[:k]
                ]
                p = [p_values(gap) for gap in so_far]
                same = [(gap.estimate > 0) == (so_far[-1].estimate > 0) for gap in so_far]
                raw.append(
                    PValues(
                        sequential_p(
                            [q.difference if s else 1.0 for q, s in zip(p, same, strict=True)], looks, sides=2
                        ),
                        sequential_p([q.equivalence for q in p], looks, sides=1),
                    )
                )
                gaps.append(so_far[-1])
            corrected = corrected_by("holm", raw)
            level = thresholds(looks, alpha=level_of_verdicts("holm", alpha, corrected))[k - 1]
            for gap, both in zip(gaps, corrected, strict=True):
                interval = verdict_interval(gap, 1 - level, both, alpha=alpha, margin=MARGIN)
                shown = (both.difference < alpha, both.equivalence < alpha)
                seen.add(shown)
                if math.isnan(interval.low):
                    without += 1
                else:
                    assert says(interval) == shown
    assert len(seen) >= 3
    assert without <= 2


def test_what_an_earlier_look_has_shown_and_this_one_rules_out_has_no_interval() -> None:
    far = TResult(estimate=0.05, standard_error=0.001, df=30.0)
    assert all(map(math.isnan, verdict_interval(far, 0.99, PValues(0.001, 0.04), alpha=0.05, margin=MARGIN)))
    assert all(map(math.isnan, verdict_interval(None, 0.99, PValues(math.nan, math.nan), alpha=0.05, margin=MARGIN)))


@pytest.fixture
def wide(tmp_path: Path, simulated: Any, write_study: Any) -> StudyFolder:
    """Eight comparisons: of one, the interval for itself alone leaves out 0, and the corrected test shows nothing."""
    arms = {"full": 0.9, "lora": 0.878, **{f"other-{i}": 0.9 for i in range(7)}}
    scores = simulated(np.random.default_rng(5), arms, seeds=6, examples=400)
    return write_study(tmp_path / "wide", scores)


def test_no_undecided_gap_stands_beside_an_interval_that_leaves_out_zero(wide: StudyFolder) -> None:
    report = analyze(wide.root)
    lora = report.comparisons[0]
    assert (lora.verdict.label, says(lora.interval)[0]) == ("undecided", True)
    assert lora.verdict_interval == lora.family_interval
    assert lora.verdict_confidence == pytest.approx(1 - 0.05 / 8)
    assert not says(lora.verdict_interval)[0]
    shown = {table.title: table for table in tables.build(report)}
    verdicts = shown["Verdicts"]
    assert verdicts.headers[2] == "99.38% interval"
    assert verdicts.rows[0][2].startswith("[-")
    assert ", +" in verdicts.rows[0][2]
    assert ", -" in shown["Intervals and probabilities"].rows[0][2]
    assert "it can leave out 0 where the verdict is undecided" in shown["Intervals and probabilities"].notes[0]
    assert report.to_json()["comparisons"][0]["verdict_interval"] == list(lora.verdict_interval)


@pytest.mark.parametrize(("seeds", "promised"), [(2, False), (3, True)])
def test_intervals_of_two_seeds_promise_no_verdict(
    tmp_path: Path, simulated: Any, write_study: Any, seeds: int, promised: bool
) -> None:
    scores = simulated(np.random.default_rng(5), {"full": 0.95, "lora": 0.5}, seeds=seeds, examples=300)
    report = analyze(write_study(tmp_path / "few", scores).root, resamples=20)
    assert says(report.comparisons[0].verdict_interval)[0]
    assert report.comparisons[0].verdict.differs == promised
    promises = [note for note in tables.build(report)[0].notes if "without 0 where a gap is shown" in note]
    assert len(promises) == promised


def test_rows_by_class_agree_with_their_verdicts_too(wide: StudyFolder) -> None:
    report = analyze(wide.root)
    rows = report.class_comparisons
    assert {row.verdict_confidence for row in rows} == {1 - 0.05 / 32}
    for row in rows:
        shown = (row.verdict.differs, row.verdict.within_margin)
        assert says(row.verdict_interval, report.class_margin) == shown
    first, by_class = (
        next(table for table in tables.build(report) if table.title == title)
        for title in ("Verdicts", "Precision and recall by class, compared")
    )
    assert by_class.headers[3] == "99.84% interval"
    further = (
        "Each further statement has an error rate of 0.05 of its own: by class, the best arm; with the verdicts up"
    )
    assert any(f"{further} to 0.15." in note for note in first.notes)
    assert any("A family of its own, at 0.05" in n and "over all 32 rows together" in n for n in by_class.notes)


def test_a_cut_stands_in_every_form_of_the_table(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    arms = {"full": 0.9, "a": 0.907, "b": 0.913, "c": 0.9}
    scores = simulated(np.random.default_rng(5), arms, seeds=8, examples=2000)
    report = analyze(write_study(tmp_path / "cut", scores, analysis={"margin": 0.0118}).root, resamples=20)
    pair = report.comparisons[2]
    assert pair.verdict.label == "equivalent"
    assert pair.verdict_interval == (-0.0118, pair.family_interval.high)
    assert pair.family_interval.low < -0.0118
    verdicts = tables.build(report)[0]
    assert verdicts.rows[2][2].startswith("(-1.18, +0")
    assert verdicts.rows[2][2].endswith("]")
    assert any("a round bracket ends one at 0 or the margin" in note for note in verdicts.notes)
    assert "(-1.18, +0" in tables.markdown(report)
    assert r"(\ensuremath{-}1.18, +0" in tables.latex(report)
