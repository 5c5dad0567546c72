"""Timing of a study that has run, on its own: what `harness time` does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from harness.engines.timing import TrialTimer
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.progress.heartbeat import Heartbeat
from harness.records.lock import lock_study
from harness.records.store import Store, Timing
from harness.runs.preview import refuse_to_time_imported
from harness.runs.runner import prepare
from harness.runs.turns import Turns, reference_of, whole_trials
from harness.search.candidates import tuned_arm
from harness.signals import stop_on_signal
from harness.study.settings import Arm
from harness.study.study import Study
from harness.study.trials import expand


def time_study(study: Study, root: str | Path = "results", *, display: Display | None = None) -> Timing | None:
    """Time every arm of a study that has run, whatever was measured before, for as long as it takes.

    Parameters
    ----------
    study : Study
        As it was last run.
    root : str or Path
        The folder that holds one folder for each study.
    display : Display, optional
        Shows the progress; default none.

    Returns
    -------
    Timing or None
        What was stored; None where nothing was, as the display said.

    Raises
    ------
    HarnessError
        If the study has not run, or not as it is now; if it was imported; if model, data or arms do not fit each other;
        if another process runs the study; if the disk takes no more.
    """
    display = display or Display()
    store = Store(Path(root) / study.name)
    manifest = store.manifest()
    if manifest is None:
        raise ResultsError(f"{store.folder} holds no study; run it first: {_command(study)}")
    refuse_to_time_imported(manifest, store.folder)
    checkpoint, data, engine = prepare(study, "trainer", say=display.say)
    with (
        lock_study(store.folder) as hold,
        closing(Heartbeat(display, hold.tell)) as display,
        stop_on_signal(display.stopping) as stop,
    ):
        start = {"model": checkpoint.identity_at_start, "data": data.fingerprint}
        arms: Mapping[str, Arm] = {
            name: tuned
            for name, arm in study.arms.items()
            if (tuned := tuned_arm(study, name, arm, store=store, **start)) is not None
        }
        keys = {entry.key for entry in manifest.cells}
        trials = [trial for trial in expand(study, arms=arms, **start) if trial.key in keys]
        if changed := set(study.arms) - {trial.arm for trial in trials}:
            named = ", ".join(arm for arm in study.arms if arm in changed)
            raise ResultsError(
                f"{store.folder} holds no trial of {named} as the study is now; run it first: {_command(study)}"
            )
        stored = store.trials(trials, data.test, len(data.classes)).values()
        records = [one.record for one in stored if one.record is not None and one.status != "unreadable"]
        turns = Turns(
            study=study,
            arms=arms,
            checkpoint=checkpoint,
            data=data,
            timer=TrialTimer(reference_of(engine)),
            display=display,
            stop=stop,
        )
        timing = turns.timing(whole_trials(trials, records, len(data.test)))
        if timing is not None:
            store.write_timing(timing)
    return timing


def _command(study: Study) -> str:
    return shlex.join(["harness", "run", study.file or f"{study.name}.yaml", *study.overrides])
