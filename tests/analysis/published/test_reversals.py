from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from analysis.published.claims_file import parse_claims_file
from analysis.published.reversals import Occurrence, Reversal, SettingThatDiffers, reversals

SHIPPED = Path(__file__).parents[3] / "studies" / "claims"


def found(n: str = "872", **reports: Any) -> tuple[Reversal, ...]:
    """The reversals of reports; a text in the place of a system's figures is its accuracy."""
    content = {
        "n": n,
        "reports": {
            name: {
                "source": f"table of {name}",
                "systems": {
                    system: {"accuracy": figures} if isinstance(figures, str) else figures
                    for system, figures in systems.items()
                },
            }
            for name, systems in reports.items()
        },
    }
    return reversals(parse_claims_file(content).reports)


def shipped(name: str) -> tuple[Reversal, ...]:
    content = YAML(typ="base", pure=True).load((SHIPPED / name).read_text("utf-8"))
    return reversals(parse_claims_file(content).reports)


def signs(reversal: Reversal) -> list[int]:
    return [occurrence.sign for occurrence in reversal.occurrences]


def test_the_shipped_comparison_of_gpt2_turns_round_once() -> None:
    (reversal,) = shipped("gpt2_lora.yaml")
    assert (reversal.treatment, reversal.baseline) == ("lora", "full")
    first, later = reversal.occurrences
    assert (first.report, first.source) == ("first run", "report of July 2025, first execution")
    assert (later.report, later.source) == ("later run", "later notebook of the same authors")
    assert (first.treatment, first.baseline) == ("0.862", "0.883")
    assert (later.treatment, later.baseline) == ("0.8692660550458715", "0.8325688073394495")
    assert (first.gap, later.gap) == (pytest.approx(-18 / 872), pytest.approx(32 / 872))
    assert (first.sign, later.sign) == (-1, 1)
    assert (first.n, later.n) == (872, 872)
    assert reversal.settings == (
        SettingThatDiffers(system="lora", setting="learning_rate", values=("5e-4", "2e-4")),
        SettingThatDiffers(system="full", setting="learning_rate", values=("5e-5", "2e-4")),
    )


def test_a_single_report_turns_nothing_round() -> None:
    assert shipped("distilbert.yaml") == ()
    assert found(first={"full": "0.90", "lora": "0.80"}) == ()


@pytest.mark.parametrize("first", list(permutations(["full", "lora", "prefix"])))
@pytest.mark.parametrize("second", list(permutations(["full", "lora", "prefix"])))
def test_opposite_signs_are_found_whichever_way_round_systems_are_listed(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    one = {"full": "0.90", "lora": "0.80", "prefix": "0.70"}
    other = {"full": "0.60", "lora": "0.75", "prefix": "0.50"}
    (reversal,) = found(one={name: one[name] for name in first}, other={name: other[name] for name in second})
    # The system that the file lists first is the baseline.
    baseline, treatment = (name for name in first if name != "prefix")
    assert (reversal.treatment, reversal.baseline) == (treatment, baseline)
    sign = 1 if treatment == "lora" else -1
    assert signs(reversal) == [-sign, sign]
    assert [(o.treatment, o.baseline) for o in reversal.occurrences] == [
        (one[treatment], one[baseline]),
        (other[treatment], other[baseline]),
    ]


def test_the_same_order_twice_is_no_reversal() -> None:
    assert found(one={"full": "0.90", "lora": "0.80"}, other={"lora": "0.50", "full": "0.70"}) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.88", "0.88"),
        ("0.880", "0.880"),
        # From 0.875 to 0.885, as far as is printed.
        ("0.88", "0.884"),
        ("0.88", "0.8761"),
        ("88%", "0.884"),
    ],
)
def test_a_gap_that_rounding_hides_has_no_direction(one: str, other: str) -> None:
    clear = {"full": "0.80", "lora": "0.90"}, {"full": "0.90", "lora": "0.80"}
    for up_or_down in clear:
        assert found(one=up_or_down, other={"full": one, "lora": other}) == ()
        assert found(one={"full": other, "lora": one}, other=up_or_down) == ()


def test_the_least_gap_that_rounding_does_not_hide_has_a_direction() -> None:
    (reversal,) = found(one={"full": "0.883", "lora": "0.881"}, other={"full": "0.881", "lora": "0.883"})
    assert signs(reversal) == [-1, 1]


def test_right_answers_that_are_apart_have_a_direction() -> None:
    # Both may be 0.885, and of 872 examples none are: 763 to 771 against 772 to 780.
    (reversal,) = found(one={"full": "0.88", "lora": "0.89"}, other={"full": "0.89", "lora": "0.88"})
    assert signs(reversal) == [1, -1]
    (reversal,) = found("10", one={"full": "0.8", "lora": "0.9"}, other={"full": "0.9", "lora": "0.8"})
    assert signs(reversal) == [1, -1]
    assert [o.gap for o in reversal.occurrences] == [pytest.approx(0.1), pytest.approx(-0.1)]


def test_every_report_of_a_pair_that_turns_round_and_has_a_direction_is_shown() -> None:
    (reversal,) = found(
        first={"full": "0.90", "lora": "0.80"},
        second={"full": "0.85", "lora": "0.85"},
        third={"prefix": "0.10", "full": "0.90"},
        fourth={"lora": "0.95", "full": "0.80"},
    )
    # Rounding hides what the second one says.
    assert [occurrence.report for occurrence in reversal.occurrences] == ["first", "fourth"]
    assert signs(reversal) == [-1, 1]
    # Two that agree and one that does not.
    (reversal,) = found(
        first={"full": "0.90", "lora": "0.80"},
        second={"full": "0.90", "lora": "0.80"},
        third={"full": "0.80", "lora": "0.90"},
    )
    assert signs(reversal) == [-1, -1, 1]


def test_every_pair_that_turns_round_is_found() -> None:
    turned = found(
        first={"full": "0.90", "lora": "0.80", "prefix": "0.70"},
        second={"full": "0.70", "lora": "0.80", "prefix": "0.90"},
    )
    assert [(reversal.treatment, reversal.baseline) for reversal in turned] == [
        ("lora", "full"),
        ("prefix", "full"),
        ("prefix", "lora"),
    ]


def test_an_occurrence_says_where_what_and_on_how_many() -> None:
    (reversal,) = found(
        "1000",
        first={"full": "0.900", "lora": {"error_rate": "20.0%"}},
        second={"full": {"error_rate": "30.0%"}, "lora": "80.0%"},
    )
    first, second = reversal.occurrences
    assert first == Occurrence(
        report="first",
        source="table of first",
        treatment="20.0%",
        baseline="0.900",
        gap=pytest.approx(-0.1),
        sign=-1,
        n=1000,
    )
    assert (second.treatment, second.baseline, second.sign) == ("80.0%", "30.0%", 1)
    assert second.gap == pytest.approx(0.1)


def test_an_error_rate_that_is_higher_is_worse() -> None:
    low, high = {"error_rate": "10%"}, {"error_rate": "20%"}
    assert found(one={"full": low, "lora": high}, other={"full": "0.90", "lora": "0.80"}) == ()
    (reversal,) = found(one={"full": low, "lora": high}, other={"full": high, "lora": low})
    assert signs(reversal) == [-1, 1]


def test_a_gap_is_that_of_the_right_answers_where_they_are_known() -> None:
    first = {"full": "0.883", "lora": "0.862"}
    (reversal,) = found(one=first, other={"full": "0.80", "lora": "0.90"})
    assert reversal.occurrences[0].gap == pytest.approx((752 - 770) / 872)
    # Of 872 examples many are 0.80 and many 0.90.
    assert reversal.occurrences[1].gap == pytest.approx(0.10)
    # Of 872 times 20 too many are 0.883, but one is 0.88302.
    runs = {"full": {"accuracy": "0.883", "runs": "20"}, "lora": {"accuracy": "0.86187", "runs": "20"}}
    (reversal,) = found(one=runs, other={"full": "0.80", "lora": "0.90"})
    assert reversal.occurrences[0].gap == pytest.approx(15031 / 17440 - 0.883, abs=1e-12)


DOWN = {"full": {"accuracy": "0.90"}, "lora": {"accuracy": "0.70"}}
UP = {"full": {"accuracy": "0.70"}, "lora": {"accuracy": "0.90"}}


def among(top: dict[str, Any], **reports: dict[str, Any]) -> list[list[str]]:
    """The names of the reports of every reversal."""
    whole = {"source": "a", "n": "872", **top, "reports": reports}
    return [
        [occurrence.report for occurrence in reversal.occurrences]
        for reversal in reversals(parse_claims_file(whole).reports)
    ]


@pytest.mark.parametrize(
    ("key", "one", "other"), [("model", "gpt2", "bert"), ("data", "SST-2", "IMDb"), ("n", "10", "1,000")]
)
def test_only_reports_about_the_same_are_held_against_each_other(key: str, one: str, other: str) -> None:
    down, up = {"systems": DOWN}, {"systems": UP}
    assert among({key: one}, first=down, second=up) == [["first", "second"]]
    assert among({}, first={**down, key: one}, second={**up, key: other}) == []
    assert among({}, first={**down, key: one}, second={**up, key: one}) == [["first", "second"]]
    # A report that does not say is not known to be about the same.
    assert among({}, first={**down, key: one}, second=up) == []
    assert among({}, first={**down, key: one}, second={**up, key: other}, third={**up, key: one}) == [
        ["first", "third"]
    ]
    assert among(
        {},
        first={**down, key: one},
        second={**up, key: other},
        third={**down, key: other},
        fourth={**up, key: one},
    ) == [["first", "fourth"], ["second", "third"]]


def test_a_number_of_examples_is_the_same_however_it_is_printed() -> None:
    assert among({}, first={"systems": DOWN, "n": "1000"}, second={"systems": UP, "n": "1,000"}) == [
        ["first", "second"]
    ]


def test_settings_are_those_of_the_reports_that_are_shown() -> None:
    def lora(accuracy: str, rank: str) -> dict[str, Any]:
        return {"accuracy": accuracy, "settings": {"r": rank}}

    (reversal,) = found(
        one={"full": "0.90", "lora": lora("0.80", "4")},
        hidden={"full": "0.85", "lora": lora("0.85", "8")},
        other={"full": "0.80", "lora": lora("0.90", "4")},
    )
    assert reversal.settings == ()


@pytest.mark.parametrize("without", [{"f1": "0.90"}, {}, {"loss": "0.3"}])
def test_a_system_without_an_accuracy_is_in_no_pair(without: dict[str, Any]) -> None:
    up, down = {"full": "0.80", "lora": "0.90"}, {"full": "0.90", "lora": "0.80"}
    assert found(one=up, other={"full": without, "lora": "0.80"}) == ()
    assert found(one=up, other={"full": "0.90", "lora": without}) == ()
    (reversal,) = found(
        one=up,
        between={"full": {**without, "settings": {"seed": "1"}}, "lora": "0.80"},
        other=down,
    )
    assert [occurrence.report for occurrence in reversal.occurrences] == ["one", "other"]
    assert reversal.settings == ()


def turned(first: dict[str, Any], second: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What is listed as different between two reports where the settings of the treatment are these."""
    (reversal,) = found(
        one={"full": "0.90", "lora": {"accuracy": "0.80", "settings": first}},
        other={"full": "0.80", "lora": {"accuracy": "0.90", "settings": second}},
    )
    assert {setting.system for setting in reversal.settings} <= {"lora"}
    return {setting.setting: setting.values for setting in reversal.settings}


@pytest.mark.parametrize(
    ("first", "second", "listed"),
    [
        ({}, {}, {}),
        ({"rate": "1e-4"}, {"rate": "1e-4"}, {}),
        ({"rate": "1e-4", "epochs": "3"}, {"epochs": "2", "rate": "1e-4"}, {"epochs": ("3", "2")}),
        # As they are written.
        ({"rate": "1e-4"}, {"rate": "0.0001"}, {"rate": ("1e-4", "0.0001")}),
        ({"rate": "1e-4"}, {}, {"rate": ("1e-4", "")}),
        ({}, {"warmup": "no", "rate": "1"}, {"warmup": ("", "no"), "rate": ("", "1")}),
        (
            {"adam": {"lr": "1", "betas": {"first": "0.90", "second": "0.99"}}},
            {"adam": {"lr": "1", "betas": {"first": "0.80", "second": "0.99"}, "eps": "0"}},
            {"adam.betas.first": ("0.90", "0.80"), "adam.eps": ("", "0")},
        ),
        ({"modules": ["q", "v"]}, {"modules": ["q", "v"]}, {}),
        ({"modules": ["q", "v"]}, {"modules": ["q", "k", "v"]}, {"modules": ("q, v", "q, k, v")}),
        ({"adam": {"lr": "1"}}, {"adam": "yes"}, {"adam.lr": ("1", ""), "adam": ("", "yes")}),
    ],
)
def test_settings_that_differ_are_listed(
    first: dict[str, Any], second: dict[str, Any], listed: dict[str, tuple[str, ...]]
) -> None:
    found_settings = turned(first, second)
    assert found_settings == listed
    assert list(found_settings) == list(listed)


def test_settings_are_those_of_both_systems_in_all_their_reports() -> None:
    (reversal,) = found(
        one={
            "full": {"accuracy": "0.90", "settings": {"rate": "1"}},
            "lora": {"accuracy": "0.80", "settings": {"r": "4"}},
        },
        two={"full": {"accuracy": "0.90", "settings": {"rate": "1"}}, "lora": {"accuracy": "0.80"}},
        three={
            "full": {"accuracy": "0.80", "settings": {"rate": "2"}},
            "lora": {"accuracy": "0.90", "settings": {"r": "8"}},
        },
    )
    assert reversal.settings == (
        SettingThatDiffers(system="lora", setting="r", values=("4", "", "8")),
        SettingThatDiffers(system="full", setting="rate", values=("1", "1", "2")),
    )


def test_settings_of_the_file_and_of_a_report_count_as_well() -> None:
    content = {
        "source": "a",
        "n": "872",
        "settings": {"epochs": "2", "rate": "1"},
        "reports": {
            "one": {"systems": {"full": {"accuracy": "0.90"}, "lora": {"accuracy": "0.80"}}},
            "other": {
                "settings": {"rate": "2"},
                "systems": {"full": {"accuracy": "0.80", "settings": {"rate": "1"}}, "lora": {"accuracy": "0.90"}},
            },
        },
    }
    (reversal,) = reversals(parse_claims_file(content).reports)
    assert reversal.settings == (SettingThatDiffers(system="lora", setting="rate", values=("1", "2")),)


def test_without_reports_nothing_is_found() -> None:
    assert reversals(()) == ()
