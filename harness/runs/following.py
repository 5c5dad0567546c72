"""Following a run: a worker that trains beside the process that leads, and takes its place when that is gone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harness import provenance
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.progress.heartbeat import Heartbeat
from harness.records.lock import LEASE_SECONDS, lock_owner
from harness.records.manifest import Manifest
from harness.records.workers import join
from harness.runs.looks import LookByLook, spared_trials, stages
from harness.runs.run import Run, RunSummary, settings_of, summary_before_training
from harness.runs.training import Training
from harness.runs.tuning import tuned_arms
from harness.search.mirror import Mirror
from harness.signals import stop_on_signal
from harness.study.trials import Trial, expand

_SECONDS_BETWEEN_LOOKS = 0.5


def follow(
    open_run: Callable[..., Run],
    folder: Path,
    *,
    asked: Sequence[str],
    looks: LookByLook | None,
    display: Display,
) -> RunSummary | None:
    """Train what nobody else trains of a study that another process leads.

    Parameters
    ----------
    open_run : callable
        Makes the run of what it does not have yet: worker, mirror, display, stop.
    folder : Path
        The study's results.
    asked : sequence of str
        The arms to train.
    looks : LookByLook or None
        How to go from look to look; None to train all seeds.
    display : Display
        Shows the progress.

    Returns
    -------
    RunSummary or None
        None where the process that led is gone, so that another one must lead.

    Raises
    ------
    HarnessError
        If the other process runs the study otherwise, or if the disk takes no more.
    """
    with (
        join(folder, display.say) as worker,
        closing(Heartbeat(display, worker.tell)) as display,
        stop_on_signal(display.stopping) as stop,
        Mirror(folder, None, display.say) as mirror,
    ):
        run = open_run(worker=worker, mirror=mirror, display=display, stop=stop)
        training, decided, out_of_budget = None, False, False
        owner = lock_owner(folder)
        if owner is not None and owner.alive:
            display.say(f"{folder} is being run by {owner.process}; training beside it")
        try:
            plan = _plan_of(run)
            if plan is not None:
                manifest, trials = plan
                training = Training(run, run.store.trials(trials, run.data.test, len(run.data.classes)), None)
                chosen = [trial for trial in trials if trial.arm in asked]
                for stage in stages(chosen, manifest.seeds, looks, leads=False):
                    within = training.open(stage)
                    # What the next look asks for is known only when this one is complete. And a worker on another
                    # machine may be dead for as long as its lease lasts.
                    patience = math.inf if looks is not None else LEASE_SECONDS if worker.claimed_elsewhere() else 0.0
                    for _ in training.train(within, wait=patience):
                        pass
                    if training.left(stage):
                        out_of_budget = training.is_out_of_budget(stage, within)
                        break
                else:
                    decided = True
        except KeyboardInterrupt:
            stop.by = stop.by or "SIGINT"
        if not run.ends() and (training is None or not _is_led(folder)):
            return None
        if training is None:
            return summary_before_training(run.study, folder, asked, run.ended_by)
        elsewhere = len(worker.claimed_by_others())
        for _ in training.look(trials):
            pass
        spared = () if looks is None else spared_trials(trials, manifest, run.store, decided=decided)
        summary = training.summary(trials, asked, spared=spared, out_of_budget=out_of_budget)
        return replace(summary, elsewhere=elsewhere)


def _plan_of(run: Run) -> tuple[Manifest, tuple[Trial, ...]] | None:
    """Search, wait for the manifest, and return it with the trials; None where nobody leads, or the run ends."""
    _require_alike(run)
    arms, _ = tuned_arms(run, leads=False)
    if arms is None:
        return None
    trials = expand(run.study, arms=arms, model=run.checkpoint.identity_at_start, data=run.data.fingerprint)
    while not run.ends():
        led = _is_led(run.store.folder)
        _require_alike(run)
        manifest = run.store.manifest()
        if manifest is not None and {trial.key for trial in trials} <= {cell.key for cell in manifest.cells}:
            return manifest, trials
        if not led:
            return None
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return None


def _is_led(folder: Path) -> bool:
    owner = lock_owner(folder)
    return owner is not None and owner.alive


def _require_alike(run: Run) -> None:
    """Refuse to train beside a process with other code or other settings: the trials would not be the same."""
    owner, ours = lock_owner(run.store.folder), provenance.code()
    if owner is None or not owner.alive or not owner.settings:
        return
    runs = f"{run.store.folder} is being run by {owner.process} with"
    if not provenance.same_code(owner.code, ours):
        here, there = provenance.code_in_words(ours), provenance.code_in_words(owner.code)
        raise ResultsError(f"{runs} {there}, and here is {here}; install the same one")
    if owner.settings != settings_of(run.study):
        raise ResultsError(f"{runs} other settings; give --worker the same study file and the same overrides")
