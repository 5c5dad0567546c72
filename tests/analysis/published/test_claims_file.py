from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from analysis.errors import AnalysisError, PlanError, Problem
from analysis.published.claims_epochs import PublishedSelection
from analysis.published.claims_file import ClaimsFile, parse_claims_file, read_claims
from analysis.published.claims_schema import RunsSd, SeedSd, System
from analysis.published.claims_tuning import Tuning
from analysis.published.figure_checks import check_figures, departures, joint_matrix
from analysis.published.published_report import PublishedReport
from analysis.published.reversals import reversals

SHIPPED = Path(__file__).parents[3] / "studies" / "claims"

# What the messages begin with.
FIGURE = 'expected a figure such as "0.883" or "88.3%", got '
SHARE = 'expected a share from "0" to "1" or "0%" to "100%", got '
SIGN = '; a percentage needs its sign, such as "88.3%"'
WHOLE = "expected a whole number above 0, got "
NUMBER = "expected a number such as 0.3255, got "
PARAMETERS = "expected a number of parameters such as 124,441,344 or 124M, got "
SOURCE = "expected a text that says where the figures come from, got "
N = "expected a whole number of test examples from 1 to 10,000,000, got "
CLASSES = "expected a mapping of classes to their numbers of test examples, got "
SETTINGS = "expected a mapping of settings to values, got "
SYSTEMS = "expected a mapping of names to figures, such as {full: {accuracy: 0.883}}, got "
SELECTION = "expected last, or {best: accuracy, on: test, epochs: 3}, got "
BEST = "expected 'accuracy', 'f1' or 'loss', got "
ON = "expected 'test' or 'holdout', got "
TUNING = "expected all, {freeze: {layers: 3}} or {lora: {r: 4, target_modules: [c_attn]}}, got "
MODULES = "expected a list of module names such as [c_attn], got "
LOG = "expected a mapping such as {accuracy: [0.852, 0.862], loss: [0.33, 0.32]}, got "
EPOCHS = "expected a list of figures, one for each epoch, got "
ALIKE = "expected one figure per epoch in every column, got "
SD = "expected an SD below 20%, got "
STUDY = "this is a study file; use harness run"
RUNS = "an SD over runs needs at least two runs, got 1; say how many, such as runs: 5"
PAIRS = "expected a list of {treatment: SYSTEM, baseline: SYSTEM}, or board, got "
PAIR = "expected {treatment: SYSTEM, baseline: SYSTEM}, got "
NAME = "expected the name of a system, got "
OF_REPORT = "expected a system of this report (full, lora), got "
REQUIRED = "nothing: this key is required"

MEETS = {"treatment": "lora", "baseline": "full"}

EVERYTHING = """\
title: Everything a claims file takes
source: table 2
n: 1,000
model: openai-community/gpt2
data: SST-2
classes: {positive: 510, negative: 490}
seed_sd: {value: 0.80%, runs: 5}
selection: {best: accuracy, on: test, epochs: 3}
settings: {epochs: 3, optimizer: {name: adamw, betas: [0.9, 0.999]}}
systems:
  full:
    accuracy: 0.860
    f1: {positive: 0.870, negative: 0.85, macro: 86.0%, weighted: 0.8602}
    precision: 0.880
    recall: {macro: .9}
    loss: 0.3250
    time: 22 min 51 s
    parameters: 124M
    trainable: 124,441,344
    trainable_share: 100%
    tuning: all
    settings: {learning_rate: 5e-5, epochs: 2}
    log:
      accuracy: [0.850, 0.860, 0.855]
      f1: {positive: [0.86, 0.870, 0.86]}
      precision: [0.87, 0.880, 0.8750]
      recall: {macro: [.8, .9, .7], negative: [0.1, 0.2, 0.30]}
      loss: [0.4, 0.3250, 0.35]
  lora:
    error_rate: 14.10%
    sd: 0.90%
    runs: 5
    selection: last
    tuning: {lora: {r: 4, target_modules: [c_attn, c_proj]}}
    arm: lora-r4
  frozen:
    accuracy: "0.850"
    tuning: {freeze: {layers: 0}}
pairs:
  - {treatment: lora, baseline: full, said: differ, words: much better, time_saved: 35%, speedup: 1.50}
  - {treatment: full, baseline: frozen, said: equal}
"""


def loaded(text: str) -> dict[str, Any]:
    """Read YAML as the command does: every scalar as the text that stands there."""
    content: dict[str, Any] = YAML(typ="base", pure=True).load(text)
    return content


def content(**changes: Any) -> dict[str, Any]:
    systems = {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}}
    return {"source": "table 2", "n": "872", "systems": systems, **changes}


def of(**figures: Any) -> dict[str, Any]:
    """A file whose first system has these figures."""
    return content(systems={"full": figures, "lora": {"accuracy": "0.862"}})


def the_report(whole: Mapping[str, Any]) -> PublishedReport:
    (report,) = parse_claims_file(whole).reports
    return report


def first(**figures: Any) -> System:
    return the_report(of(**figures)).systems["full"]


def problems_of(whole: Mapping[str, Any]) -> tuple[Problem, ...]:
    try:
        parse_claims_file(whole)
    except PlanError as error:
        return error.problems
    return ()


def said(whole: Mapping[str, Any]) -> dict[str, str]:
    """Every problem's message by its place; no place may have two."""
    problems = problems_of(whole)
    messages = {str(problem).removesuffix(f": {problem.message}"): problem.message for problem in problems}
    assert len(messages) == len(problems), problems
    return messages


def chosen(selection: PublishedSelection | None) -> tuple[str | None, str | None, int | None] | None:
    return (selection.best, selection.on, selection.epochs) if selection is not None else None


def trained(tuning: Tuning | None) -> dict[str, Any] | None:
    return tuning.model_dump(exclude_none=True) if tuning is not None else None


def printed(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [figure.printed for figure in of_name] if isinstance(of_name, tuple) else of_name.printed
        for name, of_name in figures.items()
    }


def test_everything_that_a_file_takes_is_read_as_it_stands() -> None:
    file = parse_claims_file(loaded(EVERYTHING))
    assert file.title == "Everything a claims file takes"
    (report,) = file.reports
    assert (report.name, report.source, report.n) == ("", "table 2", 1000)
    assert (report.model, report.data) == ("openai-community/gpt2", "SST-2")
    assert list(report.classes.items()) == [("positive", 510), ("negative", 490)]
    assert report.seed_sd is not None
    assert (report.seed_sd.value.printed, report.seed_sd.runs) == ("0.80%", 5)
    assert list(report.systems) == ["full", "lora", "frozen"]

    full = report.systems["full"]
    assert full.accuracy is not None
    assert full.accuracy.printed == "0.860"
    assert full.accuracy.half_width == Fraction(1, 2000)
    assert printed(full.f1) == {"positive": "0.870", "negative": "0.85", "macro": "86.0%", "weighted": "0.8602"}
    assert printed(full.precision) == {"": "0.880"}
    assert printed(full.recall) == {"macro": ".9"}
    single = (full.loss, full.time, full.parameters, full.trainable, full.trainable_share)
    assert [(figure.printed, figure.value) for figure in single if figure is not None] == [
        ("0.3250", Fraction(13, 40)),
        ("22 min 51 s", 1371),
        ("124M", 124_000_000),
        ("124,441,344", 124_441_344),
        ("100%", 1),
    ]
    assert trained(full.tuning) == {}
    assert (full.runs, full.sd, full.error_rate, full.arm) == (1, None, None, None)
    assert chosen(full.selection) == ("accuracy", "test", 3)
    assert full.settings == {
        "epochs": "2",
        "optimizer": {"name": "adamw", "betas": ["0.9", "0.999"]},
        "learning_rate": "5e-5",
    }
    log = full.log
    assert log is not None
    assert log.epochs == full.epochs == 3
    assert [(name, [figure.printed for figure in figures]) for name, figures in log.columns()] == [
        ("accuracy", ["0.850", "0.860", "0.855"]),
        ("loss", ["0.4", "0.3250", "0.35"]),
        ("f1 of positive", ["0.86", "0.870", "0.86"]),
        ("precision", ["0.87", "0.880", "0.8750"]),
        ("recall of macro", [".8", ".9", ".7"]),
        ("recall of negative", ["0.1", "0.2", "0.30"]),
    ]

    lora = report.systems["lora"]
    assert lora.accuracy is None
    assert lora.error_rate is not None
    assert lora.sd is not None
    assert (lora.error_rate.printed, lora.sd.value.printed, lora.runs, lora.arm) == ("14.10%", "0.90%", 5, "lora-r4")
    assert trained(lora.tuning) == {"lora": {"r": 4, "target_modules": ("c_attn", "c_proj")}}
    assert chosen(lora.selection) == (None, None, None)
    assert lora.log is None
    assert trained(report.systems["frozen"].tuning) == {"freeze": {"layers": 0}}

    one, other = report.pairs
    assert (one.treatment, one.baseline, one.said, one.words) == ("lora", "full", "differ", "much better")
    assert one.time_saved is not None
    assert one.speedup is not None
    assert (one.time_saved.printed, one.speedup.printed) == ("35%", "1.50")
    assert (other.treatment, other.baseline, other.said, other.words) == ("full", "frozen", "equal", None)
    assert (other.time_saved, other.speedup) == (None, None)


def test_the_least_file_takes_every_default() -> None:
    file = parse_claims_file({"source": "a talk", "n": "1", "systems": {"full": {}}})
    (report,) = file.reports
    assert file.title == ""
    assert report == PublishedReport(name="", source="a talk", n=1, systems={"full": System()}, pairs=())
    assert (report.model, report.data, report.classes, report.seed_sd) == (None, None, {}, None)
    system = report.systems["full"]
    assert (system.score, system.epochs, system.runs, system.settings) == (None, None, 1, {})


@pytest.mark.parametrize(
    ("name", "reports", "systems", "pairs"),
    [
        ("distilbert.yaml", [""], [["baseline", "freezing", "cosine"]], [3]),
        (
            "gpt2_lora.yaml",
            ["first run", "later run"],
            [["full", "lora"], ["full", "lora", "prefix", "untrained"]],
            [1, 4],
        ),
    ],
)
def test_the_shipped_files_are_read(name: str, reports: list[str], systems: list[list[str]], pairs: list[int]) -> None:
    file = parse_claims_file(loaded((SHIPPED / name).read_text("utf-8")))
    assert [report.name for report in file.reports] == reports
    assert [list(report.systems) for report in file.reports] == systems
    assert [len(report.pairs) for report in file.reports] == pairs
    assert {report.n for report in file.reports} == {872}
    assert all(report.classes == {"positive": 444, "negative": 428} for report in file.reports)


SEVERAL = """\
title: two tables
source: the paper
n: 872
model: gpt2
data: SST-2
classes: {positive: 444, negative: 428}
seed_sd: 0.8%
selection: last
settings: {epochs: 2, batch_size: 16}
pairs: [{treatment: lora, baseline: full}]
reports:
  first:
    settings: {batch_size: 32, schedule: cosine}
    systems:
      full: {accuracy: 0.883}
      lora: {accuracy: 0.862, settings: {epochs: 5}, selection: {best: loss, on: holdout}}
  second:
    source: the appendix
    n: 100
    model: bert
    data: IMDb
    classes: {positive: 40, negative: 60}
    seed_sd: {value: 1%}
    selection: {best: f1, on: test}
    pairs: []
    systems: {lora: {accuracy: 0.9}}
"""


def test_reports_take_over_what_stands_at_the_top() -> None:
    file = parse_claims_file(loaded(SEVERAL))
    one, other = file.reports
    assert file.title == "two tables"
    assert (one.name, one.source, one.n, one.model, one.data) == ("first", "the paper", 872, "gpt2", "SST-2")
    assert (other.name, other.source, other.n, other.model, other.data) == (
        "second",
        "the appendix",
        100,
        "bert",
        "IMDb",
    )
    assert one.classes == {"positive": 444, "negative": 428}
    assert other.classes == {"positive": 40, "negative": 60}
    assert [report.seed_sd.value.printed for report in file.reports if report.seed_sd] == ["0.8%", "1%"]
    assert [str(pair) for pair in one.pairs] == ["lora against full"]
    assert other.pairs == ()
    assert chosen(one.systems["full"].selection) == (None, None, None)
    assert chosen(one.systems["lora"].selection) == ("loss", "holdout", None)
    assert chosen(other.systems["lora"].selection) == ("f1", "test", None)


def test_settings_add_up_from_the_file_over_the_report_to_the_system() -> None:
    one, other = parse_claims_file(loaded(SEVERAL)).reports
    assert one.systems["full"].settings == {"epochs": "2", "batch_size": "32", "schedule": "cosine"}
    assert one.systems["lora"].settings == {"epochs": "5", "batch_size": "32", "schedule": "cosine"}
    assert other.systems["lora"].settings == {"epochs": "2", "batch_size": "16"}


def test_reports_can_share_their_systems() -> None:
    file = parse_claims_file(content(reports={"one": {"n": "100"}, "other": {}}))
    assert [(report.name, report.n, list(report.systems)) for report in file.reports] == [
        ("one", 100, ["full", "lora"]),
        ("other", 872, ["full", "lora"]),
    ]


@pytest.mark.parametrize("text", ["0.860", "0.86", "86.0%", "86.00 %", ".8600", "0.8830275229357798"])
def test_figures_keep_the_digits_that_were_printed(text: str) -> None:
    system = first(accuracy=text, f1={"positive": text}, recall=text, log={"accuracy": [text], "f1": [text]})
    assert system.log is not None
    figures = [system.accuracy, system.f1["positive"], system.recall[""], system.log.accuracy[0], system.log.f1[""][0]]
    assert [figure.printed for figure in figures if figure is not None] == [text] * 5


def test_the_score_is_the_accuracy_whichever_way_it_is_printed() -> None:
    accuracy, error_rate = first(accuracy="0.883"), first(error_rate="11.7%")
    assert accuracy.score == accuracy.accuracy
    assert error_rate.score is not None
    assert error_rate.error_rate is not None
    assert error_rate.score.value == Fraction(883, 1000)
    assert (error_rate.score.printed, error_rate.error_rate.value) == ("11.7%", Fraction(117, 1000))
    assert first(f1="0.9").score is None


@pytest.mark.parametrize(
    ("selection", "expected", "on_test"),
    [
        ("last", (None, None, None), False),
        ({"best": "accuracy", "on": "test"}, ("accuracy", "test", None), True),
        ({"best": "f1", "on": "holdout", "epochs": "3"}, ("f1", "holdout", 3), False),
        ({"best": "loss", "on": "test", "epochs": "1,000"}, ("loss", "test", 1000), True),
    ],
)
def test_the_forms_of_a_selection(selection: object, expected: tuple[object, ...], on_test: bool) -> None:
    read = first(accuracy="0.9", selection=selection).selection
    assert read is not None
    assert chosen(read) == expected
    assert read.on_test is on_test
    assert the_report(content(selection=selection)).systems["lora"].selection == read


@pytest.mark.parametrize(
    ("figures", "epochs"),
    [
        ({}, None),
        ({"selection": "last"}, None),
        ({"log": {"loss": ["0.5", "0.4"]}}, 2),
        ({"selection": "last", "log": {"f1": {"macro": ["0.5", "0.4", "0.3"]}}}, 3),
        ({"selection": {"best": "loss", "on": "test", "epochs": "4"}}, 4),
        ({"selection": {"best": "loss", "on": "test"}, "log": {"precision": ["0.5"]}}, 1),
    ],
)
def test_epochs_are_those_of_the_selection_or_of_the_log(figures: dict[str, Any], epochs: int | None) -> None:
    assert first(**figures).epochs == epochs


@pytest.mark.parametrize(
    ("tuning", "expected"),
    [
        ("all", {}),
        ({"freeze": {"layers": "0"}}, {"freeze": {"layers": 0}}),
        ({"freeze": {"layers": "12"}}, {"freeze": {"layers": 12}}),
        ({"lora": {"r": "16", "target_modules": ["query"]}}, {"lora": {"r": 16, "target_modules": ("query",)}}),
    ],
)
def test_the_forms_of_tuning(tuning: object, expected: dict[str, Any]) -> None:
    assert trained(first(tuning=tuning).tuning) == expected


@pytest.mark.parametrize(
    ("seed_sd", "value", "runs"),
    [
        ("0.8%", Fraction(8, 1000), None),
        ("0.0080", Fraction(8, 1000), None),
        ({"value": "0.8%"}, Fraction(8, 1000), None),
        ({"value": "1%", "runs": "2"}, Fraction(1, 100), 2),
    ],
)
def test_the_forms_of_a_seed_sd(seed_sd: object, value: Fraction, runs: int | None) -> None:
    read = the_report(content(seed_sd=seed_sd)).seed_sd
    assert isinstance(read, SeedSd)
    assert (read.value.value, read.runs) == (value, runs)


@pytest.mark.parametrize(
    ("sd", "value", "ddof"),
    [
        ("0.9%", Fraction(9, 1000), None),
        ({"value": "0.9%"}, Fraction(9, 1000), None),
        ({"value": "0.9%", "ddof": "0"}, Fraction(9, 1000), 0),
        ({"value": "0.9%", "ddof": "1"}, Fraction(9, 1000), 1),
    ],
)
def test_the_forms_of_an_sd(sd: object, value: Fraction, ddof: int | None) -> None:
    read = first(accuracy="90%", sd=sd, runs="5").sd
    assert isinstance(read, RunsSd)
    assert (read.value.value, read.ddof) == (value, ddof)
    stated = the_report(content(seed_sd={"runs": "5", **(sd if isinstance(sd, dict) else {"value": sd})})).seed_sd
    assert isinstance(stated, SeedSd)
    assert (stated.value.value, stated.ddof) == (value, ddof)


def test_what_an_sd_was_divided_by_is_one_of_two() -> None:
    message = "expected 0 (divided by the number of runs, numpy's default) or 1 (divided by one less), got "
    sd = {"value": "0.9%", "ddof": "2"}
    assert said(of(accuracy="90%", sd=sd, runs="5")) == {"systems.full.sd.ddof": f"{message}'2'"}
    assert said(content(seed_sd={**sd, "runs": "5"})) == {"seed_sd.ddof": f"{message}'2'"}


@pytest.mark.parametrize("reports", [1, 3])
def test_a_thousand_pairs_are_the_most(reports: int) -> None:
    systems: dict[str, Any] = {f"s{i}": {"accuracy": "0.9"} for i in range(27 if reports == 3 else 46)}
    many = (
        content(systems=systems) if reports == 1 else content(reports={f"r{i}": {"systems": systems} for i in range(3)})
    )
    if reports == 3:
        del many["systems"]
    count = 1_035 if reports == 1 else 1_053
    (path, message), *others = said(many).items()
    assert (path, others) == ("pairs", [])
    assert message.startswith(f"expected at most 1,000 pairs in all, got {count:,}; list those that matter")
    named = {**many, "pairs": [{"treatment": "s1", "baseline": "s0"}]}
    assert said(named) == {}


def test_pairs_are_counted_before_they_are_made() -> None:
    systems = {f"s{i}": {} for i in range(20_000)}
    # Made first, they would take minutes and all memory.
    assert "got 199,990,000;" in said(content(systems=systems))["pairs"]


def test_without_pairs_every_later_system_meets_every_earlier_one() -> None:
    systems: dict[str, Any] = {name: {} for name in ("full", "lora", "prefix", "frozen")}
    assert [str(pair) for pair in the_report(content(systems=systems)).pairs] == [
        "lora against full",
        "prefix against full",
        "frozen against full",
        "prefix against lora",
        "frozen against lora",
        "frozen against prefix",
    ]


def test_named_pairs_are_all_the_pairs_there_are() -> None:
    pairs = [{"treatment": "full", "baseline": "lora"}]
    assert [str(pair) for pair in the_report(content(pairs=pairs)).pairs] == ["full against lora"]
    assert the_report(content(pairs=[])).pairs == ()


def test_classes_that_are_not_known_may_have_any_name() -> None:
    assert set(first(f1={"anything": "0.9", "macro": "0.8"}, log={"recall": {"whatever": ["0.9"]}}).f1) == {
        "anything",
        "macro",
    }


def test_figures_that_fit_no_counts_are_findings_and_no_problems() -> None:
    impossible = {"accuracy": "90.70%", "f1": {"positive": "0.01"}, "recall": {"positive": "0.999"}}
    assert said(content(classes={"positive": "444", "negative": "428"}, systems={"full": impossible})) == {}


def test_what_was_read_cannot_be_changed() -> None:
    system: Any = first(accuracy="0.9")
    with pytest.raises(ValueError, match="frozen"):
        system.runs = 3


@pytest.mark.parametrize(
    ("key", "value", "where", "message"),
    [
        ("source", "", "source", f"{SOURCE}''"),
        ("source", ["table 2"], "source", f"{SOURCE}a list"),
        ("source", None, "source", f"{SOURCE}nothing"),
        *[("n", text, "n", f"{WHOLE}{text!r}") for text in ("0", "872.0", "many", "", "-5", "87,2", "1e3", "87%")],
        ("n", ["872"], "n", f"{WHOLE}a list"),
        ("n", "872_0", "n", f"{WHOLE}'872_0'"),
        ("n", "10,000,001", "n", "expected at most 10,000,000 test examples, got 10,000,001"),
        ("n", 10**12, "n", "expected at most 10,000,000 test examples, got 1,000,000,000,000"),
        ("n", None, "n", f"{WHOLE}nothing"),
        ("model", ["gpt2"], "model", "expected a text with the name of a model, got a list"),
        ("data", {}, "data", "expected a text with the name of a data set, got an empty mapping"),
        ("title", ["x"], "title", "expected a text, got a list"),
        ("title", {"x": "y"}, "title", "expected a text, got a mapping"),
        ("settings", "3", "settings", f"{SETTINGS}'3'"),
        ("settings", ["a"], "settings", f"{SETTINGS}a list"),
        ("classes", {"a": "444", "b": "429"}, "classes", "expected counts that add up to n = 872, got 444 + 429 = 873"),
        (
            "classes",
            {"a": "1", "b": "2", "c": "3"},
            "classes",
            "expected counts that add up to n = 872, got 1 + 2 + 3 = 6",
        ),
        ("classes", {"a": "872"}, "classes", "expected at least two classes, got 1"),
        ("classes", {"a": "0", "b": "872"}, "classes.a", f"{WHOLE}'0'"),
        ("classes", {"a": "436", "b": "half"}, "classes.b", f"{WHOLE}'half'"),
        ("classes", ["positive"], "classes", f"{CLASSES}a list"),
        ("classes", "2", "classes", f"{CLASSES}'2'"),
        ("systems", {}, "systems", f"{SYSTEMS}an empty mapping"),
        ("systems", ["full"], "systems", f"{SYSTEMS}a list"),
        ("systems", "", "systems", f"{SYSTEMS}''"),
        ("pairs", "all", "pairs", f"{PAIRS}'all'"),
        ("pairs", "", "pairs", f"{PAIRS}''"),
        ("pairs", {"treatment": "lora", "baseline": "full"}, "pairs", f"{PAIRS}a mapping"),
        ("seed_sd", "small", "seed_sd", f"{FIGURE}'small'"),
        ("seed_sd", "1.2", "seed_sd", f"{SHARE}'1.2'{SIGN}"),
        ("seed_sd", "0,8%", "seed_sd", f"{FIGURE}'0,8%'; write decimals with a point"),
        ("seed_sd", {"value": "small"}, "seed_sd.value", f"{FIGURE}'small'"),
        ("seed_sd", {"value": "1.2", "runs": "5"}, "seed_sd.value", f"{SHARE}'1.2'{SIGN}"),
        ("seed_sd", ["1%"], "seed_sd", f"{FIGURE}a list"),
        (
            "seed_sd",
            {"value": "1%", "runs": "1"},
            "seed_sd.runs",
            "expected a whole number of runs, 2 or more, got '1'",
        ),
        ("seed_sd", {"value": "1%", "runs": "some"}, "seed_sd.runs", f"{WHOLE}'some'"),
        ("selection", "best", "selection", f"{SELECTION}'best'"),
        ("selection", "", "selection", f"{SELECTION}''"),
        ("selection", ["last"], "selection", f"{SELECTION}a list"),
        ("selection", {"best": "accuracy"}, "selection", f"{SELECTION}a mapping"),
        ("selection", {"on": "test", "epochs": "3"}, "selection", f"{SELECTION}a mapping"),
        ("selection", {"best": "f2", "on": "test"}, "selection.best", f"{BEST}'f2'"),
        ("selection", {"best": "acc", "on": "test"}, "selection.best", f"{BEST}'acc'; did you mean 'accuracy'?"),
        ("selection", {"best": "f1", "on": "tset"}, "selection.on", f"{ON}'tset'; did you mean 'test'?"),
        ("selection", {"best": "f1", "on": "test", "epochs": "0"}, "selection.epochs", f"{WHOLE}'0'"),
    ],
)
def test_what_stands_at_the_top_is_checked(key: str, value: object, where: str, message: str) -> None:
    assert said(content(**{key: value})) == {where: message}
    # In one of several reports it stands there.
    if key != "title":
        assert said(content(reports={"first": {}, "second": {key: value}})) == {f"reports.second.{where}": message}


@pytest.mark.parametrize("text", ["0", "0.00%", "0%"])
def test_a_seed_sd_is_above_0(text: str) -> None:
    message = f"expected a figure above 0, got {text!r}"
    assert said(content(seed_sd=text)) == {"seed_sd": message}
    assert said(content(seed_sd={"value": text, "runs": "5"})) == {"seed_sd.value": message}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("51%", ""),
        ("20.1%", ""),
        # It may stand for as much as 20.5%, or for 25%.
        ("20%", ""),
        ("0.2", "; if it is in percentage points, write 0.2%"),
        ("0.4", "; if it is in percentage points, write 0.4%"),
        ("0.90", "; if it is in percentage points, write 0.90%"),
        ("1", "; if it is in percentage points, write 1%"),
    ],
)
def test_an_sd_is_one_of_shares_and_not_of_points(text: str, hint: str) -> None:
    message = f"{SD}{text!r}{hint}"
    assert said(content(seed_sd=text)) == {"seed_sd": message}
    assert said(content(seed_sd={"value": text, "runs": "5"})) == {"seed_sd.value": message}
    accuracy = "88.3%" if "%" in text else "0.883"
    assert said(of(accuracy=accuracy, sd=text, runs="5")) == {"systems.full.sd": message}


@pytest.mark.parametrize("text", ["19%", "19.9%", "19.95%", "0.1", "0.19", "0.1995", "0.004", "0.4%"])
def test_an_sd_up_to_20_per_cent_is_taken(text: str) -> None:
    assert said(content(seed_sd=text)) == {}
    assert said(content(seed_sd={"value": text, "runs": "5"})) == {}
    accuracy = "88.3%" if "%" in text else "0.883"
    assert said(of(accuracy=accuracy, sd=text, runs="5")) == {}
    assert said(of(sd=text, runs="5")) == {}


@pytest.mark.parametrize(
    ("figures", "where", "message"),
    [
        ({"accuracy": "92.3 ± 0.4", "sd": "0.4%", "runs": "5"}, "sd", "expected one SD of the accuracy, got "),
        ({"accuracy": "770/871"}, "accuracy", "expected a count of 872 examples, as n says, got '770/871'"),
        (
            {"error_rate": "100/872", "runs": "5"},
            "error_rate",
            "expected a count of 4360 examples, as n times 5 runs says, got '100/872'",
        ),
        ({"accuracy": "92.3 (3)"}, "accuracy", "expected a spread with decimals in the brackets"),
        (
            {"accuracy": "92.3 ± 0.4", "spread": "se"},
            "spread",
            "expected 'sd', 'standard error', '95% interval' or 'over examples', got 'se'",
        ),
        ({"mcc": "1.2"}, "mcc", 'expected a correlation such as "0.61"'),
        ({"pearson": "88"}, "pearson", 'expected a correlation such as "0.61"'),
        ({"spearman": ["0.8"]}, "spearman", 'expected a correlation such as "0.61"'),
    ],
)
def test_what_tables_print_beside_an_accuracy_is_checked(figures: dict[str, Any], where: str, message: str) -> None:
    ((place, words),) = said(of(**figures)).items()
    assert place == f"systems.full.{where}"
    assert words.startswith(message)


def test_a_spread_is_that_of_the_report_unless_a_system_has_its_own() -> None:
    systems = {"full": {"accuracy": "92.3 ± 0.4", "spread": "sd"}, "lora": {"accuracy": "90.1 ± 0.4"}}
    report = the_report(content(spread="standard error", systems=systems))
    assert [system.spread for system in report.systems.values()] == ["sd", "standard error"]
    assert "did you mean 'sd'" in said(content(spread="sdd"))["spread"]


def test_an_sd_over_runs_may_be_0() -> None:
    assert said(of(accuracy="0.883", sd="0.000", runs="5")) == {}


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"accuracy": "88.3%", "sd": "0.004"}, "expected the same unit as '88.3%', got '0.004'"),
        ({"accuracy": "0.883", "sd": "0.4%"}, "expected the same unit as '0.883', got '0.4%'"),
        ({"error_rate": "11.7%", "sd": "0.004"}, "expected the same unit as '11.7%', got '0.004'"),
        ({"error_rate": "0.117", "sd": "0.4 %"}, "expected the same unit as '0.117', got '0.4 %'"),
        ({"accuracy": "88.3%", "sd": "0.4 %"}, None),
        ({"error_rate": "0.117", "sd": "0.004"}, None),
        # Without an accuracy there is no unit to hold it against.
        ({"f1": "88.3%", "sd": "0.004"}, None),
    ],
)
def test_an_sd_has_the_unit_of_the_accuracy(figures: dict[str, Any], message: str | None) -> None:
    assert said(of(**figures, runs="5")) == ({"systems.full.sd": message} if message else {})


def test_a_seed_sd_may_have_another_unit_than_the_accuracies() -> None:
    assert said(content(seed_sd="0.8%", systems={"full": {"accuracy": "0.883"}})) == {}


def test_the_place_of_a_seed_sd_is_that_of_the_report_it_stands_in() -> None:
    reports = {"first": {}, "second": {"seed_sd": {"value": "0"}}}
    assert list(said(content(seed_sd="many", reports=reports))) == ["seed_sd", "reports.second.seed_sd.value"]
    reports = {"first": {}, "second": {"seed_sd": "0"}}
    assert list(said(content(seed_sd={"value": "many"}, reports=reports))) == [
        "seed_sd.value",
        "reports.second.seed_sd",
    ]


@pytest.mark.parametrize("n", ["1", "10,000,000", "10000000", 10_000_000])
def test_as_many_examples_are_taken_as_can_be_gone_through(n: object) -> None:
    assert said(content(n=n)) == {}


@pytest.mark.parametrize("mean", ["macro", "weighted"])
def test_no_class_is_named_like_a_mean(mean: str) -> None:
    assert said(content(classes={"positive": "444", mean: "428"})) == {
        "classes": f"expected names of classes, got {mean!r}, which stands for the mean over all classes"
    }


@pytest.mark.parametrize(("name", "shown"), [("", "''"), (" ", "' '")])
def test_a_system_must_have_a_name(name: str, shown: str) -> None:
    message = f"expected a text as a system's name, got {shown}"
    assert said(content(systems={"full": {}, name: {"accuracy": "0.9"}})) == {"systems": message}


@pytest.mark.parametrize("arms", [{"full": {}, "lora": {}}, {}, ["full"], None])
def test_a_study_file_is_one_problem(arms: object) -> None:
    study = {"title": "LoRA", "model": {"name": "gpt2"}, "seeds": ["1", "2"], "arms": arms}
    assert said(study) == {"arms": STUDY}


def test_a_claims_file_may_not_have_arms_but_is_no_study_file() -> None:
    ((place, message),) = said(content(arms={})).items()
    assert place == "arms"
    assert message.startswith("unknown key 'arms'")


@pytest.mark.parametrize("key", ["source", "n", "systems"])
def test_what_a_report_cannot_do_without(key: str) -> None:
    whole = content()
    del whole[key]
    assert said(whole) == {key: f"{({'source': SOURCE, 'n': N, 'systems': SYSTEMS})[key]}{REQUIRED}"}


@pytest.mark.parametrize(
    ("figures", "where", "message"),
    [
        ({"accuracy": "88.3"}, "accuracy", f"{SHARE}'88.3'{SIGN}"),
        ({"accuracy": "101%"}, "accuracy", f"{SHARE}'101%'"),
        ({"accuracy": ""}, "accuracy", f"{FIGURE}''"),
        ({"accuracy": "0,883"}, "accuracy", f"{FIGURE}'0,883'; write decimals with a point"),
        ({"accuracy": "-0.1"}, "accuracy", f"{FIGURE}'-0.1'"),
        ({"accuracy": ["0.9"]}, "accuracy", f"{FIGURE}a list"),
        ({"accuracy": {}}, "accuracy", f"{FIGURE}an empty mapping"),
        ({"error_rate": "11.7"}, "error_rate", f"{SHARE}'11.7'{SIGN}"),
        ({"sd": "many", "runs": "5"}, "sd", f"{FIGURE}'many'"),
        ({"f1": "high"}, "f1", f"{FIGURE}'high'"),
        ({"f1": ["0.9"]}, "f1", f"{FIGURE}a list"),
        ({"f1": {"positive": "88"}}, "f1.positive", f"{SHARE}'88'{SIGN}"),
        ({"precision": {"positive": ["0.9"]}}, "precision.positive", f"{FIGURE}a list"),
        ({"recall": {"positive": {"macro": "0.9"}}}, "recall.positive", f"{FIGURE}a mapping"),
        ({"recall": None}, "recall", f"{FIGURE}nothing"),
        ({"loss": "-1"}, "loss", f"{NUMBER}'-1'"),
        ({"time": "22"}, "time", "expected a time such as 3275.93 s, 22 min 51 s or 1:02:03, got '22'"),
        ({"parameters": "lots"}, "parameters", f"{PARAMETERS}'lots'"),
        ({"trainable": "0"}, "trainable", f"{PARAMETERS}'0'"),
        ({"trainable_share": "12"}, "trainable_share", f"{SHARE}'12'{SIGN}"),
        ({"runs": "0"}, "runs", f"{WHOLE}'0'"),
        ({"runs": "five"}, "runs", f"{WHOLE}'five'"),
        ({"arm": ["lora"]}, "arm", "expected a text with the name of an arm, got a list"),
        ({"settings": "lr 5e-5"}, "settings", f"{SETTINGS}'lr 5e-5'"),
        ({"selection": "final"}, "selection", f"{SELECTION}'final'"),
        ({"selection": {"best": "loss"}}, "selection", f"{SELECTION}a mapping"),
        ({"selection": {"best": "los", "on": "test"}}, "selection.best", f"{BEST}'los'; did you mean 'loss'?"),
        ({"selection": {"best": "f1", "on": "held-out"}}, "selection.on", f"{ON}'held-out'; did you mean 'holdout'?"),
        ({"selection": {"best": "f1", "on": "test", "epochs": "x"}}, "selection.epochs", f"{WHOLE}'x'"),
        ({"tuning": "lora"}, "tuning", f"{TUNING}'lora'"),
        ({"tuning": ""}, "tuning", f"{TUNING}''"),
        ({"tuning": {}}, "tuning", f"{TUNING}an empty mapping"),
        ({"tuning": ["all"]}, "tuning", f"{TUNING}a list"),
        ({"tuning": {"freeze": {"layers": "1"}, "lora": {"r": "1"}}}, "tuning", f"{TUNING}a mapping"),
        ({"tuning": {"lora": {"r": "0", "target_modules": ["a"]}}}, "tuning.lora.r", f"{WHOLE}'0'"),
        ({"tuning": {"lora": {"r": "4"}}}, "tuning.lora.target_modules", f"{MODULES}{REQUIRED}"),
        ({"tuning": {"lora": {"r": "4", "target_modules": "a"}}}, "tuning.lora.target_modules", f"{MODULES}'a'"),
        (
            {"tuning": {"lora": {"r": "4", "target_modules": []}}},
            "tuning.lora.target_modules",
            f"{MODULES}an empty list",
        ),
        ({"log": "none"}, "log", f"{LOG}'none'"),
        ({"log": ["0.9"]}, "log", f"{LOG}a list"),
        ({"log": {}}, "log", f"{ALIKE}no figure"),
        (
            {"log": {"accuracy": []}},
            "log.accuracy",
            "expected a list of figures, one for each epoch, got an empty list",
        ),
        ({"log": {"accuracy": "0.9"}}, "log.accuracy", f"{EPOCHS}'0.9'"),
        ({"log": {"loss": {}}}, "log.loss", f"{EPOCHS}an empty mapping"),
        ({"log": {"accuracy": ["0.9", "90.1"]}}, "log.accuracy[1]", f"{SHARE}'90.1'{SIGN}"),
        ({"log": {"loss": ["0.9", "0.8", "low"]}}, "log.loss[2]", f"{NUMBER}'low'"),
        ({"log": {"f1": ["0.9", "x"]}}, "log.f1[1]", f"{FIGURE}'x'"),
        ({"log": {"recall": {"macro": ["x"]}}}, "log.recall.macro[0]", f"{FIGURE}'x'"),
        ({"log": {"accuracy": ["0.9"], "loss": ["0.1", "0.2"]}}, "log", f"{ALIKE}1 of accuracy, 2 of loss"),
        ({"log": {"f1": {"a": ["0.9"]}, "recall": ["0.1", "0.2"]}}, "log", f"{ALIKE}1 of f1 of a, 2 of recall"),
        ({"accuracy": "0.9", "error_rate": "0.1"}, "error_rate", "expected accuracy or error_rate, got both"),
        ({"sd": "0.01"}, "sd", RUNS),
        ({"sd": "0.01", "runs": "1"}, "sd", RUNS),
        ({"runs": "2", "log": {"loss": ["1"]}}, "log", "a log belongs to one run, but this system has runs: 2"),
    ],
)
def test_the_figures_of_a_system_are_checked(figures: dict[str, Any], where: str, message: str) -> None:
    assert said(of(**figures)) == {f"systems.full.{where}": message}
    in_reports = {"first": {}, "second": {"systems": {"full": figures, "lora": {}}}}
    assert said(content(reports=in_reports)) == {f"reports.second.systems.full.{where}": message}


def test_a_system_may_be_its_accuracy_and_no_more() -> None:
    report = the_report(content(systems={"full": "0.883", "lora": {"accuracy": "0.862"}}))
    assert report.systems["full"] == first(accuracy="0.883")
    assert said(content(systems={"full": "high"})) == {"systems.full.accuracy": f"{FIGURE}'high'"}


def test_a_board_has_no_pairs_of_its_own() -> None:
    report = the_report(content(pairs="board"))
    assert (report.board, report.pairs) == (True, ())
    assert not the_report(content()).board
    reports = {"first": {}, "second": {"pairs": []}}
    assert [one.board for one in parse_claims_file(content(pairs="board", reports=reports)).reports] == [True, False]


@pytest.mark.parametrize("figures", ["", None, [], ["0.883"]])
def test_a_system_that_is_no_mapping_is_refused(figures: object) -> None:
    shown = {"": "''", "None": "nothing", "[]": "an empty list", "['0.883']": "a list"}
    assert said(content(systems={"full": {}, "lora": figures})) == {
        "systems.lora": f"expected figures, such as {{accuracy: 0.883}}, got {shown[str(figures)]}"
    }


def test_rounding_may_hide_that_not_everything_is_trained() -> None:
    # 124M may stand for as much as 124,500,000.
    assert said(of(trainable="124,441,344", parameters="124M")) == {}
    assert said(of(trainable="124M", parameters="123,600,000")) == {}
    assert said(of(trainable="124,500,000", parameters="124M")) == {}
    for trainable, parameters in (("124,500,001", "124M"), ("1,001", "1,000"), ("3M", "1M")):
        message = f"expected no more than all parameters, got {trainable} of {parameters}"
        assert said(of(trainable=trainable, parameters=parameters)) == {"systems.full.trainable": message}


def test_a_selection_has_as_many_epochs_as_the_log() -> None:
    log = {"accuracy": ["0.9", "0.8"]}
    best = {"best": "accuracy", "on": "test", "epochs": "3"}
    expected = {"systems.full.log": "expected 3 epochs, as selection.epochs says, got 2"}
    assert said(of(selection=best, log=log)) == expected
    systems = {"full": {"log": log}, "lora": {"log": log, "selection": "last"}}
    assert said(content(selection=best, systems=systems)) == expected
    assert said(content(selection={**best, "epochs": "2"}, systems=systems)) == {}


@pytest.mark.parametrize("measure", ["f1", "precision", "recall"])
def test_a_class_must_be_one_of_the_classes(measure: str) -> None:
    classes = {"positive": "444", "negative": "428"}
    figures = {"positve": "0.9", "neutral": "0.8", "macro": "0.8", "negative": "0.7", "weighted": "0.75"}
    systems = {
        "full": {measure: figures, "log": {measure: {"Positive": ["0.8"], "mikro": ["0.9"], "weigthed": ["0.9"]}}},
        "lora": {measure: "0.9"},
    }
    expected = "expected 'positive', 'negative', 'macro' or 'weighted', got "
    assert said(content(classes=classes, systems=systems)) == {
        f"systems.full.{measure}.positve": f"{expected}'positve'; did you mean 'positive'?",
        f"systems.full.{measure}.neutral": f"{expected}'neutral'",
        f"systems.full.log.{measure}.Positive": f"{expected}'Positive'; did you mean 'positive'?",
        f"systems.full.log.{measure}.mikro": f"{expected}'mikro'; did you mean 'macro'?",
        f"systems.full.log.{measure}.weigthed": f"{expected}'weigthed'; did you mean 'weighted'?",
    }


@pytest.mark.parametrize(
    ("where", "near", "some_allowed"),
    [
        ("sorce", "source", "title, reports, source, n"),
        ("seed_sd.run", "runs", "value, runs"),
        ("selection.epoch", "epochs", "best, on, epochs"),
        ("systems.full.acuracy", "accuracy", "accuracy, error_rate, sd"),
        ("systems.full.selection.epoch", "epochs", "best, on, epochs"),
        ("systems.full.log.acuracy", "accuracy", "accuracy, f1, precision, recall, loss"),
        ("systems.lora.tuning.lra", "lora", "lora, freeze"),
        ("systems.lora.tuning.lora.target_module", "target_modules", "r, target_modules"),
        ("systems.frozen.tuning.freeze.layer", "layers", "layers"),
        ("pairs.1.sad", "said", "treatment, baseline, said, words, time_saved, speedup"),
    ],
)
def test_an_unknown_key_is_named_at_every_level(where: str, near: str, some_allowed: str) -> None:
    whole = loaded(EVERYTHING)
    whole["systems"]["full"]["selection"] = {"best": "accuracy", "on": "test"}
    *above, key = where.split(".")
    if above[-1:] == ["tuning"]:
        whole["systems"]["lora"]["tuning"] = {}
    block: Any = whole
    for part in above:
        block = block[int(part) if part.isdigit() else part]
    block[key] = "x"
    ((place, message),) = said(whole).items()
    assert place == where.replace("pairs.1", "pairs[1]")
    assert message.startswith(f"unknown key {key!r}; did you mean {near!r}? (allowed: {some_allowed}")


def test_an_unknown_key_like_no_other_is_named_without_a_guess() -> None:
    assert said(of(zzz="1"))["systems.full.zzz"].startswith("unknown key 'zzz' (allowed: accuracy, ")


def test_an_unknown_key_of_a_report_stands_in_it() -> None:
    messages = said(content(reports={"first": {}, "second": {"sorce": "x"}}))
    assert list(messages) == ["reports.second.sorce"]
    assert "did you mean 'source'?" in messages["reports.second.sorce"]


@pytest.mark.parametrize("key", ["title", "reports"])
def test_what_belongs_to_the_file_is_no_key_of_a_report(key: str) -> None:
    ((place, message),) = said(content(reports={"first": {key: "x"}})).items()
    assert place == f"reports.first.{key}"
    assert message.startswith(f"unknown key {key!r}")
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("pair", "where", "message"),
    [
        ("lora", "", f"{PAIR}'lora'"),
        (["lora", "full"], "", f"{PAIR}a list"),
        (None, "", f"{PAIR}nothing"),
        ({"treatment": "lora"}, ".baseline", f"{NAME}{REQUIRED}"),
        ({"baseline": "lora"}, ".treatment", f"{NAME}{REQUIRED}"),
        ({"treatment": ["lora"], "baseline": "full"}, ".treatment", f"{NAME}a list"),
        ({"treatment": "lor", "baseline": "full"}, ".treatment", f"{OF_REPORT}'lor'; did you mean 'lora'?"),
        ({"treatment": "lora", "baseline": "prefix"}, ".baseline", f"{OF_REPORT}'prefix'"),
        ({"treatment": "full", "baseline": "full"}, "", "expected two different systems, got 'full' as both"),
        ({**MEETS, "said": "difer"}, ".said", "expected 'differ' or 'equal', got 'difer'; did you mean 'differ'?"),
        ({**MEETS, "said": ""}, ".said", "expected 'differ' or 'equal', got ''"),
        ({**MEETS, "words": ["a"]}, ".words", "expected a text, got a list"),
        ({**MEETS, "time_saved": "35"}, ".time_saved", f"{SHARE}'35'{SIGN}"),
        ({**MEETS, "speedup": "1.5x"}, ".speedup", f"{NUMBER}'1.5x'"),
        ({**MEETS, "speedup": "0.0"}, ".speedup", "expected a figure above 0, got '0.0'"),
    ],
)
def test_pairs_are_checked(pair: object, where: str, message: str) -> None:
    assert said(content(pairs=[MEETS, pair])) == {f"pairs[1]{where}": message}
    assert said(content(reports={"first": {"pairs": [MEETS, pair]}})) == {f"reports.first.pairs[1]{where}": message}


def test_a_pair_of_one_unknown_system_has_all_its_problems() -> None:
    assert set(said(content(pairs=[{"treatment": "a", "baseline": "a"}]))) == {
        "pairs[0]",
        "pairs[0].treatment",
        "pairs[0].baseline",
    }


@pytest.mark.parametrize(
    ("reports", "shown"),
    [
        ({}, "an empty mapping"),
        ([], "an empty list"),
        (["a"], "a list"),
        ("", "''"),
        ("two", "'two'"),
        (None, "nothing"),
    ],
)
def test_reports_must_be_a_mapping_of_reports(reports: object, shown: str) -> None:
    message = f"expected a mapping of names to reports, got {shown}"
    assert said(content(reports=reports)) == {"reports": message}
    assert said(content(reports=reports, title=["x"])) == {"title": "expected a text, got a list", "reports": message}


def test_each_report_must_be_a_mapping() -> None:
    assert said(content(reports={"first": "x", "second": {}, "third": None, "fourth": []})) == {
        "reports.first": "expected a mapping, got 'x'",
        "reports.third": "expected a mapping, got nothing",
        "reports.fourth": "expected a mapping, got an empty list",
    }


def test_a_problem_at_the_top_is_said_once_for_all_reports() -> None:
    whole = content(
        n="many",
        sorce="x",
        selection="best",
        classes={"positive": "x"},
        systems={"full": {"accuracy": "88"}},
        pairs=["x"],
        reports={"first": {}, "second": {}, "third": {}},
    )
    assert sorted(str(problem).partition(":")[0] for problem in problems_of(whole)) == [
        "classes.positive",
        "n",
        "pairs[0]",
        "selection",
        "sorce",
        "systems.full.accuracy",
    ]


def test_a_problem_at_the_top_that_differs_by_report_is_said_for_each() -> None:
    whole = content(
        pairs=[MEETS],
        reports={
            "first": {"systems": {"lora": {}}},
            "second": {"systems": {"lora": {}}},
            "third": {"systems": {"full": {}, "prefix": {}}},
        },
    )
    assert [str(problem) for problem in problems_of(whole)] == [
        "pairs[0].baseline: expected a system of this report (lora), got 'full'",
        "pairs[0].treatment: expected a system of this report (full, prefix), got 'lora'",
    ]


def test_a_report_that_lacks_what_another_has_is_named() -> None:
    whole = content(reports={"first": {"source": "table 1"}, "second": {}})
    del whole["source"]
    assert set(said(whole)) == {"reports.second.source"}


def test_settings_at_the_top_are_checked_where_every_report_has_its_own() -> None:
    whole = content(settings="batches of 16", reports={"first": {"settings": {"epochs": "2"}}})
    assert said(whole) == {"settings": "expected a mapping of settings to values, got 'batches of 16'"}


@pytest.mark.parametrize("number", [0.883, 1, 0])
@pytest.mark.parametrize(
    "where", ["accuracy", "error_rate", "f1", "recall.positive", "loss", "time", "trainable", "log.accuracy"]
)
def test_a_number_has_lost_its_digits(where: str, number: float) -> None:
    key, _, below = where.partition(".")
    value: Any = {"": number, "positive": {"positive": number}, "accuracy": {"accuracy": ["0.9", number]}}[below]
    ((place, message),) = said(of(**{key: value})).items()
    assert place.startswith(f"systems.full.{where}")
    assert f"got the number {number!r}" in message
    assert "write it as printed, in quotes" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 872},
        {"classes": {"positive": 444, "negative": "428"}},
        {"systems": {"full": {"accuracy": "0.883", "runs": 5}}},
    ],
)
def test_a_whole_number_of_a_program_loses_no_digit(changes: dict[str, Any]) -> None:
    assert said(content(**changes)) == {}


@pytest.mark.parametrize("value", [True, 0.5, b"0.883", Fraction(1, 2)])
def test_other_types_are_refused_where_they_stand(value: object) -> None:
    messages = said(
        content(
            title=value,
            source=value,
            n=value,
            classes=value,
            seed_sd=value,
            selection=value,
            settings=value,
            pairs=value,
            model=value,
            data=value,
            systems={"a": value, "b": {"accuracy": value, "tuning": value, "log": value, "f1": value, "arm": value}},
        )
    )
    assert set(messages) == {
        *("title", "source", "n", "classes", "seed_sd", "selection", "settings", "pairs", "model", "data"),
        *("systems.a", "systems.b.accuracy", "systems.b.tuning", "systems.b.log", "systems.b.f1", "systems.b.arm"),
    }
    assert all("expected " in message and ", got " in message for message in messages.values())


def test_a_file_is_read_with_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(EVERYTHING, "utf-8")
    assert read_claims(path) == read_claims(str(path)) == parse_claims_file(loaded(EVERYTHING))
    # 0.850 as a number would have lost its last digit.
    score = read_claims(path).reports[0].systems["frozen"].score
    assert score is not None
    assert score.half_width == Fraction(1, 2000)


def test_every_problem_of_a_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("source: a\nn: 5\nsystems:\n  full: {accuracy: 88.3}\n  lora: {accuracy: 0.9}\nn: 1\n", "utf-8")
    with pytest.raises(PlanError) as caught:
        read_claims(path)
    assert [(problem.place, problem.key) for problem in caught.value.problems] == [
        (f"{path}:4", "systems.full.accuracy"),
        (f"{path}:6", "n"),
    ]
    # A file that is sound but for its YAML is refused as well.
    path.write_text("source: a\nn: 5\nsystems: {full: {accuracy: 0.8}}\nn: 5\n", "utf-8")
    with pytest.raises(PlanError, match=r"claims\.yaml:4: n: given twice: first in line 2$"):
        read_claims(path)
    with pytest.raises(PlanError, match="no such file; did you mean"):
        read_claims(tmp_path / "claim.yaml")


def test_all_problems_come_in_one_report_each_with_its_path() -> None:
    whole = loaded(
        """\
        title: [x]
        n: 872.0
        modle: gpt2
        classes: {positive: some, negative: 428}
        reports:
          first:
            source: ""
            systems:
              full: {accuracy: 88.3, log: {accuracy: [0.9, x]}}
              lora: [0.862]
            pairs: [{treatment: lor, baseline: full}]
          second:
            source: table 3
            systems: {}
            pairs: none
          third: a table
        """
    )
    with pytest.raises(PlanError) as caught:
        parse_claims_file(whole)
    assert isinstance(caught.value, AnalysisError)
    assert sorted(line.partition(":")[0] for line in str(caught.value).splitlines()) == [
        "classes.positive",
        "modle",
        "n",
        "reports.first.pairs[0].treatment",
        "reports.first.source",
        "reports.first.systems.full.accuracy",
        "reports.first.systems.full.log.accuracy[1]",
        "reports.first.systems.lora",
        "reports.second.pairs",
        "reports.second.systems",
        "reports.third",
        "title",
    ]


def test_all_contradictions_come_in_one_report() -> None:
    whole = content(
        classes={"positive": "444", "negative": "429"},
        systems={
            "full": {"accuracy": "0.9", "error_rate": "0.1", "sd": "0.01", "f1": {"neutral": "0.9"}},
            "lora": {"accuracy": "88"},
            "prefix": {"runs": "3", "log": {"loss": ["1"]}, "trainable": "3M", "parameters": "1M"},
        },
        pairs=[{"treatment": "full", "baseline": "full"}],
    )
    assert set(said(whole)) == {
        "classes",
        "systems.full.error_rate",
        "systems.full.sd",
        "systems.full.f1.neutral",
        "systems.lora.accuracy",
        "systems.prefix.log",
        "systems.prefix.trainable",
        "pairs[0]",
    }


def test_contradictions_are_found_beside_a_problem_at_the_top() -> None:
    whole = of(accuracy="0.9", error_rate="0.1", f1={"neutral": "0.9"})
    whole |= {"source": "", "classes": {"positive": "1", "negative": "2"}}
    assert set(said(whole)) >= {"source", "systems.full.error_rate"}


@pytest.mark.parametrize(
    ("figures", "where", "words"),
    [
        ({"tuning": {"lora": "4"}}, "tuning.lora", "r"),
        ({"tuning": {"freeze": "3"}}, "tuning.freeze", "layers"),
        ({"log": {"f1": "0.9"}}, "log.f1", "a list of figures"),
        ({"log": {"recall": {"macro": "0.9"}}}, "log.recall.macro", "a list of figures"),
    ],
)
def test_a_message_says_what_is_expected(figures: dict[str, Any], where: str, words: str) -> None:
    ((place, message),) = said(of(**figures)).items()
    assert place == f"systems.full.{where}"
    assert "another value" not in message
    assert words in message.partition(", got ")[0]


def test_a_module_that_is_no_text_is_one_problem() -> None:
    tuning = {"lora": {"r": "4", "target_modules": ["c_attn", ["c_proj"]]}}
    assert set(said(of(tuning=tuning))) == {"systems.full.tuning.lora.target_modules[1]"}
    tuning = {"lora": {"r": "4", "target_modules": [["c_proj"]]}}
    assert set(said(of(tuning=tuning))) == {"systems.full.tuning.lora.target_modules[0]"}


def test_a_number_of_frozen_layers_may_be_0_and_the_message_says_so() -> None:
    message = said(of(tuning={"freeze": {"layers": "-1"}}))["systems.full.tuning.freeze.layers"]
    assert "above 0" not in message


@pytest.mark.parametrize("name", [1, None, ("a", "b"), 0.5])
def test_a_name_that_is_no_text_is_a_problem_and_no_crash(name: Any) -> None:
    pairs = [{"treatment": "lora", "baseline": "prefix"}]
    for whole in (
        content(systems={"lora": {}, name: {}}, pairs=pairs),
        content(classes={name: "872", "a": "0"}),
        content(settings={name: "x"}),
        content(reports={name: "x"}),
        of(f1={name: "x"}, log={name: "x"}, selection={name: "x"}, tuning={name: "x"}, settings={name: "x"}),
        content(pairs=[{name: "x"}]),
        {**content(), name: "x"},
    ):
        assert problems_of(whole)
        assert all(problem.message for problem in problems_of(whole))


KEYS = [
    *("title", "reports", "source", "n", "model", "data", "classes", "seed_sd", "selection", "settings", "systems"),
    *("pairs", "accuracy", "error_rate", "sd", "f1", "precision", "recall", "loss", "time", "parameters", "trainable"),
    *("trainable_share", "tuning", "runs", "log", "arm", "lora", "freeze", "r", "target_modules", "layers", "best"),
    *("on", "epochs", "value", "treatment", "baseline", "said", "words", "time_saved", "speedup", "full", "positive"),
    *("negative", "macro", "weighted", "first run", "arms"),
]
TEXTS = [
    *("", "0", "1", "2", "872", "444", "0.9", "0.90", "88.3%", "22 min 51 s", "124M", "all", "last", "full", "lora"),
    *("accuracy", "f1", "loss", "test", "holdout", "differ", "equal", "positive", "macro", "null"),
]

anything = st.recursive(
    st.none() | st.sampled_from(TEXTS) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(min_size=1, max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
blocks = st.dictionaries(st.sampled_from(KEYS), anything, max_size=8)


def paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in parts:
        yield (*above, key)
        yield from paths(item, (*above, key))


def at(whole: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        whole = whole[part]
    return whole


GOOD = {
    name: loaded(text)
    for name, text in {
        "everything": EVERYTHING,
        "several": SEVERAL,
        "shipped": (SHIPPED / "gpt2_lora.yaml").read_text("utf-8"),
    }.items()
}
PLACES = [(name, path) for name, whole in GOOD.items() for path in paths(whole)]


def checked(whole: dict[str, Any]) -> ClaimsFile | None:
    """Check a file; whatever it holds comes back as a file, or as problems that lead to places in it."""
    before = copy.deepcopy(whole)
    problems = problems_of(whole)
    assert whole == before
    assert len(set(problems)) == len(problems)
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.message
        assert "\n" not in problem.message
        at(whole, problem.path[:-1])
    return None if problems else parse_claims_file(whole)


@given(whole=blocks)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_no_content_does_more_than_have_problems(whole: dict[str, Any]) -> None:
    checked(whole)


@given(place=st.sampled_from(PLACES), other=anything, more=st.tuples(st.sampled_from(KEYS), anything))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_no_change_of_a_good_file_does_more_than_have_problems(
    place: tuple[str, tuple[str | int, ...]], other: Any, more: tuple[str, Any]
) -> None:
    name, path = place
    whole = copy.deepcopy(GOOD[name])
    block = at(whole, path[:-1])
    block[path[-1]] = other
    if isinstance(block, dict):
        block.setdefault(*more)
    file = checked(whole)
    for report in file.reports if file is not None else ():
        assert set(report.systems) >= {side for pair in report.pairs for side in (pair.treatment, pair.baseline)}
        for system in report.systems.values():
            assert len(check_figures(system, report)) == 1 + (system.log.epochs if system.log is not None else 0)
            joint_matrix(system, report)
            departures(system, report)
    if file is not None:
        reversals(file.reports)


def test_every_key_can_be_left_out_of_a_good_file() -> None:
    for name, path in PLACES:
        whole = copy.deepcopy(GOOD[name])
        del at(whole, path[:-1])[path[-1]]
        checked(whole)
