"""Runner: trains every trial of a study that has no final record, alone or beside other workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from harness.data import dataset
from harness.data.holdout import check_holdouts
from harness.data.tokenization import TokenizedDataset, tokenise
from harness.engines import schedules
from harness.engines.device import precision_remarks
from harness.engines.engine import Engine
from harness.engines.packed import PackedEngine
from harness.engines.ray.cluster import Cluster
from harness.engines.ray.engine import RayEngine
from harness.engines.trainer import TrainerEngine, quick_collections
from harness.errors import Checks, HarnessError, LockedError, ModelError, did_you_mean, with_arms
from harness.models import checkpoints
from harness.models.build import parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.models.head import match_classes
from harness.models.input_check import check_inputs
from harness.models.pretrained import checkpoint_remarks
from harness.progress.displays import Display
from harness.records.lock import join_instead, lock_study
from harness.records.store import Store
from harness.runs.budget import Budget
from harness.runs.following import follow
from harness.runs.leading import lead
from harness.runs.looks import LookByLook
from harness.runs.preview import refuse_other_results
from harness.runs.rehearsal import Rehearsal
from harness.runs.run import Run, RunSummary
from harness.search.storage_url import check_url
from harness.study.study import EngineName, Study


def run_study(
    study: Study,
    root: str | Path = "results",
    *,
    engine: EngineName | None = None,
    storage: str | None = None,
    arms: Sequence[str] | None = None,
    looks: LookByLook | None = None,
    budget: Budget | None = None,
    as_worker: bool = False,
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
    as_worker : bool
        Where another process runs the study already, train beside it what it has not claimed; default refuse to.
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
        If model, data or arms do not fit each other, before anything is written; if another process runs the study,
        or runs it otherwise; if the disk takes no more. A trial that fails is no error but a record.
    """
    display = display or Display()
    asked = asked_arms(study, arms)
    if storage is not None:
        check_url(storage)
    store = Store(Path(root) / study.name)
    with quick_collections():
        folder = store.folder / "packs"
        checkpoint, data, trainer = prepare(study, engine, folder=folder, cluster=cluster, say=display.say)
    refuse_other_results(study, store)
    open_run = partial(Run, study=study, checkpoint=checkpoint, data=data, engine=trainer, store=store, budget=budget)
    # From here on the collector skips the data too.
    with quick_collections():
        while True:
            try:
                with lock_study(store.folder) as hold:
                    return lead(open_run, hold, asked=asked, named=arms, looks=looks, storage=storage, display=display)
            except LockedError as error:
                if not as_worker:
                    raise join_instead(error) from None
            summary = follow(open_run, store.folder, asked=asked, looks=looks, display=display)
            if summary is not None:
                return summary
            # Whoever led is gone. Somebody has to wait for the other workers and to close the study.


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
        With every problem that was found: of the model, of the data, and of every arm.
    """
    wanted: str = engine or study.engine
    if wanted not in get_args(EngineName):
        raise HarnessError(f"engine: expected {' or '.join(map(repr, get_args(EngineName)))}, got {wanted!r}")
    checkpoint, data, pad_token_id = _checked(study, say)
    if cluster is None:
        for remark in precision_remarks(study.arms):
            say(remark)
    if cluster is not None and folder is not None:
        on_cluster = RayEngine(
            cluster, checkpoint, data, study.data, pad_token_id, engine=wanted, folder=folder, say=say
        )
        return checkpoint, data, on_cluster
    if wanted == "trainer":
        return checkpoint, data, TrainerEngine(checkpoint, data, study.data, pad_token_id)
    packed = PackedEngine(checkpoint, data, study.data, pad_token_id, folder=folder, say=say)
    return checkpoint, data, packed


def _checked(study: Study, say: Callable[[str], None]) -> tuple[Checkpoint, TokenizedDataset, int]:
    """Load a study's checkpoint and data, with the padding token; a check waits only for what it needs."""
    checks = Checks()
    checkpoint = tokenizer = read = data = rehearse = None
    remarks: Sequence[str] = ()
    with checks:
        checkpoint = checkpoints.of_study(study)
        tokenizer = checkpoints.load_tokenizer(checkpoint)
    with checks:
        read = dataset.read(study.data, task=study.task, beside=study.folder)
        check_holdouts(study.arms, read.n_per_seed)
        # It needs the hold-outs.
        schedules.check(study, read.n_per_seed)
    if checkpoint is not None:
        with checks:
            # Without the data, arms are tried with the classes that the checkpoint names.
            classes = () if study.task == "regression" else tuple(checkpoint.config.id2label.values())
            if read is not None:
                classes = read.classes
                checkpoint = match_classes(checkpoint, classes)
                remarks = checkpoint_remarks(checkpoint, classes=classes)
            if tokenizer is not None and read is not None:
                with checks:
                    data = tokenise(read, study.data, tokenizer)
                    check_inputs(checkpoint, (data.train, data.test), study.data, tokenizer.pad_token_id)
                    # It needs all that is checked before it.
                    if not checks.errors:
                        rehearse = Rehearsal(checkpoint, data, study.data, tokenizer.pad_token_id)
            _check_arms(study, checkpoint, len(classes), rehearse)
    if checks.errors or checkpoint is None or tokenizer is None or data is None:
        raise checks.error()
    for remark in remarks:
        say(remark)
    return checkpoint, data, tokenizer.pad_token_id


def _check_arms(study: Study, checkpoint: Checkpoint, n_classes: int, rehearse: Rehearsal | None) -> None:
    """Refuse every arm that does not fit the model, or whose adapter fails the rehearsal, where there is one."""
    wrong = []
    for name, arm in study.arms.items():
        try:
            parameter_counts(checkpoint, arm, n_classes=n_classes)
            if rehearse is not None:
                rehearse(arm)
        except ModelError as error:
            wrong.append((name, str(error)))
    if wrong:
        raise ModelError(with_arms(wrong))
