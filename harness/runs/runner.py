"""Runner: trains every trial of a study that has no final record, and writes each one's record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from harness import provenance
from harness.data import tokenization
from harness.data.holdout import check_holdouts
from harness.data.tokenization import TokenizedDataset
from harness.data.training_set import drawn_ids
from harness.engines import schedules
from harness.engines.engine import Engine, Progress
from harness.engines.packed import PackedEngine
from harness.engines.ray.cluster import Cluster
from harness.engines.ray.engine import RayEngine
from harness.engines.trainer import TrainerEngine
from harness.errors import HarnessError, ModelError, ResultsError, did_you_mean
from harness.models import checkpoints
from harness.models.build import parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.models.head import match_classes
from harness.models.input_check import check_inputs
from harness.models.pretrained import checkpoint_remarks
from harness.progress.displays import Display
from harness.progress.heartbeat import Heartbeat
from harness.records.history import with_seeds
from harness.records.lock import lock_study
from harness.records.manifest import data_messages, manifest_of, model_entry
from harness.records.record import TrialRecord
from harness.records.store import FINAL, Store
from harness.runs.budget import Budget
from harness.runs.looks import LookByLook, stages
from harness.runs.preview import refuse_other_results
from harness.runs.rehearsal import Rehearsal
from harness.runs.run import Run
from harness.runs.tuning import tuned_arms
from harness.runs.turns import time_after
from harness.search.dashboard import Dashboard
from harness.search.database import check_url
from harness.search.mirror import Mirror
from harness.signals import stop_on_signal
from harness.study.study import EngineName, Study
from harness.study.trials import Trial, expand


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The outcome of a run.

    Parameters
    ----------
    folder : Path
        The study's results.
    statuses : mapping of str to int
        The number of trials of the requested arms by status; `missing` counts those that have not run.
    waiting : int
        The number of trials of other arms that have yet to run.
    spared : int
        The number of trials that a run until decided did not need.
    ran : int
        The number of trials that this run trained.
    turns : int
        In how many turns it timed every arm alone; 0 where it did not.
    stopped_by : str or None
        The signal that ended it early, such as ``SIGTERM``, or its budget.
    """

    folder: Path
    statuses: Mapping[str, int]
    waiting: int
    spared: int = 0
    ran: int
    turns: int = 0
    stopped_by: str | None

    @property
    def stopped(self) -> bool:
        """Whether the run was interrupted."""
        return self.stopped_by is not None

    @property
    def complete(self) -> bool:
        """Whether every requested trial finished."""
        return set(self.statuses) == {"finished"}


def run_study(
    study: Study,
    root: str | Path = "results",
    *,
    engine: EngineName | None = None,
    storage: str | None = None,
    arms: Sequence[str] | None = None,
    looks: LookByLook | None = None,
    budget: Budget | None = None,
    cluster: Cluster | None = None,
    display: Display | None = None,
) -> RunSummary:
    """Train every trial of a study that has not been trained yet.

    Parameters
    ----------
    study : Study
        From `load_study`.
    root : str or Path
        The folder that holds one folder for each study.
    engine : str, optional
        ``packed`` trains many trials at once, where it can; ``trainer``, the reference, one after the other. Default
        what the study says.
    storage : str, optional
        URL of a relational storage for Optuna; default the study's own ``optuna.db``.
    arms : sequence of str, optional
        Train only these arms; the trials of the others stay missing. Every arm with a search is tuned, whether it is
        among them or not, because its trials are known only by its winner.
    looks : LookByLook, optional
        Train from look to look, and only what is still open; default all seeds of all arms.
    budget : Budget, optional
        What the run may take; default no limit. It ends as a signal would end it, and can be continued.
    cluster : Cluster, optional
        Train on its nodes; default in this process.
    display : Display, optional
        Shows the progress; default none.

    Returns
    -------
    RunSummary

    Raises
    ------
    HarnessError
        If model, data or arms do not fit each other, before anything is written; if another process runs the study;
        if the disk takes no more. A trial that fails is no error but a record.
    """
    display = display or Display()
    asked = asked_arms(study, arms)
    if storage is not None:
        check_url(storage)
    store = Store(Path(root) / study.name)
    checkpoint, data, trainer = prepare(study, engine, folder=store.folder / "packs", cluster=cluster, say=display.say)
    before = store.manifest()
    refuse_other_results(study, store)
    with (
        lock_study(store.folder) as hold,
        closing(Heartbeat(display, hold)) as display,
        stop_on_signal(display.stopping) as stop,
        Mirror(store.folder, storage, display.say) as mirror,
    ):
        run = Run(
            study=study,
            checkpoint=checkpoint,
            data=data,
            engine=trainer,
            store=store,
            mirror=mirror,
            display=display,
            stop=stop,
            budget=budget,
        )
        for line in data_messages(study, data, before):
            display.say(line)
        try:
            tuned, winners = tuned_arms(run)
        except KeyboardInterrupt:
            stop.by = stop.by or "SIGINT"
            tuned, winners = None, {}
        finally:
            display.close()
        if tuned is None:
            each = len(study.numbered_seeds)
            missing, others = (len(arms) * each for arms in (asked, set(study.arms) - set(asked)))
            return RunSummary(
                folder=store.folder,
                statuses={"missing": missing},
                waiting=others,
                ran=0,
                turns=0,
                stopped_by=run.ended_by,
            )
        trials = expand(study, arms=tuned, model=checkpoint.identity_at_start, data=data.fingerprint)
        if len({trial.key for trial in trials}) < len(trials):
            same = sorted({t.arm for t in trials if sum(t.key == other.key for other in trials) > 1})
            raise ResultsError(f"arms {', '.join(same)}: tuned to the same settings, so there is nothing to compare")
        stored = store.trials(trials, data.test, len(data.classes))
        for message in store.set_aside(list(stored.values())):
            display.say(message)
        records = {key: s.record for key, s in stored.items() if s.status in FINAL and s.record is not None}
        statuses: dict[str, str] = {key: record.status for key, record in records.items()}
        finished = sum(status == "finished" for status in statuses.values())
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
            checkpoint=checkpoint,
            data=data,
            trials=trials,
            before=before,
            finished=finished,
            asked=arms,
        )
        store.write_manifest(manifest)
        regression = study.task == "regression"
        dashboard = Dashboard(study.name, trials, records, mirror, regression=regression)
        chosen = [trial for trial in trials if trial.arm in asked]
        ended = dict(records)
        needed: dict[str, Trial] = {}
        decided = out_of_budget = False
        ran = turns = 0
        try:
            mirror.settle()
            for stage in stages(chosen, manifest.seeds, looks):
                needed |= {trial.key: trial for trial in stage}
                todo = [trial for trial in stage if trial.key not in ended]
                display.open(stage, ended, _estimate(trainer, todo))
                affordable = todo if budget is None else budget.affordable(todo, ran)
                beyond = {trial.key for trial in todo} - {trial.key for trial in affordable}
                within = [trial for trial in stage if trial.key not in beyond]
                for record in _train(run, within, done=frozenset(ended), dashboard=dashboard):
                    ran += 1
                    statuses[record.key] = record.status
                    if record.status in FINAL:
                        ended[record.key] = record
                    if (
                        record.status in FINAL
                        and (noted := with_seeds(manifest, list(study.numbered_seeds), finished)) != manifest
                    ):
                        manifest = noted
                        store.write_manifest(manifest)
                if not needed.keys() <= ended.keys():
                    out_of_budget = budget is not None and (bool(beyond) or budget.is_over())
                    break
            else:
                decided = looks is not None
                timed = trials if looks is None else [trial for trial in trials if trial.key in ended]
                turns = time_after(run, tuned, timed, ended)
        except KeyboardInterrupt:
            # Between two trials: what is finished is on disk.
            stop.by = stop.by or "SIGINT"
        finally:
            display.close()
    counts = Counter(statuses.get(trial.key, "missing") for trial in chosen)
    spared = counts.pop("missing", 0) if decided else 0
    waiting = sum(trial.arm not in asked and trial.key not in statuses for trial in trials)
    return RunSummary(
        folder=store.folder,
        statuses=dict(counts),
        waiting=waiting,
        spared=spared,
        ran=ran,
        turns=turns,
        stopped_by=stop.by or (budget.name if budget is not None and out_of_budget else None),
    )


def asked_arms(study: Study, arms: Sequence[str] | None) -> Sequence[str]:
    """Return the arms to train: all where None.

    Raises
    ------
    HarnessError
        If the study lacks one of them, or if there is none.
    """
    if arms is None:
        return tuple(study.arms)
    unknown = [arm for arm in arms if arm not in study.arms]
    if unknown or not arms:
        known = f"expected arms of the study ({', '.join(study.arms)})"
        got = "; ".join(f"{arm!r}{did_you_mean(arm, study.arms)}" for arm in unknown)
        raise HarnessError(f"--arms: {known}, got {got or 'none'}")
    return arms


def prepare(
    study: Study,
    engine: EngineName | None = None,
    *,
    folder: Path | None = None,
    cluster: Cluster | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Checkpoint, TokenizedDataset, Engine]:
    """Load a study's checkpoint and data, and check every arm against the model before anything runs.

    Parameters
    ----------
    study : Study
        The study.
    engine : str, optional
        ``packed`` or ``trainer``; default what the study says.
    folder : Path, optional
        Where the packed engine keeps what is running; default nowhere.
    cluster : Cluster, optional
        Where the engine trains on a cluster, which takes a folder; default in this process.
    say : callable, optional
        Is told what a user should know of a pack.

    Raises
    ------
    HarnessError
        With every arm that does not fit.
    """
    wanted: str = engine or study.engine
    if wanted not in get_args(EngineName):
        raise HarnessError(f"engine: expected {' or '.join(map(repr, get_args(EngineName)))}, got {wanted!r}")
    checkpoint = checkpoints.of_study(study)
    tokenizer = checkpoints.load_tokenizer(checkpoint)
    data = tokenization.load(study.data, tokenizer, task=study.task, beside=study.folder)
    checkpoint = match_classes(checkpoint, data.classes)
    for remark in checkpoint_remarks(checkpoint, classes=data.classes):
        say(remark)
    check_inputs(checkpoint, (data.train, data.test), study.data, tokenizer.pad_token_id)
    check_holdouts(study.arms.values(), data.dataset.n_per_seed)
    schedules.check(study, data.dataset.n_per_seed)
    wrong: dict[str, list[str]] = {}
    rehearse = Rehearsal(checkpoint, data, study.data, tokenizer.pad_token_id)
    for name, arm in study.arms.items():
        try:
            parameter_counts(checkpoint, arm, n_classes=len(data.classes))
            rehearse(arm)
        except ModelError as error:
            wrong.setdefault(str(error), []).append(name)
    if wrong:
        raise ModelError("\n".join(f"arm {', '.join(names)}: {message}" for message, names in wrong.items()))
    if cluster is not None and folder is not None:
        on_cluster = RayEngine(
            cluster, checkpoint, data, study.data, tokenizer.pad_token_id, engine=wanted, folder=folder, say=say
        )
        return checkpoint, data, on_cluster
    if wanted == "trainer":
        return checkpoint, data, TrainerEngine(checkpoint, data, study.data, tokenizer.pad_token_id)
    packed = PackedEngine(checkpoint, data, study.data, tokenizer.pad_token_id, folder=folder, say=say)
    return checkpoint, data, packed


def _estimate(engine: Engine, todo: list[Trial]) -> float:
    """Return the seconds of a trial; NaN where it breaks, which its own outcome will tell."""
    try:
        return engine.estimate(todo[0]) if todo else 0.0
    except Exception:
        return float("nan")


def _train(run: Run, trials: Sequence[Trial], *, done: Container[str], dashboard: Dashboard) -> Iterator[TrialRecord]:
    """Train, and store each outcome before the next begins; yield what is stored."""
    started = provenance.now()

    def report(progress: Progress) -> None:
        dashboard.start(progress.trial)
        run.display.step(progress)

    for outcome in run.engine.train(trials, report=report, done=done, stop=run.ends):
        record = run.store.write(
            outcome,
            run.data.test,
            fingerprint=run.data.fingerprint,
            model=model_entry(run.checkpoint),
            started=started,
            drawn=drawn_ids(outcome.trial, run.data.train.ids),
        )
        dashboard.finish(outcome)
        run.display.outcome(outcome)
        started = provenance.now()
        yield record
