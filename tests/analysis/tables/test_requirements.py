"""Requirements in words and as a table: figures of the verdicts, and what would decide what is open."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from analysis import tables
from analysis.methods.interval import Interval
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with
from analysis.study.requirement_results import RequirementResult
from analysis.study.verdict import Verdict
from analysis.tables import as_markdown
from analysis.tables.requirements import requirement_table, requirements_in_words

if TYPE_CHECKING:
    from conftest import StudyFolder


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=99)


@pytest.fixture
def report(study: StudyFolder) -> StudyReport:
    return analyze(study.root)


def sentence(report: StudyReport, text: str, **changes: Any) -> str:
    """The sentence of a requirement, of whose answer some is changed."""
    (one,) = report.require(text).requirements
    estimate = changes.pop("estimate", None)
    if estimate is not None:
        assert one.pair.result is not None
        result = dataclasses.replace(one.pair.result, estimate=estimate, standard_error=0.0041)
        changes |= {"pair": dataclasses.replace(one.pair, result=result), "estimate": estimate}
    (told,) = requirements_in_words(dataclasses.replace(report, requirements=(dataclasses.replace(one, **changes),)))
    return told


NOT_WORSE = "lora-r8 not worse than full by 2pp"
OPEN = {"answer": "undecided", "estimate": -0.0042, "interval": Interval(-0.0231, 0.0038)}


def planned(report: StudyReport, seeds: int | None, examples: int | None = None) -> Any:
    (one,) = report.require("lora-r8 equivalent to full").requirements
    assert one.settling is not None
    return dataclasses.replace(one.settling, seeds_needed=seeds, examples_needed=examples, reason="")


def test_what_is_shown_is_told_with_the_gap_and_whom_it_holds_for(report: StudyReport) -> None:
    shown: dict[str, Any] = {"answer": "shown", "estimate": -0.0042}
    assert sentence(report, NOT_WORSE, **shown, interval=Interval(-0.0119, 0.0038)) == (
        "Requirement shown: lora-r8 not worse than full by 2 pp. The gap, lora-r8 minus full, is -0.42 points of "
        "accuracy (-1.19 to +0.38), for new seeds and new examples as well."
    )
    # Cut at the margin of the requirement, and at that of the plan.
    assert "(more than -2.00 to less than +1.00)" in sentence(
        report, NOT_WORSE, **shown, interval=Interval(-0.02, 0.01)
    )


def test_a_requirement_has_the_figures_of_its_verdict(report: StudyReport) -> None:
    asked = report.require("lora-r2 worse than full")
    (told,) = requirements_in_words(asked)
    size = tables.in_words(report)[0].partition("by ")[2].partition(" points")[0]
    assert f"is -{size} points of accuracy" in told
    table = requirement_table(asked, "")
    assert table is not None
    cells = dict(zip(table.headers, table.rows[0], strict=True))
    row = dict(zip(tables.build(report)[0].headers, tables.build(report)[0].rows[0], strict=True))
    same = ("Gap", "97.5% interval", "Seeds × examples", "Test", "Speaks about")
    assert [cells[name] for name in same] == [row[name] for name in same]
    assert (cells["Requirement"], cells["Answer"]) == ("lora-r2 worse than full", "shown")


def test_what_is_contradicted_names_the_gap(report: StudyReport) -> None:
    told = sentence(report, "lora-r2 better than full")
    assert told.startswith("Requirement contradicted: lora-r2 better than full. The gap, lora-r2 minus full, is -")


def test_what_is_open_says_what_would_settle_it(report: StudyReport) -> None:
    assert sentence(report, NOT_WORSE, **OPEN, settling=planned(report, 17), settles_as="shown") == (
        "Requirement undecided: lora-r8 not worse than full by 2 pp. The gap, lora-r8 minus full, is -0.42 points of "
        "accuracy (-2.31 to +0.38). About 11 more seeds an arm would show it, if the true gap is the one seen."
    )
    told = sentence(report, NOT_WORSE, **OPEN, settling=planned(report, None, 9000), settles_as="contradicted")
    assert told.endswith(
        "No number of seeds on this test set would contradict it, if the true gap is the one seen, but about 9,000 "
        "test examples would."
    )
    told = sentence(report, NOT_WORSE, **OPEN, settling=planned(report, 6), settles_as="shown")
    assert told.endswith("As many seeds have run as it takes to show it, if the true gap is the one seen.")
    told = sentence(report, NOT_WORSE, **OPEN, settling=planned(report, None), settles_as="shown")
    assert told.endswith(
        ". Neither more seeds alone nor more test examples alone would show it, if the true gap is the one seen."
    )
    told = sentence(report, NOT_WORSE, **OPEN, settling=None, settles_as=None)
    assert told.endswith("What would decide it is not computed: more of one kind of seeds is not more of the other.")


def test_what_cannot_be_answered_says_why(study: StudyFolder) -> None:
    study.end("lora-r2", 5, "failed", "x")
    assert sentence(analyze(study.root), "full better than lora-r2") == (
        "Requirement undecided: full better than lora-r2. Failed: lora-r2 seed 5."
    )
    study.forget("lora-r2", 5)
    told = sentence(analyze(study.root), "full better than lora-r2")
    assert told.endswith(
        ". Seed 5 has not run in every arm; to ask before all have run, a study declares its looks (analysis.looks)."
    )


def test_equivalence_is_no_answer_to_which_is_better(report: StudyReport) -> None:
    (one,) = report.require("lora-r8 better than full").requirements
    pair = dataclasses.replace(one.pair, verdict=Verdict(within_margin=True))
    told = sentence(report, "lora-r8 better than full", answer="undecided", pair=pair)
    assert "Equivalence within 1 point is shown, which does not say which arm is better. " in told


def test_at_a_look_the_next_one_is_named(tmp_path: Path, write_study: Any, simulated: Any) -> None:
    scores = simulated(np.random.default_rng(6), {"full": 0.88, "lora": 0.87}, seeds=6, examples=100)
    folder = write_study(tmp_path / "s", scores, analysis={"looks": [4, 6]})
    text = "lora equivalent to full within 0.1pp"
    assert sentence(analyze(folder.root), text).endswith(". This was the last of the declared looks.")
    folder.forget("lora", 5)
    at_look = analyze(folder.root)
    assert sentence(at_look, text).endswith(". The next look is at 6 seeds.")
    # Its comparison has left, so no later look is for it.
    (one,) = at_look.require(text).requirements
    decided = dataclasses.replace(one.pair, verdict=Verdict(direction="worse"))
    told = sentence(at_look, text, answer="undecided", pair=decided)
    assert told.endswith(". Its comparison is decided, and a run until decided trains it no further.")
    folder.forget("lora", 0)
    assert sentence(analyze(folder.root), text).endswith(". The first look is at 4 seeds.")


def test_how_often_what_would_settle_one_does_is_said_under_the_table(report: StudyReport) -> None:
    said = "What would settle one does so in 80% of studies (the power)."
    for text, is_open in (("lora-r8 better than full", True), ("full better than lora-r2", False)):
        asked = report.require(text)
        table = requirement_table(asked, "")
        assert table is not None
        assert (said in table.notes, asked.requirements[0].answer == "undecided") == (is_open, is_open)


def test_a_metric_of_which_lower_is_better_says_so(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(metric="log_loss", margin=0.02))
    asked = analyze(study.root).require("full not worse than lora-r2 by 0.05")
    (told,) = requirements_in_words(asked)
    assert told.startswith(
        "Requirement shown: full not worse than lora-r2 by 0.05. The gap, full minus lora-r2, is -0."
    )
    assert " in log loss (" in told
    assert "; lower is better, for new seeds" in told
    table = requirement_table(asked, "")
    assert table is not None
    assert "log loss of the first arm of the requirement minus that of the other; lower is better." in table.notes[0]


def test_answers_come_first_on_a_terminal_and_the_table_is_a_detail(report: StudyReport) -> None:
    asked = report.require("full better than lora-r2", NOT_WORSE)

    def printed(**options: Any) -> str:
        console = Console(file=io.StringIO(), width=100)
        for part in tables.terminal(asked, **options):
            console.print(part)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text

    lines = [line.strip() for line in printed(details=False).splitlines()]
    assert lines[3].startswith("- Requirement shown: full better than lora-r2.")
    assert "Requirements" not in lines
    assert "Requirements" in [line.strip() for line in printed(details=True).splitlines()]
    assert [table.title for table in tables.build(asked)][:2] == ["Requirements", "Verdicts"]
    for text in (tables.markdown(asked), tables.latex(asked)):
        assert text.index("Requirement shown") < text.index("Verdicts")


def test_without_requirements_nothing_is_said_of_them(report: StudyReport) -> None:
    assert requirements_in_words(report) == ()
    assert requirement_table(report, "") is None
    assert "equirement" not in tables.markdown(report)


def test_what_would_settle_a_requirement_is_said_once(report: StudyReport) -> None:
    asked = report.require("lora-r8 equivalent to full", "full better than lora-r2")
    one: RequirementResult = asked.requirements[0]
    assert one.answer == "undecided"
    settling = requirements_in_words(asked)[0].rpartition(". ")[2]
    assert tables.markdown(asked).count(as_markdown.escaped(settling)) == 1
