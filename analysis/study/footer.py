"""What stands under every table: where the figures come from, and what to know before trusting them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.records.format import Record
from analysis.records.outcomes import Outcomes, Trial, named_trials
from analysis.study.caveat import Caveat
from analysis.study.comparison_tests import lost_trials
from analysis.study.conditions import conditions
from analysis.study.history import history_caveats
from analysis.study.plan import AnalysisPlan
from analysis.study.verdict import collapse_rate_limit
from analysis.words import counted, waiting_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One thing that the trials were run with, and how many of them with each value.

    Parameters
    ----------
    name
        Such as ``"device"`` or ``"torch"``.
    values
        Each value with its number of trials, the most frequent first.
    """

    name: str
    values: tuple[tuple[str, int], ...]

    @property
    def mixed(self) -> bool:
        """Whether the trials disagree."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Provenance and caveats of a study; they belong to every table made from it.

    Parameters
    ----------
    origins
        What the trials behind the tables were run with.
    caveats
        What is unusual.
    n_seeds
        The number of seeds that the tables use.
    diverged
        Arms with trials that diverged among the seeds that were taken up: how many of how many, and the largest share
        of such runs that this leaves possible (95% limit).
    collapse_rate
        The largest share of collapsing runs that so many seeds without a collapse leave possible (95%
        limit); NaN without a seed. No verdict knows of a collapse that was not drawn.
    """

    origins: tuple[Origin, ...]
    caveats: tuple[Caveat, ...]
    n_seeds: int
    diverged: tuple[tuple[str, int, int, float], ...]
    collapse_rate: float


def footer(
    outcomes: Outcomes, plan: AnalysisPlan, *, seeds: Sequence[int], taken_up: Sequence[int], waiting: Sequence[int]
) -> Footer:
    """Gather provenance and caveats.

    Parameters
    ----------
    outcomes
        The study.
    plan
        The frozen plan.
    seeds
        The seeds that the tables use.
    taken_up
        The seeds that they would use if every one of their trials had finished: all of the study but those that wait,
        or those of the look.
    waiting
        The seeds that are set aside until they have run in every arm.
    """
    known = [*taken_up, *waiting]
    used = [trial for trial in outcomes.trials.values() if trial.status == "finished" and trial.seed in seeds]
    origins = _origins([trial.record for trial in used if trial.record is not None])
    dropped = tuple(seed for seed in taken_up if seed not in seeds)
    caveats = [
        *_waiting_caveat(outcomes, seeds, waiting),
        *_trial_caveats(outcomes, dropped, taken_up, waiting),
        *(_mixed(origin) for origin in origins if origin.mixed),
        *_dirty(used),
        *history_caveats(outcomes, plan, taken_up=taken_up),
        *_plan_caveats(outcomes, plan, known),
        *_selection_caveats(outcomes),
        *_padding_caveat(outcomes),
        *_folder_caveats(outcomes),
    ]
    return Footer(
        origins=origins,
        caveats=tuple(caveats),
        n_seeds=len(seeds),
        diverged=_diverged(outcomes, known),
        collapse_rate=collapse_rate_limit(len(seeds)) if seeds else math.nan,
    )


def _diverged(outcomes: Outcomes, taken_up: Sequence[int]) -> tuple[tuple[str, int, int, float], ...]:
    found = []
    for arm in outcomes.arms:
        ended = [trial for trial in outcomes.of_arm(arm) if trial.seed in taken_up]
        ended = [trial for trial in ended if trial.status in ("finished", "diverged")]
        count = sum(trial.status == "diverged" for trial in ended)
        if count:
            found.append((arm, count, len(ended), collapse_rate_limit(len(ended), seen=count)))
    return tuple(found)


def _origins(records: Sequence[Record]) -> tuple[Origin, ...]:
    found = conditions(records) if records else {}
    origins = []
    for name, values in found.items():
        # The code stands before the packages that it uses.
        if name == "hardware":
            origins += [_origin(name, values), _origin("code", [_code(record) for record in records])]
        else:
            origins.append(_origin(name, values))
    return tuple(origins)


def _origin(name: str, values: Sequence[str]) -> Origin:
    counts = Counter(values)
    return Origin(name=name, values=tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))


def _code(record: Record) -> str:
    commit = record.provenance.commit
    tree = " with uncommitted changes" if record.provenance.dirty else ""
    return f"commit {commit[:12]}{tree}" if commit else "outside a checkout"


def _mixed(origin: Origin) -> Caveat:
    named = ", ".join(f"{value} ({counted(count, 'trial')})" for value, count in origin.values)
    return Caveat(short=f"mixed {origin.name}", text=f"The trials mix values of {origin.name}: {named}.")


def _dirty(used: Sequence[Trial]) -> list[Caveat]:
    count = sum(bool(trial.record and trial.record.provenance.dirty) for trial in used)
    if not count:
        return []
    text = f"{count} of {len(used)} trials ran on code with uncommitted changes."
    return [Caveat(short="uncommitted code", text=text)]


def _waiting_caveat(outcomes: Outcomes, seeds: Sequence[int], waiting: Sequence[int]) -> list[Caveat]:
    if not waiting:
        return []
    short = f"{counted(len(waiting), 'seed')} of {len(outcomes.seeds)} yet to run"
    return [Caveat(short=short, text=waiting_in_words(seeds, waiting))]


def _trial_caveats(
    outcomes: Outcomes, dropped: Sequence[int], taken_up: Sequence[int], waiting: Sequence[int]
) -> list[Caveat]:
    unfinished = lost_trials(outcomes, outcomes.arms, taken_up, waiting)
    caveats = []
    if unfinished:
        counts = Counter(trial.status for trial in unfinished)
        short = ", ".join(f"{count} {status}" for status, count in counts.items())
        total = len(outcomes.arms) * (len(taken_up) + len(waiting))
        text = f"Of {total} trials, without predictions: {named_trials(unfinished)}."
        caveats.append(Caveat(short=short, text=text))
    if dropped:
        named = ", ".join(str(seed) for seed in dropped)
        word = "seed" if len(dropped) == 1 else "seeds"
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
            "Benjamini-Hochberg bounds the expected share of false claims among the claims, not the chance of any: "
            "the verdicts are for exploration."
        )
        caveats.append(Caveat(short="exploratory correction", text=text))
    if plan.metric == "accuracy" and plan.margin < 1 / outcomes.n_examples:
        text = (
            f"The margin of {plan.margin:g} is smaller than one of {outcomes.n_examples} test examples "
            f"({1 / outcomes.n_examples:.2g}): two single runs cannot differ by so little."
        )
        caveats.append(Caveat(short="margin below the resolution", text=text))
    later = len(outcomes.seeds) - len(taken_up)
    if later:
        last = plan.looks and len(taken_up) == plan.looks[-1]
        until = "no look is declared for them" if last else "they wait for the next look"
        text = f"{counted(later, 'seed')} of the study beyond this look are not used: {until}."
        caveats.append(Caveat(short=f"{counted(later, 'later seed')} not used", text=text))
    return caveats


def _selection_caveats(outcomes: Outcomes) -> list[Caveat]:
    manifest = outcomes.manifest
    on_test = [arm for arm in outcomes.arms if manifest.selection_of(arm).on_test]
    caveats = []
    if on_test:
        which = "every arm" if len(on_test) == len(outcomes.arms) else ", ".join(on_test)
        text = (
            f"The study picks its epoch on the test split ({which}). The verdicts use the last epoch; the "
            f"figures as such a study reports them stand apart, without a verdict."
        )
        caveats.append(Caveat(short="selection on test", text=text))
    caveats += [Caveat(short="declared deviation", text=f"Declared deviation: {text}") for text in manifest.deviations]
    caveats += [Caveat(short="repeated texts", text=f"Of the data: {text}.") for text in manifest.data.remarks]
    return caveats


def _padding_caveat(outcomes: Outcomes) -> list[Caveat]:
    """Say that scores depend on what else was in a batch, where they do."""
    data = outcomes.manifest.study.get("data")
    if not isinstance(data, dict) or data.get("padding_side") != "left" or data.get("padding") == "max_length":
        return []
    text = (
        "With left padding to the longest sentence of a batch, an answer depends on what else is in its batch: another "
        "evaluation batch decides some examples otherwise"
    )
    arms: dict[str, list[str]] = {}
    for name, arm in outcomes.manifest.arms.items():
        arms.setdefault(str(arm.training.get("per_device_eval_batch_size", "not recorded")), []).append(name)
    if len(arms) == 1:
        return [Caveat(short="left padding", text=f"{text} (here: {next(iter(arms))}).")]
    sizes = "; ".join(f"{size} in {', '.join(names)}" for size, names in arms.items())
    return [
        Caveat(
            short="left padding at unlike evaluation batches",
            text=f"{text}, and these arms were scored in unlike ones: {sizes}. Their gaps may be those of the batches.",
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
        text = f"Set aside because they could not be read: {names}."
        caveats.append(Caveat(short=f"{counted(len(outcomes.set_aside), 'record')} set aside", text=text))
    return caveats
