from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.errors import PlanError
from analysis.published.printed_figures import read_share
from analysis.study.claims_block import claim_problems, parse_claims
from analysis.study.report import analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

ARMS = ("full", "lora-r4")
CLAIM = {
    "source": "table 2",
    "model": "embedded/tiny",
    "n": 400,
    "accuracy": {"full": "0.883", "lora-r4": "0.862"},
}


@pytest.mark.parametrize(
    ("printed", "value", "half_width"),
    [
        ("0.883", 0.883, 0.0005),
        ("0.880", 0.880, 0.0005),
        (".88", 0.88, 0.005),
        ("88.3%", 0.883, 0.0005),
        ("88%", 0.88, 0.005),
        ("90.71 %", 0.9071, 0.00005),
        ("1", 1.0, 0.5),
        ("0.8830275229357798", 0.8830275229357798, 5e-8),
    ],
)
def test_the_digits_say_how_a_figure_was_rounded(printed: str, value: float, half_width: float) -> None:
    figure = read_share(printed)
    assert float(figure.value) == value
    assert float(figure.half_width) == pytest.approx(half_width)


@pytest.mark.parametrize("number", [0.883, 1, 0.88])
def test_a_number_without_quotes_is_told_to_use_them(number: float) -> None:
    with pytest.raises(ValueError, match="in quotes"):
        read_share(number)


@pytest.mark.parametrize("text", ["", "many", "-0.1", "1e-1", "0.8.3", None, True, ["0.8"], "٣"])
def test_what_is_no_figure_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a figure"):
        read_share(text)


def test_a_percentage_needs_its_sign() -> None:
    with pytest.raises(ValueError, match="needs its sign"):
        read_share("88.3")
    with pytest.raises(ValueError, match="100%"):
        read_share("101%")


def test_every_problem_of_a_claim_has_its_path() -> None:
    bad = {"source": "", "n": 2.0, "accuracy": {"ful": "0.9", "lora-r4": 0.88}, "modle": "gpt2"}
    messages = {str(problem).partition(":")[0]: problem.message for problem in claim_problems([bad, 7], arms=ARMS)}
    assert set(messages) == {
        "claims[0].source",
        "claims[0].n",
        "claims[0].model",
        "claims[0].accuracy.ful",
        "claims[0].accuracy.lora-r4",
        "claims[0].modle",
        "claims[1]",
    }
    assert "did you mean 'full'?" in messages["claims[0].accuracy.ful"]
    assert "in quotes" in messages["claims[0].accuracy.lora-r4"]
    assert "did you mean 'model'?" in messages["claims[0].modle"]


@pytest.mark.parametrize("claims", [{"source": "x"}, "text", 3])
def test_claims_must_be_a_list(claims: Any) -> None:
    assert [problem.path for problem in claim_problems(claims, arms=ARMS)] == [("claims",)]
    with pytest.raises(PlanError, match="expected a list"):
        parse_claims(claims, arms=ARMS)


def test_no_claims_is_fine() -> None:
    assert parse_claims(None, arms=ARMS) == ()
    assert parse_claims([], arms=ARMS) == ()


@pytest.fixture
def folder_with(tmp_path: Path, write_study: Any, simulated: Any) -> Callable[..., StudyFolder]:
    def write(claims: list[dict[str, Any]], *, lora: float) -> StudyFolder:
        scores = simulated(np.random.default_rng(5), {"full": 0.9, "lora-r4": lora}, seeds=6, examples=400)
        return write_study(tmp_path / "s", scores, claims=claims)

    return write


def test_a_claim_about_this_study_is_held_against_its_interval(folder_with: Any) -> None:
    check = analyze(folder_with([CLAIM], lora=0.6).root).claims[0]
    assert (check.kind, check.treatment, check.baseline, check.verdict) == (
        "check",
        "lora-r4",
        "full",
        "worse",
    )
    assert check.published_gap == pytest.approx(-0.021)
    assert check.half_width == pytest.approx(0.001)
    assert check.measured_gap < -0.2
    assert check.inside is False
    assert check.reading == "a real gap in the same direction; the published gap lies outside the interval"


def test_the_opposite_direction_is_said(folder_with: Any) -> None:
    claim = {**CLAIM, "accuracy": {"full": "0.5", "lora-r4": "0.9"}}
    check = analyze(folder_with([claim], lora=0.6).root).claims[0]
    assert check.reading.startswith("a real gap in the opposite direction")


def test_a_gap_within_its_own_rounding_has_no_direction(folder_with: Any) -> None:
    claim = {**CLAIM, "accuracy": {"full": "0.88", "lora-r4": "0.87"}}
    check = analyze(folder_with([claim], lora=0.6).root).claims[0]
    assert check.reading.startswith("a real gap; as published it has no clear direction")


def test_an_undecided_comparison_does_not_confirm_a_claim(folder_with: Any) -> None:
    claim = {**CLAIM, "accuracy": {"full": "0.900", "lora-r4": "0.899"}}
    check = analyze(folder_with([claim], lora=0.895).root).claims[0]
    assert check.verdict == "undecided"
    assert check.reading == "not settled by this study; the published gap lies inside the interval"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "gpt2"}, "about the model gpt2, not embedded/tiny"),
        ({"n": 872}, "on 872 test examples, not 400"),
        ({"data": "imdb"}, "about the data imdb, not embedded/sentiment"),
    ],
)
def test_a_claim_about_something_else_is_context(folder_with: Any, change: dict[str, Any], why: str) -> None:
    check = analyze(folder_with([{**CLAIM, **change}], lora=0.6).root).claims[0]
    assert check.kind == "context"
    assert check.reading == why
    assert np.isnan(check.measured_gap)
    assert check.verdict == ""
    assert check.inside is None


@pytest.mark.parametrize(
    ("setting", "why"),
    [({"train_size": 200}, "a subset of 2000"), ({"test_fraction": 0.2}, "draws its 400 test examples itself")],
)
def test_a_study_on_other_examples_checks_no_claim(folder_with: Any, setting: dict[str, Any], why: str) -> None:
    folder = folder_with([CLAIM], lora=0.6)
    folder.change_manifest(lambda content: content["study"]["data"].update(setting))
    check = analyze(folder.root).claims[0]
    assert check.kind == "context"
    assert why in check.reading


def test_a_claim_without_a_pair_of_this_study_is_context(folder_with: Any) -> None:
    claim = {**CLAIM, "accuracy": {"full": "0.9"}}
    check = analyze(folder_with([claim], lora=0.6).root).claims[0]
    assert (check.kind, check.treatment) == ("context", "")
    assert "compares no two of its arms" in check.reading


def test_a_claim_is_not_checked_where_there_is_no_verdict(folder_with: Any) -> None:
    folder = folder_with([CLAIM], lora=0.6)
    folder.end("lora-r4", 2, "diverged", "loss is not finite")
    check = analyze(folder.root).claims[0]
    assert check.reading == "cannot be checked: diverged: lora-r4 seed 2"
    assert check.inside is None
    assert json.dumps(analyze(folder.root).to_json())
