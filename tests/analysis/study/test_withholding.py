"""Withholding: a report of a study that still runs shows its trials, and nothing from which a verdict could be read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis import figures, html, tables
from analysis.jsonable import jsonable
from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.study.flips import answered_examples
from analysis.study.report import report_on
from analysis.study.study_report import StudyReport

Folder = Any
Write = Callable[..., Folder]
PLAN = {"baseline": "full", "margin": 0.02}
LOOKS = {**PLAN, "looks": [4, 6]}


@pytest.fixture
def grown(tmp_path: Path, write_study: Write, simulated: Any, rng: Any) -> Callable[..., Folder]:
    """A study with a large gap, six seeds, and two epochs, of which some trials have yet to run."""

    def grow(*missing: tuple[str, int], analysis: Any = None) -> Folder:
        right = simulated(rng, {"full": 0.90, "low": 0.70, "same": 0.90}, seeds=6, examples=300, seed_sd=0.01)
        scores = {arm: np.stack([rows[:, ::-1], rows], axis=1) for arm, rows in right.items()}
        claim = {"source": "a paper", "model": "embedded/tiny", "n": 300, "accuracy": {"full": "90.0%", "low": "70.0%"}}
        folder = write_study(tmp_path / "s", scores, analysis=analysis or PLAN, claims=[claim])
        for trial in missing:
            folder.forget(*trial)
        return folder

    return grow


def numbers_in(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a report as JSON, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers_in(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_in(inner, path)
    elif isinstance(value, float) and not isinstance(value, bool):
        yield path, value


def everything(report: StudyReport, outcomes: Outcomes) -> str:
    """All that a report can show: page, tables in every format, figures, frames, JSON."""
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    for part in tables.terminal(report):
        console.print(part)
    drawn = [figure for figure in figures.build(report) if not figure.reason]
    parts = [
        html.page(report, None if report.withheld else answered_examples(outcomes, report)),
        tables.markdown(report),
        tables.latex(report),
        tables.macros(report),
        screen.getvalue(),
        *(f"{figure.caption} {figure.alt} {figure.svg()}" for figure in drawn),
        *(report.frame(name).to_csv() for name in report.frames),
        json.dumps(report.to_json()),
        repr(report),
    ]
    return "\n".join(parts)


def test_no_figure_of_a_comparison_is_in_a_report_that_withholds_them(grown: Any) -> None:
    folder = grown(("same", 5))
    outcomes = load(folder.root)
    report = report_on(outcomes, resamples=199, withhold=True)
    open_report = report_on(outcomes, resamples=199)
    assert open_report.comparisons[0].verdict.label == "worse"
    shown = everything(report, outcomes)
    # Every number that says something of two arms, as far as the open report has it and no description of arms does.
    compares = re.compile(
        r"\.(comparisons|set_counts|best|class_comparisons|seed_sds|selected_gaps|selection_lifts|churns|claims|time_ratios)\b"
    )
    of_open = list(numbers_in(open_report.to_json()))
    described = {value for path, value in of_open if not compares.search(path)}
    secret = {
        value
        for path, value in of_open
        # A short one, such as alpha, stands anywhere by chance.
        if compares.search(path) and len(json.dumps(value)) > 6 and value not in described
    }
    assert len(secret) > 200
    held = {path for path, _ in numbers_in(report.to_json()) if compares.search(path)}
    assert held == {".best.confidence"}
    assert not [value for value in secret if json.dumps(value) in shown]
    # And as a table shows them.
    laid_out = tables.named(open_report)
    for column in (*laid_out["verdicts"].columns, *laid_out["intervals"].columns):
        if "interval" in column.header or column.header == "Verdict":
            assert not [cell for cell in column.cells if cell in shown]
    for word in ("worse", "equivalent", "undecided", "p-value", "confidence set", "with 95% confidence", "By chance"):
        assert word not in shown.replace("--worse", "").replace(".worse", "").replace(".equivalent", ""), word


def test_it_says_why_in_every_table_and_on_the_page(grown: Any) -> None:
    report = report_on(load(grown(("low", 5)).root), withhold=True)
    assert report.withheld == (
        "Verdicts, gaps and their intervals are withheld until all 18 trials have run, as the plan declares no earlier "
        "look. Whoever reads them before, and may stop where they please, claims what is not there more often than "
        "alpha = 0.05 allows."
    )
    assert all("verdicts are withheld" in table.footer for table in tables.build(report) if table.footer)
    assert report.withheld in html.page(report, None)
    assert report.withheld in tables.markdown(report)
    assert report.withheld in repr(report)
    assert (report.n_done, report.n_trials) == (17, 18)
    assert report.taken_look is None


def test_every_trial_that_has_finished_is_shown(grown: Any) -> None:
    """Also with seeds that other arms have yet to run, for nothing is compared."""
    report = report_on(load(grown(*(("low", seed) for seed in range(1, 6)), ("same", 0)).root), withhold=True)
    assert {arm.arm: arm.seeds for arm in report.arms} == {
        "full": (0, 1, 2, 3, 4, 5),
        "low": (0,),
        "same": (1, 2, 3, 4, 5),
    }
    assert (report.waiting_seeds, report.dropped_seeds) == ((), ())
    page = html.page(report, None)
    assert re.findall(r'<section id="(\w+)">', page) == ["answer", "arms", "provenance"]
    progress = page.partition('aria-label="Progress"')[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', progress)
    assert [(arm, re.findall(r">(\d+)<", cells)) for arm, cells in rows] == [
        ("full", ["6", "0"]),
        ("low", ["1", "5"]),
        ("same", ["5", "1"]),
    ]


def test_nothing_is_withheld_when_every_trial_has_run(grown: Any) -> None:
    folder = grown()
    folder.end("low", 3, "diverged", "the loss is not finite")
    outcomes = load(folder.root)
    report = report_on(outcomes, resamples=99, withhold=True)
    assert report.withheld == ""
    assert report.to_json() == report_on(outcomes, resamples=99).to_json()
    # A run trains what failed once more.
    folder.change_record("low", 3, lambda record: record.update(status="failed"))
    assert report_on(load(folder.root), withhold=True).withheld.startswith("Verdicts")


def test_a_report_opens_at_a_declared_look(grown: Any) -> None:
    missing = [(arm, seed) for arm in ("full", "low", "same") for seed in (4, 5)]
    folder = grown(*missing, analysis=LOOKS)
    outcomes = load(folder.root)
    report = report_on(outcomes, resamples=99, withhold=True)
    assert report.to_json() == report_on(outcomes, resamples=99).to_json()
    assert report.look is not None
    assert (report.look.number, report.withheld, report.seeds) == (1, "", (0, 1, 2, 3))
    folder.forget("same", 2)
    report = report_on(load(folder.root), withhold=True)
    assert "until every arm has run 4 seeds, the first look that the plan declares" in report.withheld
    assert report.comparisons == ()
    assert report.decision == "go on"


def test_without_withholding_nothing_changes(grown: Any) -> None:
    report = report_on(load(grown(("low", 5)).root), resamples=99)
    assert report.withheld == ""
    assert len(report.comparisons) == 2


@pytest.mark.parametrize("finished", [0, 1, 2])
def test_one_trial_or_none_is_enough_for_a_page(grown: Any, finished: int) -> None:
    every = [(arm, seed) for seed in range(6) for arm in ("full", "low", "same")]
    report = report_on(load(grown(*every[finished:]).root), withhold=True)
    page = html.page(report, None)
    assert f"{finished} finished" in tables.markdown(report) or finished != 1
    assert ("No trial has finished." in page) == (finished == 0)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower().split()


@pytest.mark.parametrize("kind", ["regression", "scores", "sets", "crossing"])
def test_every_kind_of_study_can_be_withheld(
    kind: str, tmp_path: Path, write_study: Write, write_imported_study: Any, rng: Any
) -> None:
    right = {arm: (rng.random((4, 60)) < 0.8).astype(int) for arm in ("full", "lora")}
    if kind in ("regression", "scores"):
        labels = rng.random(60) if kind == "regression" else None
        root = write_imported_study(
            tmp_path / "theirs",
            {arm: rng.random((4, 60)) for arm in right},
            labels=labels,
            analysis={"margin": 0.1},
        )
        first = json.loads((root / "study.json").read_text())["cells"][0]["key"]
        (root / "trials" / first / "record.json").unlink()
    else:
        folder = write_study(tmp_path / "s", right, analysis=PLAN)

        def change(manifest: dict[str, Any]) -> None:
            if kind == "sets":
                manifest["data"]["sets"] = [{"name": "one", "n_test": 40}, {"name": "two", "n_test": 20}]
            else:
                manifest["study"]["seeds"] = {"initialisation": 2, "data_order": 2}

        folder.change_manifest(change)
        folder.forget("lora", 3)
        root = folder.root
    outcomes = load(root)
    report = report_on(outcomes, withhold=True)
    assert report.withheld
    assert all(one.comparisons == () for one in report.sets)
    assert [one.name for one in report.sets] == (["one", "two"] if kind == "sets" else [])
    shown = everything(report, outcomes)
    assert "against" not in re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)
    assert jsonable(report.best.contenders) == []
