"""Tuning: the search for an arm's settings on a hold-out, before any of its seeds runs.

Each arm that asks for one has a search of its own; all have the same budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import ValidationError

from harness import provenance
from harness.data.training_set import drawn_ids
from harness.engines.result import TrialResult
from harness.errors import ResultsError
from harness.records.manifest import Winner
from harness.records.record import Candidate, RecordedModel, TrialRecord
from harness.records.store import FINAL, candidate_key
from harness.runs.run import Run
from harness.search.candidates import search_identity
from harness.search.tuner import Tuner
from harness.study.grid import with_settings
from harness.study.settings import Arm, BestEpoch, Search
from harness.study.trials import TUNING_SEED, Trial, make_trial


def tuned_arms(run: Run) -> tuple[Mapping[str, Arm] | None, Mapping[str, Winner]]:
    """Return the arms with the winners of their searches filled in, and the winners; None if stopped before.

    A search that was cut short goes on where it stopped: its candidates are records, and the next one is proposed
    from them alone.
    """
    arms: dict[str, Arm] = {}
    winners: dict[str, Winner] = {}
    for name, arm in run.study.arms.items():
        if arm.search is None:
            arms[name] = arm
            continue
        winner = _tune(run, name, arm, arm.search)
        if winner is None:
            return None, winners
        arms[name] = with_settings(arm, winner.params)
        winners[name] = winner
    return arms, winners


def _tune(run: Run, name: str, arm: Arm, search: Search) -> Winner | None:
    """Train the candidates of a search that have no record yet; return the winner, or None if stopped before."""
    study, store, engine, data, display = run.study, run.store, run.engine, run.data, run.display
    start = run.checkpoint.identity_at_start

    def candidate(settings: Arm) -> Trial:
        return make_trial(study, name, settings, seed=TUNING_SEED, model=start, data=data.fingerprint, tuning=True)

    def fits(record: TrialRecord) -> bool:
        parameters = record.tuning.params if record.tuning is not None else {}
        try:
            return tuner.fits(parameters) and candidate(with_settings(arm, parameters)).key == record.key
        except ValidationError:
            return False

    identity = search_identity(candidate(arm), search)
    entropy = int(identity[:8], 16)
    tuner = Tuner(f"{study.name}: search of {name}", identity, search, entropy, run.mirror)
    display.tuning(name, 0, search.trials)
    recorded: set[str] = set()

    for number in range(search.trials):
        key = candidate_key(identity, number)
        known = store.candidate(identity, number, fits=fits, say=display.say)
        if known is not None and known.tuning is not None and known.status in FINAL:
            tuner.tell(known.tuning.params, known.tuning.value, known.status, key)
            recorded.add(known.key)
            display.tuning(name, number + 1, search.trials)
            continue
        if run.ends():
            return None
        parameters = tuner.propose(number)
        try:
            trial = candidate(with_settings(arm, parameters))
        except ValidationError as error:
            raise ResultsError(f"arm {name}: candidate {parameters} is not a valid arm: {error}") from None
        tuner.start(parameters, key)
        started = provenance.now()
        # To its end: what an engine keeps of a trial goes when the trial is recorded and the engine asked for more.
        outcome = None
        for outcome in engine.train([trial], report=display.step, stop=run.ends):
            value = _value(outcome, arm)
            store.write(
                outcome,
                data.test,
                fingerprint=data.fingerprint,
                model=RecordedModel(identity=start),
                started=started,
                tuning=Candidate(search=identity, number=number, params=parameters, value=value),
                drawn=drawn_ids(trial, data.train.ids),
            )
            tuner.tell(parameters, value, outcome.status, key)
            display.tuning(name, number + 1, search.trials)
            if outcome.status == "interrupted":
                return None
            if outcome.status in FINAL:
                recorded.add(trial.key)
        if outcome is None:
            return None  # ended with an epoch, from which the next run goes on
    # A kill may have come between the last record and what the engine does after it.
    for _ in engine.train([], report=display.step, done=recorded):
        pass
    best = tuner.best()
    if best is None:
        raise ResultsError(
            f"arm {name}: none of the {search.trials} candidates of its search finished; see {store.folder / 'tuning'}"
        )
    return Winner(search=identity, trials=search.trials, params=dict(best.params), value=best.value)


def _value(outcome: TrialResult, arm: Arm) -> float | None:
    """Return what the search maximises: the hold-out's score at the epoch that the arm will be judged at."""
    if outcome.status != "finished" or arm.search is None:
        return None
    chosen = isinstance(arm.selection, BestEpoch) and arm.selection.on == "holdout"
    epoch = outcome.selected if chosen else outcome.epochs[-1]
    if epoch is None or epoch.holdout is None:
        return None
    value = -epoch.holdout.loss if arm.search.best == "loss" else epoch.holdout.accuracy
    return value if value is not None and math.isfinite(value) else None
