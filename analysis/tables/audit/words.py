"""One pair of published figures in words that a reader could paste into a review: correct, and fair."""

from __future__ import annotations

import math

from analysis.claims.audit import Audit, ReportAudit
from analysis.claims.overlaps import Overlaps
from analysis.claims.pairs import PairAudit
from analysis.claims.seeds import WelchResult
from analysis.tables.digits import percent, points, points_interval, small_p

_NO_PROCEDURE = "With one run of each arm nothing can be said about the training procedures."


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
    turned = any({one.treatment, one.baseline} == {pair.treatment, pair.baseline} for one in audit.reversals)
    return " ".join(
        [
            *_gap(pair, report.report.n),
            *_contradictions(report, pair),
            *_said(pair),
            *_selection(pair),
            *_own(pair),
            *(["Another report has this pair the other way round."] if turned else []),
        ]
    )


def _gap(pair: PairAudit, n: int) -> list[str]:
    found = pair.overlaps
    if pair.welch is not None:
        return [_over_runs(pair.gap, pair.welch)]
    if found is None:
        return [f"No test can be made: {pair.reason}."]
    apart = _apart(found, n)
    if found.outcome == "cannot be significant":
        if found.gap == (0, 0):
            return ["The two figures are the same number of right answers: there is no gap to test."]
        best = f" (exact McNemar p at least {small_p(found.p_exact[0])})" if found.p_exact[0] < 1 else ""
        return [f"The two figures are {apart} apart; no overlap of errors makes that significant{best}."]
    if found.outcome == "significant whatever the overlap":
        most = small_p(found.p_exact[1])
        return [
            f"The two figures are {apart} apart; whatever the overlap of errors, that is significant for these two "
            f"trained models on new sentences (exact McNemar p at most {most}).",
            _NO_PROCEDURE,
        ]
    if found.gap[0] != found.gap[1]:
        return [
            f"The two figures are {apart} apart, as far as their digits tell; whether that is significant, only the "
            "predictions can tell.",
            _NO_PROCEDURE,
        ]
    return [
        f"The two figures are {apart} apart; that is significant {_only_if(found)}, and only the predictions can tell.",
        _NO_PROCEDURE,
    ]


def _contradictions(report: ReportAudit, pair: PairAudit) -> list[str]:
    return [
        f"The printed figures of {system.name} contradict each other: no confusion matrix has them all."
        for system in report.systems
        if system.name in (pair.treatment, pair.baseline)
        and system.readings[0].contradicts_itself
        # Where no right answers fit, that is said already.
        and (counts := system.readings[0].counts) is not None
        and counts.possible
    ]


def _apart(found: Overlaps, n: int) -> str:
    low, high = sorted(map(abs, found.gap))
    if found.gap[0] < 0 < found.gap[1]:
        low = 0
    if low != high:
        return f"{low} to {high:,} of {n:,} sentences"
    return "one sentence" if low == 1 else f"{low:,} of {n:,} sentences"


def _only_if(found: Overlaps) -> str:
    least, most = found.discordance
    possible = f"({least:,} to {most:,} are possible)"
    if found.significant_up_to == least:
        return f"only if exactly one of the two models is right on just these {least:,} sentences {possible}"
    return f"only if exactly one of the two models is right on at most {found.significant_up_to:,} sentences {possible}"


def _over_runs(gap: float, tested: WelchResult) -> str:
    apart = f"The means over {tested.runs[0]} and {tested.runs[1]} runs are {points(abs(gap), signed=False)} apart"
    low, high = (small_p(p) for p in tested.p_value)
    p = f"p = {low}" if low == high else f"p from {low} to {high}, as far as the digits tell"
    return (
        f"{apart} (Welch's t, {p}); that speaks about new seeds on these very test sentences, and not about new "
        "sentences."
    )


def _said(pair: PairAudit) -> list[str]:
    found = pair.overlaps
    if found is None or pair.said is None:
        return []
    if pair.said == "equal":
        low = min(one.low for one in found.at_most)
        high = max(one.high for one in found.at_most)
        first, second = points_interval((low, high)).strip("[]").split(", ")
        quoted = f"“{pair.words}”" if pair.words else "that the two are equal"
        return [
            f"Nor do they show {quoted}: with as little overlap as the figures allow, the 95% interval of the gap goes "
            f"from {first} to {second} pp."
        ]
    if found.outcome == "significant whatever the overlap":
        return []
    quoted = f"“{pair.words}”" if pair.words else "that the two differ"
    return [f"The figures alone do not establish {quoted}."]


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
    share = percent(selected.chance, places=0)
    return [
        f"{who[0].upper()}{who[1:]} on these very sentences: by the scatter of epochs alone, equally good arms "
        f"reported so come out as far apart in {share} of cases."
    ]


def _own(pair: PairAudit) -> list[str]:
    own = pair.rerun
    if own is None or math.isnan(own.p_exact[0]):
        return []
    least, most = (percent(share, places=1) for share in own.discordance[1:])
    low, high = map(small_p, own.p_exact)
    return [
        f"In {own.n_seeds} pairs of runs of {own.study} exactly one model is right on {least} to {most} of the "
        f"sentences, which would make that p {low} to {high}."
    ]
