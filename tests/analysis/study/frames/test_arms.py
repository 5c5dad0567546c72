"""Frames of arms: their figures are those of the tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analysis.sources.runs import Run, Runs
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import StudyReport, report_on
from analysis.tables import digits
from analysis.tables.arms import metric_title, sampling_error
from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import percent
from analysis.tables.table import seeds_by_examples
from tests.analysis.study.frames.cells import (
    POPULATION,
    SIZE,
    TEST,
    Cells,
    Row,
    assert_written,
    describes,
    interval,
    known,
    over_seeds,
    verdict_of,
)

ENDED = ("diverged", "failed", "finished", "interrupted", "not_run", "spared", "unreadable")


def spread(report: StudyReport, row: Row) -> Cells:
    alone = row.n_seeds == 1 and report.plan.metric == "accuracy"
    error = sampling_error(row.mean, row.n_examples) if alone else over_seeds(row)
    scale = scale_of(report)
    return {
        "Arm": row.arm,
        "Mean": scale.score(row.mean, standard_error=error),
        "SD over seeds": scale.gap(row.sd, standard_error=error, signed=False),
        "Lowest to highest": " to ".join(scale.score(end, standard_error=error) for end in (row.lowest, row.highest)),
        **describes(row.n_seeds, row.n_examples),
    }


def arm(report: StudyReport, row: Row) -> Cells:
    counts = {name.replace("_", " "): getattr(row, f"n_{name}") for name in ENDED}
    trials = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    calibrated = report.frame("arms").calibration_error.notna().any()
    ece = {"ECE": percent(row.calibration_error, places=1)} if calibrated else {}
    return spread(report, row) | ece | {"Trials": trials}


def test_arms(report: StudyReport) -> None:
    assert_written(report, f"{metric_title(report)} by arm", "arms", arm)


def test_arms_by_set(report: StudyReport) -> None:
    def cells(report: StudyReport, row: Row) -> Cells:
        written = spread(report, row) | {"Test set": row.test_set}
        del written["Lowest to highest"]
        return written

    assert_written(report, f"{metric_title(report)} by arm and test set", "set_arms", cells)


def test_runs_are_what_the_means_are_made_of(report: StudyReport) -> None:
    for names, by_arm in ((["arm"], "arms"), (["arm", "test_set"], "set_arms")):
        runs, arms = report.frame(by_arm.replace("arms", "runs")), report.frame(by_arm)
        means = runs.groupby(names, sort=False).value
        assert means.mean().tolist() == pytest.approx(arms["mean"].tolist())
        assert means.std().tolist() == pytest.approx(arms["sd"].tolist(), nan_ok=True)
        assert means.count().tolist() == arms.n_seeds.tolist()
    runs = report.frame("runs")
    if report.paired:
        assert runs.run.tolist() == runs.seed.astype(str).tolist()
    assert set(runs.seed) <= set(report.seeds)
    if report.crossing:
        assert (runs.initialisation * 4 + runs.data_order == runs.seed).all()
    else:
        assert runs.initialisation.isna().all()


def cost(report: StudyReport, row: Row) -> Cells:
    scale, baseline = scale_of(report), report.plan.baseline
    own = next((one for one in report.frame("verdicts").itertuples() if one.treatment == row.arm), None)
    measured = known(row.measured)
    quality = "baseline"
    if own is not None:
        assert row.verdict == own.verdict
        quality = f"{scale.gap(row.gap, standard_error=own.standard_error)}: {verdict_of(report, own)}"
    # The baseline is one side of every ratio.
    speaking = [row, *report.frame("cost").itertuples()] if own is None else [row]
    population = next((one.generalizes_to for one in speaking if known(one.generalizes_to)), None)
    limits = (row.shortest_seconds, row.longest_seconds)
    if measured == "turns":
        limits = (row.seconds_low, row.seconds_high)
    times = digits.time_taken(row.seconds, limits)
    return {
        "Arm": row.arm,
        "Training time": times if measured else "not measured",
        "Time ratio": "1" if own is None else digits.ratio_interval(row.time_ratio, interval(row, "time_ratio_")),
        "Trainable": digits.exact_count(known(row.trainable)),
        "Share": percent(row.share, places=0 if row.share in (0, 1) else 2),
        "Peak memory": digits.memory(known(row.peak_bytes)) if measured else "not measured",
        f"{metric_title(report)} against {baseline}": quality,
        SIZE: seeds_by_examples(row.n_seeds, row.n_examples),
        TEST: "paired t on log seconds" if population else "none",
        POPULATION: population or "these trials",
    }


def test_cost(report: StudyReport) -> None:
    assert_written(report, "Cost", "cost", cost)
    frame = report.frame("cost")
    assert (frame.time_ratio[frame.arm == report.plan.baseline] == 1).all()
    assert frame.reason[frame.time_ratio.isna()].notna().all()


def test_runs_keep_the_names_that_their_source_gives_them() -> None:
    rng = np.random.default_rng(2)
    made = [
        Run(arm=arm, label=label, answers=rng.normal(size=(1, 30)))
        for arm in ("a", "b")
        for label in ("first try", "second", "7")
    ]
    ids = pa.array([f"e{i}" for i in range(30)])
    runs = Runs(answers="scores", example_ids=ids, labels=None, score="reward", runs=tuple(made))
    outcomes = imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis={"margin": 0.5}))
    report = report_on(outcomes, resamples=99)
    frame = report.frame("runs")
    assert frame.run.tolist() == ["first try", "second", "7"] * 2
    assert frame.value.tolist() == pytest.approx([float(run.answers.mean()) for run in made])
    assert report.frame("verdicts").attrs["metric"] == "reward"
