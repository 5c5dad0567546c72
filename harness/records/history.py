"""Histories of a study: when its plan was fixed and changed, and with which seeds trials were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.records.manifest import Manifest, PlanEntry, SeedEntry
from analysis.study.plan import Variance
from harness import provenance
from harness.records.record import digest


def plan_history(
    analysis: Mapping[str, Any],
    *,
    cluster: str | None,
    arms: Sequence[str],
    variance: Variance | None,
    before: Manifest | None,
    finished: int,
) -> tuple[PlanEntry, ...]:
    """Return when the plan was fixed and changed; the history grows where the plan or the arms changed.

    Parameters
    ----------
    analysis : mapping of str to Any
        The `analysis:` block as it is now.
    cluster : str or None
        The column that groups the test examples.
    arms : sequence of str
        The arms as they are now.
    variance : {"pooled", "pairwise"} or None
        Where the plan takes the variation over seeds from.
    before : Manifest or None
        The manifest as it was.
    finished : int
        How many trials have finished.
    """
    # Which examples count as one is part of the plan: it moves every p-value.
    plan = {"analysis": analysis, "cluster": cluster} if cluster else analysis
    now = PlanEntry(
        digest=digest(plan),
        arms=tuple(arms),
        analysis=dict(analysis),
        variance=variance,
        frozen=provenance.now(),
        trials_finished=finished,
    )
    if before is None or not before.plan_history:
        return (now,)
    *earlier, last = before.plan_history
    # Older versions noted no arms; those of the manifest are those of its last plan.
    last = last.model_copy(update={"arms": last.arms or tuple(before.arms)})
    # Another arm is no other plan: what an older version froze stays as it was frozen.
    if now.digest == last.digest:
        now = now.model_copy(update={"variance": last.variance})
    same = (last.digest, last.arms) == (now.digest, now.arms)
    return (*earlier, last) if same else (*earlier, last, now)


def seed_entry(seeds: Sequence[int], finished: int) -> SeedEntry:
    """Return the entry of seeds that a study takes up now, when so many of its trials have finished."""
    return SeedEntry(seeds=tuple(seeds), frozen=provenance.now(), trials_finished=finished)


def with_seeds(manifest: Manifest, seeds: Sequence[int], finished: int) -> Manifest:
    """Return the manifest with its seeds in the history, now that a trial has been trained with them.

    Seeds that a command names and that nothing is trained with are not in it: nobody can have looked at them.

    Parameters
    ----------
    manifest : Manifest
        As it is.
    seeds : sequence of int
        The study's.
    finished : int
        How many of its trials had finished before.
    """
    history = manifest.seed_history
    if history and history[-1].seeds == tuple(seeds):
        return manifest
    return manifest.model_copy(update={"seed_history": (*history, seed_entry(seeds, finished))})
