from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from analysis.published.claims_file import parse_claims_file
from analysis.published.claims_schema import System
from analysis.published.figure_checks import FigureCheck, check_figures, departures, joint_matrix, kept_epoch
from analysis.published.printed_figures import PrintedFigure, read_number, read_share
from analysis.published.published_report import PublishedReport

Matrix = tuple[int, int, int, int]

SHIPPED = Path(__file__).parents[3] / "studies" / "claims"
SST2 = {"positive": "444", "negative": "428"}
BEST = {"best": "accuracy", "on": "test"}


def shipped(name: str) -> dict[str, PublishedReport]:
    content = YAML(typ="base", pure=True).load((SHIPPED / name).read_text("utf-8"))
    return {report.name: report for report in parse_claims_file(content).reports}


GPT2 = shipped("gpt2_lora.yaml")
FIRST, LATER = GPT2["first run"], GPT2["later run"]
DISTILBERT = shipped("distilbert.yaml")[""]


def only(classes: Mapping[str, str] = SST2, **figures: Any) -> tuple[System, PublishedReport]:
    """A report of one system; its classes say how many examples there are."""
    n = str(sum(map(int, classes.values())))
    content = {"source": "table 2", "n": n, "classes": classes, "systems": {"full": figures}}
    (report,) = parse_claims_file(content).reports
    return report.systems["full"], report


def printed(classes: Mapping[str, str] = SST2, **figures: Any) -> FigureCheck:
    (reading,) = check_figures(*only(classes, **figures))
    return reading


def fits(reading: FigureCheck) -> dict[str, int]:
    return {fit.read_as: fit.matrices.count for fit in reading.fits}


def listed(reading: FigureCheck) -> dict[str, tuple[Matrix, ...]]:
    return {fit.read_as: fit.matrices.listed for fit in reading.fits}


def test_the_printed_figures_of_the_full_model() -> None:
    reading = check_figures(FIRST.systems["full"], FIRST)[0]
    assert (reading.epoch, reading.accuracy, reading.others) == (None, "0.883", "F1 0.882")
    assert reading.counts is not None
    assert (reading.counts.low, reading.counts.high) == (770, 770)
    assert fits(reading) == {"positive": 4, "negative": 4, "macro": 34, "weighted": 38}
    assert listed(reading)["positive"][0] == (380, 64, 38, 390)
    assert listed(reading)["negative"][-1] == (390, 54, 48, 380)
    assert not reading.contradicts_itself


def test_the_logged_figures_of_the_full_model() -> None:
    _, first, second = check_figures(FIRST.systems["full"], FIRST)
    assert (first.epoch, first.accuracy, first.others) == (1, "0.863532", "F1 of positive 0.857485")
    assert first.counts is not None
    assert first.counts.only == 753
    assert (second.epoch, second.accuracy) == (2, "0.8830275229357798")
    assert second.others == "F1 of positive 0.8866666666666667"
    assert second.counts is not None
    assert second.counts.only == 770
    assert listed(second) == {"": ((399, 45, 57, 371),)}


def test_the_figures_of_the_adapter() -> None:
    reading, _, second = check_figures(FIRST.systems["lora"], FIRST)
    assert reading.counts is not None
    assert reading.counts.only == 752
    assert fits(reading) == {"positive": 3, "negative": 3, "macro": 14, "weighted": 18}
    assert listed(reading)["positive"] == ((368, 76, 44, 384), (369, 75, 45, 383), (370, 74, 46, 382))
    assert listed(second) == {"": ((391, 53, 67, 361),)}


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("full", (367, 77, 69, 359)),
        ("lora", (396, 48, 66, 362)),
        ("prefix", (378, 66, 81, 347)),
        ("untrained", (59, 385, 47, 381)),
    ],
)
def test_the_later_figures_leave_one_matrix_each(name: str, matrix: Matrix) -> None:
    system = LATER.systems[name]
    (reading,) = check_figures(system, LATER)
    assert listed(reading) == {"": (matrix,)}
    assert joint_matrix(system, LATER) == matrix
    assert (kept_epoch(system), departures(system, LATER)) == (None, ())


def test_departures_name_the_printed_and_the_logged_figure() -> None:
    assert departures(FIRST.systems["full"], FIRST) == (
        "F1 is printed as 0.882, but epoch 2 of the log has 0.8866666666666667",
    )
    assert departures(FIRST.systems["lora"], FIRST) == (
        "F1 is printed as 0.860, but epoch 2 of the log has 0.8669623059866962",
    )
    # No matrix fits both, so none is behind them.
    assert joint_matrix(FIRST.systems["full"], FIRST) is None
    assert joint_matrix(FIRST.systems["lora"], FIRST) is None
    assert all(departures(system, DISTILBERT) == () for system in DISTILBERT.systems.values())


def test_the_kept_epochs_of_the_shipped_files() -> None:
    assert {name: kept_epoch(system) for name, system in DISTILBERT.systems.items()} == {
        "baseline": 1,
        "freezing": 2,
        "cosine": 3,
    }
    assert [kept_epoch(system) for system in FIRST.systems.values()] == [2, 2]


def test_the_loss_decides_between_epochs_of_one_accuracy() -> None:
    baseline = DISTILBERT.systems["baseline"]
    third = baseline.model_copy(update={"loss": read_number("0.4165")})
    assert kept_epoch(third) == 3
    # Whichever epoch was meant to be kept.
    last = baseline.model_copy(update={"selection": None})
    assert kept_epoch(last) == 1


@pytest.mark.parametrize(
    ("selection", "epoch"),
    [
        (BEST, 1),
        ({"best": "loss", "on": "holdout"}, 1),
        ("last", 3),
        (None, 3),
    ],
)
def test_without_a_loss_the_earliest_best_epoch_was_kept_or_the_last(selection: object, epoch: int) -> None:
    log = {"accuracy": ["0.907110", "0.897936", "0.907110"], "loss": ["0.33", "0.38", "0.42"]}
    chosen = {"selection": selection} if selection else {}
    assert kept_epoch(only(accuracy="90.71%", log=log, **chosen)[0]) == epoch
    # Nor does a printed loss help that the log does not have.
    log = {"accuracy": log["accuracy"]}
    assert kept_epoch(only(accuracy="90.71%", loss="0.42", log=log, **chosen)[0]) == epoch


@pytest.mark.parametrize(
    ("logged", "selection", "epoch"),
    [
        (["0.906", "0.907", "0.905"], BEST, 2),
        (["0.907", "0.906"], "last", 1),
        (["0.908", "0.907", "0.906", "0.907", "0.908"], BEST, 2),
        (["0.908", "0.907", "0.906", "0.907", "0.908"], "last", 4),
    ],
)
def test_the_kept_epoch_is_none_whose_accuracy_only_touches_the_printed_one(
    logged: list[str], selection: object, epoch: int
) -> None:
    assert kept_epoch(only(accuracy="0.907", selection=selection, log={"accuracy": logged})[0]) == epoch


@pytest.mark.parametrize(
    ("selection", "logged", "note"),
    [
        ("last", ["0.907", "0.906"], "said to be from the last epoch, but they are from epoch 1 of 2"),
        ("last", ["0.800", "0.907", "0.900"], "said to be from the last epoch, but they are from epoch 2 of 3"),
        ("last", ["0.906", "0.907"], None),
        # Several epochs have the figure, and the last is one of them.
        ("last", ["0.907", "0.906", "0.907"], None),
        (None, ["0.907", "0.906"], None),
    ],
)
def test_figures_of_an_earlier_epoch_than_the_last_are_a_departure(
    selection: object, logged: list[str], note: str | None
) -> None:
    chosen = {"selection": selection} if selection else {}
    expected = (f"the figures are {note}",) if note else ()
    assert departures(*only(accuracy="0.907", log={"accuracy": logged}, **chosen)) == expected


@pytest.mark.parametrize(
    ("figures", "log", "best", "note"),
    [
        (
            {"accuracy": "0.907"},
            {"accuracy": ["0.908", "0.907"]},
            "accuracy",
            "epoch 1 of the log has the best accuracy, but the figures are from epoch 2",
        ),
        (
            {"error_rate": "9.3%"},
            {"accuracy": ["0.907", "0.800", "0.908", "0.908"]},
            "accuracy",
            "epoch 3 of the log has the best accuracy, but the figures are from epoch 1",
        ),
        (
            {"accuracy": "0.907"},
            {"accuracy": ["0.900", "0.907"], "loss": ["0.31", "0.38"]},
            "loss",
            "epoch 1 of the log has the best loss, but the figures are from epoch 2",
        ),
        ({"accuracy": "0.907"}, {"accuracy": ["0.900", "0.907"], "loss": ["0.31", "0.38"]}, "accuracy", None),
        ({"accuracy": "0.900"}, {"accuracy": ["0.900", "0.907"], "loss": ["0.31", "0.38"]}, "loss", None),
        # The loss says that it was epoch 3, which is as good as epoch 1.
        (
            {"accuracy": "0.907", "loss": "0.42"},
            {"accuracy": ["0.907", "0.898", "0.907"], "loss": ["0.33", "0.38", "0.42"]},
            "accuracy",
            None,
        ),
        ({"accuracy": "0.907"}, {"accuracy": ["0.900", "0.907"], "loss": ["0.3", "0.3"]}, "loss", None),
        # Nothing is known about what decided.
        ({"accuracy": "0.907"}, {"accuracy": ["0.908", "0.907"]}, "loss", None),
        ({"loss": "0.42"}, {"loss": ["0.33", "0.42"]}, "accuracy", None),
        ({"accuracy": "0.907"}, {"accuracy": ["0.908", "0.907"], "f1": ["0.91", "0.90"]}, "f1", None),
    ],
)
def test_figures_of_another_epoch_than_the_best_are_a_departure(
    figures: dict[str, Any], log: dict[str, Any], best: str, note: str | None
) -> None:
    selection = {"best": best, "on": "test"}
    assert departures(*only(**figures, log=log, selection=selection)) == ((note,) if note else ())
    # What was best on a hold-out the log of the test set does not say; and nothing is said without a selection.
    assert departures(*only(**figures, log=log, selection={"best": best, "on": "holdout"})) == ()
    assert departures(*only(**figures, log=log)) == ()


def test_the_wrong_epoch_stands_before_the_other_departures() -> None:
    log = {"accuracy": ["0.908", "0.907"], "f1": {"positive": ["0.91", "0.90"]}}
    assert departures(*only(accuracy="0.907", f1={"positive": "0.91"}, log=log, selection=BEST)) == (
        "epoch 1 of the log has the best accuracy, but the figures are from epoch 2",
        "F1 of positive is printed as 0.91, but epoch 2 of the log has 0.90",
    )


@pytest.mark.parametrize(
    ("figures", "epoch"),
    [
        ({"accuracy": "0.90", "log": {"accuracy": ["0.80", "0.904"]}}, 2),
        ({"error_rate": "10%", "log": {"accuracy": ["0.90", "0.80"]}}, 1),
        ({"loss": "0.33", "log": {"loss": ["0.334", "0.40"]}}, 1),
        ({"accuracy": "0.90", "loss": "0.4", "log": {"loss": ["0.33", "0.40"]}}, 2),
        # Nothing that both have.
        ({"accuracy": "0.90"}, None),
        ({"accuracy": "0.90", "log": {"loss": ["0.33", "0.40"]}}, None),
        ({"f1": "0.90", "log": {"f1": ["0.80", "0.90"], "accuracy": ["0.80", "0.90"]}}, None),
        ({"accuracy": "0.90", "f1": "0.90", "log": {"f1": ["0.80", "0.90"]}}, None),
        # No epoch that has both.
        ({"accuracy": "0.90", "loss": "0.40", "log": {"accuracy": ["0.90", "0.80"], "loss": ["0.33", "0.40"]}}, None),
    ],
)
def test_the_kept_epoch_is_one_that_has_the_printed_figures(figures: dict[str, Any], epoch: int | None) -> None:
    assert kept_epoch(only(**figures)[0]) == epoch


def test_a_log_without_the_printed_figures_is_a_departure() -> None:
    note = "no epoch of the log has the printed {}"
    for selection in ("last", BEST):
        system, report = only(accuracy="0.883", log={"accuracy": ["0.86", "0.87"]}, selection=selection)
        assert kept_epoch(system) is None
        assert departures(system, report) == (note.format("accuracy"),)
        assert joint_matrix(system, report) is None
    assert departures(*only(loss="0.3", log={"loss": ["0.5"]})) == (note.format("loss"),)
    both = {"accuracy": ["0.883", "0.87"], "loss": ["0.40", "0.30"]}
    assert departures(*only(accuracy="0.883", loss="0.30", log=both)) == (note.format("accuracy and loss"),)


def test_without_anything_to_compare_there_is_no_departure() -> None:
    assert departures(*only(accuracy="0.883")) == ()
    assert departures(*only(accuracy="0.883", log={"loss": ["0.4"]})) == ()
    assert departures(*only(loss="0.3", log={"accuracy": ["0.9"]})) == ()
    assert departures(*only(f1={"positive": "0.1"}, log={"f1": {"positive": ["0.9"]}})) == ()


@pytest.mark.parametrize(
    ("figures", "log", "notes"),
    [
        ({"f1": {"positive": "0.90"}}, {"f1": {"positive": ["0.895"]}}, ()),
        (
            {"f1": {"positive": "0.90"}},
            {"f1": {"positive": ["0.894"]}},
            ("F1 of positive is printed as 0.90, but epoch 1 of the log has 0.894",),
        ),
        # Another class says nothing about this one.
        ({"f1": {"positive": "0.90"}}, {"f1": {"negative": ["0.894"]}}, ()),
        ({"f1": {"positive": "0.90"}}, {"recall": {"positive": ["0.88"]}}, ()),
        # A figure without a class may be that of any.
        ({"f1": "0.90"}, {"f1": {"negative": ["0.894"], "positive": ["0.90"]}}, ()),
        (
            {"f1": "0.93"},
            {"f1": {"negative": ["0.894"], "positive": ["0.90"]}},
            ("F1 is printed as 0.93, but epoch 1 of the log has 0.894 and 0.90",),
        ),
        (
            {"f1": {"positive": "0.93"}},
            {"f1": ["0.90"]},
            ("F1 of positive is printed as 0.93, but epoch 1 of the log has 0.90",),
        ),
        ({"f1": {"positive": "0.90"}}, {"f1": ["0.90"]}, ()),
        # Every figure that departs is named.
        (
            {"f1": {"positive": "0.7", "macro": "0.6"}, "precision": "0.5", "recall": {"negative": "0.4"}},
            {"f1": {"positive": ["0.9"], "macro": ["0.9"]}, "precision": ["0.9"], "recall": {"negative": ["0.9"]}},
            (
                "F1 of positive is printed as 0.7, but epoch 1 of the log has 0.9",
                "macro F1 is printed as 0.6, but epoch 1 of the log has 0.9",
                "precision is printed as 0.5, but epoch 1 of the log has 0.9",
                "recall of negative is printed as 0.4, but epoch 1 of the log has 0.9",
            ),
        ),
    ],
)
def test_departures_by_class(figures: dict[str, Any], log: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert departures(*only(accuracy="0.90", log={"accuracy": ["0.897"], **log}, **figures)) == notes


def test_departures_are_held_against_the_kept_epoch() -> None:
    log = {"accuracy": ["0.86", "0.90", "0.88"], "f1": {"positive": ["0.93", "0.90", "0.87"]}}
    for f1, notes in {
        "0.90": (),
        "0.93": ("F1 of positive is printed as 0.93, but epoch 2 of the log has 0.90",),
        "0.87": ("F1 of positive is printed as 0.87, but epoch 2 of the log has 0.90",),
    }.items():
        assert departures(*only(accuracy="0.90", f1={"positive": f1}, log=log)) == notes


# Of 60 and 40 examples 90 are right: (60, 30) has an F1 of a of 0.923, (50, 40) one of b of 0.889.
SIXTY = {"a": "60", "b": "40"}


def test_printed_and_logged_figures_may_be_possible_alone_and_not_together() -> None:
    log = {"accuracy": ["0.90"], "f1": {"b": ["0.889"]}}
    system, report = only(SIXTY, accuracy="0.90", f1={"a": "0.923"}, log=log)
    assert not any(reading.contradicts_itself for reading in check_figures(system, report))
    assert departures(system, report) == ("no confusion matrix fits the printed figures and the log together",)
    assert joint_matrix(system, report) is None
    # Over several classes nothing is known.
    assert departures(*only({"a": "50", "b": "40", "c": "10"}, accuracy="0.90", f1={"a": "0.923"}, log=log)) == ()


def test_what_contradicts_itself_is_not_held_against_the_log_as_well() -> None:
    impossible = {"accuracy": "0.90", "f1": {"a": "0.99"}}
    logged = {"accuracy": ["0.80", "0.90"], "f1": {"b": ["0.7", "0.889"]}}
    assert departures(*only(SIXTY, **impossible, log=logged)) == ()
    logged = {"accuracy": ["0.80", "0.90"], "f1": {"b": ["0.7", "0.99"]}}
    assert departures(*only(SIXTY, accuracy="0.90", f1={"a": "0.923"}, log=logged)) == ()
    # Another epoch of the log may well contradict itself.
    logged = {"accuracy": ["0.80", "0.90"], "f1": {"b": ["0.99", "0.889"]}}
    assert len(departures(*only(SIXTY, accuracy="0.90", f1={"a": "0.923"}, log=logged))) == 1


def test_figures_that_no_matrix_has_contradict_each_other() -> None:
    reading = printed(SIXTY, accuracy="0.90", f1={"a": "0.99"})
    assert reading.contradicts_itself
    assert fits(reading) == {"": 0}
    assert not printed(SIXTY, accuracy="0.90", f1={"a": "0.91"}).contradicts_itself


def test_an_accuracy_that_no_count_has_contradicts_itself() -> None:
    for classes in (SST2, {"a": "800", "b": "70", "c": "2"}):
        reading = printed(classes, accuracy="90.70%")
        assert reading.counts is not None
        assert not reading.counts.possible
        assert reading.contradicts_itself
    assert not printed(accuracy="90.71%").contradicts_itself


def test_one_reading_without_contradiction_is_enough() -> None:
    # All of a and 30 of b are right: no F1 of b is as high.
    reading = printed(SIXTY, accuracy="0.90", f1="0.923")
    assert fits(reading)["a"] > 0
    assert fits(reading)["b"] == 0
    assert not reading.contradicts_itself
    assert printed(SIXTY, accuracy="0.90", f1="0.99").contradicts_itself


def test_a_mean_over_runs_has_counts_and_no_matrices() -> None:
    system, report = only(accuracy="0.883", f1={"positive": "0.1"}, runs="5")
    (reading,) = check_figures(system, report)
    assert reading.counts is not None
    assert (reading.counts.n, reading.counts.runs) == (872, 5)
    assert (reading.counts.low, reading.counts.high) == (3848, 3852)
    assert reading.fits == ()
    assert not reading.contradicts_itself
    assert joint_matrix(system, report) is None
    assert departures(system, report) == ()


@pytest.mark.parametrize("classes", [{"a": "400", "b": "400", "c": "72"}, {"a": "800", "b": "70", "c": "1", "d": "1"}])
def test_more_than_two_classes_have_no_matrices(classes: dict[str, str]) -> None:
    system, report = only(classes, accuracy="0.883", f1={"a": "0.9"}, log={"accuracy": ["0.8830"]})
    assert [reading.fits for reading in check_figures(system, report)] == [(), ()]
    assert [reading.counts.only for reading in check_figures(system, report) if reading.counts] == [770, 770]
    assert joint_matrix(system, report) is None


def test_classes_of_unknown_size_have_no_matrices() -> None:
    content = {"source": "a", "n": "872", "systems": {"full": {"accuracy": "0.883", "f1": {"positive": "0.887"}}}}
    (report,) = parse_claims_file(content).reports
    (reading,) = check_figures(report.systems["full"], report)
    assert (reading.fits, reading.contradicts_itself) == ((), False)
    assert reading.counts is not None
    assert reading.counts.only == 770
    assert joint_matrix(report.systems["full"], report) is None


def test_f1_and_recall_alone_give_a_matrix() -> None:
    figures = {"f1": {"positive": "0.8866666666666667"}, "recall": {"positive": "0.898649"}}
    system, report = only(**figures)
    (reading,) = check_figures(system, report)
    assert (reading.accuracy, reading.counts) == ("", None)
    assert reading.others == "F1 of positive 0.8866666666666667, recall of positive 0.898649"
    assert listed(reading) == {"": ((399, 45, 57, 371),)}
    assert joint_matrix(system, report) == (399, 45, 57, 371)
    assert not reading.contradicts_itself


def test_without_figures_there_is_nothing_to_read() -> None:
    reading = printed(time="51 s", loss="0.3")
    assert (reading.accuracy, reading.others, reading.counts, reading.fits) == ("", "", None, ())
    assert not reading.contradicts_itself


def test_an_error_rate_stands_as_printed_and_counts_as_an_accuracy() -> None:
    system, report = only(error_rate="11.7%", f1={"positive": "0.887"}, log={"accuracy": ["0.86", "0.8830"]})
    reading = check_figures(system, report)[0]
    assert reading.accuracy == "11.7%"
    assert reading.counts is not None
    assert (reading.counts.printed, reading.counts.only) == ("11.7%", 770)
    assert listed(reading) == listed(printed(accuracy="88.3%", f1={"positive": "0.887"}))
    assert kept_epoch(system) == 2
    assert departures(system, report) == ()


def test_the_other_figures_stand_in_words() -> None:
    f1 = {"macro": "0.91", "positive": "92%", "weighted": "0.90"}
    reading = printed(f1=f1, precision="0.90", recall={"negative": ".9", "weighted": ".90", "macro": ".8"})
    assert reading.others == (
        "macro F1 0.91, F1 of positive 92%, weighted F1 0.90, precision 0.90, "
        "recall of negative .9, weighted recall .90, macro recall .8"
    )


@pytest.mark.parametrize("measure", ["f1", "precision", "recall"])
def test_a_figure_without_a_class_is_read_as_each_class_and_as_both_means(measure: str) -> None:
    unnamed = printed(accuracy="0.883", **{measure: "0.887"})
    ways = ["positive", "negative", "macro", "weighted"]
    assert [fit.read_as for fit in unnamed.fits] == ways
    for name in ways:
        named = printed(accuracy="0.883", **{measure: {name: "0.887"}})
        assert fits(named) == {"": fits(unnamed)[name]}
        assert listed(named)[""] == listed(unnamed)[name]


def test_figures_with_a_class_stay_with_it_beside_one_without() -> None:
    reading = printed(SIXTY, f1="0.923", recall={"a": "1.000"})
    assert listed(reading)["a"] == ((60, 0, 10, 30),)
    assert all(right == 60 for right, *_ in listed(reading)["b"])


def test_the_weighted_recall_is_the_accuracy() -> None:
    alone = printed(SIXTY, accuracy="0.90")
    assert fits(printed(SIXTY, recall={"weighted": "0.90"})) == fits(alone)
    assert fits(printed(SIXTY, accuracy="0.90", recall={"weighted": "0.90"})) == fits(alone)
    assert printed(SIXTY, accuracy="0.90", recall={"weighted": "0.88"}).contradicts_itself
    assert not printed(SIXTY, accuracy="0.90", recall={"macro": "0.88"}).contradicts_itself


def test_both_means_are_one_where_the_classes_are_as_large() -> None:
    for measure in ("f1", "precision", "recall"):
        result = printed({"a": "50", "b": "50"}, accuracy="0.88", **{measure: "0.88"})
        assert fits(result)["macro"] == fits(result)["weighted"] > 0
        assert listed(result)["macro"] == listed(result)["weighted"]


def test_a_weighted_figure_alone_can_leave_one_matrix() -> None:
    # 55 of 60 and 31 of 40 are right.
    f1 = (60 * Fraction(110, 124) + 40 * Fraction(62, 76)) / 100
    system, report = only(SIXTY, accuracy="0.86", f1={"weighted": f"{float(f1):.12f}"})
    assert joint_matrix(system, report) == (55, 5, 9, 31)
    macro = only(SIXTY, accuracy="0.86", f1={"macro": f"{float(f1):.12f}"})
    assert check_figures(*macro)[0].contradicts_itself


def measures(a: int, b: int, sizes: tuple[int, int]) -> dict[tuple[str, str], Fraction]:
    """Every measure of a confusion matrix by definition."""
    wrong_a, wrong_b = sizes[0] - a, sizes[1] - b
    out = {("accuracy", ""): Fraction(a + b, sum(sizes))}
    for name, right, missed, taken in (("a", a, wrong_a, wrong_b), ("b", b, wrong_b, wrong_a)):
        out["precision", name] = Fraction(right, right + taken) if right + taken else Fraction(0)
        out["recall", name] = Fraction(right, right + missed)
        out["f1", name] = Fraction(2 * right, 2 * right + missed + taken)
    for measure in ("precision", "recall", "f1"):
        out[measure, "macro"] = (out[measure, "a"] + out[measure, "b"]) / 2
        out[measure, "weighted"] = (sizes[0] * out[measure, "a"] + sizes[1] * out[measure, "b"]) / sum(sizes)
    return out


def counted(sizes: tuple[int, int], bounds: list[tuple[tuple[str, str], PrintedFigure]]) -> Iterator[Matrix]:
    for a in range(sizes[0] + 1):
        for b in range(sizes[1] + 1):
            result = measures(a, b, sizes)
            if all(figure.low <= result[of] <= figure.high for of, figure in bounds):
                yield a, sizes[0] - a, sizes[1] - b, b


@pytest.mark.parametrize(
    ("accuracy", "figures"),
    [
        ("0.8", {"f1": {"": "0.8"}}),
        ("80%", {"f1": {"": "0.75", "a": "0.833"}}),
        ("0.80", {"precision": {"": "0.8"}, "recall": {"": "0.8"}}),
        ("0.7", {"f1": {"macro": "0.7"}, "precision": {"b": "0.6"}, "recall": {"": "0.75"}}),
        (None, {"f1": {"": "0.7"}, "recall": {"a": "0.67"}}),
        ("0.60", {"precision": {"macro": "0.6"}}),
        ("0.60", {"precision": {"weighted": "0.6"}}),
        ("0.7", {"f1": {"weighted": "0.7", "macro": "0.7"}}),
        (None, {"f1": {"weighted": "0.70"}}),
        (None, {"precision": {"weighted": "0.70"}}),
        (None, {"recall": {"weighted": "0.7", "macro": "0.71"}}),
        # Everything is taken for one class, and the other has no precision.
        (None, {"precision": {"weighted": "0.36"}}),
        (None, {"precision": {"weighted": "0.16"}, "recall": {"weighted": "0.4"}}),
        ("0.5", {"f1": {"": "0.99"}}),
    ],
)
@pytest.mark.parametrize("sizes", [(6, 4), (1, 9), (5, 5), (3, 11)])
def test_matrices_are_those_that_can_be_counted_one_by_one(
    accuracy: str | None, figures: dict[str, Any], sizes: tuple[int, int]
) -> None:
    given = {"accuracy": accuracy} if accuracy is not None else {}
    reading = printed({"a": str(sizes[0]), "b": str(sizes[1])}, **given, **figures)
    unnamed = any("" in by_class for by_class in figures.values())
    assert [fit.read_as for fit in reading.fits] == (["a", "b", "macro", "weighted"] if unnamed else [""])
    for fit in reading.fits:
        bounds = [(("accuracy", ""), read_share(accuracy))] if accuracy is not None else []
        bounds += [
            ((measure, name or fit.read_as), read_share(text))
            for measure, by_class in figures.items()
            for name, text in by_class.items()
        ]
        expected = tuple(counted(sizes, bounds))
        assert fit.matrices.count == len(expected)
        assert fit.matrices.listed == (expected if len(expected) <= 12 else ())


def test_the_log_narrows_the_matrices_of_the_printed_figures() -> None:
    log = {
        "accuracy": ["0.86", "0.8830275229357798", "0.87"],
        "f1": {"positive": ["0.8866666666666667", "0.8866666666666667", "0.8"]},
    }
    system, report = only(accuracy="0.883", f1={"positive": "0.887"}, log=log)
    assert fits(check_figures(system, report)[0]) == {"": 4}
    assert joint_matrix(system, report) == (399, 45, 57, 371)
    # Each side alone leaves several, both together one.
    for system, report in (
        only(accuracy="0.883", log={"accuracy": ["0.88"], "recall": {"positive": ["0.8986"]}}),
        only(accuracy="0.88", recall={"positive": "0.8986"}, log={"accuracy": ["0.8830275"]}),
    ):
        assert [fits(reading)[""] > 1 for reading in check_figures(system, report)] == [True, True]
        assert joint_matrix(system, report) == (399, 45, 57, 371)


def test_a_log_of_other_answers_leaves_the_printed_matrix() -> None:
    figures = {"accuracy": "0.8830275", "f1": {"positive": "0.8866666666666667"}}
    assert joint_matrix(*only(**figures)) == (399, 45, 57, 371)
    other = only(**figures, log={"accuracy": ["0.86"]})
    assert joint_matrix(*other) == (399, 45, 57, 371)
    assert departures(*other) == ("no epoch of the log has the printed accuracy",)


def test_several_matrices_are_not_one() -> None:
    assert joint_matrix(*only(accuracy="0.883", f1={"positive": "0.887"})) is None
    assert joint_matrix(*only(SIXTY, accuracy="0.90", f1={"a": "0.99"})) is None
    assert joint_matrix(*only(accuracy="0.883")) is None
    # One as positive and one as negative.
    unnamed = only(accuracy="0.8830275", f1="0.8866666666666667")
    assert list(fits(check_figures(*unnamed)[0]).values()) == [1, 1, 0, 0]
    assert joint_matrix(*unnamed) is None


def test_the_only_matrix_under_any_reading_is_the_only_one() -> None:
    # The log's F1 is that of the positive class, and under no other reading does the printed one fit beside it.
    log = {"accuracy": ["0.8830275229357798"], "f1": {"positive": ["0.8866666666666667"]}}
    system, report = only(accuracy="0.883", f1="0.887", log=log)
    assert departures(system, report) == ()
    assert joint_matrix(system, report) == (399, 45, 57, 371)
