"""Leading a run: the one process that writes the manifest, takes looks, and closes the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from harness import provenance
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.progress.heartbeat import Heartbeat
from harness.records.history import with_seeds
from harness.records.lock import StudyLock
from harness.records.manifest import data_messages, manifest_of
from harness.records.store import FINAL
from harness.records.workers import join
from harness.runs.looks import LookByLook, spared_trials, stages
from harness.runs.run import Run, RunSummary, settings_of, summary_before_training
from harness.runs.training import Training
from harness.runs.tuning import tuned_arms
from harness.runs.turns import time_after
from harness.search.dashboard import Dashboard
from harness.search.mirror import Mirror
from harness.signals import stop_on_signal
from harness.study.trials import Trial, expand


def lead(
    open_run: Callable[..., Run],
    hold: StudyLock,
    *,
    asked: Sequence[str],
    named: Sequence[str] | None,
    looks: LookByLook | None,
    storage: str | None,
    display: Display,
) -> RunSummary:
    """Run a study as the process that holds its lock, until every trial has ended, here or with another worker.

    Parameters
    ----------
    open_run : callable
        Makes the run of what it does not have yet: worker, mirror, display, stop.
    hold : StudyLock
        The lock.
    asked : sequence of str
        The arms to train.
    named : sequence of str or None
        Those that the command named; None where it named none.
    looks : LookByLook or None
        How to go from look to look; None to train all seeds.
    storage : str or None
        The database that shows the trials; None for the study's own.
    display : Display
        Shows the progress.

    Raises
    ------
    HarnessError
        If the disk takes no more, or if an arm's search finds nothing.
    """
    with (
        join(hold.folder, display.say) as worker,
        closing(Heartbeat(display, _both(hold.tell, worker.tell))) as display,
        stop_on_signal(display.stopping) as stop,
        Mirror(hold.folder, storage, display.say) as mirror,
    ):
        run = open_run(worker=worker, mirror=mirror, display=display, stop=stop)
        hold.tell(settings=settings_of(run.study), code=provenance.code())
        study, store, data = run.study, run.store, run.data
        if worker.is_alone():
            store.sweep()
        before = store.manifest()
        for line in data_messages(study, data, before):
            display.say(line)
        try:
            tuned, winners = tuned_arms(run, leads=True)
        except KeyboardInterrupt:
            stop.by = stop.by or "SIGINT"
            tuned, winners = None, {}
        finally:
            display.close()
        if tuned is None:
            return summary_before_training(study, store.folder, asked, run.ended_by)
        trials = expand(study, arms=tuned, model=run.checkpoint.identity_at_start, data=data.fingerprint)
        if len({trial.key for trial in trials}) < len(trials):
            same = sorted({t.arm for t in trials if sum(t.key == other.key for other in trials) > 1})
            raise ResultsError(f"arms {', '.join(same)}: tuned to the same settings, so there is nothing to compare")
        stored = store.trials(trials, data.test, len(data.classes))
        for message in store.set_aside(list(stored.values())):
            display.say(message)
        finished = sum(one.status == "finished" for one in stored.values())
        if data.clusters is not None:
            store.write_clusters(data.test, data.clusters)
        if study.store_texts:
            store.write_examples(data.dataset.test)
        elif store.remove_examples():
            display.say("store_texts is off: the texts of an earlier run were removed from the results")
        manifest = manifest_of(
            study,
            arms=tuned,
            winners=winners,
            checkpoint=run.checkpoint,
            data=data,
            trials=[one.entry for one in stored.values()],
            before=before,
            finished=finished,
            asked=named,
        )
        store.write_manifest(manifest)
        ended = {key: one.record for key, one in stored.items() if one.status in FINAL and one.record is not None}
        dashboard = Dashboard(study.name, trials, ended, mirror, regression=study.task == "regression")
        training = Training(run, stored, dashboard)
        chosen = [trial for trial in trials if trial.arm in asked]
        needed: dict[str, Trial] = {}
        decided = out_of_budget = False
        turns = 0
        try:
            # Where nothing is left to train, the end of the run waits for the database all the same.
            if training.left(chosen):
                mirror.settle()
            for stage in stages(chosen, manifest.seeds, looks):
                needed |= {trial.key: trial for trial in stage}
                within = training.open(stage)
                for record in training.train(within):
                    if (
                        record.status in FINAL
                        and (noted := with_seeds(manifest, list(study.numbered_seeds), finished)) != manifest
                    ):
                        manifest = noted
                        store.write_manifest(manifest)
                if not needed.keys() <= training.ended.keys():
                    out_of_budget = training.is_out_of_budget(stage, within)
                    break
            else:
                decided = True
                timed = trials if looks is None else [trial for trial in trials if trial.key in training.ended]
                turns = time_after(run, tuned, timed, training.ended)
        except KeyboardInterrupt:
            # Between two trials: what is finished is on disk.
            stop.by = stop.by or "SIGINT"
        finally:
            display.close()
        if worker.is_alone():
            store.sweep()
    spared = () if looks is None else spared_trials(trials, manifest, store, decided=decided)
    summary = training.summary(trials, asked, spared=spared, out_of_budget=out_of_budget)
    return replace(summary, turns=turns)


def _both(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., None]:
    def tell(**what: Any) -> None:
        first(**what)
        second(**what)

    return tell
