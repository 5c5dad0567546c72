"""Tunes the arms that ask for it, each with its own search and the same budget, before any seed runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness import provenance
from harness.data.tokenization import TokenizedDataset
from harness.engines.engine import Engine
from harness.engines.result import TrialResult
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.records.record import FINAL, Record, Store, stamped
from harness.search.candidates import search_identity
from harness.search.mirror import Mirror
from harness.search.sweep import Tuner
from harness.signals import StopRequest
from harness.study.settings import Arm, Best
from harness.study.study import Study, replace
from harness.study.trials import TUNING_SEED, Trial, make_trial


def tuned_arms(
    study: Study,
    store: Store,
    engine: Engine,
    data: TokenizedDataset,
    *,
    model: str,
    mirror: Mirror,
    display: Display,
    stop: StopRequest,
) -> tuple[Mapping[str, Arm] | None, dict[str, Any]]:
    """Return the arms with the winners of their searches filled in, and the winners; None if stopped before.

    A search that was cut short goes on where it stopped: its candidates are records, and the next one is proposed
    from them alone.
    """
    arms: dict[str, Arm] = {}
    winners: dict[str, Any] = {}
    for name, arm in study.arms.items():
        if arm.search is None:
            arms[name] = arm
            continue
        winner = _tune(study, name, arm, store, engine, data, model=model, mirror=mirror, display=display, stop=stop)
        if winner is None:
            return None, winners
        arms[name] = replace(arm, winner["params"])
        winners[name] = winner
    return arms, winners


def _tune(
    study: Study,
    name: str,
    arm: Arm,
    store: Store,
    engine: Engine,
    data: TokenizedDataset,
    *,
    model: str,
    mirror: Mirror,
    display: Display,
    stop: StopRequest,
) -> dict[str, Any] | None:
    search = arm.search
    if search is None:
        raise ResultsError(f"arm {name} declares no search")
    base = make_trial(study, name, arm, seed=TUNING_SEED, model=model, data=data.fingerprint, tuning=True)
    identity = search_identity(base, search)
    entropy = int(identity[:8], 16)
    tuner = Tuner(f"{study.name}: search of {name}", identity, search, entropy, mirror)
    display.tuning(name, 0, search.trials)
    recorded: set[str] = set()

    def make(parameters: Mapping[str, Any]) -> Trial:
        settings = replace(arm, parameters)
        return make_trial(study, name, settings, seed=TUNING_SEED, model=model, data=data.fingerprint, tuning=True)

    def fits(record: Record) -> bool:
        parameters = record.tuning.params if record.tuning is not None else {}
        try:
            return tuner.fits(parameters) and make(parameters).key == record.key
        except ValidationError:
            return False

    for number in range(search.trials):
        slot = f"{identity}-{number:04d}"
        known = store.candidate(slot, search=identity, number=number, fits=fits, say=display.say)
        if known is not None and known.tuning is not None and known.status in FINAL:
            tuner.tell(known.tuning.params, known.tuning.value, known.status, slot)
            recorded.add(known.key)
            display.tuning(name, number + 1, search.trials)
            continue
        if stop.is_set():
            return None
        parameters = tuner.propose(number)
        try:
            trial = make(parameters)
        except ValidationError as error:
            raise ResultsError(f"arm {name}: candidate {parameters} is no valid arm: {error}") from None
        tuner.start(parameters, slot)
        started = provenance.now()
        # To its end: what an engine keeps of a trial goes when the trial is recorded and the engine asked for more.
        outcome = None
        for outcome in engine.train([trial], report=display.step, stop=stop.is_set):
            value = _value(outcome, arm)
            more = {
                "tuning": {
                    "search": identity,
                    "number": number,
                    "params": parameters,
                    "value": value,
                },
                "data": {
                    "fingerprint": data.fingerprint,
                    "n_train": outcome.n_train,
                    "n_holdout": outcome.n_holdout,
                },
                "model": {"identity": model},
                "provenance": stamped(started),
            }
            store.write(outcome, data.test, more, slot=slot)
            tuner.tell(parameters, value, outcome.status, slot)
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
    return {"search": identity, "trials": search.trials, "params": dict(best.params), "value": best.value}


def _value(outcome: TrialResult, arm: Arm) -> float | None:
    """Return what the search maximises: the hold-out's score at the epoch that the arm will be judged at."""
    if outcome.status != "finished" or arm.search is None:
        return None
    chosen = isinstance(arm.selection, Best) and arm.selection.on == "holdout"
    epoch = outcome.selected if chosen else outcome.epochs[-1]
    if epoch is None or epoch.holdout is None:
        return None
    value = -epoch.holdout.loss if arm.search.best == "loss" else epoch.holdout.accuracy
    return value if math.isfinite(value) else None
