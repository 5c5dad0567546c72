"""Turns: every arm of a study is timed alone, there and back, so that what slows the machine down slows all alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness import provenance
from harness.data.tokenization import TokenizedDataset
from harness.engines.engine import Engine
from harness.engines.packed import PackedEngine
from harness.engines.ray.engine import RayEngine
from harness.engines.timing import TimedBlock, TrialTimer
from harness.engines.trainer import TrainerEngine, quick_collections
from harness.errors import ResultsError, one_line
from harness.models.checkpoints import Checkpoint
from harness.progress.displays import Display
from harness.progress.tracker import duration_in_words
from harness.records.record import TrialRecord
from harness.records.timing import FEWEST_TURNS, Timing, WholeTrial, as_precise_as, timing_of, whole_trial
from harness.runs.run import Run
from harness.signals import StopRequest
from harness.study.settings import Arm
from harness.study.study import Study
from harness.study.trials import Trial, make_trial

MOST_TURNS = 12
_USUAL_TURNS = 6
# From then on it ends when every ratio is known to this share.
_PRECISE = 0.05
# What a run spends on timing at most: so many seconds, or this share of what its trials took where that is more.
_SECONDS, _SHARE = 20.0, 0.05
# Once it has spent this share of what the trials took, the fewest turns are enough.
_WORTH = 0.1


def time_after(run: Run, arms: Mapping[str, Arm], trials: Sequence[Trial], records: Mapping[str, TrialRecord]) -> int:
    """Time the arms of a study whose trials are all recorded, unless their times are known; return the turns.

    Parameters
    ----------
    run : Run
        The run that ends with it.
    arms : mapping of str to Arm
        The arms with the winners of their searches filled in.
    trials : sequence of Trial
        All trials of the study.
    records : mapping of str to TrialRecord
        Those that have ended for good, by key.
    """
    known = [records[trial.key] for trial in trials if trial.key in records]
    # Trials that were all alone tell their times themselves.
    if run.study.timing == "off" or len(known) < len(trials) or all(record.solo for record in known):
        return 0
    try:
        before = run.store.timing()
        still = {} if before is None else before.timed(_keys(trials))
        if still.keys() == arms.keys():
            return 0
        if isinstance(run.engine, RayEngine):
            again = f"harness time {run.study.name} times it on the machine where it is called"
            run.display.say(f"no arm was timed alone: the trials ran on a cluster; {again}")
            return 0
        # Nothing else may take time meanwhile.
        run.mirror.settle()
        took = sum(record.all_seconds or 0.0 for record in known)
        turns = Turns(
            study=run.study,
            arms=arms,
            checkpoint=run.checkpoint,
            data=run.data,
            timer=TrialTimer(reference_of(run.engine)),
            display=run.display,
            stop=run.stop,
        )
        wholes = whole_trials(trials, known, len(run.data.test))
        # Ratios come from turns of one timing, so all arms are timed anew, but not worse than those that were known.
        fewest = FEWEST_TURNS if before is None or not still else min(before.turns, MOST_TURNS)
        timing = turns.timing(wholes, fewest=fewest, limit=max(_SECONDS, _SHARE * took), worth=_WORTH * took)
        if timing is not None:
            run.store.write_timing(timing)
    except ResultsError as error:
        # Every trial is recorded; that nothing is known about their times is no reason to fail.
        run.display.say(f"not timed: {error}")
        return 0
    return 0 if timing is None else timing.turns


def reference_of(engine: Engine) -> TrainerEngine:
    """Return the reference engine: a run's engine itself, or the one beside its packs."""
    engine = engine.reference if isinstance(engine, PackedEngine) else engine
    if not isinstance(engine, TrainerEngine):
        raise TypeError(f"expected an engine with a reference, got {engine.name}")
    return engine


def _keys(trials: Sequence[Trial]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for trial in trials:
        keys.setdefault(trial.arm, []).append(trial.key)
    return keys


def whole_trials(trials: Sequence[Trial], records: Sequence[TrialRecord], n_test: int) -> dict[str, WholeTrial]:
    """Return of each arm how much a whole trial does, under the key of its first trial."""
    by_key = {record.key: record for record in records}
    return {
        arm: whole_trial(keys[0], [by_key[key] for key in keys if key in by_key], n_test)
        for arm, keys in _keys(trials).items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Turns through the arms of a study.

    Parameters
    ----------
    study : Study
        The study.
    arms : mapping of str to Arm
        Its arms with the winners of their searches filled in.
    checkpoint, data : Checkpoint, TokenizedDataset
        What trials start from, and what they are trained and scored on.
    timer : TrialTimer
        Times a block of a trial.
    display : Display
        Shows the progress.
    stop : StopRequest
        Whether to end early.
    """

    study: Study
    arms: Mapping[str, Arm]
    checkpoint: Checkpoint
    data: TokenizedDataset
    timer: TrialTimer
    display: Display
    stop: StopRequest

    def timing(
        self,
        wholes: Mapping[str, WholeTrial],
        *,
        fewest: int = FEWEST_TURNS,
        limit: float = math.inf,
        worth: float = math.inf,
    ) -> Timing | None:
        """Time turn by turn until the ratios are known well, or time is up; None if that was too soon, or on a signal.

        An arm that cannot be timed is said, and left out of the further turns.

        Parameters
        ----------
        wholes : mapping of str to WholeTrial
            How much a whole trial of each arm does.
        fewest : int
            The turns without which there is no timing.
        limit : float
            The seconds after which no further block begins, by the clock of the timer.
        worth : float
            The seconds of the wall clock, which records hold, after which the fewest turns are enough.
        """
        clock = self.timer.clock
        # On a busy machine the wall would leave no time for what takes as little of the processor as ever.
        now = time.process_time if clock == "CPU time" else time.monotonic
        within = ""
        if limit != math.inf:
            within = f", within {duration_in_words(limit)} of {clock} (timing=off leaves it out)"
        self.display.say(f"Timing each arm alone: a few steps in each of up to {MOST_TURNS} turns{within}")
        started, began, until = provenance.now(), time.monotonic(), now() + limit
        failures = {name: whole.reason for name, whole in wholes.items() if whole.reason}
        blocks: dict[str, list[TimedBlock]] = {name: [] for name in wholes if name not in failures}
        timing = None
        gc.collect()
        with quick_collections():
            for turn in range(MOST_TURNS):
                self.display.timing(turn, MOST_TURNS)
                timed = self._turn(turn, list(blocks), failures, over=lambda: now() > until)
                blocks = {name: done for name, done in blocks.items() if name not in failures}
                if timed is None or not blocks:
                    break
                for name, block in timed.items():
                    blocks[name].append(block)
                if turn + 1 >= fewest:
                    timing = timing_of(wholes, blocks, failures, timer=self.timer, started=started)
                if timing is None:
                    continue
                precise = turn + 1 >= _USUAL_TURNS and as_precise_as(_PRECISE, timing, self.study)
                if precise or time.monotonic() - began > worth:
                    break
        for name, reason in failures.items():
            self.display.say(f"{name} cannot be timed: {reason}")
        if self.stop.is_set():
            timing = None
        if timing is not None:
            took = duration_in_words(time.monotonic() - began)
            self.display.say(f"timed {', '.join(blocks)} in {timing.turns} turns, {took}")
        elif blocks:
            n = len(next(iter(blocks.values())))
            why = "stopped" if self.stop.is_set() else f"time was up after {n} of {fewest} turns"
            again = f"harness time {self.study.name} takes the time that it needs"
            self.display.say(f"{why}, and no new timing is stored; {again}")
        return timing

    def _turn(
        self, turn: int, arms: Sequence[str], failures: dict[str, str], *, over: Callable[[], bool]
    ) -> dict[str, TimedBlock] | None:
        """Time every arm once; None if the turn was not completed."""
        timed = {}
        for name in arms if turn % 2 == 0 else reversed(arms):
            if self.stop.is_set() or over():
                return None
            try:
                timed[name] = self.timer.block(self._trial(name, turn), turn)
            except Exception as error:  # whatever breaks in one arm, the others are timed
                failures[name] = one_line(error)
        return timed

    def _trial(self, name: str, turn: int) -> Trial:
        """Return a trial of the arm; in a turn, those of all arms have one seed, and so the same batches."""
        start, fingerprint = self.checkpoint.identity_at_start, self.data.fingerprint
        return make_trial(self.study, name, self.arms[name], seed=turn, model=start, data=fingerprint)
