"""`harness run --until-decided`: what every declared look decides, what goes on, and what that will cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.study.looks import Look
    from analysis.study.report import StudyReport
    from harness.runs.looks import LookByLook
    from harness.study.study import Study

# Of the report only the verdicts are used, and no bootstrap decides one.
_RESAMPLES = 2


def look_by_look(study: Study, folder: Path, say: Callable[[str], None]) -> LookByLook:
    """Return how a study goes from look to look.

    Parameters
    ----------
    study : Study
    folder : Path
        Of its results.
    say : callable
        Is told what a look has decided.

    Raises
    ------
    HarnessError
        If its plan declares no looks, if its seeds end between two of them, or if it has nothing to compare.
    """
    from analysis.study.analysis_block import parse_plan
    from harness.errors import HarnessError
    from harness.runs.looks import LookByLook

    plan = parse_plan(study.analysis, arms=list(study.arms), task=study.task)
    n_seeds = len(study.numbered_seeds)
    if not plan.looks:
        raise HarnessError(
            f"--until-decided: expected looks in the plan of {study.name}, got none; declare analysis.looks=auto, or "
            "the numbers of seeds at which verdicts may be read, such as analysis.looks=[4,8,12,20]"
        )
    if n_seeds < plan.looks[-1] and n_seeds not in plan.looks:
        raise HarnessError(
            f"--until-decided: expected as many seeds as a look declares ({', '.join(map(str, plan.looks))}), got "
            f"{n_seeds}; give seeds={plan.looks[-1]}"
        )
    if not plan.all_comparisons(tuple(study.arms)):
        raise HarnessError(f"--until-decided: expected two arms or more to compare, got {len(study.arms)}")
    told: set[tuple[str, str]] = set()
    shown = 0

    def still_open(size: int, leads: bool) -> Collection[str]:
        nonlocal shown
        from analysis.study.report import analyze
        from harness.cli.looks import note_look

        report = analyze(folder, resamples=_RESAMPLES)
        look = report.look
        if look is None or not look.number or look.looks[look.number - 1] < size:
            # The looks go by the order in which seeds were taken up, and a study may name them in another one now.
            return [arm for arm in study.arms if look is None or arm not in look.left]
        in_play = {arm for one in report.comparisons if one.is_open for arm in (one.treatment, one.baseline)}
        arms = [arm for arm in study.arms if arm in in_play]
        left = () if look.is_last else tuple(arm for arm in study.arms if arm not in arms)
        # A run that is continued is asked about looks that it has passed.
        if look.number > shown:
            shown = look.number
            for line in _in_words(report, look, told, arms):
                say(line)
        if leads and (failed := note_look(folder, report, left=left)):
            raise HarnessError(f"{folder / 'looks.json'} could not be written: {failed}; the run stops at this look")
        return () if look.is_last else arms

    return LookByLook(sizes=plan.looks, still_open=still_open)


def _in_words(report: StudyReport, look: Look, told: set[tuple[str, str]], arms: Sequence[str]) -> list[str]:
    """Say what a look has decided that no earlier one had, and what goes on."""
    from analysis.tables import in_words

    lines = [f"look {look.number} of {len(look.looks)}, at {look.looks[look.number - 1]} seeds:"]
    for pair, sentence in zip(report.comparisons, in_words(report), strict=True):
        if (look.is_last or not pair.is_open) and (pair.name, pair.verdict.label) not in told:
            told.add((pair.name, pair.verdict.label))
            lines.append(f"  {sentence}")
    open_pairs = [one.name for one in report.comparisons if one.is_open]
    if look.is_last or not open_pairs:
        return lines
    stops = [one.arm for one in report.arms if one.arm not in (*arms, *look.left)]
    lines.append(f"  still open: {'; '.join(open_pairs)}")
    if stops:
        lines.append(f"  trained no further: {', '.join(stops)}")
    lines.append(f"  next: {_cost(report, look, arms)}, until {look.looks[look.number]} seeds")
    return lines


def _cost(report: StudyReport, look: Look, arms: Sequence[str]) -> str:
    """Say how many trials the next look takes, and about how long."""
    from analysis.tables.digits import time_taken
    from analysis.words import counted

    more = look.looks[look.number] - look.looks[look.number - 1]
    taken = {cost.arm: cost.further_trial_seconds for cost in report.costs}
    seconds = sum(more * taken.get(arm, math.nan) for arm in arms)
    return f"{counted(more * len(arms), 'trial')}{'' if math.isnan(seconds) else f', about {time_taken(seconds)}'}"
