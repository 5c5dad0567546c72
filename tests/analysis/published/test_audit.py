"""Published reports judged as a whole: what must be true of the two that are shipped, and of claims of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console
from ruamel.yaml import YAML

from analysis import tables as study_tables
from analysis.errors import AnalysisError
from analysis.published.audit import Audit, ReportAudit, audit
from analysis.published.claims_file import parse_claims_file
from analysis.published.pairs import PairAudit
from analysis.published.seeds import chance_of_gap
from analysis.published.systems import SystemAudit
from analysis.records.loading import load
from analysis.tables import audit as tables
from analysis.tables.table import Table

if TYPE_CHECKING:
    from conftest import StudyFolder

SHIPPED = Path(__file__).parents[3] / "studies" / "claims"


def shipped(name: str) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="base", pure=True).load(SHIPPED / f"{name}.yaml")
    return content


def judged(content: dict[str, Any], **more: Any) -> Audit:
    return audit(parse_claims_file(content), **more)


def the_report(audited: Audit, name: str = "") -> ReportAudit:
    (report,) = [report for report in audited.reports if report.report.name == name]
    return report


def pairs(audited: Audit, report: str = "") -> dict[str, PairAudit]:
    return {pair.name: pair for pair in the_report(audited, report).pairs}


def systems(audited: Audit, report: str = "") -> dict[str, SystemAudit]:
    return {system.name: system for system in the_report(audited, report).systems}


def the_table(audited: Audit, title: str) -> Table:
    (table,) = [table for table in tables.build(audited) if table.title == title]
    return table


def rows_of(audited: Audit, title: str) -> dict[str, dict[str, str]]:
    """The rows of a table by their first cell."""
    table = the_table(audited, title)
    return {row[0]: dict(zip(table.headers, row, strict=True)) for row in table.rows}


def of_sample(content: dict[str, Any], ddof: int) -> dict[str, Any]:
    """The same claims, where they say what their SDs were divided by."""
    systems = {
        name: {**figures, "sd": {"value": figures["sd"], "ddof": str(ddof)}} if "sd" in figures else figures
        for name, figures in content["systems"].items()
    }
    return {**content, "systems": systems}


def review(audited: Audit, pair: str, report: str = "") -> str:
    return tables.review(audited, the_report(audited, report), pairs(audited, report)[pair])


SMALL: dict[str, Any] = {
    "source": "table 1",
    "n": "872",
    "systems": {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}},
}


def small(**systems: dict[str, Any]) -> dict[str, Any]:
    return {**SMALL, "systems": systems}


@pytest.fixture(scope="module")
def gpt2() -> Audit:
    return judged(shipped("gpt2_lora"))


@pytest.fixture(scope="module")
def distilbert() -> Audit:
    return judged(shipped("distilbert"))


# Report A.


def test_the_first_run_of_gpt2_is_undetermined_without_predictions(gpt2: Audit) -> None:
    overlaps = pairs(gpt2, "first run")["lora against full"].overlaps
    assert overlaps is not None
    assert overlaps.gap == (-18, -18)
    assert overlaps.discordance == (18, 222)
    assert [f"{p:.2g}" for p in overlaps.p_exact] == ["7.6e-06", "0.25"]
    assert overlaps.p_exact[1] == pytest.approx(0.254, abs=5e-4)
    assert (overlaps.significant_up_to, overlaps.significant_up_to_mid) == (74, 82)
    assert overlaps.outcome == "undetermined without predictions"
    assert overlaps.generalizes_to == "examples"


def test_the_log_of_gpt2_gives_its_confusion_matrices_back(gpt2: Audit) -> None:
    expected = {"full": (770, (399, 45, 57, 371), 4), "lora": (752, (391, 53, 67, 361), 3)}
    for name, (right, matrix, printed) in expected.items():
        system = systems(gpt2, "first run")[name]
        as_printed, _, kept = system.readings
        assert system.kept_epoch == kept.epoch == 2
        assert as_printed.counts is not None
        assert (as_printed.counts.low, as_printed.counts.high) == (right, right)
        assert [fit.matrices.count for fit in as_printed.fits][:2] == [printed, printed]
        assert [fit.read_as for fit in as_printed.fits] == ["positive", "negative", "macro", "weighted"]
        assert [fit.matrices.listed for fit in kept.fits] == [(matrix,)]
        assert len(system.departures) == 1
        assert "F1 is printed as 0.8" in system.departures[0]


def test_precision_and_recall_of_the_log_are_shown_in_full(gpt2: Audit) -> None:
    table = the_table(gpt2, "By class, where only one confusion matrix fits")
    rows = {(row[0], row[1], row[3]): row[4:] for row in table.rows}
    assert rows["first run", "full", "positive"] == ("399", "45", "87.50%", "89.86%", "88.67%")
    assert rows["first run", "full", "negative"] == ("371", "57", "89.18%", "86.68%", "87.91%")
    assert rows["first run", "lora", "positive"] == ("391", "53", "85.37%", "88.06%", "86.70%")
    assert rows["first run", "lora", "negative"] == ("361", "67", "87.20%", "84.35%", "85.75%")
    assert not table.detail


def test_the_later_run_of_gpt2_is_a_reversal_with_its_learning_rates(gpt2: Audit) -> None:
    (reversal,) = gpt2.reversals
    assert {reversal.treatment, reversal.baseline} == {"lora", "full"}
    assert [round(872 * occurrence.gap) for occurrence in reversal.occurrences] == [-18, 32]
    changed = {(setting.system, setting.setting): setting.values for setting in reversal.settings}
    assert changed == {
        ("lora", "learning_rate"): ("5e-4", "2e-4"),
        ("full", "learning_rate"): ("5e-5", "2e-4"),
    }
    first, later = (review(gpt2, "lora against full", run) for run in ("first run", "later run"))
    assert first.endswith("The order is reversed in “later run” (+3.67 pp); gaps are lora minus full.")
    assert later.endswith("The order is reversed in “first run” (-2.06 pp); gaps are lora minus full.")
    assert "other way round" not in review(gpt2, "prefix against full", "later run")
    rows = rows_of(gpt2, "Reversed: lora against full")
    assert rows["learning_rate of full"] == {"": "learning_rate of full", "first run": "5e-5", "later run": "2e-4"}


def test_the_parameters_of_gpt2_are_those_of_its_architecture(gpt2: Audit) -> None:
    by_name = systems(gpt2, "first run")
    assert [(check.expected, check.agrees) for check in by_name["lora"].parameters] == [
        (148_992, True),
        (124_590_336, True),
    ]
    assert by_name["lora"].share is not None
    assert by_name["lora"].share.agrees
    assert f"{by_name['lora'].share.value:.4%}" == "0.1196%"
    # What is trained in the prefix variant is not said: nothing is held against it.
    assert systems(gpt2, "later run")["prefix"].parameters == ()


def test_known_matrices_narrow_the_overlap(gpt2: Audit) -> None:
    # TP 378 against 367, TN 347 against 359: one example apart, and never fewer than 23 discordant.
    overlaps = pairs(gpt2, "later run")["prefix against full"].overlaps
    assert overlaps is not None
    assert (overlaps.gap, overlaps.discordance[0]) == ((-1, -1), 11 + 12)


# Report B.


@pytest.mark.parametrize(
    ("pair", "gap", "discordance", "exact", "up_to", "mid", "outcome"),
    [
        ("cosine against baseline", -1, (1, 163), (1.0, 1.0), None, None, "cannot be significant"),
        ("freezing against cosine", -5, (5, 169), (0.0625, 0.758), None, 5, "cannot be significant"),
        ("freezing against baseline", -6, (6, 168), (0.03125, 0.700), 6, 8, "undetermined without predictions"),
    ],
)
def test_the_pairs_of_distilbert(
    distilbert: Audit,
    pair: str,
    gap: int,
    discordance: tuple[int, int],
    exact: tuple[float, float],
    up_to: int | None,
    mid: int | None,
    outcome: str,
) -> None:
    overlaps = pairs(distilbert)[pair].overlaps
    assert overlaps is not None
    assert (overlaps.gap, overlaps.discordance) == ((gap, gap), discordance)
    assert overlaps.p_exact == pytest.approx(exact, abs=5e-4)
    assert (overlaps.significant_up_to, overlaps.significant_up_to_mid, overlaps.outcome) == (up_to, mid, outcome)


def test_the_mid_p_of_a_gap_that_cannot_be_significant_is_shown(distilbert: Audit) -> None:
    row = rows_of(distilbert, "The gap in test examples")["freezing against cosine"]
    assert row["Exact p"].startswith("0.0625 to")
    assert row["Mid-p"].startswith("0.0312 to")
    assert (row["Significant up to"], row["Up to, by mid-p"]) == ("never", "5 (0.6%)")
    assert row["Speaks about"] == "examples"


def test_the_best_epoch_on_the_test_set_is_pointed_out(distilbert: Audit) -> None:
    assert [systems(distilbert)[name].kept_epoch for name in ("baseline", "freezing", "cosine")] == [1, 2, 3]
    rows = rows_of(distilbert, "Picked on the reported test set")
    assert rows["freezing against baseline"]["At last epochs"] == "-1.26 pp"
    assert rows["cosine against baseline"]["Exceeded"] == "no"
    for name in pairs(distilbert):
        assert "Each figure is the best of 3 epochs on the reported test set" in review(distilbert, name)


def test_losses_of_different_epochs_are_pointed_out(distilbert: Audit) -> None:
    (note,) = pairs(distilbert)["cosine against baseline"].mismatches
    assert note.startswith("the losses 0.3804 and 0.3255 are from epochs 3 and 1")
    # At every epoch the cosine arm has the lower loss, where the table has the higher.
    assert "0.289576 and 0.325518 at 1, 0.316504 and 0.382383 at 2, 0.380381 and 0.416519 at 3" in note


def test_the_time_that_freezing_saves_is_recomputed(distilbert: Audit) -> None:
    saved, times = pairs(distilbert)["freezing against baseline"].costs
    assert (f"{saved.value:.1%}", saved.claimed, saved.agrees) == ("35.2%", "35%", True)
    assert f"{times.value:.2f}" == "1.54"


def test_the_sentences_could_stand_in_a_review(distilbert: Audit) -> None:
    assert review(distilbert, "cosine against baseline").startswith(
        "The two figures are one example apart; no overlap of errors makes that significant. Nor do they show "
        "“statistically similar”: "
    )
    assert "(exact McNemar p at least 0.0625)" in review(distilbert, "freezing against cosine")
    drop = review(distilbert, "freezing against baseline")
    assert "only if exactly one of the two models is right on at most 6 examples (6 to 168 are possible)" in drop
    assert "do not establish “a marginal drop of 0.69 points”" in drop


# Claims of every kind.


def test_with_one_run_nothing_is_said_about_procedures() -> None:
    text = review(judged(SMALL), "lora against full")
    assert "One run of each arm says nothing about the training procedures." in text


def test_a_gap_that_every_overlap_makes_significant() -> None:
    audited = judged(small(a={"accuracy": "0.90"}, b={"accuracy": "0.80"}))
    pair = pairs(audited)["b against a"]
    assert pair.overlaps is not None
    assert pair.overlaps.outcome == "significant whatever the overlap"
    text = review(audited, "b against a")
    assert "whatever the overlap of errors, that is significant for these two trained models" in text
    assert "says nothing about the training procedures" in text


def test_equal_figures_leave_no_gap_to_test() -> None:
    audited = judged(small(a={"accuracy": "90.71%"}, b={"error_rate": "9.29%"}))
    assert "the same number of right answers" in review(audited, "b against a")


def test_figures_of_few_digits_leave_a_range_of_gaps() -> None:
    audited = judged(small(a={"accuracy": "0.88"}, b={"accuracy": "0.86"}))
    pair = pairs(audited)["b against a"].overlaps
    assert pair is not None
    # 763 to 771 against 746 to 754.
    assert pair.gap == (-25, -9)
    text = review(audited, "b against a")
    assert "9 to 25 of 872 examples apart, as far as their digits tell" in text
    assert f"not significant if exactly one of the two models is right on more than {pair.significant_up_to}" in text


def test_the_log_narrows_what_the_printed_figure_leaves_open() -> None:
    log = {"accuracy": ["0.8601", "0.8830"]}
    audited = judged(small(a={"accuracy": "0.88", "log": log}, b={"accuracy": "0.8624"}))
    pair = pairs(audited)["b against a"].overlaps
    assert pair is not None
    assert pair.gap == (752 - 770, 752 - 770)


def test_a_figure_that_no_count_gives_is_told_and_not_tested() -> None:
    audited = judged({**SMALL, "n": "100"})
    pair = pairs(audited)["lora against full"]
    assert pair.overlaps is None
    assert pair.seeds == ()
    text = review(audited, "lora against full")
    nearest = "86 would print as 0.860 and 87 would print as 0.870."
    assert f"The figure of lora, 0.862, is not a share of 100: {nearest}" in text
    assert "It may be truncated instead of rounded" in text
    assert "The figure of full, 0.883, is not a share of 100" in text
    table = the_table(audited, "What the figures stand for")
    assert "full, printed: no number of right answers rounds to 0.883." in table.notes
    assert [row[3] for row in table.rows] == ["none of 100", "none of 100"]


def test_figures_that_contradict_each_other_are_told() -> None:
    content = {**small(a={"accuracy": "0.90", "f1": {"x": "0.99"}}, b={"accuracy": "0.80"}), "n": "100"}
    audited = judged({**content, "classes": {"x": "60", "y": "40"}})
    assert "No confusion matrix has accuracy 0.90 and F1 of x 0.99, as printed for a." in review(audited, "b against a")


def test_several_classes_have_counts_and_no_matrices() -> None:
    content = {**SMALL, "classes": {"a": "300", "b": "300", "c": "272"}}
    audited = judged(content)
    assert all(reading.fits == () for system in systems(audited).values() for reading in system.readings)
    pair = pairs(audited)["lora against full"].overlaps
    assert pair is not None
    assert pair.gap == (-18, -18)


def test_accuracy_alone_bounds_the_macro_f1_of_two_classes(distilbert: Audit) -> None:
    (fit,) = systems(distilbert)["baseline"].readings[0].fits
    # All 81 errors in one class or the other, or shared out.
    assert fit.matrices.count == 82
    right = np.arange(791 - 428, 445)
    macro = (2 * right / (872 + right - (791 - right)) + 2 * (791 - right) / (872 + (791 - right) - right)) / 2
    assert fit.matrices.macro_f1 == pytest.approx((macro.min(), macro.max()))


def test_a_matrix_stands_in_for_an_accuracy_that_is_not_printed() -> None:
    content = small(a={"f1": {"x": "0.9167"}, "recall": {"x": "0.9167"}}, b={"accuracy": "0.80"})
    audited = judged({**content, "n": "100", "classes": {"x": "60", "y": "40"}})
    pair = pairs(audited)["b against a"]
    assert pair.overlaps is not None
    assert pair.overlaps.gap == (-10, -10)


def test_without_an_accuracy_there_is_no_gap() -> None:
    audited = judged(small(a={"loss": "0.3"}, b={"accuracy": "0.80"}))
    pair = pairs(audited)["b against a"]
    assert pair.overlaps is None
    assert "no accuracy of a is printed" in pair.reason
    assert pair.seeds == ()


MEANS = {
    "source": "table 3",
    "n": "7600",
    "systems": {
        "base": {"accuracy": "94.100%", "sd": "0.200%", "runs": "5"},
        "ours": {"accuracy": "94.500%", "sd": "0.300%", "runs": "5"},
    },
}


def test_means_over_runs_are_tested_over_seeds_and_say_so() -> None:
    audited = judged(MEANS)
    pair = pairs(audited)["ours against base"]
    assert pair.overlaps is None
    assert pair.welch is not None
    assert pair.welch.generalizes_to == "seeds"
    assert "new seeds on this test set, and not about new examples" in review(audited, "ours against base")
    assert rows_of(audited, "Means over runs")["ours against base"]["Speaks about"] == "seeds"
    # Five runs of 7600 sentences: 38,000 answers, whole numbers of which round to the figure.
    (reading,) = systems(audited)["base"].readings
    assert reading.counts is not None
    assert (reading.counts.n * reading.counts.runs, reading.counts.low) == (38_000, 35_758)


@pytest.mark.parametrize(
    ("ours", "p", "differ", "equal"),
    [
        ("96.500%", ": significant)", "", "That contradicts “words”."),
        ("94.120%", ": not significant)", "do not establish “words”", "Nor do they show “words”: the 95% interval"),
    ],
)
def test_what_is_said_of_means_is_held_against_their_test(ours: str, p: str, differ: str, equal: str) -> None:
    systems = {**MEANS["systems"], "ours": {"accuracy": ours, "sd": "0.300%", "runs": "5"}}  # type: ignore[dict-item]
    for said, words in (("differ", differ), ("equal", equal)):
        pair = {"treatment": "ours", "baseline": "base", "said": said, "words": "words"}
        text = review(judged({**MEANS, "systems": systems, "pairs": [pair]}), "ours against base")
        assert p in text
        assert words in text
        assert ("words" in text) is bool(words)


def test_printed_sds_say_how_seeds_scatter() -> None:
    (seeds,) = pairs(judged(of_sample(MEANS, 1)))["ours against base"].seeds
    assert (seeds.seed_sd, seeds.source) == (pytest.approx(np.sqrt((0.002**2 + 0.003**2) / 2)), "printed")
    assert seeds.chance[0] == chance_of_gap(0.004 * 7600, n=7600, seed_sd=seeds.seed_sd, runs=(5, 5), df=8)
    # Divided by the five runs: the scatter of a sample is larger by the root of 5/4.
    (larger,) = pairs(judged(of_sample(MEANS, 0)))["ours against base"].seeds
    assert larger.seed_sd == pytest.approx(seeds.seed_sd * np.sqrt(5 / 4))
    (unsaid,) = pairs(judged(MEANS))["ours against base"].seeds
    assert (unsaid.seed_sd, unsaid.source) == (larger.seed_sd, "printed, divisor not given")
    assert unsaid.chance == (seeds.chance[0], larger.chance[1])


def test_words_follow_the_worse_where_nobody_says_what_the_sds_were_divided_by() -> None:
    # HELM and numpy's default divide by the runs; read as a sample's, these figures would be called significant.
    figures = {"accuracy": "0.9500", "sd": "0.0100", "runs": "3"}
    claims = {"source": "t", "n": "1000", "systems": {"a": figures, "b": {**figures, "accuracy": "0.9250"}}}
    pair = {"treatment": "b", "baseline": "a", "said": "differ", "words": "clearly worse"}
    p, text = {}, {}
    for ddof in (0, 1, None):
        audited = judged({**(claims if ddof is None else of_sample(claims, ddof)), "pairs": [pair]})
        tested = pairs(audited)["b against a"].welch
        assert tested is not None
        p[ddof], text[ddof] = tested.p_value, review(audited, "b against a")
        means = the_table(audited, "Means over runs")
        assert ("Nothing says whether the SDs divide" in " ".join(means.notes)) is (ddof is None)
    assert p[1] == pytest.approx((0.0366, 0.0386), abs=1e-4)
    assert p[0] == pytest.approx((0.0652, 0.0684), abs=1e-4)
    assert p[None] == pytest.approx((p[1][0], p[0][1]), rel=1e-3)
    assert ": significant)" in text[1]
    assert ": not significant)" in text[0]
    assert "in the worst case not significant at 0.05)" in text[None]
    assert ["do not establish “clearly worse”" in text[ddof] for ddof in (0, 1, None)] == [True, False, True]


def test_a_significant_gap_contradicts_that_the_two_are_equal() -> None:
    pair = {"treatment": "b", "baseline": "a", "said": "equal", "words": "on par"}
    audited = judged({**small(a={"accuracy": "0.90"}, b={"accuracy": "0.80"}), "pairs": [pair]})
    assert "That contradicts “on par”." in review(audited, "b against a")


def test_tasks_of_one_table_are_no_reversal() -> None:
    systems = {"full": {"accuracy": "0.92"}, "lora": {"accuracy": "0.91"}}
    turned = {"full": {"accuracy": "0.66"}, "lora": {"accuracy": "0.70"}}
    tasks = {"SST-2": {"n": "872", "systems": systems}, "RTE": {"n": "277", "systems": turned}}
    audited = judged({"source": "table 1", "reports": tasks})
    assert audited.reversals == ()
    assert "other way round" not in review(audited, "lora against full", "RTE")


def test_a_model_that_is_still_learning_does_not_count_as_scatter() -> None:
    picked = {"best": "accuracy", "on": "test"}
    logs = [["0.51", "0.80", "0.90", "0.93"], ["0.51", "0.78", "0.85", "0.90"]]
    audited = judged(
        small(
            a={"accuracy": "0.93", "selection": picked, "log": {"accuracy": logs[0]}},
            b={"accuracy": "0.90", "selection": picked, "log": {"accuracy": logs[1]}},
        )
    )
    selected = pairs(audited)["b against a"].selected
    assert selected is not None
    assert selected.expected[0] < 0.01
    assert selected.chance < 0.05
    table = the_table(audited, "Picked on the reported test set")
    assert "its epochs are not equally good" in table.notes[0]


def test_figures_of_another_epoch_than_the_one_that_is_said_are_told() -> None:
    log = {"accuracy": ["0.9071", "0.9002"]}
    audited = judged(small(a={"accuracy": "0.9071", "selection": "last", "log": log}))
    table = the_table(audited, "What the figures stand for")
    assert "a: the figures are said to be from the last epoch, but they are from epoch 1 of 2." in table.notes


def test_costs_that_do_not_agree_are_said_in_words() -> None:
    content = {
        **SMALL,
        "model": "gpt2",
        "classes": {"a": "444", "b": "428"},
        "systems": {
            "full": {"accuracy": "0.883", "time": "20 min", "trainable": "100M", "tuning": "all"},
            "lora": {"accuracy": "0.862", "time": "10 min"},
        },
        "pairs": [{"treatment": "lora", "baseline": "full", "time_saved": "30%", "speedup": "2.0"}],
    }
    text = review(judged(content), "lora against full")
    assert "Time saved: 30% is printed, but 50.0% follows from the printed figures." in text
    assert "Times as fast" not in text
    assert "100M trainable parameters of full are printed, but the architecture has 124,441,344." in text


def test_claims_of_time_without_times_are_shown_and_not_judged() -> None:
    audited = judged({**SMALL, "pairs": [{"treatment": "lora", "baseline": "full", "time_saved": "30%"}]})
    row = rows_of(audited, "Cost claims")["lora against full"]
    assert (row["Recomputed"], row["Claimed"], row["Agrees"]) == ("–", "30%", "–")
    json.dumps(tables.as_json(audited), allow_nan=False)


def test_parameters_of_an_unknown_model_are_not_judged_and_it_says_so() -> None:
    content = small(a={"accuracy": "0.9", "trainable": "7B", "tuning": "all"}, b={"accuracy": "0.8"})
    audited = judged({**content, "model": "meta-llama/Llama-3", "classes": {"x": "444", "y": "428"}})
    assert systems(audited)["a"].parameters_reason == "the parameter counts of meta-llama/Llama-3 are not known"


def test_a_weighted_f1_is_no_contradiction() -> None:
    # 256 of 279 and 90 of 129: accuracy .8480, F1 weighted by the classes .8451, of neither class and not macro.
    content = small(a={"accuracy": "0.8480", "f1": "0.8451"}, b={"accuracy": "0.80"})
    audited = judged({**content, "n": "408", "classes": {"equivalent": "279", "other": "129"}})
    fits = {fit.read_as: fit.matrices for fit in systems(audited)["a"].readings[0].fits}
    assert fits["weighted"].count > 0
    assert fits["weighted"].listed == ((256, 23, 39, 90),)
    assert "No confusion matrix" not in review(audited, "b against a")


def test_a_mean_against_a_single_run_is_not_tested() -> None:
    content = {**MEANS, "systems": {"base": MEANS["systems"]["base"], "one": {"accuracy": "94.5%"}}}  # type: ignore[index]
    audited = judged(content)
    assert "base is a mean over 5 runs" in review(audited, "one against base")


def test_a_stated_seed_sd_goes_before_the_supposed_ones() -> None:
    (scatter,) = pairs(judged({**SMALL, "seed_sd": "0.8%"}))["lora against full"].seeds
    assert (scatter.seed_sd, scatter.source) == (0.008, "stated")
    assert scatter.chance[0] == scatter.chance[1] == chance_of_gap(18, n=872, seed_sd=0.008)
    stated = {"value": "0.8%", "runs": "5", "ddof": "1"}
    (estimated,) = pairs(judged({**SMALL, "seed_sd": stated}))["lora against full"].seeds
    assert estimated.source == "stated, from 5 runs"
    # With t for the normal: an SD from five runs is worth less.
    assert estimated.chance[0] == chance_of_gap(18, n=872, seed_sd=0.008, df=4) > scatter.chance[0]
    supposed = pairs(judged(SMALL))["lora against full"].seeds
    assert [round(100 * scatter.seed_sd, 1) for scatter in supposed] == [0.5, 1.0, 2.0]


def test_a_best_epoch_without_a_log_rests_on_a_stated_assumption() -> None:
    picked = {"best": "accuracy", "on": "test", "epochs": "3"}
    audited = judged(small(a={"accuracy": "0.90", "selection": picked}, b={"accuracy": "0.89", "selection": "last"}))
    pair = pairs(audited)["b against a"]
    assert pair.selected is not None
    assert pair.selected.epochs == (1, 3)
    assert pair.selected.expected[0] == 0 < pair.selected.expected[1]
    table = the_table(audited, "Picked on the reported test set")
    assert "exactly one of two epochs of a run were right on 5% of the examples" in table.notes[0]
    assert "The figure of a is the best of 3 epochs on the reported test set" in review(audited, "b against a")


def test_a_best_epoch_on_a_hold_out_is_not_held_against_a_figure() -> None:
    picked = {"best": "accuracy", "on": "holdout", "epochs": "3"}
    audited = judged(small(a={"accuracy": "0.90", "selection": picked}, b={"accuracy": "0.89"}))
    assert pairs(audited)["b against a"].selected is None


def test_times_of_different_numbers_of_epochs_are_pointed_out() -> None:
    both = {"accuracy": ["0.80", "0.883"]}, {"accuracy": ["0.862"]}
    audited = judged(
        small(
            full={"accuracy": "0.883", "time": "20 min", "log": both[0]},
            lora={"accuracy": "0.862", "time": "10 min", "log": both[1]},
        )
    )
    assert pairs(audited)["lora against full"].mismatches == ("the times 10 min and 20 min are of 1 and 2 epochs",)
    assert "Compared across epochs" in [table.title for table in tables.build(audited)]


def test_parameters_that_no_architecture_has_are_told() -> None:
    content = {
        **SMALL,
        "model": "gpt2",
        "classes": {"a": "444", "b": "428"},
        "systems": {
            "full": {"accuracy": "0.883", "trainable": "124M", "tuning": "all"},
            "lora": {
                "accuracy": "0.862",
                "trainable": "147,456",
                "tuning": {"lora": {"r": "4", "target_modules": ["c_attn"]}},
            },
            "odd": {"trainable": "1M", "tuning": {"lora": {"r": "4", "target_modules": ["q_proj"]}}},
        },
    }
    audited = judged(content)
    rows = rows_of(audited, "Parameters")
    assert (rows["full"]["By the architecture"], rows["full"]["Agrees"]) == ("124,441,344", "yes")
    assert (rows["lora"]["By the architecture"], rows["lora"]["Agrees"]) == ("148,992", "no")
    assert "q_proj" in systems(audited)["odd"].parameters_reason
    table = the_table(audited, "Parameters")
    assert any(note.startswith("odd: not checked") for note in table.notes)


# Beside own results.


@pytest.fixture
def own(tmp_path: Path, write_study: Any, simulated: Any) -> Callable[..., StudyFolder]:
    def write(**accuracies: float) -> StudyFolder:
        scores = simulated(np.random.default_rng(3), accuracies, seeds=6, examples=400, seed_sd=0.01)
        folder: StudyFolder = write_study(tmp_path / "s", scores)
        return folder

    return write


def test_own_results_stand_beside_the_published_figures(own: Any) -> None:
    content = small(full={"accuracy": "0.883"}, lora={"accuracy": "0.862", "arm": "lora-r4"})
    folder = own(full=0.88, **{"lora-r4": 0.86})
    audited = judged(content, outcomes=load(folder.root))
    pair = pairs(audited)["lora against full"]
    assert pair.rerun is not None
    assert (pair.rerun.treatment, pair.rerun.baseline, pair.rerun.n_seeds) == ("lora-r4", "full", 6)
    (seeds,) = pair.seeds
    assert (seeds.seed_sd, seeds.source) == (pair.rerun.seed_sd, "6 seeds of hand_made")
    assert seeds.chance[0] == chance_of_gap(18, n=872, seed_sd=seeds.seed_sd, df=5)
    table = the_table(audited, "Beside your own results: hand_made")
    assert any("hand_made has 400 test examples, the report 872" in note for note in table.notes)
    assert not any("trained" in note for note in table.notes)
    other = judged({**content, "model": "gpt2"}, outcomes=load(folder.root))
    table = the_table(other, "Beside your own results: hand_made")
    assert any("hand_made trained embedded/tiny; the report is about gpt2." in note for note in table.notes)
    heading = tables.markdown(audited).splitlines()[2]
    assert heading == "What follows from the published figures, beside your own study."


def test_published_times_are_held_against_no_measured_one(own: Any) -> None:
    content = small(full={"accuracy": "0.883", "time": "20 s"}, lora={"accuracy": "0.862", "time": "10 s"})
    content["pairs"] = [{"treatment": "lora", "baseline": "full", "time_saved": "50%"}]
    folder = own(full=0.88, lora=0.86)
    alone = judged(content, outcomes=load(folder.root))
    for seed in range(6):
        folder.pack("lora", seed, 12)
    in_packs = judged(content, outcomes=load(folder.root))
    assert pairs(alone)["lora against full"].costs[0].agrees is True
    assert tables.as_json(in_packs) == tables.as_json(alone)


def test_own_results_of_other_arms_are_refused(own: Any) -> None:
    outcomes = load(own(full=0.88, lora4=0.86).root)
    with pytest.raises(
        AnalysisError, match=r"its arms are full, lora4; the claims are about 'lora' \(did you mean 'lora4'\?\); write"
    ):
        judged(SMALL, outcomes=outcomes)


def test_pairs_that_a_study_does_not_have_go_without(own: Any) -> None:
    content = small(full={"accuracy": "0.883"}, lora={"accuracy": "0.862"}, other={"accuracy": "0.85"})
    by_name = pairs(judged(content, outcomes=load(own(full=0.88, lora=0.86).root)))
    assert by_name["lora against full"].rerun is not None
    assert by_name["other against full"].rerun is None
    assert len(by_name["other against full"].seeds) == 3


# Output.


@pytest.mark.parametrize("name", ["gpt2_lora", "distilbert"])
def test_every_output_can_be_made(name: str) -> None:
    audited = judged(shipped(name))
    plain = json.loads(json.dumps(tables.as_json(audited), allow_nan=False))
    (first, *_) = plain["reports"]
    assert first["pairs"][0]["sentence"].startswith("The two figures are ")
    accuracy = next(iter(first["report"]["systems"].values()))["accuracy"]
    assert accuracy["value"] == float(accuracy["value"])
    for text in (tables.markdown(audited, pictures=["p.png"]), tables.latex(audited, pictures=["p.pdf"])):
        assert text.rstrip().endswith(("p.png)", "\\end{document}"))
        for title in ("In words", "The gap in test examples", "What the figures stand for"):
            assert title in text
    assert "(U+" not in tables.latex(audited)
    assert len(tables.terminal(audited, details=False)) < len(tables.terminal(audited))


def test_the_same_file_gives_the_same_audit() -> None:
    content = shipped("distilbert")
    assert tables.as_json(judged(content)) == tables.as_json(judged(content))


def test_every_table_names_its_sources(gpt2: Audit) -> None:
    for table in tables.build(gpt2):
        assert table.footer.startswith("first run: report of July 2025")
        assert table.footer.endswith("n = 872.")


def test_a_report_of_a_study_has_no_picture_by_default() -> None:
    assert "includegraphics" not in study_tables.as_latex.render("t", "q", [])


@pytest.mark.parametrize("width", [120, 80, 60])
def test_no_figure_breaks_on_a_narrow_terminal(gpt2: Audit, width: int) -> None:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        for part in tables.terminal(gpt2):
            console.print(part)
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    # Cut, these would read as other numbers: 4.7e-1, or 124.
    for figure in ("4.7e-10", "1.1e-65", "0.8692660550458715", "124,590,336"):
        assert any(figure in line for line in lines), figure


def many_matrices(n: int, epochs: int, **figures: str) -> dict[str, Any]:
    logged = {name: [figure] * epochs for name, figure in figures.items()}
    systems = {name: {**figures, "log": logged} for name in ("first", "second")}
    half = str(n // 2)
    return {"source": "t", "n": str(n), "classes": {"a": half, "b": half}, "systems": systems}


def test_a_large_file_is_bounded_and_says_what_was_not_gone_through() -> None:
    # 5 million rows for each of four readings of three sets of figures; more than an audit goes through.
    audited = judged(many_matrices(10_000_000, 1, accuracy="0.883", f1="0.8821"))
    rows = 4 * 3 * 5_000_001
    for name, system in systems(audited).items():
        assert system.matrices_reason.startswith(f"it would take {rows:,} rows, and only 20,000,000 are left")
        assert all(not reading.fits for reading in system.readings)
        counts = the_table(audited, "What the figures stand for")
        assert any(note.startswith(f"{name}: confusion matrices were not searched") for note in counts.notes)
    # What needs no matrix is there all the same.
    assert pairs(audited)["second against first"].overlaps is not None


def test_rows_are_spent_in_the_order_of_the_file() -> None:
    content = many_matrices(4_000_000, 1, accuracy="0.883")
    content["systems"]["third"] = {"accuracy": "0.9", "f1": {"a": "0.9"}}
    by_name = systems(judged(content))
    # Without an F1 there is one reading of each of three sets of figures: 6 million rows, twice.
    assert [bool(system.matrices_reason) for system in by_name.values()] == [False, False, False]
    content["systems"] = {name: {**system, "f1": "0.88"} for name, system in content["systems"].items()}
    content["systems"]["third"] = {"accuracy": "0.9", "f1": {"a": "0.9"}}
    by_name = systems(judged(content))
    assert [bool(system.matrices_reason) for system in by_name.values()] == [True, True, False]
    assert by_name["third"].readings[0].fits


@pytest.mark.parametrize("n", [872, 2_000_000])
def test_figures_with_many_digits_are_exact_on_a_large_test_set(n: int) -> None:
    # Numbers of the machine overflow here, and Python's take their place; the matrix behind the figures is found.
    size = n // 2
    right, other = round(0.91 * size), round(0.87 * size)
    figures = {"accuracy": (right + other) / n, "f1": 2 * right / (n + right - other)}
    printed = {"accuracy": f"{figures['accuracy']:.12f}", "f1": {"a": f"{figures['f1']:.15f}"}}
    classes = {"a": str(size), "b": str(size)}
    system = systems(judged({"source": "t", "n": str(n), "classes": classes, "systems": {"one": printed}}))["one"]
    (fit,) = system.readings[0].fits
    assert (right, size - right, size - other, other) in fit.matrices.listed
