"""Review sentences: one pair of published figures in words that could stand in a review, correct and fair."""

from __future__ import annotations

import math

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

_NO_PROCEDURE = "From one run of each arm nothing follows about the training procedures."


def review(audit: Audit, report: ReportAudit, pair: PairAudit) -> str:
    """Say what the printed figures of a pair show, and what they do not.

    Parameters
    ----------
    audit
        For the reports that turn the pair round.
    report
        The report of the pair.
    pair
    """
    systems = [system for name in (pair.treatment, pair.baseline) for system in report.systems if system.name == name]
    return " ".join(
        [
            *_gap(audit, report.report, pair, systems),
            *_contradictions(systems),
            *_said(audit, pair),
            *_selection(pair),
            *_costs(pair, systems),
            *_own(report.report, pair),
            *(_turned(one, report.report.name) for one in audit.reversals if _is_about(one, report.report, pair)),
        ]
    )


def _gap(audit: Audit, report: PublishedReport, pair: PairAudit, systems: list[SystemAudit]) -> list[str]:
    found = pair.overlaps
    if pair.welch is not None:
        return [_over_runs(pair.gap, pair.welch, audit.alpha)]
    if found is None:
        impossible = [_impossible(one.name, one.readings[0].counts) for one in systems]
        return [text for text in impossible if text] or [f"No test can be made: {pair.reason}."]
    apart = _apart(found, report.n)
    if found.outcome == "cannot be significant":
        if found.gap == (0, 0):
            return ["The two figures are the same number of right answers: there is no gap to test."]
        best = f" (exact McNemar p at least {precise_p_value(found.p_exact[0])})" if found.p_exact[0] < 1 else ""
        return [f"The two figures are {apart} apart; no overlap of errors makes that significant{best}."]
    if found.outcome == "significant whatever the overlap":
        most = precise_p_value(found.p_exact[1])
        return [
            f"The two figures are {apart} apart; whatever the overlap of errors, that is significant for these two "
            f"trained models on new sentences (exact McNemar p at most {most}).",
            _NO_PROCEDURE,
        ]
    if found.gap[0] != found.gap[1]:
        return [
            f"The two figures are {apart} apart, as far as their digits tell; that is not significant if exactly one "
            f"of the two models is right on more than {exact_count(found.significant_up_to)} sentences, and "
            "otherwise only the predictions can tell.",
            _NO_PROCEDURE,
        ]
    return [
        f"The two figures are {apart} apart; that is significant {_only_if(found)}, and only the predictions can tell.",
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
    return (
        f"The figure of {name}, {counts.printed}, is no share of {exact_count(total)}: {near}. It may have been cut "
        "instead of rounded, be a mean over runs or of other sentences, or a misprint."
    )


def _contradictions(systems: list[SystemAudit]) -> list[str]:
    out = []
    for system in systems:
        printed = system.readings[0]
        if not printed.contradicts_itself or printed.counts is None or not printed.counts.possible:
            continue
        read = ", whichever class or mean they are of" if len(printed.fits) > 1 else ""
        out.append(
            f"No confusion matrix has accuracy {printed.accuracy} and {printed.others}, as printed for "
            f"{system.name}{read}."
        )
    return out


def _apart(found: Overlaps, n: int) -> str:
    low, high = sorted(map(abs, found.gap))
    if found.gap[0] < 0 < found.gap[1]:
        low = 0
    if low != high:
        return f"{exact_count(low)} to {exact_count(high)} of {exact_count(n)} sentences"
    return "one sentence" if low == 1 else f"{exact_count(low)} of {exact_count(n)} sentences"


def _only_if(found: Overlaps) -> str:
    least, most = found.discordance
    up_to = found.significant_up_to
    many = f"just these {exact_count(least)}" if up_to == least else f"at most {exact_count(up_to)}"
    return (
        f"only if exactly one of the two models is right on {many} sentences ({exact_count(least)} to "
        f"{exact_count(most)} are possible)"
    )


def _over_runs(gap: float, tested: WelchResult, alpha: float) -> str:
    low, high = (precise_p_value(p) for p in tested.p_value)
    open_ = "the digits and the unknown divisor of the SDs leave it open" if None in tested.ddof else ""
    p = f"p = {low}" if low == high else f"p from {low} to {high}, as {open_ or 'the digits leave it open'}"
    significant = "significant" if tested.p_value[1] <= alpha else "not significant"
    if tested.p_value[0] <= alpha < tested.p_value[1]:
        significant = f"at its worst not significant at {declared(alpha)}"
    return (
        f"The means over {tested.runs[0]} and {tested.runs[1]} runs are {points(abs(gap), signed=False)} apart "
        f"(Welch's t, {p}: {significant}); that speaks about new seeds on these very test sentences, and not about new "
        "sentences."
    )


def _said(audit: Audit, pair: PairAudit) -> list[str]:
    if pair.said is None or (pair.overlaps is None and pair.welch is None):
        return []
    if pair.overlaps is not None:
        shown = pair.overlaps.outcome == "significant whatever the overlap"
        limits = (
            f"the 95% interval of the gap is {_hull(pair.overlaps.at_least)} pp with the most overlap of errors and "
            f"{_hull(pair.overlaps.at_most)} pp with the least"
        )
    elif pair.welch is not None:
        shown = pair.welch.p_value[1] <= audit.alpha
        limits = f"the 95% interval of the gap is {points_interval(pair.welch.interval)} pp"
    if pair.said == "differ":
        quoted = f"“{pair.words}”" if pair.words else "that the two differ"
        return [] if shown else [f"The figures alone do not establish {quoted}."]
    quoted = f"“{pair.words}”" if pair.words else "that the two are equal"
    return [f"That contradicts {quoted}." if shown else f"Nor do they show {quoted}: {limits}."]


def _hull(intervals: tuple[GapInterval, GapInterval]) -> str:
    """Return the limits that hold both intervals."""
    return points_interval((min(one.low for one in intervals), max(one.high for one in intervals)))


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
        f"{who[0].upper()}{who[1:]} on these very sentences: by the scatter of epochs alone, equally good arms "
        f"reported so come out as far apart in {share} of cases."
    ]


def _costs(pair: PairAudit, systems: list[SystemAudit]) -> list[str]:
    """Name what does not agree with the printed figures."""
    wrong = [_recomputed(one) for one in pair.costs if one.agrees is False]
    for system in systems:
        if system.share is not None and system.share.agrees is False:
            wrong.append(f"{_recomputed(system.share)} ({system.name})")
        wrong += [
            f"{check.printed} {check.what} parameters of {system.name} are printed where the architecture has "
            f"{exact_count(check.expected)}"
            for check in system.parameters
            if not check.agrees
        ]
    return [f"{text[0].upper()}{text[1:]}." for text in wrong]


def _recomputed(one: Recomputed) -> str:
    return f"{one.what}: {one.claimed} is printed, and {recomputed(one)} follows from the printed figures"


def _own(report: PublishedReport, pair: PairAudit) -> list[str]:
    own = pair.rerun
    if own is None or math.isnan(own.p_exact[0]):
        return []
    least, most = (percent(share, places=1) for share in own.discordance[1:])
    low, high = map(precise_p_value, own.p_exact)
    other = "" if report.model is None or same_model(report.model, own.model) else f", which trained {own.model},"
    return [
        f"In {own.n_seeds} pairs of runs of {own.study}{other} exactly one model is right on {least} to {most} of the "
        f"sentences, which would make that p {low} to {high}."
    ]


def _is_about(one: Reversal, report: PublishedReport, pair: PairAudit) -> bool:
    about = {one.treatment, one.baseline} == {pair.treatment, pair.baseline}
    return about and report.name in [occurrence.report for occurrence in one.occurrences]


def _turned(one: Reversal, report: str) -> str:
    """Name the reports that have a pair the other way round, with their gaps."""
    (here,) = [occurrence.sign for occurrence in one.occurrences if occurrence.report == report]
    others = [occurrence for occurrence in one.occurrences if occurrence.sign == -here]
    named = ", ".join(f"“{other.report}” ({points(other.gap)})" for other in others)
    return f"It is the other way round in {named}, {one.treatment} minus {one.baseline}."
