"""Whether requirements are shown: the answers of a gate of continuous integration, from the tests of the verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from analysis.methods.equivalence import non_inferiority, tost
from analysis.methods.interval import Interval
from analysis.methods.looks import sequential_p
from analysis.methods.student import TResult
from analysis.power.settling import Settling, settle
from analysis.study.comparison_result import ComparisonResult
from analysis.study.primary_test import planned_test
from analysis.study.requirements import Requirement, parse_requirements
from analysis.words import seeds_in_words

if TYPE_CHECKING:
    from analysis.study.study_report import StudyReport

Settled = Literal["shown", "contradicted"]
Answer = Literal[Settled, "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementResult:
    """Whether a requirement has been shown.

    Parameters
    ----------
    requirement : Requirement
        What was asked.
    answer : {"shown", "contradicted", "undecided"}
        Shown: its corrected p-value is below alpha. Contradicted: the study has shown that it does not hold. Undecided:
        neither.
    pair : ComparisonResult
        The comparison of the plan that answers it.
    estimate, interval : float, Interval
        The gap, `arm` minus `other`, and the interval that belongs to the answer: that of the verdict, cut at the
        margin where the requirement is shown, whose test is one-sided (the margin is then no part of it).
    p_value : float
        Of the requirement, corrected for all comparisons of the plan and, at a declared look, for the looks.
    settling : Settling or None
        Of an undecided requirement: what would settle it if the true gap is the one seen. None where that is not known.
    settles_as : {"shown", "contradicted"} or None
        As which it would be settled then; None where `settling` is.
    reason : str
        Why it cannot be more than undecided; else empty.
    generalizes_to : str
        The population that the answer speaks about.
    """

    requirement: Requirement
    answer: Answer
    pair: ComparisonResult
    estimate: float
    interval: Interval
    p_value: float
    settling: Settling | None
    settles_as: Settled | None
    reason: str
    generalizes_to: str

    # The comparison stands among the report's.
    json_keys: ClassVar = (
        *("requirement", "answer", "estimate", "interval", "p_value", "settling", "settles_as", "reason"),
        "generalizes_to",
    )


def decide_requirements(report: StudyReport, texts: Sequence[str]) -> tuple[RequirementResult, ...]:
    """Say of each requirement whether the study has shown it.

    Better, worse, and equivalence within the plan's margin are answered by the study's verdicts. Another margin is
    tested with the standard error of the verdict, one-sided, and its p-value is multiplied by the number of comparisons
    (Bonferroni). What a verdict implies is shown too: an arm that is better is not worse by any margin.

    Parameters
    ----------
    report : StudyReport
        The study.
    texts : sequence of str
        As in `parse_requirements`.

    Returns
    -------
    tuple of RequirementResult
        For new seeds and new examples of the same kind. If a requirement does not hold, it is shown in at most alpha of
        all studies. So all of them are shown in at most alpha of those in which one does not hold, whatever their
        number: each is tested at alpha, and all must pass (the intersection-union test).

    Raises
    ------
    RequirementError
        As `parse_requirements`.

    References
    ----------
    Berger (1982), Technometrics 24, 295-300 (intersection-union test).
    """
    arms = [arm.arm for arm in report.arms]
    return tuple(_decided(report, one) for one in parse_requirements(texts, report.plan, arms=arms))


def _decided(report: StudyReport, asked: Requirement) -> RequirementResult:
    plan = report.plan
    pair = next(one for one in report.comparisons if {one.treatment, one.baseline} == {asked.arm, asked.other})
    as_planned = pair.treatment == asked.arm
    low, high = pair.verdict_interval if as_planned else (-pair.verdict_interval.high, -pair.verdict_interval.low)
    estimate = pair.estimate if as_planned else -pair.estimate
    reason = _unasked(report, pair)
    # From here on, more is better.
    up = 1 if plan.kind.higher_is_better else -1
    worst, best = (low, high) if up > 0 else (-high, -low)
    p_value = math.nan if reason else _p_value(report, pair, asked, up=up if as_planned else -up)
    answer: Answer = "undecided"
    if not reason:
        if _contradicted(pair, asked, worst=worst, best=best, as_planned=as_planned):
            answer = "contradicted"
        elif p_value < plan.alpha:
            answer = "shown"
    if answer == "shown" and asked.margin is not None:
        worst = max(worst, -asked.margin)
        best = min(best, asked.margin) if asked.relation == "equivalent to" else best
    is_open = answer == "undecided" and not reason
    settles_as, settling = _settling(report, pair, asked, up * estimate) if is_open else (None, None)
    return RequirementResult(
        requirement=asked,
        answer=answer,
        pair=pair,
        estimate=estimate,
        interval=Interval(worst, best) if up > 0 else Interval(-best, -worst),
        p_value=p_value,
        settling=settling,
        settles_as=settles_as,
        reason=reason,
        generalizes_to=pair.result.generalizes_to if pair.result else "seeds and examples",
    )


def _unasked(report: StudyReport, pair: ComparisonResult) -> str:
    """Say why nothing can be answered; empty where it can."""
    if not pair.verdict.asked or pair.verdict.reason or pair.result is None:
        return pair.verdict.reason or "no verdict"
    if report.look is None and report.waiting_seeds:
        waiting = report.waiting_seeds
        has = "has" if len(waiting) == 1 else "have"
        return (
            f"{seeds_in_words(waiting)} {has} not run in every arm; "
            "to ask before all have run, a study declares its looks (analysis.looks)"
        )
    return ""


def _p_value(report: StudyReport, pair: ComparisonResult, asked: Requirement, *, up: int) -> float:
    """Return the corrected p-value; `up` is the sign of a gap of the comparison with which `arm` is better."""
    plan = report.plan
    rises = up * pair.estimate > 0
    if asked.margin is None:
        return pair.difference_p if rises == (asked.relation == "better than") else 1.0
    # Benjamini-Hochberg is about both questions of every comparison, and no stricter than this.
    family = len(report.comparisons) * (1 if plan.correction == "holm" else 2)
    implied = [pair.equivalence_p] if plan.margin <= asked.margin else []
    if asked.relation == "not worse than":
        implied += [pair.difference_p] if rises else []
    elif plan.margin == asked.margin:
        return pair.equivalence_p
    own = family * _at_looks(report, pair, asked.margin, sign=up if asked.relation == "not worse than" else 0)
    return min([1.0, *(p for p in (own, *implied) if not math.isnan(p))])


def _at_looks(report: StudyReport, pair: ComparisonResult, margin: float, *, sign: int) -> float:
    """Return the one-sided p-value of non-inferiority, or of equivalence with sign 0, valid at the looks so far."""

    def tested(gap: TResult | None) -> float:
        if gap is None:
            return math.nan
        if sign:
            return non_inferiority(sign * gap.estimate, gap.standard_error, gap.df, margin=margin).p_value
        return tost(gap.estimate, gap.standard_error, gap.df, margin=margin).p_value

    now = tested(pair.result)
    if report.look is None:
        return now
    # What an earlier look showed is not shown any more where the gap is now on the other side.
    if now >= 0.5:
        return 1.0
    return sequential_p([tested(gap) for gap in pair.at_looks], report.look.looks, sides=1)


def _contradicted(pair: ComparisonResult, asked: Requirement, *, worst: float, best: float, as_planned: bool) -> bool:
    if asked.margin is None:
        as_asked = (pair.verdict.direction == asked.relation.removesuffix(" than")) == as_planned
        return pair.verdict.differs and not as_asked
    too_bad = best <= -asked.margin
    return too_bad or (asked.relation == "equivalent to" and worst >= asked.margin)


def _settling(
    report: StudyReport, pair: ComparisonResult, asked: Requirement, advantage: float
) -> tuple[Settled | None, Settling | None]:
    """Say as what a requirement would be settled if the true gap is the one seen, and what that takes."""
    result, plan = pair.result, report.plan
    each = plan.alpha / len(report.comparisons)
    if result is None or not result.standard_error > 0 or result.by_source is not None:
        return None, None
    test = planned_test(plan, n_arms=result.n_arms)
    if asked.margin is None:
        return ("shown" if (advantage > 0) == (asked.relation == "better than") else "contradicted"), pair.settling_gap
    if asked.relation == "equivalent to":
        if abs(advantage) < asked.margin:
            return "shown", settle(result, gap=advantage, margin=asked.margin, alpha=each, test=test)
        return "contradicted", settle(result, gap=abs(advantage) - asked.margin, alpha=each, test=test)
    distance = advantage + asked.margin
    # As far as power goes, a one-sided test is the two-sided one at twice its level.
    if distance > 0:
        return "shown", settle(result, gap=distance, alpha=min(2 * each, 0.5), test=test)
    return "contradicted", settle(result, gap=distance, alpha=each, test=test)
