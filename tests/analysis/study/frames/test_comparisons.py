"""Frames of comparisons: their figures are those of the tables."""

from __future__ import annotations

import math

import pytest

from analysis.study.report import StudyReport
from analysis.tables import digits
from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import confidence_level, fixed, p_value, percent, points
from tests.analysis.study.frames.cells import (
    POPULATION,
    SIZE,
    TEST,
    Cells,
    Row,
    assert_written,
    cut,
    errors,
    interval,
    known,
    pair,
    rests_on,
    titled,
    verdict_of,
)


def verdict(report: StudyReport, row: Row) -> Cells:
    scale, limits = scale_of(report), interval(row)
    text = scale.interval(limits, standard_error=row.standard_error)
    return {
        "Comparison": pair(row),
        "Gap": scale.gap(row.gap, standard_error=row.standard_error),
        f"{confidence_level(1 - row.confidence)} interval": cut(text, limits, report.plan.margin),
        "Verdict": verdict_of(report, row),
        **rests_on(report, row),
    }


def test_verdicts(report: StudyReport) -> None:
    assert_written(report, "Verdicts", "verdicts", verdict)


def test_verdicts_by_set(report: StudyReport) -> None:
    assert_written(
        report, "Verdicts by test set", "set_verdicts", lambda *made: verdict(*made) | {"Test set": made[1].test_set}
    )


def test_p_values_and_reasons_of_verdicts(report: StudyReport) -> None:
    for row, one in zip(report.frame("verdicts").itertuples(), report.comparisons, strict=True):
        assert (row.p_difference, row.p_equivalence) == pytest.approx(
            (one.difference_p, one.equivalence_p), nan_ok=True
        )
        assert known(row.reason) == (one.verdict.reason or one.reason or None)
        if one.result is not None and one.verdict.asked:
            assert (row.p, row.standard_error, row.df) == (one.result.p_value, one.result.standard_error, one.result.df)
            assert (row.n_seeds_treatment, row.n_seeds_baseline) == one.result.n_seeds
            assert (row.design, row.n_arms) == (one.result.design, one.result.n_arms)
        else:
            assert math.isnan(row.p)


def test_counts_of_sets(report: StudyReport) -> None:
    frame = report.frame("set_counts")
    if not report.sets:
        assert frame.empty
        return
    for one in report.set_counts:
        for direction, shown, p_values in (("better", one.better, one.better_p), ("worse", one.worse, one.worse_p)):
            rows = frame[(frame.treatment == one.treatment) & (frame.direction == direction)]
            assert rows.at_least.tolist() == [1, 2]
            assert (rows.n_sets == 2).all()
            assert tuple(rows.p) == p_values
            assert rows.shown.sum() == shown


def intervals(report: StudyReport, row: Row) -> Cells:
    scale, error, k = scale_of(report), errors(report)[pair(row)], len(report.comparisons)
    margin = scale.margin(report.plan.margin)
    together = scale.interval(interval(row, "family_"), standard_error=error)
    return {
        "Comparison": pair(row),
        "Gap": scale.gap(row.gap, standard_error=error),
        f"{confidence_level(1 - row.confidence)} alone": scale.interval(interval(row), standard_error=error),
        f"{confidence_level(1 - row.family_confidence)} for all {k}": together,
        f"P below -{margin}": digits.probability(row.probability_below),
        f"P within {margin}": digits.probability(row.probability_within),
        f"P above {margin}": digits.probability(row.probability_above),
        **rests_on(report, row),
    }


def test_intervals(report: StudyReport) -> None:
    assert_written(report, "Intervals and probabilities", "intervals", intervals)


def one_test(report: StudyReport, row: Row) -> Cells:
    remark = known(row.remark) or ""
    if known(row.resamples):
        remark = remark or f"{row.resamples} resamples; percentile {p_value(row.p_percentile)}"
    elif known(row.floor):
        low, high = (percent(limit, places=0) for limit in interval(row, "won_"))
        won = f"; won {percent(row.won, places=0)} ({low} to {high})" if known(row.won) is not None else ""
        remark = f"floor {p_value(row.floor)}{won}"
    elif known(row.statistic):
        remark = f"t = {fixed(row.statistic, places=2)}, {fixed(row.df, places=1)} df"
    margin = f" at {scale_of(report).margin(report.plan.margin)}" if row.test == "equivalence" else ""
    return {
        "Comparison": pair(row),
        "p": p_value(row.p),
        "Corrected p": p_value(row.p_corrected),
        "Remark": remark,
        **rests_on(report, row),
        TEST: f"{row.test}{margin}",
    }


def test_every_test(report: StudyReport) -> None:
    table, frame = titled(report, "All tests"), report.frame("tests")
    assert table is not None
    expected = []
    for _, rows in frame.groupby(["treatment", "baseline"], sort=False):
        together, by_seed = rows[rows.seed.isna()], rows[rows.seed.notna()]
        expected += [one_test(report, row) for row in together.itertuples()]
        if by_seed.empty:
            continue
        # The table has one row for all seeds, from the lowest to the highest.
        ends = [
            (p_value(by_seed.p.min()), p_value(by_seed.p.max())),
            (points(by_seed.gap.min()), points(by_seed.gap.max())),
        ]
        p, gap = (low if low == high else f"{low} to {high}" for low, high in ends)
        first = next(by_seed.itertuples())
        expected.append(one_test(report, first) | {"p": p, "Remark": f"gap {gap}"})
        assert by_seed.seed.tolist() == list(report.seeds)
    assert [dict(zip(table.headers, row, strict=True)) for row in table.rows] == expected


def contender(report: StudyReport, row: Row) -> Cells:
    scale, error = scale_of(report), row.standard_error
    judged = report.frame("best").dropna(subset="may_be_best").n_seeds
    n_seeds = " to ".join(dict.fromkeys((str(judged.min()), str(judged.max()))))
    if report.crossing:
        n_seeds = f"{report.crossing[0]} × {report.crossing[1]}"
    return {
        "Arm": row.arm,
        "Mean": scale.score(row.mean, standard_error=error),
        "Best other arm": row.rival,
        "Gap": scale.gap(row.gap, standard_error=error),
        f"{confidence_level(1 - row.confidence)} for all": scale.interval(interval(row), standard_error=error),
        "May be the best": "yes" if row.may_be_best else "no",
        SIZE: f"{n_seeds} × {row.n_examples}" + (f" in {row.n_clusters} clusters" if known(row.n_clusters) else ""),
        TEST: "comparisons with the best",
        POPULATION: row.generalizes_to,
    }


def test_best(report: StudyReport) -> None:
    table, frame = titled(report, "Which arm may be the best"), report.frame("best")
    assert frame.arm.tolist() == [arm.arm for arm in report.arms]
    judged = frame[frame.may_be_best.notna()]
    assert frame[frame.may_be_best.isna()].reason.notna().all()
    if table is None:
        assert judged.empty
        return
    expected = [contender(report, row) for row in judged.itertuples()]
    assert [dict(zip(table.headers, row, strict=True)) for row in table.rows] == expected
    assert set(judged[judged.may_be_best].arm) == set(report.best.in_play)
