"""A report in words: one sentence for each comparison, with the figures of the tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.methods.interval import Interval
from analysis.printable import printable
from analysis.study.comparison_result import ComparisonResult
from analysis.study.futility import HOPELESS
from analysis.study.goals import Goal, goals_of
from analysis.tables.comparison_cells import gap_cell, interval_cell, open_where_cut, scale_of, standard_error
from analysis.tables.digits import SEEDS_WORTH_PLANNING, small_percent, times_as_long, whole_percent
from analysis.tables.notes import new_seeds
from analysis.words import counted, estimated_count

if TYPE_CHECKING:
    from analysis.study.looks import Look
    from analysis.study.report import StudyReport


def in_words(report: StudyReport) -> tuple[str, ...]:
    """Return what each comparison has shown in one sentence, or why it is open and what would decide it.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.

    Returns
    -------
    tuple of str
        One text for each comparison, in the order of the table of verdicts. Figures have the digits that they have
        there, and the interval in brackets is the one that belongs to the verdict. Behind it stands how much longer or
        shorter than the baseline of the study the arm trains, where that was measured.
    """
    return tuple(printable(_sentence(report, pair) + _time(report, pair)) for pair in report.comparisons)


def what_would_decide(report: StudyReport, pair: ComparisonResult) -> str:
    """Say of an undecided comparison why it is open, and what would decide it."""
    look = report.look
    if pair.verdict.reason:
        return as_sentence(pair.verdict.reason)
    if look is not None:
        return f"{next_look(look, pair)}{_new_study(report, pair) if look.is_last or not pair.is_open else ''}"
    goals = {goal.as_observed: goal for goal in goals_of([pair])}
    observed, at_margin = goals.get(True), goals.get(False)
    if at_margin is None or observed is None:
        return "What would decide it is not computed: more of one kind of seeds is not more of the other."
    margin = size_in_words(report, report.plan.margin)
    often = whole_percent(at_margin.settling.power)
    found = f"{_runs(report, min(pair.n_seeds))} find a gap of {margin} in {often} of studies"
    if observed.settling.margin is not None:
        shown = takes(report, observed, f"show equivalence within {margin}, if the true gap is the one seen")
        if at_margin.more_seeds == 0:
            return f"{found}, and the gap seen is smaller: {shown}."
        return f"The gap seen is smaller than the margin: {shown}."
    if at_margin.more_seeds == 0:
        return f"{found}, and did not here: {takes(report, observed, 'find one as large as the one seen')}."
    if at_margin.more_seeds is None or at_margin.more_seeds > SEEDS_WORTH_PLANNING:
        return as_sentence(takes(report, observed, "find a gap as large as the one seen"))
    return as_sentence(takes(report, at_margin, f"find a gap of {margin}"))


def next_look(look: Look, pair: ComparisonResult) -> str:
    """Say when more may be read of a comparison, or why no later look is for it."""
    if pair.verdict.decided and (pair.left or not look.is_last):
        return "Its comparison is decided, and a run until decided trains it no further."
    if pair.left:
        seeds = counted(min(pair.n_seeds), "seed")
        return f"Trained no further after {seeds}: the last look, at {look.looks[-1]}, would hardly decide it."
    if look.is_last:
        return "This was the last of the declared looks."
    if pair.chance < HOPELESS:
        return (
            f"It is given up: as its seeds predict, the last look, at {look.looks[-1]} seeds, would decide it with a "
            f"chance of {small_percent(pair.chance)}."
        )
    return f"The next look is at {look.looks[look.number]} seeds."


def _new_study(report: StudyReport, pair: ComparisonResult) -> str:
    """Say what a study of its own would take to decide what declared looks have left open."""
    settled = [one for one in (pair.settling_equivalence, pair.settling_gap) if one is not None]
    if not settled:
        return ""
    # A gap just below the margin may be found with few seeds, and shown to lie within it with none.
    settling = min(settled, key=lambda one: math.inf if one.seeds_needed is None else one.seeds_needed)
    shown = "find it"
    if settling.margin is not None:
        shown = f"show equivalence within {size_in_words(report, report.plan.margin)}"
    needed = settling.seeds_needed
    if needed is None:
        goal = Goal(pair=pair, settling=settling, as_observed=True)
        return f" {as_sentence(takes(report, goal, f'{shown}, if the true gap is the one seen'))}"
    about = f"about {needed}" if needed <= SEEDS_WORTH_PLANNING else f"over {SEEDS_WORTH_PLANNING}"
    often = whole_percent(settling.power)
    return (
        f" If the true gap is the one seen, a new study would take {about} {_unit(report, needed)} an arm to {shown} "
        f"in {often} of cases."
    )


def size_in_words(report: StudyReport, gap: float) -> str:
    """Return a declared gap in words: ``1 point`` of a share, else the number."""
    return in_points(scale_of(report).margin(abs(gap)))


def for_whom(report: StudyReport) -> str:
    """Name what is drawn anew where a verdict holds: ``new seeds and new examples``."""
    seeds = new_seeds(report.training_sets) if report.paired else "new runs"
    if report.crossing is not None:
        seeds = "new initialisations, new data orders"
    clustered = report.n_clusters not in (None, report.n_examples)
    examples = f"new {'clusters of examples' if clustered else 'examples'}"
    return f"{seeds} and {examples}{' of the same test sets' if report.sets else ''}"


def _sentence(report: StudyReport, pair: ComparisonResult) -> str:
    verdict = pair.verdict
    if not verdict.asked:
        if report.look is not None and not report.look.number:
            return f"{pair.name}: the verdict is withheld until the first look, at {report.look.looks[0]} seeds."
        return f"No verdict on {pair.name}: {verdict.reason}."
    metric, margin = metric_in_words(report), size_in_words(report, report.plan.margin)
    if verdict.undecided:
        seen = f"{in_points(gap_cell(report, pair))}{metric}{_limits(report, pair)}{lower_is_better(report)}"
        return f"Undecided: {pair.name}, {seen}. {what_would_decide(report, pair)}"
    where = f"for {for_whom(report)} as well{exploratory(report)}."
    if verdict.direction is None:
        gap = f"{in_points(gap_cell(report, pair))}{_limits(report, pair)}{lower_is_better(report)}"
        return f"{pair.treatment} is equivalent to {pair.baseline} within {margin}{metric}: the gap is {gap}, {where}"
    gap = scale_of(report).gap(abs(pair.estimate), standard_error=standard_error(pair), signed=False)
    size = f"by {in_points(gap)}{metric}{_limits(report, pair, signed=False)}"
    small = f", but by less than the margin of {margin}:" if verdict.within_margin else ""
    return f"{pair.treatment} is {verdict.direction} than {pair.baseline}{small} {size}, {where}"


def _time(report: StudyReport, pair: ComparisonResult) -> str:
    """Say how the training time of an arm compares with that of the study's baseline; nothing where it is not known."""
    ratios = {(one.treatment, one.baseline): one for one in report.time_ratios}
    time = ratios.get((pair.treatment, pair.baseline))
    if time is None or pair.baseline != report.plan.baseline or not math.isfinite(time.interval.high):
        return ""
    ratio, (low, high) = time.ratio, time.interval
    if high < 0.99:
        less, least, most = (whole_percent(1 - one) for one in (ratio, high, low))
        took = f"in {less} less time ({least} to {most})"
    elif low <= 1.01 or ratio >= 2:
        took = times_as_long(ratio, time.interval)
    else:
        more, least, most = (whole_percent(one - 1) for one in (ratio, low, high))
        took = f"{more} longer ({least} to {most})"
    # From trials or from turns: another machine may have another ratio.
    return f" {pair.treatment} trains {took}, on this machine."


def in_points(text: str) -> str:
    """Return a gap that a table shows as a reader says it: ``1 pp`` is one point."""
    number, unit, _ = text.partition(" pp")
    return f"{number} {'point' if number == '1' else 'points'}" if unit else number


def metric_in_words(report: StudyReport) -> str:
    """Return what a gap is in: `` of accuracy``, `` in log loss``."""
    kind = report.plan.kind
    averaged = f", averaged over {len(report.sets)} test sets" if report.sets else ""
    return f" {'of' if kind.share else 'in'} {kind.title}{averaged}"


def lower_is_better(report: StudyReport) -> str:
    """Say so where it is; else nothing."""
    return "" if report.plan.kind.higher_is_better else "; lower is better"


def exploratory(report: StudyReport) -> str:
    """Say so of a study whose correction bounds no chance of a false claim; else nothing."""
    return "; for exploration only" if report.plan.correction == "benjamini_hochberg" else ""


def _limits(report: StudyReport, pair: ComparisonResult, *, signed: bool = True) -> str:
    """Return the interval beside the verdict in brackets; nothing where there is none.

    Unsigned it is that of the size of a gap whose direction is shown.
    """
    limits = pair.verdict_interval
    if not signed and pair.estimate < 0:
        limits = Interval(-limits.high, -limits.low)
    words = limits_in_words(open_where_cut(interval_cell(report, pair, limits), limits, margin=report.plan.margin))
    return words if signed else words.replace("+", "")


def limits_in_words(text: str) -> str:
    """Return an interval that a table shows as a reader says it: `` (0.33 to 2.55)``; nothing where it has no limits.

    A limit at which the interval was cut is not part of it, and says so.
    """
    if text[0] not in "[(":
        return ""
    low, high = text[1:-1].split(", ")
    if text[0] == "(":
        low = f"more than {low}"
    if text[-1] == ")":
        high = f"less than {high}"
    return f" ({low} to {high})"


def takes(report: StudyReport, goal: Goal, show: str) -> str:
    """Say what a goal takes: more seeds, or where no number of them is enough, more test examples."""
    more, settling = goal.more_seeds, goal.settling
    if more == 0:
        return f"as many seeds have run as it takes to {show}"
    if more is not None:
        about = f"about {more}" if more <= SEEDS_WORTH_PLANNING else f"over {SEEDS_WORTH_PLANNING}"
        return f"{about} more {_unit(report, more)} an arm would {show}"
    if settling.examples_needed is None:
        return settling.reason or f"neither more seeds nor more test examples alone would {show}"
    unit = "clusters" if goal.pair.n_clusters is not None else "test examples"
    enough = f"about {estimated_count(settling.examples_needed)} {unit}"
    return f"no number of seeds on this test set would {show}, but {enough} would"


def _runs(report: StudyReport, count: int) -> str:
    return counted(count, _unit(report, 1))


def _unit(report: StudyReport, count: int) -> str:
    word = "seed" if report.paired else "run"
    return word if count == 1 else f"{word}s"


def as_sentence(text: str) -> str:
    """Return a clause as a sentence: with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
