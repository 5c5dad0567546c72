"""The sentence of each comparison: what it says of every verdict, with the figures of the tables."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from analysis import tables
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.study.comparison_result import ComparisonResult
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with
from analysis.study.verdict import Verdict
from analysis.tables.in_words import in_words

if TYPE_CHECKING:
    from conftest import StudyFolder


def analyze(root: Path) -> StudyReport:
    """The report without times, of which the last tests speak alone."""
    return dataclasses.replace(analyze_with(root, resamples=99), time_ratios=())


@pytest.fixture
def report(study: StudyFolder) -> StudyReport:
    return analyze(study.root)


def changed(report: StudyReport, **changes: Any) -> StudyReport:
    """The report with another first comparison alone."""
    pair = report.comparisons[0]
    if "estimate" in changes:
        assert pair.result is not None
        changes["result"] = dataclasses.replace(
            pair.result, estimate=changes.pop("estimate"), standard_error=changes.pop("standard_error", 0.0041)
        )
    return dataclasses.replace(report, comparisons=(dataclasses.replace(pair, **changes),))


def sentence(report: StudyReport, **changes: Any) -> str:
    (text,) = in_words(changed(report, **changes))
    return text


def undecided(report: StudyReport, *, gap: float = -0.0042, **needed: Any) -> str:
    """The sentence of an undecided comparison, with so many seeds (and examples) needed for each goal."""
    pair = report.comparisons[1]
    found = {
        name: dataclasses.replace(
            pair.settling_margin or pytest.fail("no plan"),
            margin=0.01 if name == "settling_equivalence" else None,
            seeds_needed=seeds,
            examples_needed=examples,
            reason="",
        )
        for name, (seeds, examples) in needed.items()
    }
    goals: dict[str, Any] = {"settling_equivalence": None, "settling_gap": None, "settling_margin": None, **found}
    return sentence(report, verdict=Verdict(), estimate=gap, verdict_interval=Interval(-0.0119, 0.0038), **goals)


def test_a_gap_is_told_with_its_size_and_whom_it_holds_for(report: StudyReport) -> None:
    row = tables.build(report)[0].rows[0]
    low, high = re.findall(r"\d+\.\d", row[2])[::-1]
    gap = row[1].removeprefix("-").removesuffix(" pp")
    assert in_words(report)[0] == (
        f"lora-r2 is worse than full by {gap} points of accuracy ({low} to {high}), for new seeds and new examples as "
        "well."
    )
    better = sentence(
        report, verdict=Verdict(direction="better"), estimate=0.0142, verdict_interval=Interval(0.0033, 0.0255)
    )
    assert better == (
        "lora-r2 is better than full by 1.42 points of accuracy (0.33 to 2.55), for new seeds and new examples as well."
    )


def test_what_is_real_and_too_small_to_matter_says_both(report: StudyReport) -> None:
    small = Verdict(direction="worse", within_margin=True)
    told = "lora-r2 is worse than full, but by less than the margin of 1 point: by 0.42 points of accuracy ({}), for "
    for limits, words in (
        (Interval(-0.0081, -0.0003), "0.03 to 0.81"),
        # Cut by the step-down: these limits are no part of the interval.
        (Interval(-0.01, 0.0), "more than 0.00 to less than 1.00"),
    ):
        assert sentence(report, verdict=small, estimate=-0.0042, verdict_interval=limits).startswith(told.format(words))


def test_equivalence_is_told_with_the_signed_gap(report: StudyReport) -> None:
    text = sentence(
        report, verdict=Verdict(within_margin=True), estimate=0.001, verdict_interval=Interval(-0.0031, 0.01)
    )
    assert text == (
        "lora-r2 is equivalent to full within 1 point of accuracy: the gap is +0.10 points (-0.31 to less than +1.00), "
        "for new seeds and new examples as well."
    )


def test_without_an_interval_nothing_stands_in_brackets(report: StudyReport) -> None:
    for limits in (NO_INTERVAL, Interval(-np.inf, np.inf)):
        text = sentence(report, verdict=Verdict(direction="worse"), estimate=-0.0142, verdict_interval=limits)
        assert text.startswith("lora-r2 is worse than full by 1.42 points of accuracy, for")


def test_a_gap_below_the_margin_asks_for_equivalence(report: StudyReport) -> None:
    seen = "Undecided: lora-r2 against full, -0.42 points of accuracy (-1.19 to +0.38). "
    equivalent = "would show equivalence within 1 point, if the true gap is the one seen"
    open_ = {"settling_equivalence": (17, 900), "settling_margin": (9, 900)}
    assert undecided(report, **open_) == (
        f"{seen}The gap seen is smaller than the margin: about 11 more seeds an arm {equivalent}."
    )
    # As many as would find a gap of the margin have run, and it is undecided: that is no contradiction.
    enough = {**open_, "settling_margin": (6, 400)}
    explained = (
        "6 seeds find a gap of 1 point in 80% of studies, and the gap seen is smaller: about 11 more seeds an arm "
        f"{equivalent}."
    )
    assert undecided(report, **enough) == f"{seen}{explained}"
    assert "about 1 more seed an arm would" in undecided(report, **{**open_, "settling_equivalence": (7, 900)})
    assert "over 1000 more seeds an arm would" in undecided(report, **{**open_, "settling_equivalence": (5000, 900)})
    assert undecided(report, **{**open_, "settling_equivalence": (None, 39_871)}).endswith(
        f"smaller than the margin: no number of seeds on this test set {equivalent}, but about 40,000 test examples "
        "would."
    )
    assert undecided(report, **{**open_, "settling_equivalence": (None, None)}).endswith(
        f"smaller than the margin: neither more seeds nor more test examples alone {equivalent}."
    )
    assert undecided(report, **{**open_, "settling_equivalence": (6, 400)}).endswith(
        "as many seeds have run as it takes to show equivalence within 1 point, if the true gap is the one seen."
    )


def test_a_gap_beyond_the_margin_asks_for_the_margin(report: StudyReport) -> None:
    open_ = {"settling_gap": (12, 900), "settling_margin": (17, 900)}
    assert undecided(report, gap=-0.0142, **open_).endswith(". About 11 more seeds an arm would find a gap of 1 point.")
    # Where nobody would plan for the margin, for what was seen.
    for far in ((None, 900), (5000, 900)):
        assert undecided(report, gap=-0.0142, **{**open_, "settling_margin": far}).endswith(
            ". About 6 more seeds an arm would find a gap as large as the one seen."
        )
    enough = {**open_, "settling_margin": (6, 400)}
    assert undecided(report, gap=-0.0142, **enough).endswith(
        "6 seeds find a gap of 1 point in 80% of studies, and did not here: about 6 more seeds an arm would find one "
        "as large as the one seen."
    )
    assert undecided(report, gap=-0.0142).endswith(
        "What would decide it is not computed: more of one kind of seeds is not more of the other."
    )


def test_the_table_of_what_would_decide_explains_enough(report: StudyReport) -> None:
    pair = report.comparisons[1]
    assert pair.settling_margin is not None
    enough = dataclasses.replace(pair.settling_margin, seeds_needed=6, seeds_needed_range=(4, 12))

    def notes(pair: ComparisonResult) -> list[str]:
        only = dataclasses.replace(report, comparisons=(report.comparisons[0], pair))
        (table,) = (table for table in tables.build(only) if table.title == "What would decide the rest")
        return [note for note in table.notes if note.startswith("lora-r8 against full: ")]

    assert notes(pair) == []
    assert notes(dataclasses.replace(pair, settling_margin=enough))[0].startswith(
        "lora-r8 against full: 6 seeds find a gap of 1 point in 80% of studies, and did not here: about "
    )


def test_no_verdict_gives_its_reason(study: StudyFolder) -> None:
    study.end("lora-r8", 2, "diverged", "x")
    assert in_words(analyze(study.root))[1] == "No verdict on lora-r8 against full: diverged: lora-r8 seed 2."


def test_two_seeds_say_what_a_verdict_needs(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.7}, seeds=2, examples=200)
    (text,) = in_words(analyze(write_study(tmp_path / "s", scores).root))
    assert text.startswith("Undecided: lora against full, -")
    assert text.endswith("). 2 seeds give an interval; a verdict needs 3.")


def test_before_a_look_the_verdict_is_withheld_and_after_it_the_next_is_named(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(looks=[4, 6, 8]))
    report = analyze(study.root)
    first, given_up = report.comparisons
    told = in_words(report)[1]
    assert (
        "). It is given up: as its seeds predict, the last look, at 8 seeds, would decide it with a chance of" in told
    )
    assert told.endswith(" a new study would take about 117 seeds an arm to find it in 80% of cases.")
    assert "next look" not in told
    goes_on = dataclasses.replace(report, comparisons=(first, dataclasses.replace(given_up, chance=0.5)))
    assert in_words(goes_on)[1].endswith("). The next look is at 8 seeds.")
    look = report.look
    assert look is not None
    last = dataclasses.replace(report, look=dataclasses.replace(look, number=3))
    told = in_words(last)[1]
    assert " This was the last of the declared looks. " in told
    assert re.search(r"(a new study would take|on this test set would|test examples would)[^.]*\.$", told)
    for seed in (3, 4, 5):
        for arm in ("full", "lora-r2", "lora-r8"):
            study.forget(arm, seed)
    waiting = analyze(study.root)
    assert in_words(waiting)[0] == "lora-r2 against full: the verdict is withheld until the first look, at 4 seeds."
    # What has yet to run has not failed.
    assert not any("did not finish" in note for note in tables.build(waiting)[0].notes)


@pytest.mark.parametrize(
    ("changes", "whom"),
    [
        ({"paired": False}, "new runs and new examples"),
        ({"n_clusters": 40}, "new seeds and new clusters of examples"),
        ({"n_clusters": 400}, "new seeds and new examples"),
    ],
)
def test_whom_it_holds_for(report: StudyReport, changes: Any, whom: str) -> None:
    assert in_words(dataclasses.replace(report, **changes))[0].endswith(f", for {whom} as well.")


def test_runs_that_are_not_paired_are_no_seeds(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content.update(format=2, paired=False))
    text = in_words(analyze(study.root))[1]
    assert re.search(r"\. (About \d+|Over 1000) more runs an arm would find a gap of 1 point\.$", text)


def test_several_sets_are_averaged(study: StudyFolder) -> None:
    sets = [{"name": "a", "n_test": 150, "n_shared": 0}, {"name": "b", "n_test": 250, "n_shared": 0}]
    study.change_manifest(lambda content: content["data"].update(sets=sets))
    text = in_words(analyze(study.root))[0]
    assert re.search(r" points of accuracy, averaged over 2 test sets \(", text)
    assert text.endswith(", for new seeds and new examples of the same test sets as well.")


def test_a_metric_without_points_has_its_own_units(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(metric="log_loss"))
    texts = in_words(analyze(study.root))
    assert re.match(r"lora-r2 is worse than full by \d\.\d+ in log loss \(\d\.\d+ to \d\.\d+\), for ", texts[0])
    assert re.match(
        r"Undecided: lora-r8 against full, \+\d\.\d+ in log loss \(-\d\.\d+ to \+\d\.\d+\); lower is better\. ",
        texts[1],
    )
    assert "points" not in "".join(texts)


def test_scores_are_called_by_their_name(write_imported: Callable[..., Path], rng: np.random.Generator) -> None:
    answers = {"full": rng.normal(5, 1, (4, 80)), "lora": rng.normal(3, 1, (4, 80))}
    (text,) = in_words(analyze(write_imported(answers, analysis={"margin": 0.5})))
    assert re.match(r"lora is worse than full by \d\.\d+ in rouge \(\d\.\d+ to \d\.\d+\), for new seeds and", text)


def test_an_exploratory_correction_says_so(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(correction="benjamini_hochberg"))
    assert in_words(analyze(study.root))[0].endswith(" as well; for exploration only.")


def test_sentences_begin_every_document(report: StudyReport, tmp_path: Path) -> None:
    first, second = in_words(report)
    markdown, latex = tables.markdown(report), tables.latex(report)
    assert f"Is the gap real?\n\n- {first}\n- {second}\n\n## Verdicts\n" in markdown
    assert f"\\begin{{itemize}}\n\\item {first}\n" in latex
    assert latex.index("\\end{itemize}") < latex.index("Verdicts")
    # A study of one arm has none.
    alone = dataclasses.replace(report, comparisons=(), churns=(), claims=(), class_comparisons=())
    assert "itemize" not in tables.latex(alone)
    assert "Is the gap real?\n\n## Accuracy by arm\n" in tables.markdown(alone)


def test_the_terminal_begins_with_the_sentences(report: StudyReport) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None)
    for part in tables.terminal(report, details=False):
        console.print(part)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[:3] == ["hand_made", "Is the gap real?", ""]
    assert lines[3].startswith("- lora-r2 is worse than full by ")
    assert lines[4].startswith("  ")
    titles = ["Verdicts", "Accuracy by arm", "Cost", "What would decide the rest"]
    assert [line for line in lines if line in titles] == titles
    assert max(map(len, lines)) <= 80


def test_a_name_controls_no_terminal(report: StudyReport) -> None:
    told = sentence(report, treatment="a\x1b[31m\x00")
    assert told.startswith("a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER} is worse than full")


@pytest.mark.parametrize(
    ("ratio", "low", "high", "said"),
    [
        (0.65, 0.63, 0.67, "lora-r2 trains in 35% less time (33% to 37%), on this machine."),
        (0.997, 0.994, 0.999, "lora-r2 trains 1.00 times as long (0.99 to 1.00), on this machine."),
        (1.01, 0.96, 1.06, "lora-r2 trains 1.01 times as long (0.96 to 1.06), on this machine."),
        (1.12, 1.10, 1.14, "lora-r2 trains 12% longer (10% to 14%), on this machine."),
        (2.34, 2.1, 2.6, "lora-r2 trains 2.3 times as long (2.1 to 2.6), on this machine."),
    ],
)
def test_the_time_of_an_arm_follows_its_verdict(
    study: StudyFolder, ratio: float, low: float, high: float, said: str
) -> None:
    report = analyze_with(study.root, resamples=99)
    first, *rest = report.time_ratios
    timed = dataclasses.replace(first, ratio=ratio, interval=Interval(low, high))
    before = in_words(dataclasses.replace(report, time_ratios=()))[0]
    assert in_words(dataclasses.replace(report, time_ratios=(timed, *rest)))[0] == f"{before} {said}"


def test_a_time_without_an_interval_is_not_said(study: StudyFolder) -> None:
    report = analyze_with(study.root, resamples=99)
    bare = tuple(dataclasses.replace(one, interval=NO_INTERVAL) for one in report.time_ratios)
    assert not any("trains" in text for text in in_words(dataclasses.replace(report, time_ratios=bare)))


def test_only_times_against_the_baseline_are_said(study: StudyFolder) -> None:
    further = [{"treatment": "lora-r8", "baseline": "lora-r2"}]
    study.change_manifest(lambda content: content["analysis"].update(comparisons=further))
    said = in_words(analyze_with(study.root, resamples=99))
    assert ["trains" in text for text in said] == [True, True, False]
