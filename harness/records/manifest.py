"""The study's manifest: what study.json tells beside the records, and the histories of plan and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import provenance
from harness.data.tokenization import TokenizedDataset
from harness.models.checkpoints import Checkpoint
from harness.records.record import Manifest, digest
from harness.study.settings import Arm, Best
from harness.study.study import Study
from harness.study.trials import Trial


def manifest_of(
    study: Study,
    arms: Mapping[str, Arm],
    winners: Mapping[str, Any],
    checkpoint: Checkpoint,
    data: TokenizedDataset,
    trials: tuple[Trial, ...],
    before: Manifest | None,
    finished: int,
    asked: Sequence[str] | None,
) -> dict[str, Any]:
    """Return study.json; the history of plans grows where the plan or the arms changed.

    Parameters
    ----------
    before
        The manifest that is there.
    finished
        How many of the trials have finished.
    asked
        The arms that the command asked for; None where it named none.
    """
    resolved = study.model_dump(mode="json")
    frozen = {"frozen": provenance.now(), "trials_finished": finished}
    # Which sentences count as one is part of the plan: it moves every p-value.
    plan = resolved["analysis"]
    if study.data.cluster:
        plan = {"analysis": plan, "cluster": study.data.cluster}
    plans = [entry.model_dump(mode="json") for entry in before.plan_history] if before else []
    if plans and before:
        # Older versions noted no arms; those of the manifest are those of its last plan.
        plans[-1]["arms"] = plans[-1]["arms"] or list(before.arms)
    planned = {"digest": digest(plan), "arms": list(arms)}
    if not plans or {key: plans[-1][key] for key in planned} != planned:
        plans.append({**planned, "analysis": resolved["analysis"], **frozen})
    seeds = [entry.model_dump(mode="json") for entry in before.seed_history] if before else []
    seeds = seeds or [{"seeds": list(study.seeds), **frozen}]
    return {
        "name": study.name,
        "question": study.question,
        "study": resolved,
        "study_file": study.file,
        "overrides": list(study.overrides),
        "asked_arms": None if asked is None else list(asked),
        "analysis": resolved["analysis"],
        "claims": resolved["claims"],
        "plan_history": plans,
        "seed_history": seeds,
        "selection": _selection(study.selection),
        "deviations": list(study.deviations),
        "model": {"name": checkpoint.name, "identity": checkpoint.identity, "revision": checkpoint.revision},
        "data": {
            "path": study.data.path,
            "name": study.data.name,
            "fingerprint": data.fingerprint,
            "text": list(study.data.text),
            "label": study.data.label,
            "cluster": study.data.cluster,
            "classes": list(data.classes),
            "n_train": len(data.train),
            "n_test": len(data.test),
            "origin": data.dataset.origin.to_dict(),
            "remarks": list(data.dataset.remarks),
        },
        "arms": {
            name: {
                "training": arm.training.model_dump(mode="json"),
                "adapter": arm.adapter.model_dump(mode="json") if arm.adapter else None,
                "freeze": arm.freeze.model_dump(mode="json") if arm.freeze else None,
                "selection": _selection(arm.selection),
                "factors": dict(arm.factors),
                "tuned": winners.get(name),
            }
            for name, arm in arms.items()
        },
        "cells": [{"arm": trial.arm, "seed": trial.seed, "key": trial.key} for trial in trials],
    }


def trained_on(manifest: Mapping[str, Any], seeds: Sequence[int], finished: int) -> dict[str, Any]:
    """Return the manifest with its seeds in the history, now that a trial has been trained with them.

    Seeds that a command names and that nothing is trained with are not in it: nobody can have looked at them.

    Parameters
    ----------
    manifest
        As it is.
    seeds
        The study's.
    finished
        How many of its trials had finished before.
    """
    history = list(manifest["seed_history"])
    if not history or history[-1]["seeds"] != list(seeds):
        history.append({"seeds": list(seeds), "frozen": provenance.now(), "trials_finished": finished})
    return {**manifest, "seed_history": history}


def read_in_words(study: Study, data: TokenizedDataset, before: Manifest | None) -> tuple[str, ...]:
    """Say what data was read, what is to be known of it, and whether it is other data than that of the last run."""
    return data.dataset.in_words(), *data.dataset.remarks, *_replaced(study, data, before)


def _replaced(study: Study, data: TokenizedDataset, before: Manifest | None) -> tuple[str, ...]:
    """Say that the data are others than those of the last run, where the study names the same ones."""
    if before is None or before.data.fingerprint in (None, data.fingerprint):
        return ()
    now = study.model_dump(mode="json", include={"model", "revision", "data"})
    then = {key: before.study.get(key) for key in now}
    # What an older manifest does not know of is no difference.
    if isinstance(then["data"], dict):
        then["data"] = {**now["data"], **then["data"]}
    if then != now:
        return ()
    return (
        "the examples are not those of the last run here, though the study names the same data: what was trained on "
        "them is kept and not read, and every cell runs again",
    )


def _selection(selection: Any) -> dict[str, Any]:
    if not isinstance(selection, Best):
        return {"rule": "last"}
    return {
        "rule": "best",
        "metric": selection.best,
        "on": selection.on,
        "fraction": selection.fraction,
        "patience": selection.patience,
    }
