"""Frames of provenance and caveats: what they hold is in the table."""

from __future__ import annotations

from analysis.study.report import StudyReport
from tests.analysis.study.frames.cells import known, titled


def test_provenance(report: StudyReport) -> None:
    table, frame = titled(report, "Provenance and caveats"), report.frame("provenance")
    assert table is not None
    shown: dict[str, list[str]] = {}
    for what, value in table.rows:
        shown.setdefault(what, []).append(value)
    for row in frame.itertuples():
        if row.what in shown and row.what != "caveat":
            assert row.value in shown[row.what][0]
    assert {"study", "metric", "baseline", "margin", "alpha", "data"} <= set(frame.what)
    for origin in report.footer.origins:
        assert frame.n_trials[frame.what == origin.name].sum() == sum(len(arm.seeds) for arm in report.arms)
    sets = frame[frame.what == "test set"]
    assert sets[["value", "n_examples"]].to_numpy().tolist() == [[one.name, one.n_examples] for one in report.sets]
    looks = [int(value) for value in frame.value[frame.what == "look"]]
    assert tuple(looks) == report.plan.looks


def test_caveats(report: StudyReport) -> None:
    table, frame = titled(report, "Provenance and caveats"), report.frame("caveats")
    assert table is not None
    assert frame.text.tolist() == [value for what, value in table.rows if what == "caveat"]
    for row, caveat in zip(frame.itertuples(), report.footer.caveats, strict=True):
        assert (known(row.short), row.on_verdicts) == (caveat.short, caveat.on_verdicts)
