"""Tuning: the search for each arm's settings on a hold-out, before any of its seeds runs.

Each arm that asks for one has a search of its own; all have the same budget. A search goes batch by batch: the
candidates of a batch are proposed together, from the batches before, and those of all arms are trained together. So
what is proposed depends neither on how many workers train it nor on which of them is quicker.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

# Between two looks at what other workers have recorded.
_SECONDS_BETWEEN_LOOKS = 0.5


def tuned_arms(run: Run, *, leads: bool) -> tuple[Mapping[str, Arm] | None, Mapping[str, Winner]]:
    """Return the arms with the winners of their searches filled in, and the winners; None if stopped before.

    A search that was cut short goes on where it stopped: its candidates are records, and the next ones are proposed
    from them alone. So every worker proposes the same, and trains what no other has claimed.

    Parameters
    ----------
    run : Run
        The run.
    leads : bool
        Whether to show the candidates in Optuna's database, and to set aside what cannot be used.
    """
    searches = [
        _ArmSearch(run, name, arm, arm.search, leads=leads)
        for name, arm in run.study.arms.items()
        if arm.search is not None
    ]
    while proposed := [candidate for one in searches for candidate in one.batch()]:
        if not _train(run, proposed):
            return None, {}
        for one in searches:
            one.learn()
    # A kill may have come between the last record and what the engine does after it.
    recorded = {key for one in searches for key in one.recorded}
    if recorded:
        for _ in run.engine.train([], report=run.display.step, done=recorded):
            pass
    winners = {one.name: one.winner() for one in searches}
    arms = {
        name: with_settings(arm, winners[name].params) if name in winners else arm
        for name, arm in run.study.arms.items()
    }
    return arms, winners


@dataclass(slots=True, eq=False)
class _Proposed:
    """A candidate of the batch that is being trained."""

    search: _ArmSearch
    number: int
    params: Mapping[str, Any]
    trial: Trial
    value: float | None = None
    # How it ended, as far as this run is concerned; empty before.
    status: str = ""

    @property
    def key(self) -> str:
        return candidate_key(self.search.identity, self.number)

    def look(self) -> bool:
        """Take over what is recorded of it; return whether it need not be trained."""
        if not self.status:
            known = self.search.recorded_as(self.number)
            if known is not None and known.tuning is not None and known.key == self.trial.key:
                self.end(known.tuning.value, known.status)
        return bool(self.status)

    def end(self, value: float | None, status: str) -> None:
        """Note how it ended."""
        self.value, self.status = value, status
        self.search.note(self)


class _ArmSearch:
    """The search of one arm."""

    def __init__(self, run: Run, name: str, arm: Arm, search: Search, *, leads: bool) -> None:
        self.name = name
        self.search = search
        self._run = run
        self._arm = arm
        self._leads = leads
        self.identity = search_identity(self._trial(arm), search)
        entropy = int(self.identity[:8], 16)
        mirror = run.mirror if leads else None
        self._tuner = Tuner(f"{run.study.name}: search of {name}", self.identity, search, entropy, mirror)
        self._learned = self._ended = 0
        self._batch: list[_Proposed] = []
        self._failed_before: dict[int, str | None] = {}
        self.recorded: set[str] = set()
        run.display.tuning(name, 0, search.trials)

    def batch(self) -> Sequence[_Proposed]:
        """Return the next candidates; none at the end of the search."""
        numbers = range(self._learned, min(self._learned + self.search.batch, self.search.trials))
        self._batch = []
        for number in numbers:
            before = self._run.store.known_candidate(self.identity, number)
            if before is not None:
                self._failed_before[number] = before.provenance.ended
        for number, params in zip(numbers, self._tuner.propose(numbers), strict=True):
            known = self.recorded_as(number)
            # An older version may have proposed another one.
            chosen = known.tuning.params if known is not None and known.tuning is not None else params
            try:
                trial = self._trial(with_settings(self._arm, chosen))
            except ValidationError as error:
                raise ResultsError(f"arm {self.name}: candidate {chosen} is not a valid arm: {error}") from None
            self._batch.append(_Proposed(self, number, chosen, trial))
        return self._batch

    def recorded_as(self, number: int) -> TrialRecord | None:
        """Return the record of a candidate that need not be trained again."""
        store = self._run.store
        if self._leads:
            record = store.candidate(self.identity, number, fits=self._fits, say=self._run.display.say)
        else:
            record = store.known_candidate(self.identity, number)
        return record if record is not None and (record.status in FINAL or self._failed_now(record, number)) else None

    def _failed_now(self, record: TrialRecord, number: int) -> bool:
        """Whether a candidate failed in this run: no worker tries it again. What failed before is tried again."""
        return record.status == "failed" and record.provenance.ended != self._failed_before.get(number)

    def note(self, candidate: _Proposed) -> None:
        """Show how a candidate ended."""
        self._ended += 1
        if candidate.status in FINAL:
            self.recorded.add(candidate.trial.key)
        self._tuner.show(candidate.params, candidate.value, candidate.status, candidate.key)
        self._run.display.tuning(self.name, self._ended, self.search.trials)

    def start(self, candidate: _Proposed) -> None:
        """Show a candidate as running."""
        self._tuner.show(candidate.params, None, "running", candidate.key)

    def learn(self) -> None:
        """Tell the tuner how the batch ended, in its own order.

        By the records: where two workers trained the same candidate, both go by what is stored.
        """
        for candidate in self._batch:
            record = self._run.store.known_candidate(self.identity, candidate.number)
            stored = candidate.value if record is None or record.tuning is None else record.tuning.value
            self._tuner.learn(candidate.params, stored)
        self._learned += len(self._batch)

    def winner(self) -> Winner:
        """Return the best candidate.

        Raises
        ------
        ResultsError
            If none finished.
        """
        best = self._tuner.best()
        if best is None:
            raise ResultsError(
                f"arm {self.name}: none of the {self.search.trials} candidates of its search finished; see "
                f"{self._run.store.folder / 'tuning'}"
            )
        return Winner(search=self.identity, trials=self.search.trials, params=dict(best.params), value=best.value)

    def value(self, outcome: TrialResult) -> float | None:
        """Return what the search maximises: the hold-out's score at the epoch that the arm will be judged at."""
        if outcome.status != "finished":
            return None
        chosen = isinstance(self._arm.selection, BestEpoch) and self._arm.selection.on == "holdout"
        epoch = outcome.selected if chosen else outcome.epochs[-1]
        if epoch is None or epoch.holdout is None:
            return None
        value = -epoch.holdout.loss if self.search.best == "loss" else epoch.holdout.accuracy
        return value if value is not None and math.isfinite(value) else None

    def _trial(self, settings: Arm) -> Trial:
        run = self._run
        model, data = run.checkpoint.identity_at_start, run.data.fingerprint
        return make_trial(run.study, self.name, settings, seed=TUNING_SEED, model=model, data=data, tuning=True)

    def _fits(self, record: TrialRecord) -> bool:
        """Whether the settings in a record are those that its key stands for, and that the search may propose."""
        parameters = record.tuning.params if record.tuning is not None else {}
        try:
            return self._tuner.fits(parameters) and self._trial(with_settings(self._arm, parameters)).key == record.key
        except ValidationError:
            return False


def _train(run: Run, proposed: Sequence[_Proposed]) -> bool:
    """Train the candidates of a batch that have no record yet, here or elsewhere; return whether all of them ended."""
    by_key: dict[str, list[_Proposed]] = {}
    for candidate in proposed:
        by_key.setdefault(candidate.trial.key, []).append(candidate)
    trials = [alike[0].trial for alike in by_key.values()]

    def claim(wanted: Sequence[Trial]) -> Sequence[Trial]:
        if not run.worker.claim([trial.key for trial in wanted]):
            return ()
        free = [trial for trial in wanted if not all(candidate.look() for candidate in by_key[trial.key])]
        for trial in free:
            for candidate in by_key[trial.key]:
                candidate.search.start(candidate)
        return free

    while not all(candidate.look() for candidate in proposed):
        if run.ends():
            return False
        trained = False
        done = {key for key, alike in by_key.items() if all(candidate.status for candidate in alike)}
        started = provenance.now()
        for outcome in run.engine.train(trials, report=run.display.step, done=done, stop=run.ends, claim=claim):
            trained = True
            for candidate in by_key[outcome.trial.key]:
                _record(run, candidate, outcome, started)
            started = provenance.now()
        run.worker.tell(claims=[])
        if any(candidate.status == "interrupted" for candidate in proposed):
            return False
        if not trained and not run.ends():
            run.display.waiting()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    return True


def _record(run: Run, candidate: _Proposed, outcome: TrialResult, started: str) -> None:
    value = candidate.search.value(outcome)
    run.store.write(
        outcome,
        run.data.test,
        fingerprint=run.data.fingerprint,
        model=RecordedModel(identity=run.checkpoint.identity_at_start),
        started=started,
        tuning=Candidate(
            search=candidate.search.identity, number=candidate.number, params=dict(candidate.params), value=value
        ),
        drawn=drawn_ids(outcome.trial, run.data.train.ids),
    )
    candidate.end(value, outcome.status)
