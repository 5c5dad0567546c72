"""Footers of tables: where the figures come from, and what to know before trusting them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial, named_trials
from analysis.records.trial_record import TrialRecord
from analysis.study.caveat import Caveat
from analysis.study.conditions import ConditionCounts, conditions, count_values
from analysis.study.history import history_caveats
from analysis.study.plan import AnalysisPlan
from analysis.study.population import training_sets
from analysis.study.refusals import lost_trials
from analysis.study.seeds import SeedsInUse
from analysis.study.verdict import collapse_rate_limit
from analysis.words import counted, waiting_in_words


class DivergedArm(NamedTuple):
    """An arm with trials that diverged.

    Parameters
    ----------
    arm : str
        The name of the arm.
    n_diverged, n_ended : int
        How many of its trials diverged, and how many finished or diverged.
    rate_limit : float
        The largest share of diverging trials that this leaves possible (95% limit).
    """

    arm: str
    n_diverged: int
    n_ended: int
    rate_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Provenance and caveats of a study; they belong to every table made from it.

    Parameters
    ----------
    origins : tuple of ConditionCounts
        What the trials behind the tables were run with.
    caveats : tuple of Caveat
        What is unusual.
    n_seeds : int
        The number of seeds that the tables use, in the smallest arm where they differ.
    diverged : tuple of DivergedArm
        Arms with trials that diverged among the seeds that were taken up.
    collapse_rate : float
        The largest share of collapsing trials that is possible when so many seeds show none (95% limit); NaN without a
        seed. No verdict accounts for a collapse that no seed showed.
    """

    origins: tuple[ConditionCounts, ...]
    caveats: tuple[Caveat, ...]
    n_seeds: int
    diverged: tuple[DivergedArm, ...]
    collapse_rate: float


def footer(outcomes: Outcomes, plan: AnalysisPlan, seeds: SeedsInUse, *, about_scores: Sequence[Caveat] = ()) -> Footer:
    """Gather provenance and caveats.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The frozen plan.
    seeds : SeedsInUse
        The seeds in use.
    about_scores : sequence of Caveat
        What the scores and the predictions themselves give cause for.
    """
    known = (*seeds.taken_up, *seeds.waiting)
    used = [
        trial
        for trial in outcomes.trials.values()
        if trial.status == "finished" and trial.seed in seeds.by_arm[trial.arm]
    ]
    # Of arms with unequal numbers the smallest has shown least.
    n_seeds = min(map(len, seeds.by_arm.values()))
    origins = _origins([trial.record for trial in used if trial.record is not None])
    caveats = [
        *_waiting_caveat(outcomes, seeds),
        *_trial_caveats(outcomes, plan, seeds),
        *(_mixed(origin) for origin in origins if origin.mixed),
        *_dirty(used),
        *history_caveats(outcomes, plan, taken_up=seeds.taken_up),
        *_plan_caveats(outcomes, plan, known),
        *_training_set_caveat(outcomes),
        *_left_out(outcomes),
        *_selection_caveats(outcomes),
        *_text_caveats(outcomes),
        *_padding_caveat(outcomes),
        *_folder_caveats(outcomes),
        *about_scores,
    ]
    # A collapse may come with an initialisation or with an order: as many as there are of the fewer are independent.
    independent = n_seeds if plan.crossing is None else min(*plan.crossing, n_seeds)
    return Footer(
        origins=origins,
        caveats=tuple(caveats),
        n_seeds=n_seeds,
        diverged=_diverged(outcomes, known),
        collapse_rate=collapse_rate_limit(independent) if n_seeds else math.nan,
    )


def _diverged(outcomes: Outcomes, seeds: Sequence[int]) -> tuple[DivergedArm, ...]:
    arms = []
    for arm in outcomes.arms:
        ended = [trial for trial in outcomes.of_arm(arm) if trial.seed in seeds]
        ended = [trial for trial in ended if trial.status in ("finished", "diverged")]
        count = sum(trial.status == "diverged" for trial in ended)
        if count:
            arms.append(DivergedArm(arm, count, len(ended), collapse_rate_limit(len(ended), seen=count)))
    return tuple(arms)


def _origins(records: Sequence[TrialRecord]) -> tuple[ConditionCounts, ...]:
    origins = []
    for name, values in (conditions(records) if records else {}).items():
        origins.append(count_values(name, values))
        # The code stands before the packages that it uses.
        if name == "hardware":
            origins.append(count_values("code", [_code(record) for record in records]))
    return tuple(origins)


def _code(record: TrialRecord) -> str:
    commit = record.provenance.commit
    tree = " with uncommitted changes" if record.provenance.dirty else ""
    return f"commit {commit[:12]}{tree}" if commit else "outside a checkout"


def _mixed(origin: ConditionCounts) -> Caveat:
    return Caveat(short=f"mixed {origin.name}", text=f"The trials differ in {origin.name}: {', '.join(origin.counts)}.")


def _dirty(used: Sequence[Trial]) -> list[Caveat]:
    count = sum(bool(trial.record and trial.record.provenance.dirty) for trial in used)
    if not count:
        return []
    text = f"{count} of {len(used)} trials ran on code with uncommitted changes."
    return [Caveat(short="uncommitted code", text=text)]


def _waiting_caveat(outcomes: Outcomes, seeds: SeedsInUse) -> list[Caveat]:
    if not seeds.waiting:
        return []
    of, waiting = f"of {len(outcomes.seeds)} yet to run", seeds.waiting
    if seeds.look is not None:
        # What comes after the first look may be spared.
        first = seeds.look.looks[0]
        of, waiting = "yet to run before the first look", tuple(s for s in waiting if s in outcomes.seeds[:first])
    if not waiting:
        return []
    short = f"{counted(len(waiting), 'seed')} {of}"
    text = waiting_in_words(seeds.used, waiting, outcomes.run_labels)
    return [Caveat(short=short, text=text, on_verdicts=True)]


def _trial_caveats(outcomes: Outcomes, plan: AnalysisPlan, seeds: SeedsInUse) -> list[Caveat]:
    taken_up = {arm: seeds.of(plan, arm).taken_up for arm in outcomes.arms}
    unfinished = lost_trials(outcomes, taken_up, seeds.waiting)
    caveats = []
    if unfinished:
        counts = Counter(trial.status for trial in unfinished)
        short = ", ".join(f"{count} {status}" for status, count in counts.items())
        has = "has" if len(unfinished) == 1 else "have"
        total = sum(trial.seed in (*taken_up[trial.arm], *seeds.waiting) for trial in outcomes.trials.values())
        text = f"{len(unfinished)} of {total} trials {has} no predictions: {named_trials(unfinished)}."
        if not plan.paired and plan.failed_trials == "drop_seed":
            text += " As the plan declares (failed_trials: drop_seed), each arm keeps its other runs."
        caveats.append(Caveat(short=short, text=text))
    if seeds.dropped:
        named = ", ".join(str(seed) for seed in seeds.dropped)
        word = "seed" if len(seeds.dropped) == 1 else "seeds"
        caveats.append(
            Caveat(
                short=f"{word} {named} left out",
                text=f"As the plan declares (failed_trials: drop_seed), {word} {named} left every arm.",
            )
        )
    caveats += [
        Caveat(short=f"unreadable: {trial.name}", text=f"{trial.name} could not be read: {trial.message}.")
        for trial in unfinished
        if trial.status == "unreadable"
    ]
    return caveats


def _plan_caveats(outcomes: Outcomes, plan: AnalysisPlan, taken_up: Sequence[int]) -> list[Caveat]:
    caveats = []
    if plan.correction == "benjamini_hochberg":
        text = (
            "Benjamini-Hochberg limits the expected share of false claims, not the chance that any claim is false, and "
            "is proved to do so for p-values that are independent or positively dependent, which those of comparisons "
            "with one baseline need not be: use these verdicts for exploration only."
        )
        caveats.append(Caveat(short="exploratory correction", text=text))
    if plan.metric == "accuracy" and not outcomes.sets and plan.margin < 1 / outcomes.n_examples:
        text = (
            f"The margin of {plan.margin:g} is smaller than one of {outcomes.n_examples} test examples "
            f"({1 / outcomes.n_examples:.2g}): two trials cannot differ by so little."
        )
        caveats.append(Caveat(short="margin below the resolution", text=text))
    # A seed that no arm has run is not there to be used.
    run = {trial.seed for trial in outcomes.trials.values() if trial.status == "finished"}
    if later := len(run.difference(taken_up)):
        last = plan.looks and len(taken_up) == plan.looks[-1]
        why = "no later look is declared" if last else "the next look has not been reached"
        text = f"This look leaves out {counted(later, 'seed')} of the study: {why}."
        caveats.append(Caveat(short=f"{counted(later, 'later seed')} not used", text=text))
    return caveats


def _training_set_caveat(outcomes: Outcomes) -> list[Caveat]:
    """Say of which training sets a study that resamples speaks, and of which it does not."""
    sets = training_sets(outcomes.manifest)
    if sets is None:
        return []
    text = (
        f"Each seed drew its own {sets.size:,} of the {sets.pool:,} training examples, the same in every arm. Two such "
        f"training sets share {100 * sets.overlap:.0f}% of their examples on average, and so differ less than two that "
        "were collected apart: of the variance between those they show about the share "
        f"1 - {sets.size:,}/{sets.pool:,}. About training data from outside this pool, intervals and p-values are too "
        "optimistic, the more the larger the share that each seed draws."
    )
    return [Caveat(short=f"training sets of {sets.size:,} from one pool of {sets.pool:,}", text=text)]


def _left_out(outcomes: Outcomes) -> list[Caveat]:
    """Say how many examples an import left out; verdicts are about those that every run has."""
    count = outcomes.manifest.data.left_out
    if not count:
        return []
    text = (
        f"{count} of {counted(count + outcomes.n_examples, 'example')} were left out, since not every run has them. "
        f"Everything here is about the other {outcomes.n_examples}."
    )
    return [Caveat(short=f"{counted(count, 'example')} left out", text=text, on_verdicts=True)]


def _selection_caveats(outcomes: Outcomes) -> list[Caveat]:
    manifest = outcomes.manifest
    on_test = [arm for arm in outcomes.arms if manifest.selection_of(arm).on_test]
    caveats = []
    if on_test:
        which = "every arm" if len(on_test) == len(outcomes.arms) else ", ".join(on_test)
        text = (
            f"The study picks its epoch on the test split ({which}). The verdicts use the last epoch instead. The "
            "figures that such a study would report are shown separately, without a verdict."
        )
        caveats.append(Caveat(short="selection on test", text=text))
    caveats += [Caveat(short="declared deviation", text=f"Declared deviation: {text}") for text in manifest.deviations]
    return caveats


def _text_caveats(outcomes: Outcomes) -> list[Caveat]:
    """Pass on which test texts stand elsewhere too: in training, in their own set or in another; or what else was seen.

    What an import noticed is told in sentences of its own.
    """
    short = "test texts that recur" if outcomes.manifest.imported is None else "remarks of the import"
    return [
        Caveat(
            short=short, text=f"About the data: {text if text.endswith(('.', '?')) else f'{text}.'}", on_verdicts=True
        )
        for text in outcomes.manifest.data.remarks
    ]


def _padding_caveat(outcomes: Outcomes) -> list[Caveat]:
    """Say that predictions depend on the rest of their batch, where they do."""
    data = outcomes.manifest.study.get("data")
    if not isinstance(data, dict) or data.get("padding_side") != "left" or data.get("padding") == "max_length":
        return []
    text = (
        "With left padding to the longest example of a batch, a prediction depends on the other examples in its batch: "
        "another evaluation batch size changes some predictions"
    )
    arms: dict[str, list[str]] = {}
    for name, arm in outcomes.manifest.arms.items():
        arms.setdefault(str(arm.training.get("per_device_eval_batch_size", "not recorded")), []).append(name)
    if len(arms) == 1:
        return [Caveat(short="left padding", text=f"{text} (here: {next(iter(arms))}).")]
    sizes = "; ".join(f"{size} in {', '.join(names)}" for size, names in arms.items())
    return [
        Caveat(
            short="left padding with mixed evaluation batch sizes",
            text=f"{text}. These arms were scored with different sizes: {sizes}. That may cause some of their gaps.",
        )
    ]


def _folder_caveats(outcomes: Outcomes) -> list[Caveat]:
    caveats = []
    if outcomes.other_records:
        count = counted(outcomes.other_records, "other record")
        text = f"The folder holds {count} from other versions of the study; they were not read."
        caveats.append(Caveat(short=f"{count} not read", text=text))
    if outcomes.set_aside:
        names = ", ".join(outcomes.set_aside)
        why = "because they could not be read"
        if outcomes.manifest.imported is not None:
            why = "because another import replaced them, or because they could not be read"
        text = f"Set aside {why}: {names}."
        caveats.append(Caveat(short=f"{counted(len(outcomes.set_aside), 'record')} set aside", text=text))
    if outcomes.timing_fault:
        text = f"No times that were measured in turns: {outcomes.timing_fault}"
        caveats.append(Caveat(short="unreadable: timing.json", text=text))
    return caveats
