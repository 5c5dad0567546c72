"""What a study answers to requirements, and how often a gate lets a false one pass."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from analysis.methods.interval import Interval
from analysis.methods.looks import sequential_p
from analysis.methods.student import TResult
from analysis.power.settling import settle
from analysis.study import requirement_results
from analysis.study.comparisons import correct
from analysis.study.gap_intervals import level_of_verdicts, verdict_interval
from analysis.study.primary_test import PValues, equivalence_test
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with
from analysis.study.requirement_results import RequirementResult
from analysis.study.verdict import decide

if TYPE_CHECKING:
    from conftest import StudyFolder


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=99)


@pytest.fixture
def report(study: StudyFolder) -> StudyReport:
    return analyze(study.root)


def answer(report: StudyReport, text: str) -> RequirementResult:
    (one,) = report.require(text).requirements
    return one


def test_better_and_worse_are_the_verdicts_from_either_side(report: StudyReport) -> None:
    pair = report.comparisons[0]
    assert (pair.name, pair.verdict.label) == ("lora-r2 against full", "worse")
    expected = {
        "full better than lora-r2": "shown",
        "lora-r2 worse than full": "shown",
        "lora-r2 better than full": "contradicted",
        "full worse than lora-r2": "contradicted",
        "full better than lora-r8": "undecided",
    }
    for text, word in expected.items():
        assert answer(report, text).answer == word, text
    turned = answer(report, "full better than lora-r2")
    assert turned.estimate == -pair.estimate
    assert turned.interval == (-pair.verdict_interval.high, -pair.verdict_interval.low)
    assert turned.p_value == pair.difference_p
    assert answer(report, "lora-r2 better than full").p_value == 1.0


def test_a_better_arm_is_not_worse_by_any_margin(report: StudyReport) -> None:
    one = answer(report, "full not worse than lora-r2 by 0.000001pp")
    assert (one.answer, one.p_value <= report.comparisons[0].difference_p) == ("shown", True)


@pytest.mark.parametrize("margin", [0.002, 0.01, 0.02, 0.03, 0.035, 0.04, 0.045, 0.05, 0.1])
def test_another_margin_is_judged_by_the_interval_of_two_one_sided_tests(report: StudyReport, margin: float) -> None:
    """An independent route: non-inferiority is the lower limit of the interval at 1 - 2 alpha / K, equivalence both."""
    pair = report.comparisons[1]
    assert pair.result is not None
    low, high = pair.result.interval(1 - 2 * 0.05 / len(report.comparisons))
    family = pair.family_interval
    asked = answer(report, f"lora-r8 not worse than full by {margin}")
    assert (asked.answer == "shown") == (low > -margin)
    assert (asked.answer == "contradicted") == (family.high <= -margin)
    asked = answer(report, f"full not worse than lora-r8 by {margin}")
    assert (asked.answer == "shown") == (-high > -margin)
    asked = answer(report, f"full equivalent to lora-r8 within {margin}")
    assert (asked.answer == "shown") == (-margin < low and high < margin)
    if asked.answer == "shown":
        assert -margin <= asked.interval.low < asked.interval.high <= margin


def test_a_gap_beyond_the_margin_contradicts(report: StudyReport) -> None:
    high = report.comparisons[0].verdict_interval.high
    assert high < -0.02
    for text in (
        "lora-r2 not worse than full by {}",
        "lora-r2 equivalent to full within {}",
        "full equivalent to lora-r2 within {}",
    ):
        assert answer(report, text.format(-high - 1e-6)).answer == "contradicted"
        assert answer(report, text.format(-high + 1e-6)).answer == "undecided"
    assert answer(report, f"full not worse than lora-r2 by {-high}").answer == "shown"


def test_a_lower_loss_is_better(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(metric="log_loss", margin=0.02))
    report = analyze(study.root)
    pair = report.comparisons[0]
    assert pair.estimate > 0
    assert pair.verdict.label == "worse"
    assert answer(report, "full better than lora-r2").answer == "shown"
    one = answer(report, "lora-r2 not worse than full by 0.02")
    assert (one.answer, one.estimate, one.interval) == ("contradicted", pair.estimate, pair.verdict_interval)
    loose = answer(report, f"lora-r2 not worse than full by {(1 + pair.interval.high) / 2}")
    assert loose.answer == "shown"
    assert loose.interval == pair.verdict_interval
    # At the limit itself the last bit decides.
    margin = pair.interval.high + 1e-9
    cut = answer(report, f"lora-r2 not worse than full by {margin}")
    assert (cut.answer, cut.interval) == ("shown", (pair.verdict_interval.low, margin))


def test_what_would_settle_it_is_planned_for_the_gap_seen(report: StudyReport) -> None:
    pair = report.comparisons[1]
    assert pair.result is not None
    gap = abs(pair.estimate)
    better, worse = ("full", "lora-r8") if pair.estimate < 0 else ("lora-r8", "full")
    one = answer(report, f"{better} better than {worse}")
    assert (one.settling, one.settles_as) == (pair.settling_gap, "shown")
    assert answer(report, f"{better} worse than {worse}").settles_as == "contradicted"
    near_ = answer(report, f"{better} equivalent to {worse} within {gap * 1.1}")
    assert near_.settles_as == "shown"
    assert near_.settling is not None
    assert (near_.settling.margin, abs(near_.settling.gap)) == (pytest.approx(gap * 1.1), gap)
    assert answer(report, f"{better} equivalent to {worse} within {gap * 0.9}").settles_as == "contradicted"
    open_ = answer(report, f"{worse} not worse than {better} by {gap + 0.01}")
    assert open_.settles_as == "shown"
    # A one-sided test at alpha / K has the power of the two-sided one at twice that.
    planned = settle(pair.result, gap=0.01, alpha=0.05, test=open_.settling.test if open_.settling else None)
    assert open_.settling is not None
    assert open_.settling.seeds_needed == planned.seeds_needed
    assert answer(report, f"{worse} not worse than {better} by {gap / 2}").settles_as == "contradicted"
    shown = answer(report, "full better than lora-r2")
    assert (shown.settling, shown.settles_as) == (None, None)


@pytest.mark.parametrize("status", ["failed", "interrupted", "diverged", "missing", "unreadable"])
def test_a_trial_that_is_not_there_leaves_it_undecided(study: StudyFolder, status: str) -> None:
    if status == "missing":
        study.forget("lora-r2", 5)
    elif status == "unreadable":
        (study.trial("lora-r2", 5) / "predictions.parquet").write_bytes(b"x")
    else:
        study.end("lora-r2", 5, status, "x")
    report = analyze(study.root)
    for text in ("full better than lora-r2", "lora-r2 better than full", "full not worse than lora-r2 by 90pp"):
        one = answer(report, text)
        assert (one.answer, one.settling) == ("undecided", None)
        assert math.isnan(one.p_value)
        assert "seed 5" in one.reason
    if status == "missing":
        assert one.reason == (
            "seed 5 has not run in every arm; to ask before all have run, a study declares its looks (analysis.looks)"
        )


def test_a_seed_that_the_plan_drops_is_no_obstacle(study: StudyFolder) -> None:
    study.end("lora-r2", 5, "diverged", "x")
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    assert answer(analyze(study.root), "full better than lora-r2").answer == "shown"


def test_two_seeds_show_nothing(tmp_path: Path, write_study: Any, simulated: Any) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.95, "lora": 0.2}, seeds=2, examples=300)
    report = analyze(write_study(tmp_path / "s", scores).root)
    for text in ("full better than lora", "lora better than full", "full not worse than lora by 50pp"):
        one = answer(report, text)
        assert (one.answer, one.reason) == ("undecided", "2 seeds give an interval; a verdict needs 3")


def test_before_a_look_nothing_is_answered_and_at_a_look_p_holds_at_all(
    tmp_path: Path, write_study: Any, simulated: Any
) -> None:
    scores = simulated(np.random.default_rng(6), {"full": 0.88, "lora": 0.87}, seeds=6, examples=300, seed_sd=0.01)
    folder = write_study(tmp_path / "s", scores, analysis={"looks": [4, 6]})
    text = "lora not worse than full by 6pp"
    late = analyze(folder.root)
    one = answer(late, text)
    by_hand = [
        stats.t.sf((gap.estimate + 0.06) / gap.standard_error, gap.df) for gap in late.comparisons[0].at_looks if gap
    ]
    assert one.p_value == pytest.approx(sequential_p(by_hand, [4, 6], sides=1))
    for seed in (4, 5):
        folder.forget("lora", seed)
    early = answer(analyze(folder.root), text)
    assert early.p_value == pytest.approx(sequential_p(by_hand[:1], [4, 6], sides=1))
    folder.forget("lora", 3)
    before = answer(analyze(folder.root), text)
    assert (before.answer, before.reason) == ("undecided", "the first look is at 4 seeds")


def test_what_an_early_look_showed_is_not_shown_once_the_gap_has_turned(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(3)
    scores = {"full": (rng.random((6, 300)) < 0.5).astype(int), "lora": (rng.random((6, 300)) < 0.9).astype(int)}
    scores["lora"][4:] = 0
    scores["full"][4:] = 1
    report = analyze(write_study(tmp_path / "s", scores, analysis={"looks": [4, 6]}).root)
    assert report.comparisons[0].estimate < -0.05
    one = answer(report, "lora not worse than full by 5pp")
    assert one.answer == "undecided"
    assert one.p_value > 0.5


def test_seeds_by_source_are_answered_and_not_planned_for(report: StudyReport) -> None:
    pair = report.comparisons[1]
    assert pair.result is not None
    crossed: Any = dataclasses.replace(pair.result, by_source=object())
    one = answer(
        dataclasses.replace(report, comparisons=(report.comparisons[0], dataclasses.replace(pair, result=crossed))),
        "lora-r8 equivalent to full within 0.1pp",
    )
    assert (one.answer, one.settling, one.settles_as) == ("undecided", None, None)


def test_json_holds_the_answers(report: StudyReport) -> None:
    plain = report.require("lora-r8 not worse than full by 1pp").to_json()["requirements"]
    json.dumps(plain, allow_nan=False)
    asked = {"arm": "lora-r8", "other": "full", "relation": "not worse than", "margin": 0.01}
    assert plain[0]["requirement"] == asked | {"text": "lora-r8 not worse than full by 1pp"}
    assert {"answer", "estimate", "interval", "p_value", "settling", "settles_as", "reason"} < set(plain[0])
    assert report.to_json()["requirements"] == []


# How often a gate passes, counted in normal theory: the test itself is counted in docs/calibration.md.
STUDIES = 1500
DF = 12.0
SE = 0.01


def most(share: float) -> float:
    """What a count of studies exceeds once in 10,000 where it happens in this share of them."""
    return float(stats.binom.isf(1e-4, STUDIES, share))


@pytest.fixture
def gate(report: StudyReport, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mapping[str, int]]:
    """Count the answers of a gate over made-up studies with these true gaps, by arm against full."""
    monkeypatch.setattr(requirement_results, "settle", lambda *_, **__: None)
    rng = np.random.default_rng(20261129)

    def drawn(base: StudyReport, gaps: Sequence[float]) -> StudyReport:
        plan = base.plan
        results = []
        for pair, gap in zip(base.comparisons, gaps, strict=True):
            error = SE * math.sqrt(rng.chisquare(DF) / DF)
            estimate = rng.normal(gap, SE)
            p = 2 * stats.t.sf(abs(estimate) / error, DF)
            assert pair.result is not None
            changes = {"estimate": estimate, "standard_error": error, "df": DF, "p_value": float(p)}
            results.append(dataclasses.replace(pair.result, **changes))
        raw = [PValues(one.p_value, equivalence_test(one, margin=plan.margin).p_value) for one in results]
        corrected = correct(plan, raw)
        level = level_of_verdicts(plan.correction, plan.alpha, corrected)
        pairs = tuple(
            dataclasses.replace(
                pair,
                result=one,
                difference_p=both.difference,
                equivalence_p=both.equivalence,
                verdict=decide(one, difference_p=both.difference, equivalence_p=both.equivalence, alpha=plan.alpha),
                verdict_interval=verdict_interval(one, 1 - level, both, alpha=plan.alpha, margin=plan.margin),
            )
            for pair, one, both in zip(base.comparisons, results, corrected, strict=True)
        )
        return dataclasses.replace(base, comparisons=pairs)

    def count(gaps: Sequence[float], *texts: str, **plan: Any) -> Mapping[str, int]:
        base = dataclasses.replace(report, plan=report.plan.model_copy(update=plan))
        counts = {"all shown": 0, "one contradicted": 0}
        for _ in range(STUDIES):
            answers = {one.answer for one in drawn(base, gaps).require(*texts).requirements}
            counts["all shown"] += answers == {"shown"}
            counts["one contradicted"] += "contradicted" in answers
        return counts

    return count


NOT_WORSE = "lora-r2 not worse than full by 2pp"
SURE = "full not worse than lora-r8 by 50pp"


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
@pytest.mark.parametrize(
    ("gaps", "texts"),
    [
        # The first requirement is just not true; whatever else is asked is.
        ((-0.02, 0.0), [NOT_WORSE, SURE]),
        ((0.0, -0.05), ["lora-r2 better than full", "full better than lora-r8"]),
        ((0.03, 0.0), ["lora-r2 equivalent to full within 3pp", SURE]),
        ((0.01, 0.05), ["lora-r2 equivalent to full", "lora-r8 better than full"]),
        # None is.
        ((-0.02, -0.02), [NOT_WORSE, "lora-r8 not worse than full by 2pp"]),
    ],
)
def test_a_gate_of_which_one_requirement_is_false_passes_in_at_most_alpha_of_studies(
    gate: Callable[..., Mapping[str, int]], gaps: Sequence[float], texts: Sequence[str], correction: str
) -> None:
    assert gate(gaps, *texts, correction=correction)["all shown"] <= most(0.05)


def test_a_gate_is_seldom_contradicted_where_all_is_true(gate: Callable[..., Mapping[str, int]]) -> None:
    gaps = (-0.0199999, 0.0000001)
    counts = gate(gaps, NOT_WORSE, "lora-r8 better than full", "lora-r8 not worse than full by 0.001pp")
    assert counts["one contradicted"] <= most(0.05)


def test_a_gate_is_no_wall(gate: Callable[..., Mapping[str, int]]) -> None:
    """It passes where all is clearly true, and stops where something is clearly false."""
    assert gate((0.02, 0.06), NOT_WORSE, "lora-r8 better than full")["all shown"] > 0.8 * STUDIES
    assert gate((-0.07, 0.06), NOT_WORSE, "lora-r8 better than full")["one contradicted"] > 0.8 * STUDIES


def test_at_declared_looks_a_false_requirement_is_shown_in_at_most_its_share_of_studies(
    growing: StudyReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap lies just at the margin, and the study is asked at both looks until it is shown."""
    monkeypatch.setattr(requirement_results, "settle", lambda *_, **__: None)
    rng = np.random.default_rng(7)
    pair, look = growing.comparisons[0], growing.look
    assert pair.result is not None
    assert look is not None
    shown = 0
    for _ in range(STUDIES):
        gaps = rng.normal(-0.02, 0.01, size=12)
        at_looks = tuple(
            TResult(estimate=some.mean(), standard_error=some.std(ddof=1) / math.sqrt(len(some)), df=len(some) - 1.0)
            for some in (gaps[:6], gaps)
        )
        for number in (1, 2):
            now = at_looks[number - 1]
            result = dataclasses.replace(
                pair.result, estimate=now.estimate, standard_error=now.standard_error, df=now.df
            )
            changed = dataclasses.replace(
                pair,
                result=result,
                at_looks=at_looks[:number],
                difference_p=1.0,
                equivalence_p=1.0,
                verdict_interval=Interval(-math.inf, math.inf),
            )
            at = dataclasses.replace(
                growing, comparisons=(changed,), look=dataclasses.replace(look, looks=(6, 12), number=number)
            )
            if answer(at, "lora not worse than full by 2pp").answer == "shown":
                shown += 1
                break
    assert 0.02 * STUDIES < shown <= most(0.05)


@pytest.fixture
def growing(tmp_path: Path, write_study: Any, simulated: Any) -> StudyReport:
    scores = simulated(np.random.default_rng(6), {"full": 0.88, "lora": 0.87}, seeds=4, examples=200)
    return analyze(write_study(tmp_path / "growing", scores, analysis={"looks": [4, 6]}).root)
