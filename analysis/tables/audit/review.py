"""Review sentences: one pair of published figures in words fit for a review, correct and fair."""

from __future__ import annotations

import math

from analysis.methods.interval import Interval
from analysis.methods.proportions import GapInterval
from analysis.published.architectures import same_model
from analysis.published.audit import Audit, ReportAudit
from analysis.published.costs import Recomputed
from analysis.published.counts import Counts
from analysis.published.overlaps import Overlaps
from analysis.published.pairs import PairAudit
from analysis.published.published_report import PublishedReport
from analysis.published.reversals import Reversal
from analysis.published.seeds import WelchResult
from analysis.published.systems import SystemAudit
from analysis.tables.audit.by_report import recomputed
from analysis.tables.audit.own_study import trained
from analysis.tables.digits import (
    declared,
    exact_count,
    fixed,
    percent,
    points,
    points_interval,
    precise_p_value,
    whole_percent,
)

_NO_PROCEDURE = "One run of each arm says nothing about the training procedures."


def review(audit: Audit, report: ReportAudit, pair: PairAudit) -> str:
    """Say what the printed figures of a pair show, and what they do not.

    Parameters
    ----------
    audit : Audit
        For the reports that reverse the pair.
    report : ReportAudit
        The report of the pair.
    pair : PairAudit
    """
    systems = [system for name in (pair.treatment, pair.baseline) for system in report.systems if system.name == name]
    return " ".join(
        [
            *_gap(audit, report.report, pair, systems),
            *_contradictions(systems),
            *_on_wording(audit, pair),
            *_selection(pair),
            *_costs(pair, systems),
            *_own_study(report.report, pair),
            *(_reversed(one, report.report.name) for one in audit.reversals if _is_about(one, report.report, pair)),
        ]
    )


def _gap(audit: Audit, report: PublishedReport, pair: PairAudit, systems: list[SystemAudit]) -> list[str]:
    overlaps = pair.overlaps
    if pair.welch is not None:
        return [_over_runs(pair.gap, pair.welch, audit.alpha)]
    if overlaps is None:
        impossible = [_impossible(one.name, one.readings[0].counts) for one in systems]
        return [text for text in impossible if text] or [f"No test can be made: {pair.reason}."]
    apart = _apart(overlaps, report.n)
    if overlaps.outcome == "cannot be significant":
        if overlaps.gap == (0, 0):
            return ["The two figures stand for the same number of right answers: there is no gap to test."]
        best = f" (exact McNemar p at least {precise_p_value(overlaps.p_exact[0])})" if overlaps.p_exact[0] < 1 else ""
        return [f"The two figures are {apart} apart; no overlap of errors makes that significant{best}."]
    if overlaps.outcome == "significant whatever the overlap":
        most = precise_p_value(overlaps.p_exact[1])
        return [
            f"The two figures are {apart} apart; whatever the overlap of errors, that is significant for these two "
            f"trained models on new examples (exact McNemar p at most {most}).",
            _NO_PROCEDURE,
        ]
    if overlaps.gap[0] != overlaps.gap[1]:
        return [
            f"The two figures are {apart} apart, as far as their digits tell; that is not significant if exactly one "
            f"of the two models is right on more than {exact_count(overlaps.significant_up_to)} examples, and "
            "otherwise only the predictions can tell.",
            _NO_PROCEDURE,
        ]
    return [
        f"The two figures are {apart} apart; that is significant {_only_if(overlaps)}, and only the predictions can "
        "tell.",
        _NO_PROCEDURE,
    ]


def _impossible(name: str, counts: Counts | None) -> str:
    """Say of a figure that no number of right answers gives which ones come nearest, and how it may have come about."""
    if counts is None or counts.possible:
        return ""
    places = len(counts.printed.rstrip("% ").partition(".")[2])
    total = counts.n * counts.runs
    # The counts to both sides of the figure, in the order in which a range that is empty holds them.
    nearest = [count for count in (counts.high, counts.low) if 0 <= count <= total]

    def shown(count: int) -> str:
        return percent(count / total, places=places) if "%" in counts.printed else fixed(count / total, places=places)

    near = " and ".join(f"{exact_count(count)} would print as {shown(count)}" for count in nearest)
    # A figure without a system is called by what it is.
    figure = name if name == counts.printed else f"The figure of {name}, {counts.printed},"
    return (
        f"{figure} is not a share of {exact_count(total)}: {near}. It may be "
        "truncated instead of rounded, a mean over runs, a figure of other examples, or a misprint."
    )


def _contradictions(systems: list[SystemAudit]) -> list[str]:
    sentences = []
    for system in systems:
        printed = system.readings[0]
        if not printed.contradicts_itself or printed.counts is None or not printed.counts.possible:
            continue
        read = ", whichever class or mean they are of" if len(printed.fits) > 1 else ""
        sentences.append(
            f"No confusion matrix has accuracy {printed.accuracy} and {printed.others}, as printed for "
            f"{system.name}{read}."
        )
    return sentences


def _apart(overlaps: Overlaps, n: int) -> str:
    low, high = sorted(map(abs, overlaps.gap))
    if overlaps.gap[0] < 0 < overlaps.gap[1]:
        low = 0
    if low != high:
        return f"{exact_count(low)} to {exact_count(high)} of {exact_count(n)} examples"
    return "one example" if low == 1 else f"{exact_count(low)} of {exact_count(n)} examples"


def _only_if(overlaps: Overlaps) -> str:
    least, most = map(exact_count, overlaps.discordance)
    return (
        f"only if exactly one of the two models is right on at most {exact_count(overlaps.significant_up_to)} examples "
        f"({least} to {most} are possible)"
    )


def _over_runs(gap: float, tested: WelchResult, alpha: float) -> str:
    low, high = (precise_p_value(p) for p in tested.p_value)
    unknown = "the digits leave"
    if None in tested.kinds:
        unknown = "what stands after the ± (an SD, a standard error or half an interval) leaves"
    elif None in tested.ddof:
        unknown = "the digits and the unknown divisor of the SDs leave"
    p = f"p = {low}" if low == high else f"p from {low} to {high}, because {unknown} it open"
    significant = "significant" if tested.p_value[1] <= alpha else "not significant"
    if tested.p_value[0] <= alpha < tested.p_value[1]:
        significant = f"in the worst case not significant at {declared(alpha)}"
    return (
        f"The means over {tested.runs[0]} and {tested.runs[1]} runs are {points(abs(gap), signed=False)} apart "
        f"(Welch's t, {p}: {significant}); that is about new seeds on this test set, and not about new examples."
    )


def _on_wording(audit: Audit, pair: PairAudit) -> list[str]:
    if pair.said is None or (pair.overlaps is None and pair.welch is None):
        return []
    if pair.overlaps is not None:
        shown = pair.overlaps.outcome == "significant whatever the overlap"
        limits = (
            f"the 95% interval of the gap is {hull(pair.overlaps.at_least)} pp with the largest overlap of errors and "
            f"{hull(pair.overlaps.at_most)} pp with the smallest"
        )
    elif pair.welch is not None:
        shown = pair.welch.p_value[1] <= audit.alpha
        limits = f"the 95% interval of the gap is {points_interval(pair.welch.interval)} pp"
    if pair.said == "differ":
        quoted = f"“{pair.words}”" if pair.words else "that the two differ"
        return [] if shown else [f"The figures alone do not establish {quoted}."]
    quoted = f"“{pair.words}”" if pair.words else "that the two are equal"
    return [f"That contradicts {quoted}." if shown else f"Nor do they show {quoted}: {limits}."]


def hull(intervals: tuple[GapInterval, GapInterval]) -> str:
    """Return the limits that hold both intervals."""
    return points_interval(Interval(min(one.low for one in intervals), max(one.high for one in intervals)))


def _selection(pair: PairAudit) -> list[str]:
    selected = pair.selected
    if selected is None:
        return []
    first, second = selected.epochs
    if first == second:
        who = f"Each figure is the best of {first} epochs"
    else:
        sides = zip((pair.treatment, pair.baseline), selected.epochs, strict=True)
        who = " and ".join(f"the figure of {name} is the best of {k} epochs" for name, k in sides if k > 1)
    share = whole_percent(selected.chance).replace("<", "less than ")
    return [
        f"{who[0].upper()}{who[1:]} on the reported test set. Through variation between epochs alone, equally "
        f"good arms reported in this way come out at least this far apart in {share} of cases."
    ]


def _costs(pair: PairAudit, systems: list[SystemAudit]) -> list[str]:
    """Name what does not agree with the printed figures."""
    wrong = [_recomputed(one) for one in pair.costs if one.agrees is False]
    for system in systems:
        if system.share is not None and system.share.agrees is False:
            wrong.append(f"{_recomputed(system.share)} ({system.name})")
        wrong += [
            f"{check.printed} {check.what} parameters of {system.name} are printed, but the architecture has "
            f"{exact_count(check.expected)}"
            for check in system.parameters
            if not check.agrees
        ]
    return [f"{text[0].upper()}{text[1:]}." for text in wrong]


def _recomputed(figure: Recomputed) -> str:
    return f"{figure.what}: {figure.claimed} is printed, but {recomputed(figure)} follows from the printed figures"


def _own_study(report: PublishedReport, pair: PairAudit) -> list[str]:
    study = pair.rerun
    if study is None or math.isnan(study.p_exact[0]):
        return []
    least, most = (percent(share, places=1) for share in study.discordance[1:])
    low, high = map(precise_p_value, study.p_exact)
    other = "" if report.model is None or same_model(report.model, study.model) else f", which {trained(study)},"
    return [
        f"In {study.n_seeds} pairs of trials of {study.study}{other} exactly one model is right on {least} to {most} "
        f"of the examples, which would give the published gap an exact McNemar p of {low} to {high}."
    ]


def _is_about(reversal: Reversal, report: PublishedReport, pair: PairAudit) -> bool:
    same_pair = {reversal.treatment, reversal.baseline} == {pair.treatment, pair.baseline}
    return same_pair and report.name in [occurrence.report for occurrence in reversal.occurrences]


def _reversed(reversal: Reversal, report: str) -> str:
    """Name the reports that have a pair the other way round, with their gaps."""
    (sign,) = [occurrence.sign for occurrence in reversal.occurrences if occurrence.report == report]
    others = [occurrence for occurrence in reversal.occurrences if occurrence.sign == -sign]
    named = ", ".join(f"“{other.report}” ({points(other.gap)})" for other in others)
    return f"The order is reversed in {named}; gaps are {reversal.treatment} minus {reversal.baseline}."
