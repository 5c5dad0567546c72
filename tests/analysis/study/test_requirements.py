"""Requirements as they are written: what is read, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analysis.errors import RequirementError
from analysis.study.analysis_block import parse_plan
from analysis.study.plan import AnalysisPlan
from analysis.study.requirements import parse_requirements

ARMS = ["full", "lora r=8", "a better than b", "frozen"]
PLAN = AnalysisPlan(baseline="full", margin=0.02)


def problems(*texts: str, plan: AnalysisPlan = PLAN, arms: Sequence[str] = ARMS) -> list[str]:
    with pytest.raises(RequirementError) as refused:
        parse_requirements(texts, plan, arms=arms)
    for text, problem in zip(texts, refused.value.problems, strict=True):
        assert problem.startswith(f"requirement {text!r}: ")
    return [problem.split(": ", 1)[1] for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("full better than frozen", ("full", "better than", "frozen", None)),
        ("frozen worse than full", ("frozen", "worse than", "full", None)),
        ("lora r=8 not worse than full by 1pp", ("lora r=8", "not worse than", "full", 0.01)),
        ("lora r=8  not  worse than full by 0.3 PP", ("lora r=8", "not worse than", "full", 0.003)),
        ("full not worse than lora r=8", ("full", "not worse than", "lora r=8", 0.02)),
        ("full equivalent to frozen within .5pp", ("full", "equivalent to", "frozen", 0.005)),
        ("full equivalent to frozen within 5e-3", ("full", "equivalent to", "frozen", 0.005)),
        ("full equivalent to frozen", ("full", "equivalent to", "frozen", 0.02)),
        ("a better than b worse than full", ("a better than b", "worse than", "full", None)),
        ("full better than a better than b", ("full", "better than", "a better than b", None)),
    ],
)
def test_a_requirement_is_read(text: str, read: tuple[object, ...]) -> None:
    (one,) = parse_requirements([text], PLAN, arms=ARMS)
    assert (one.arm, one.relation, one.other, one.margin) == read
    assert one.text == text


def test_an_arm_may_be_called_as_a_margin_is() -> None:
    arms = ["full", "b by 1pp", "b within 2pp"]
    texts = ["b by 1pp not worse than full by 2pp", "full not worse than b by 1pp", "full equivalent to b within 2pp"]
    read = parse_requirements(texts, PLAN, arms=arms)
    assert [(one.arm, one.other, one.margin) for one in read] == [
        ("b by 1pp", "full", 0.02),
        ("full", "b by 1pp", 0.02),
        ("full", "b within 2pp", 0.02),
    ]


def test_two_ways_to_read_a_requirement_are_not_chosen_between() -> None:
    arms = ["full", "b", "b by 1pp"]
    assert problems("full not worse than b by 1pp", arms=arms) == [
        "with the names of this study's arms it can be read as 'full' not worse than 'b'; or as 'full' not worse than "
        "'b by 1pp'; write it another way"
    ]
    read = parse_requirements(["full not worse than b by 0.01", "full not worse than b by 1pp by 1pp"], PLAN, arms=arms)
    assert [(one.other, one.margin) for one in read] == [("b", 0.01), ("b by 1pp", 0.01)]


def test_an_arm_of_several_lines_is_named_on_one() -> None:
    (one,) = parse_requirements(["a b  better than full"], PLAN, arms=["full", "a\n b"])
    assert one.arm == "a\n b"


def test_what_is_asked_twice_is_answered_once() -> None:
    twice = ["full not worse than frozen by 1pp", "full not worse than frozen by 0.01", "full better than frozen"]
    assert [one.text for one in parse_requirements(twice, PLAN, arms=ARMS)] == [twice[0], twice[2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "expected 'A better than B', 'A worse than B', 'A not worse than B by 1pp' or 'A equivalent to B within "
            "1pp'",
        ),
        ("full > frozen", "expected 'A better than B', "),
        (
            "ful better than frozen",
            "expected an arm of this study (full, lora r=8, a better than b, frozen), got 'ful'; did you mean 'full'?",
        ),
        ("full better than xyz", "got 'xyz'"),
        (
            "full better than frozen by 1pp",
            "got 'frozen by 1pp'; a margin goes with 'not worse than' and 'equivalent to'",
        ),
        ("full not worse than frozen within 1pp", "a margin goes with"),
        ("full better than full", "expected two different arms, got 'full' on both sides"),
        (
            "lora r=8 better than frozen",
            "the plan does not compare lora r=8 and frozen; it compares lora r=8 against full, a better than b against "
            "full, frozen against full",
        ),
        ("full not worse than frozen by 1%", "'1%' may be percent of anything: write 1pp, or 0.01"),
        ("full not worse than frozen by much", "expected a margin such as 1pp or 0.01, got 'much'"),
        ("full not worse than frozen by -1pp", "expected a margin such as 1pp or 0.01, got '-1pp'"),
        ("full not worse than frozen by 0", "expected as its margin a number above 0 and below 1 (0.01 is one"),
        ("full equivalent to frozen within 100pp", "(0.01 is one percentage point), got '100pp'"),
        ("full equivalent to frozen within 1e400", "got '1e400'"),
    ],
)
def test_what_cannot_be_asked_is_refused(text: str, message: str) -> None:
    assert message in problems(text)[0]


def test_all_problems_are_told_together() -> None:
    assert len(problems("full > frozen", "ful better than frozen", "full not worse than frozen by 1%")) == 3
    with pytest.raises(RequirementError) as both:
        parse_requirements(["ful better than froze"], PLAN, arms=ARMS)
    assert [problem.rpartition("; ")[2] for problem in both.value.problems] == [
        "did you mean 'full'?",
        "did you mean 'frozen'?",
    ]


def test_a_margin_is_in_the_units_of_the_metric() -> None:
    loss = parse_plan({"metric": "log_loss"}, arms=ARMS)
    ask = "full not worse than frozen by {}"
    assert (
        "log loss has no percentage points: write a number in its own units"
        in problems(ask.format("1pp"), plan=loss)[0]
    )
    assert "write a number in units of log loss" in problems(ask.format("1%"), plan=loss)[0]
    assert "expected a margin such as 0.01, got 'x'" in problems(ask.format("x"), plan=loss)[0]
    error = parse_plan({"metric": "mse", "margin": 3.0}, arms=ARMS, task="regression")
    assert parse_requirements([ask.format("12.5")], error, arms=ARMS)[0].margin == 12.5
    correlation = parse_plan({"metric": "pearson"}, arms=ARMS, task="regression")
    assert "a number above 0 and below 2" in problems(ask.format("2"), plan=correlation)[0]
