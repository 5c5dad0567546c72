"""History caveats: changes of plan, seeds and arms after first results, and undeclared looks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.records.manifest import Manifest
from analysis.records.outcomes import Outcomes
from analysis.study.caveat import Caveat
from analysis.study.plan import AnalysisPlan
from analysis.words import counted, seeds_in_words


def history_caveats(outcomes: Outcomes, plan: AnalysisPlan, *, taken_up: Sequence[int]) -> list[Caveat]:
    """Return the caveats about changes that no p-value accounts for; each stands under the verdicts too.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The plan as it is now.
    taken_up : sequence of int
        The seeds that the tables use, or that left every arm under the plan's policy.
    """
    return [
        *_plan_changes(outcomes),
        *_arms_that_left(outcomes.manifest),
        *_seeds_that_left(outcomes),
        *_undeclared_looks(outcomes, plan, taken_up),
    ]


def _plan_changes(outcomes: Outcomes) -> list[Caveat]:
    """Report plans that came after results; a plan that is gone, and by which nobody looked, changed nothing."""
    history = outcomes.manifest.plan_history
    fixed = [entry.digest for entry in history if not entry.trials_finished]
    looked_by = {look.plan for look in outcomes.looks_taken}
    late = [
        entry
        for before, entry in pairwise(history)
        if entry.trials_finished
        and entry.digest != before.digest
        # An older version did not note who looked: its entries are reported as they stand.
        and (entry.arms is None or entry.digest not in fixed[-1:])
        and (entry.arms is None or entry.digest == history[-1].digest or entry.digest in looked_by)
    ]
    if not late:
        return []
    moments = "; ".join(f"{entry.frozen}, after {counted(entry.trials_finished, 'finished trial')}" for entry in late)
    text = f"The analysis plan changed after trials had finished ({moments})."
    return [Caveat(short="plan changed after trials finished", text=text, on_verdicts=True)]


def _arms_that_left(manifest: Manifest) -> list[Caveat]:
    left: dict[str, int] = {}
    for before, after in pairwise(manifest.plan_history):
        if after.trials_finished and before.arms is not None and after.arms is not None:
            gone = set(before.arms) - set(after.arms) - set(manifest.arms)
            left |= {arm: after.trials_finished for arm in before.arms if arm in gone}
    if not left:
        return []
    named = ", ".join(f"{arm} after {counted(count, 'trial')}" for arm, count in left.items())
    text = (
        f"{'An arm' if len(left) == 1 else 'Arms'} left the study after trials had finished ({named}): the "
        "correction counts fewer comparisons than were planned, and the p-values do not account for this."
    )
    return [Caveat(short=f"{counted(len(left), 'arm')} removed after trials finished", text=text, on_verdicts=True)]


def _seed_changes(outcomes: Outcomes) -> list[tuple[frozenset[int], frozenset[int], int]]:
    """Return each change of the seeds after trials had finished: before, after, and how many trials had finished.

    The history names the seeds that trials were trained with; the last change is to what the study holds now.
    """
    finished = sum(trial.status == "finished" for trial in outcomes.trials.values())
    history = [(frozenset(entry.seeds), entry.trials_finished) for entry in outcomes.manifest.seed_history]
    return [
        (before, after, count)
        for (before, _), (after, count) in pairwise([*history, (frozenset(outcomes.seeds), finished)])
        if count
    ]


def _seeds_that_left(outcomes: Outcomes) -> list[Caveat]:
    """Report seeds that were trained and are no longer in the study; a seed that came back has not left."""
    now = set(outcomes.seeds)
    left = [(sorted(before - after - now), count) for before, after, count in _seed_changes(outcomes)]
    moments = "; ".join(f"{', '.join(map(str, gone))} after {counted(count, 'trial')}" for gone, count in left if gone)
    if not moments:
        return []
    text = f"Seeds left the study after trials had finished ({moments}). The p-values do not account for this."
    return [Caveat(short="seeds removed after trials finished", text=text, on_verdicts=True)]


def _undeclared_looks(outcomes: Outcomes, plan: AnalysisPlan, taken_up: Sequence[int]) -> list[Caveat]:
    """Count at how many smaller sets of these seeds the study could have stopped.

    A set of seeds counts if its verdicts were looked at, or if it had been trained before others were.
    """
    if not plan.paired:
        return _looks_without_pairs(outcomes)
    now = set(taken_up)
    sets = [before for before, _, _ in _seed_changes(outcomes)]
    sets += [frozenset(look.seeds) for look in outcomes.looks_taken]
    # Nobody could have stopped at fewer seeds than a verdict needs.
    looks = [seeds for seeds in set(sets) if seeds < now and len(seeds) >= SEEDS_FOR_A_VERDICT]
    undeclared = [sorted(seeds) for seeds in looks if len(seeds) not in plan.looks]
    if not undeclared:
        return []
    labels = outcomes.run_labels
    at = "; ".join(seeds_in_words(seeds, labels) for seeds in sorted(undeclared, key=lambda seeds: (len(seeds), seeds)))
    return [_undeclared(len(undeclared), f"with fewer of these seeds ({at})")]


def _looks_without_pairs(outcomes: Outcomes) -> list[Caveat]:
    """Count at how many smaller numbers of runs of each arm the study could have stopped."""
    runs = {arm: outcomes.seeds_of(arm) for arm in outcomes.arms}
    earlier = [[(look.runs or {}).get(arm, 0) for arm in runs] for look in outcomes.looks_taken]
    for before, _, _ in _seed_changes(outcomes):
        earlier.append([sum(seed in before for seed in own) for own in runs.values()])
    now = tuple(map(len, runs.values()))
    # Nobody could have stopped before two arms had as many runs as a verdict needs.
    fewer = {
        tuple(counts)
        for counts in earlier
        if tuple(counts) != now
        and all(then <= there for then, there in zip(counts, now, strict=True))
        and sum(then >= SEEDS_FOR_A_VERDICT for then in counts) > 1
    }
    if not fewer:
        return []
    at = "; ".join(
        ", ".join(f"{then} of {arm}" for arm, then in zip(runs, counts, strict=True)) for counts in sorted(fewer)
    )
    return [_undeclared(len(fewer), f"with fewer runs ({at})")]


def _undeclared(looks: int, where: str) -> Caveat:
    short = counted(looks, "undeclared look")
    text = f"The results were looked at, or could have been, {where}: {short}. The p-values do not account for this."
    return Caveat(short=short, text=text, on_verdicts=True)
