"""Manifest: what study.json says of a study that is trained here, beside its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from analysis.records.data_entry import DataEntry, SetEntry
from analysis.records.format import FORMAT, NEWER_FORMAT
from analysis.records.json_files import faults_in
from analysis.records.manifest import ArmEntry, EpochSelection, Manifest, ModelEntry, TrialEntry, Winner
from analysis.study.analysis_block import parse_plan
from harness.data.tokenization import TokenizedDataset
from harness.errors import ResultsError
from harness.models.checkpoints import Checkpoint
from harness.records.history import plan_history, seed_entry
from harness.study.settings import Arm, BestEpoch, SeedsBySource, Selection
from harness.study.study import Study

__all__ = ["Manifest", "ModelEntry", "Winner", "data_messages", "manifest_of", "model_entry"]


def manifest_of(
    study: Study,
    *,
    arms: Mapping[str, Arm],
    winners: Mapping[str, Winner],
    checkpoint: Checkpoint,
    data: TokenizedDataset,
    trials: Sequence[TrialEntry],
    before: Manifest | None,
    finished: int,
    asked: Sequence[str] | None,
) -> Manifest:
    """Return the manifest of a study; the history of plans grows where the plan or the arms changed.

    Parameters
    ----------
    study : Study
        The study.
    arms : mapping of str to Arm
        Its arms with the winners of their searches filled in.
    winners : mapping of str to Winner
        These winners.
    checkpoint : Checkpoint
        What its trials start from.
    data : TokenizedDataset
        What they are trained and scored on.
    trials : sequence of TrialEntry
        All trials of the study.
    before : Manifest or None
        The manifest of the last run.
    finished : int
        How many of the trials have finished.
    asked : sequence of str or None
        The arms that the command asked for; None where it named none.

    Raises
    ------
    ResultsError
        If the blocks of the study that the analysis checks are not what a manifest can hold.
    """
    resolved = study.model_dump(mode="json")
    seeds = before.seed_history if before else ()
    try:
        return Manifest(
            format=NEWER_FORMAT if _is_of_a_newer_kind(study, data) else FORMAT,
            name=study.name,
            question=study.question,
            study=resolved,
            study_file=study.file,
            overrides=study.overrides,
            asked_arms=None if asked is None else tuple(asked),
            analysis=resolved["analysis"],
            claims=resolved["claims"],
            plan_history=plan_history(
                resolved["analysis"],
                cluster=study.data.cluster,
                arms=tuple(arms),
                variance=parse_plan(resolved["analysis"], arms=tuple(arms), task=study.task).variance,
                before=before,
                finished=finished,
            ),
            seed_history=seeds or (seed_entry(list(study.numbered_seeds), finished),),
            selection=_rule(study.selection),
            deviations=study.deviations,
            model=model_entry(checkpoint),
            data=DataEntry(
                task=study.task,
                path=study.data.path,
                name=study.data.name,
                fingerprint=data.fingerprint,
                text=study.data.text,
                label=study.data.label,
                cluster=study.data.cluster,
                classes=data.classes,
                n_train=len(data.train),
                n_test=len(data.test),
                **_where_it_applies(data),
                origin=data.dataset.origin.to_dict(),
                remarks=data.dataset.remarks,
            ),
            arms={
                name: ArmEntry(
                    training=arm.training.model_dump(mode="json"),
                    adapter=arm.adapter.model_dump(mode="json") if arm.adapter else None,
                    freeze=arm.freeze.model_dump(mode="json") if arm.freeze else None,
                    selection=_rule(arm.selection),
                    factors=dict(arm.factors),
                    tuned=winners.get(name),
                )
                for name, arm in arms.items()
            },
            cells=tuple(trials),
        )
    except ValidationError as error:
        raise ResultsError(f"study.json cannot hold this study: {'; '.join(faults_in(error))}") from None


def _is_of_a_newer_kind(study: Study, data: TokenizedDataset) -> bool:
    """Whether a version that reads format 1 alone would take the study for another one, and judge it wrongly."""
    several_sets, drawn_anew = bool(data.dataset.sets), data.dataset.n_drawn is not None
    return study.task != "classification" or several_sets or drawn_anew or isinstance(study.seeds, SeedsBySource)


def _where_it_applies(data: TokenizedDataset) -> dict[str, Any]:
    """Return the keys of the data that a manifest has only where there is something to say."""
    entry: dict[str, Any] = {}
    if data.dataset.sets:
        entry["sets"] = tuple(SetEntry(**one._asdict()) for one in data.dataset.sets)
    if data.dataset.n_drawn is not None:
        entry["n_drawn"] = data.dataset.n_drawn
    return entry


def model_entry(checkpoint: Checkpoint) -> ModelEntry:
    """Return what a manifest and its records say of the model."""
    return ModelEntry(name=checkpoint.name, identity=checkpoint.identity, revision=checkpoint.revision)


def data_messages(study: Study, data: TokenizedDataset, before: Manifest | None) -> tuple[str, ...]:
    """Return what data was read, remarks on it, and whether it has changed since the last run, as lines to print."""
    return data.dataset.in_words(), *data.dataset.remarks, *_replaced(study, data, before)


def _replaced(study: Study, data: TokenizedDataset, before: Manifest | None) -> tuple[str, ...]:
    """Say that the data have changed, if they have although the study names the same ones."""
    if before is None or before.data.fingerprint in (None, data.fingerprint):
        return ()
    now = study.model_dump(mode="json", include={"model", "revision", "task", "data"})
    # A setting that an older manifest lacks is no difference.
    then = {key: {"task": "classification", **before.study}.get(key) for key in now}
    if isinstance(then["data"], dict):
        then["data"] = {**now["data"], **then["data"]}
    if then != now:
        return ()
    return (
        "the examples have changed since the last run, though the study names the same data: earlier trials are kept "
        "but not read, and every trial runs again",
    )


def _rule(selection: Selection) -> EpochSelection:
    if not isinstance(selection, BestEpoch):
        return EpochSelection(rule="last")
    return EpochSelection(
        rule="best",
        metric=selection.best,
        on=selection.on,
        fraction=selection.fraction,
        patience=selection.patience,
    )
