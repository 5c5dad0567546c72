"""Training of a study's trials: what this process trains, and what other workers have recorded meanwhile."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from harness import provenance
from harness.data.training_set import drawn_ids
from harness.engines.engine import Engine, Progress
from harness.records.manifest import model_entry
from harness.records.record import TrialRecord
from harness.records.store import FINAL, AnswerKind, KnownTrials, StoredTrial, trial_entry
from harness.runs.run import Run, RunSummary
from harness.search.dashboard import Dashboard
from harness.study.trials import Trial

# Between two looks at what other workers have recorded.
SECONDS_BETWEEN_LOOKS = 2.0


class Training:
    """The trials of a run on their way to their records.

    Parameters
    ----------
    run : Run
        The run.
    stored : mapping of str to StoredTrial
        What was stored of every trial of the study when the run began.
    dashboard : Dashboard or None
        Shows them in Optuna's database; None where another process leads.

    Attributes
    ----------
    statuses : dict of str to str
        How trials ended, by key: those that need not run again, and those that this run trained.
    ended : dict of str to TrialRecord
        The records of those that need not run again.
    ran : int
        How many this process trained.
    """

    def __init__(self, run: Run, stored: Mapping[str, StoredTrial], dashboard: Dashboard | None) -> None:
        self._run = run
        self._dashboard = dashboard
        self._known = KnownTrials()
        self._unreadable: set[str] = set()
        self._looked = time.monotonic()
        # Of trials that will be trained again: when they ended before.
        self._before = {key: _ended(one.record) for key, one in stored.items()}
        self.ended = {key: one.record for key, one in stored.items() if one.status in FINAL and one.record is not None}
        self.statuses: dict[str, str] = {key: record.status for key, record in self.ended.items()}
        self.ran = 0

    def open(self, trials: Sequence[Trial]) -> Sequence[Trial]:
        """Show what is to do of the wanted trials; return those that are done, and those that the budget allows."""
        todo = self.left(trials)
        self._run.display.open(trials, self.ended, _estimate(self._run.engine, todo))
        budget = self._run.budget
        affordable = todo if budget is None else budget.affordable(todo, self.ran)
        beyond = {trial.key for trial in todo} - {trial.key for trial in affordable}
        return [trial for trial in trials if trial.key not in beyond]

    def is_out_of_budget(self, wanted: Sequence[Trial], within: Sequence[Trial]) -> bool:
        """Say whether it is the budget that ends a run in which some of the wanted trials have not ended.

        Parameters
        ----------
        wanted, within : sequence of Trial
            What `open` was given, and what it returned.
        """
        budget = self._run.budget
        return budget is not None and (len(within) < len(wanted) or budget.is_over())

    def left(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return which of the trials this run has yet to see the end of."""
        return [trial for trial in trials if trial.key not in self.statuses]

    def train(self, trials: Sequence[Trial], *, wait: float = math.inf) -> Iterator[TrialRecord]:
        """Train the trials that have no final record and that no other worker trains; yield each new record.

        Parameters
        ----------
        trials : sequence of Trial
            All of those that are wanted, finished or not.
        wait : float
            For so many seconds wait for the trials of other workers, and train those of a worker that is gone.
        """
        worker = self._run.worker
        waited_since = None
        while True:
            trained = False
            claimed: set[str] = worker.claimed_by_others() if waited_since is not None else set()
            if waited_since is None or any(trial.key not in claimed for trial in self.left(trials)):
                for record in self._train(trials):
                    trained = True
                    yield record
                    if time.monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS:
                        yield from self.look(trials)
                # Nothing is claimed that this process does not train.
                worker.tell(claims=[])
            if not self.left(trials):
                return
            yield from self.look(trials)
            now = time.monotonic()
            waited_since = now if trained or waited_since is None else waited_since
            if not self.left(trials) or self._run.ends() or now - waited_since >= wait:
                return
            if not trained:
                self._run.display.waiting()
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def summary(
        self,
        trials: Sequence[Trial],
        asked: Sequence[str],
        *,
        spared: Container[tuple[str, int]],
        out_of_budget: bool,
    ) -> RunSummary:
        """Return how the run ended.

        Parameters
        ----------
        trials : sequence of Trial
            All trials of the study.
        asked : sequence of str
            The arms that were to be trained.
        spared : container of (str, int)
            Arm and seed of the trials that need not run.
        out_of_budget : bool
            Whether the budget ended it.
        """
        run = self._run
        counts = Counter(
            self.statuses.get(trial.key, "spared" if (trial.arm, trial.seed) in spared else "missing")
            for trial in trials
            if trial.arm in asked
        )
        return RunSummary(
            folder=run.store.folder,
            spared=counts.pop("spared", 0),
            statuses=dict(counts),
            waiting=sum(trial.arm not in asked and trial.key not in self.statuses for trial in trials),
            ran=self.ran,
            stopped_by=run.stop.by or (run.budget.name if run.budget is not None and out_of_budget else None),
        )

    def _train(self, trials: Sequence[Trial]) -> Iterator[TrialRecord]:
        """Train, and store each outcome before the next begins; yield what is stored."""
        run = self._run
        started = provenance.now()

        def report(progress: Progress) -> None:
            if self._dashboard is not None:
                self._dashboard.start(progress.trial)
            run.display.step(progress)

        for outcome in run.engine.train(trials, report=report, done=self.statuses, stop=run.ends, claim=self._claim):
            record = run.store.write(
                outcome,
                run.data.test,
                fingerprint=run.data.fingerprint,
                model=model_entry(run.checkpoint),
                started=started,
                drawn=drawn_ids(outcome.trial, run.data.train.ids),
            )
            self.ran += 1
            self._note(record)
            if self._dashboard is not None:
                self._dashboard.finish(outcome)
            run.display.outcome(outcome)
            started = provenance.now()
            yield record

    def _claim(self, trials: Sequence[Trial]) -> Sequence[Trial]:
        """Return which of the trials to train here: all that have yet to end, unless another worker has one.

        A pack is trained by one worker: two that shared it would save it under one name.
        """
        if not self._run.worker.claim([trial.key for trial in trials]):
            return ()
        return [trial for trial in trials if not self._has_ended(trial)]

    def _has_ended(self, trial: Trial) -> bool:
        """Whether another worker has recorded the end of a trial since this run began."""
        ending = self._run.store.ending(trial)
        if ending is None:
            return False
        status, ended = ending
        return status in FINAL or (status == "failed" and ended != self._before.get(trial.key))

    def look(self, trials: Sequence[Trial]) -> Iterator[TrialRecord]:
        """Yield what other workers have recorded since the last look."""
        self._looked = time.monotonic()
        run = self._run
        # One listing, not a question for each of thousands of trials that are not there yet.
        there = run.store.keys()
        by_key = {trial.key: trial for trial in self.left(trials) if trial.key in there}
        entries = [trial_entry(trial) for trial in by_key.values()]
        kind = AnswerKind.trained(len(run.data.classes))
        for one in run.store.entries(entries, kind, known=self._known):
            record = one.record
            # Twice, for it may have been on its way to its place. Then it is trained again.
            if one.status == "unreadable" and self._dashboard is not None:
                if one.entry.key in self._unreadable:
                    for message in run.store.set_aside([one]):
                        run.display.say(message)
                self._unreadable ^= {one.entry.key}
            # What was interrupted elsewhere is free again.
            if record is None or one.status not in {*FINAL, "failed"} or self._before.get(record.key) == _ended(record):
                continue
            self._note(record)
            trial = by_key[record.key]
            if self._dashboard is not None:
                self._dashboard.recorded([(trial, record)])
            run.display.recorded(trial, record)
            yield record

    def _note(self, record: TrialRecord) -> None:
        self.statuses[record.key] = record.status
        if record.status in FINAL:
            self.ended[record.key] = record


def _estimate(engine: Engine, todo: Sequence[Trial]) -> float:
    """Return the seconds of a trial; NaN where it breaks, which its own outcome will tell."""
    try:
        return engine.estimate(todo[0]) if todo else 0.0
    except Exception:
        return float("nan")


def _ended(record: TrialRecord | None) -> str | None:
    return None if record is None else record.provenance.ended
