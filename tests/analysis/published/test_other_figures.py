"""What tables print beside an accuracy: what an audit makes of it, and what it says that it cannot judge."""

from __future__ import annotations

from typing import Any

from analysis.published.audit import audit
from analysis.published.claims_file import parse_claims_file
from analysis.tables import audit as tables


def judged(n: str = "872", classes: dict[str, str] | None = None, **systems: dict[str, str]) -> dict[str, Any]:
    content = {"source": "table 1", "n": n, "classes": classes or {}, "systems": systems}
    return tables.as_json(audit(parse_claims_file(content)))["reports"][0]


def notes(report: dict[str, Any]) -> dict[str, list[str]]:
    return {system["name"]: system["not_judged"] for system in report["systems"]}


def test_a_spread_over_runs_is_tested_whatever_it_is() -> None:
    report = judged(a={"accuracy": "92.3 ± 0.4", "runs": "5"}, b={"accuracy": "90.1 (0.5)", "runs": "5"})
    (pair,) = report["pairs"]
    assert pair["welch"]["kinds"] == [None, None]
    assert 0.03 < pair["welch"]["p_value"][1] < 0.05
    assert (
        "because what stands after the ± (an SD, a standard error or half an interval) leaves it open"
        in (pair["sentence"])
    )
    assert notes(report) == {"a": [], "b": []}


def test_a_mean_over_nobody_knows_how_many_runs_is_told_and_not_tested() -> None:
    report = judged(a={"accuracy": "92.3 ± 0.4"}, b={"accuracy": "0.901"})
    (pair,) = report["pairs"]
    assert pair["sentence"] == (
        "No test can be made: 92.3% ± 0.4%, the figure of a, is a mean over runs, and nothing says over how many, such "
        "as runs: 5."
    )
    assert pair["seeds"] == []
    (note,) = notes(report)["a"]
    assert note.startswith("92.3% ± 0.4% is not judged")
    (system, _) = report["systems"]
    assert system["readings"][0]["counts"] is None


def test_what_the_examples_alone_give_is_no_spread_over_runs() -> None:
    # sqrt(0.9002 * 0.0998 / 872) = 1.02 points.
    for extra in ({}, {"spread": "over examples"}):
        report = judged(a={"accuracy": "90.02 ± 1.02", **extra}, b={"accuracy": "791/872"})
        (pair,) = report["pairs"]
        assert pair["overlaps"]["discordance"] == [6, 168]
        (note,) = notes(report)["a"]
        assert note.startswith("the ± of 90.02% ± 1.02% is taken for what 872 test examples alone give")
    (pair,) = judged(a={"accuracy": "90.02 ± 1.02", "spread": "sd"}, b={"accuracy": "791/872"})["pairs"]
    assert pair["overlaps"] is None


def test_a_count_is_read_as_it_stands() -> None:
    report = judged(a={"accuracy": "770/872"}, b={"error_rate": "120/872"})
    (pair,) = report["pairs"]
    assert pair["overlaps"]["gap"] == [-18, -18]
    assert [system["readings"][0]["counts"]["strength"] for system in report["systems"]] == [0.0, 0.0]


def test_f1_with_accuracy_is_held_against_the_classes() -> None:
    # MRPC's development set: 279 equivalent pairs of sentences and 129 others.
    classes = {"equivalent": "279", "other": "129"}
    right = judged("408", classes, a={"accuracy": "86.8%", "f1": "90.4%"})
    assert any(fit["matrices"]["count"] for fit in right["systems"][0]["readings"][0]["fits"])
    # With 354 of 408 right no matrix has an F1 of 95%, whichever class it is of.
    wrong = judged("408", classes, a={"accuracy": "86.8%", "f1": "95.0%"})
    assert not any(fit["matrices"]["count"] for fit in wrong["systems"][0]["readings"][0]["fits"])


def test_an_mcc_is_held_against_the_classes_or_not_judged() -> None:
    classes = {"acceptable": "721", "not": "322"}
    report = judged("1043", classes, a={"accuracy": "0.837", "mcc": "0.601"}, b={"accuracy": "0.82", "mcc": "0.9"})
    fits = [system["readings"][0]["fits"][0]["matrices"]["count"] for system in report["systems"]]
    assert fits[0] > 0
    assert fits[1] == 0
    assert "No confusion matrix has accuracy 0.82 and MCC 0.9, as printed for b." in report["pairs"][0]["sentence"]
    assert notes(report) == {"a": [], "b": []}
    (note,) = notes(judged("1043", a={"mcc": "0.601"}))["a"]
    assert note.startswith("MCC 0.601 is not judged: that takes two classes")


def test_correlations_are_shown_and_not_judged() -> None:
    report = judged("1500", a={"pearson": "0.882", "spearman": "88.1 ± 0.3"}, b={"pearson": "-0.01"})
    (system, _) = report["systems"]
    assert system["readings"][0]["others"] == "Pearson 0.882, Spearman 88.1% ± 0.3%"
    assert [note.split(" is not judged: ")[0] for note in notes(report)["a"]] == [
        "Pearson 0.882",
        "Spearman 88.1% ± 0.3%",
    ]
    assert report["pairs"][0]["sentence"] == "No test can be made: no accuracy of b is printed."


def test_times_by_the_clock_are_recomputed() -> None:
    report = judged(a={"accuracy": "0.9", "time": "22:51"}, b={"accuracy": "0.9", "time": "14:48"})
    saved, speedup = report["pairs"][0]["costs"]
    assert round(saved["value"], 3) == round(1 - 14.8 / 22.85, 3)
    assert round(speedup["value"], 3) == round(22.85 / 14.8, 3)
