"""Progress tracker: counts finished trials by arm, follows running ones, and estimates the time left."""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.words import counted
from harness.engines.engine import Progress
from harness.engines.result import TrialResult
from harness.records.record import TrialRecord
from harness.study.trials import Trial

# The share of a run's work after which its own pace counts fully.
_BELIEVED = 0.02
# The seconds of training that it is watched for before that; a run that is over sooner, by its share that is done.
_WATCHED = 30.0
_NAMED_ARMS = 3
# The Trainer counts epochs in floating point.
_ROUNDING = 1e-6


@dataclass(slots=True)
class ArmProgress:
    """The finished trials of one arm."""

    seeds: int = 0
    accuracies: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, *, loss: float | None, accuracy: float | None) -> None:
        """Note the scores of a trial on test: its accuracy, or its loss in a regression, which has no accuracy."""
        if accuracy is not None:
            self.accuracies.append(accuracy)
        elif loss is not None:
            self.losses.append(loss)

    def line(self) -> str:
        """Return the line of the arm."""
        text = f"{len(self.accuracies) + len(self.losses)}/{self.seeds} seeds"
        if self.accuracies:
            low, high = min(self.accuracies), max(self.accuracies)
            text += f"  {100 * statistics.fmean(self.accuracies):.1f}%  ({100 * low:.1f} to {100 * high:.1f})"
        if self.losses:
            low, high = min(self.losses), max(self.losses)
            text += f"  mean squared error {statistics.fmean(self.losses):.3g}  ({low:.3g} to {high:.3g})"
        return text + "".join(f"  {trouble}" for trouble in self.troubles)


class ProgressTracker:
    """Keeps count of a run from what a display receives.

    Parameters
    ----------
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._begin()

    def _begin(self) -> None:
        self.arms: dict[str, ArmProgress] = defaultdict(ArmProgress)
        self.todo: dict[str, str] = {}
        self.running: dict[str, Progress] = {}
        self.total = 0
        self.timing = False
        self._estimate = 0.0
        # Since when the pace is watched: from the first step on, as what comes before it (imports, warm-up) comes once.
        self._since = math.nan
        self._watching = False
        # The step from which each trial is watched, and the share of it that this run has trained since.
        self._from: dict[str, int] = {}
        self._trained: dict[str, tuple[str, float]] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> str:
        """Start counting; return what is done and what is to do, in words."""
        # Trials of a search go before, and a run until decided opens it anew for every look.
        self._begin()
        self.total, self._estimate = len(trials), estimate
        for trial in trials:
            arm = self.arms[trial.arm]
            arm.seeds += 1
            record = records.get(trial.key)
            if record is None:
                self.todo[trial.key] = trial.arm
            else:
                self.recorded(trial, record)
        arms = len(self.arms)
        shape = f"{counted(self.total, 'trial')} ({counted(arms, 'arm')} x {counted(self.total // arms, 'seed')})"
        done = self.total - len(self.todo)
        if not self.todo:
            return f"{shape}: all done, nothing to run"
        return f"{shape}: {done} done, {len(self.todo)} to run, {self.left_in_words('about {}')}"

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        """Note a trial that an earlier run or another worker has recorded."""
        arm = self.arms[trial.arm]
        self.todo.pop(trial.key, None)
        if record.status == "finished" and record.on_test is not None:
            arm.add(loss=record.on_test.loss, accuracy=record.on_test.accuracy)
            if record.all_seconds is not None:
                arm.seconds.append(record.all_seconds)
        else:
            arm.troubles.append(f"seed {trial.seed} {record.status}")

    def step(self, progress: Progress) -> bool:
        """Note where a trial is; return whether all running trials have reported, as those of a pack report in turn."""
        trial = progress.trial
        known = trial.key in self.running
        if not known:
            self._first[trial.key] = self._clock(), progress.step
        self.running[trial.key] = progress
        if not trial.tuning:
            self._watching = self._watching or known
            if not self._watching:
                self._since = self._clock()
            start = self._from.setdefault(trial.key, progress.began if self._watching else progress.step)
            self._trained[trial.key] = trial.arm, (progress.step - start) / max(progress.steps, 1)
        return known and trial.key == next(reversed(self.running))

    def add(self, outcome: TrialResult) -> None:
        """Note the outcome of a trial; an interrupted one is still to do."""
        trial = outcome.trial
        arm = self.arms[trial.arm]
        self.running.pop(trial.key, None)
        self._watching = self._watching or trial.key in self._from
        if outcome.status != "interrupted":
            self.todo.pop(trial.key, None)
        if outcome.status in {"finished", "diverged"}:
            arm.seconds.append(outcome.training_seconds + outcome.evaluation_seconds)
        if outcome.status == "finished" and outcome.selected is not None and outcome.selected.test is not None:
            arm.add(loss=outcome.selected.test.loss, accuracy=outcome.selected.test.accuracy)
        else:
            arm.troubles.append(f"seed {trial.seed} {outcome.status}")

    def left(self) -> float:
        """Return the estimated seconds left.

        The start is each arm's measured mean, or the estimate where there is none. It is corrected by the pace of this
        run, which other load, packs and wrong estimates change. The correction counts more the longer the pace has
        been watched.
        """
        everything = [s for arm in self.arms.values() for s in arm.seconds]
        usual = statistics.fmean(everything) if everything else self._estimate
        known = not math.isnan(usual)
        cost = {name: statistics.fmean(arm.seconds or [usual]) if known else 1.0 for name, arm in self.arms.items()}
        remaining = sum(cost[arm] * (1 - self._share(key)) for key, arm in self.todo.items())
        trained = sum(cost[arm] * share for arm, share in self._trained.values())
        if trained == 0:
            return remaining if known or not self.todo else math.nan
        watched, share = self._clock() - self._since, trained / (trained + remaining)
        pace = watched / trained
        belief = min(1.0, share / _BELIEVED, max(share, watched / _WATCHED)) if known else 1.0
        return float(remaining * pace**belief)

    def left_in_words(self, template: str) -> str:
        """Return the time left, if it is known."""
        left = self.left()
        return "time not known yet" if math.isnan(left) else template.format(duration_in_words(left))

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return self._clock() - self._began

    @property
    def epochs_done(self) -> int:
        """Epochs that all running trials have finished."""
        return min((int(progress.epoch + _ROUNDING) for progress in list(self.running.values())), default=0)

    def doing(self) -> str:
        """Return which trials are running and how far they are, in words."""
        return "; ".join(self.doing_by_node()) or "no trial in training"

    @property
    def nodes(self) -> list[str]:
        """The nodes of a cluster that train something."""
        return list(dict.fromkeys(progress.node for progress in list(self.running.values()) if progress.node))

    def doing_by_node(self) -> list[str]:
        """Return which trials are running and how far they are, of each node in words."""
        by_node: dict[str, list[Progress]] = {}
        for progress in list(self.running.values()):
            by_node.setdefault(progress.node, []).append(progress)
        return [f"{node and f'{node}: '}{self._together(running)}" for node, running in by_node.items()]

    def _together(self, running: Sequence[Progress]) -> str:
        first, last = running[0], max(running, key=lambda progress: progress.steps)
        arms = list(dict.fromkeys(progress.trial.arm for progress in running))
        named = ", ".join(arms[:_NAMED_ARMS]) + (
            f" and {len(arms) - _NAMED_ARMS} more arms" * (len(arms) > _NAMED_ARMS)
        )
        if len(running) > 1:
            who = f"{len(running)} trials at once ({named})"
        else:
            who = f"a candidate for {named}" if first.trial.tuning else f"{named}, seed {first.trial.seed}"
        epochs = last.trial.settings.training.num_train_epochs
        epoch = max(1, math.ceil(last.epoch - _ROUNDING))
        return f"{who}: epoch {epoch} of {epochs}, step {last.step} of {last.steps}"

    def ending(self, signal: str) -> str:
        """Return what will be finished before the run ends at a signal, in words."""
        running = list(self.running.values())
        first = running[0] if running else None
        name = "Ctrl-C" if signal == "SIGINT" else signal
        if self.timing:
            return f"{name}: ending the timing; every trial is stored"
        if first is None:
            return f"{name}: finishing the current trial or epoch; a second {name} stops now"
        current, cost, last = "trial", "it will start from the beginning", first.steps
        if first.by_epoch:
            current, cost = "epoch", "it will be trained again"
            per_epoch = first.steps // first.trial.settings.training.num_train_epochs
            last = math.ceil(first.step / per_epoch) * per_epoch
        since, step = self._first[first.trial.key]
        about = ""
        if first.step > step:
            about = f", about {duration_in_words((last - first.step) * (self._clock() - since) / (first.step - step))}"
        return f"{name}: finishing the current {current} ({self.doing()}){about}; a second {name} stops now, and {cost}"

    def _share(self, key: str) -> float:
        progress = self.running.get(key)
        return progress.step / max(progress.steps, 1) if progress is not None else 0.0


def duration_in_words(seconds: float) -> str:
    """Return seconds as a person would say them.

    >>> [duration_in_words(seconds) for seconds in (0.4, 75, 7260, 200000)]
    ['1 s', '1 min 15 s', '2 h 1 min', '2 d 7 h']
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {s} s" if s else f"{minutes} min"
    hours, m = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {m} min" if m else f"{hours} h"
    days, h = divmod(hours, 24)
    return f"{days} d {h} h" if h else f"{days} d"
