"""Import: runs that were trained elsewhere, written as the trials of a study, so that every command reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from analysis.records.data_entry import AnswerKind
from analysis.records.manifest import Manifest, TrialEntry
from analysis.records.predictions import Predictions
from analysis.sources.runs import Run, Runs
from analysis.study.imported import imported_manifest, imported_plan, imported_record
from analysis.study.plan import AnalysisPlan
from analysis.words import counted
from harness.errors import ResultsError
from harness.records.files import json_file, write_file
from harness.records.history import plan_history, seed_entry, with_seeds
from harness.records.imported_before import joining, read_stored, refuse_trained
from harness.records.imported_predictions import predictions_file, shared_columns
from harness.records.lock import lock_study
from harness.records.store import Store

_NAMED_AT_MOST = 10
_AT_ONCE = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What an import wrote, or would write.

    Parameters
    ----------
    folder : Path
        The study's results.
    manifest : Manifest
        The study as it is now.
    added, replaced, mended : tuple of str
        The runs that are new; those that took the place of one with other answers; those whose files could not be read
        and were written again.
    unchanged : int
        How many runs of the sources were there already.
    others : int
        How many runs of the study the sources do not hold; they are kept.
    plan_changed : bool
        Whether the analysis plan is another one than before.
    """

    folder: Path
    manifest: Manifest
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    unchanged: int = 0
    others: int = 0
    plan_changed: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A run, its place in the study, and what is stored there; `known` says whether it was in the study before."""

    run: Run
    entry: TrialEntry
    status: str
    difference: str
    is_known: bool

    @property
    def is_stored(self) -> bool:
        return self.status == "finished" and not self.difference

    @property
    def is_changed(self) -> bool:
        return self.is_known and self.status == "finished" and bool(self.difference)

    @property
    def is_broken(self) -> bool:
        return self.is_known and self.status == "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Import:
    """An import that nothing speaks against: what is there, and what is to be written."""

    store: Store
    runs: Runs
    before: Manifest | None
    manifest: Manifest
    known: Collection[str]
    places: Sequence[_Place]

    def write(self) -> None:
        """Write what is not there."""
        shared = shared_columns(self.runs)
        missing = [place for place in self.places if not place.is_stored]
        _for_each(missing, lambda place: _write_run(self.store, place, shared))
        if self.before is None or self.manifest.to_json() != self.before.to_json():
            self.store.write_manifest(self.manifest)

    def summary(self) -> ImportSummary:
        """Say what is written."""
        plans = self.before.plan_history if self.before is not None else ()
        return ImportSummary(
            folder=self.store.folder,
            manifest=self.manifest,
            added=tuple(place.entry.name for place in self.places if not place.is_known),
            replaced=tuple(place.entry.name for place in self.places if place.is_changed),
            mended=tuple(place.entry.name for place in self.places if place.is_broken),
            unchanged=sum(place.is_known and place.is_stored for place in self.places),
            others=len(set(self.known) - {place.entry.key for place in self.places}),
            plan_changed=bool(plans) and plans[-1].digest != self.manifest.plan_history[-1].digest,
        )


def write_runs(
    runs: Runs,
    root: Path,
    *,
    name: str,
    analysis: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]] | None = None,
    model: str | None = None,
    replace: bool = False,
    dry_run: bool = False,
) -> ImportSummary:
    """Write runs as a study, or add them to the one that an earlier import wrote.

    What is there already is not written again. The manifest comes last: until then there is no study, or the one from
    before, and the same import again completes what was cut short.

    Parameters
    ----------
    runs : Runs
        The runs.
    root : Path
        The folder that holds one folder for each study.
    name : str
        The name of the study.
    analysis : mapping of str to Any
        The `analysis:` block.
    claims : sequence of mapping, optional
        The `claims:` block, checked.
    model : str, optional
        The model, as claims name it; by default that of the study before.
    replace : bool
        Whether a run with other answers than the one that is there takes its place; the old one is set aside.
    dry_run : bool
        Whether to refuse what would be refused, and to write nothing at all.

    Raises
    ------
    ResultsError
        If the folder holds a study that was trained, other examples, labels or classes, or runs with other answers; or
        if the disk takes no more.
    PlanError
        If the `analysis:` block does not fit the runs, with every problem.
    LockedError
        If another process writes to the folder.
    """
    store = Store(root / name)
    asked: dict[str, Any] = {"analysis": analysis, "claims": claims, "model": model}
    # The lock is a file in the folder; who only looks needs none.
    with nullcontext() if dry_run else lock_study(store.folder):
        found = _checked(store, runs, name, asked, replace=replace)
        if not dry_run:
            found.write()
    return found.summary()


def _checked(store: Store, runs: Runs, name: str, asked: Mapping[str, Any], *, replace: bool) -> _Import:
    """Compare runs with what is stored, and refuse what does not fit."""
    before = store.manifest()
    refuse_trained(store.folder, before)
    manifest = imported_manifest(runs, name=name, before=before, **asked)
    if before is not None:
        runs = joining(store.folder, before, manifest, runs)
    plan = imported_plan(runs, manifest)
    known = {entry.key for entry in before.cells if _is_there(store.folder, entry)} if before is not None else set()
    entries = {(entry.arm, entry.label): entry for entry in manifest.cells}
    kind = manifest.data.answer_kind
    places = _for_each(runs.runs, lambda run: _place(store.folder, run, entries[run.arm, run.label], known, kind=kind))
    changed = [place for place in places if place.is_changed]
    if changed and not replace:
        raise _differing(store.folder, changed)
    manifest = _with_histories(manifest, plan, before, finished=len(known))
    return _Import(store=store, runs=runs, before=before, manifest=manifest, known=known, places=places)


def _is_there(folder: Path, entry: TrialEntry) -> bool:
    return (folder / "trials" / entry.key / "record.json").exists()


def _for_each(items: Iterable[_Item], do: Callable[[_Item], _Result]) -> list[_Result]:
    """Do the same for each, a few at once: most of the time goes by until the disk has answered."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(do, items))


def _place(folder: Path, run: Run, entry: TrialEntry, known: Collection[str], *, kind: AnswerKind) -> _Place:
    trial = read_stored(folder, entry, kind)
    return _Place(
        run=run,
        entry=entry,
        status=trial.status,
        difference=_difference(run, trial.predictions),
        is_known=entry.key in known,
    )


def _difference(run: Run, stored: Predictions | None) -> str:
    """Say how a run differs from what is stored of it; an empty text where it does not, or where nothing is stored."""
    if stored is None:
        return ""
    if stored.epochs != run.epochs:
        return f"epochs {', '.join(map(str, run.epochs))} against {', '.join(map(str, stored.epochs))}"
    differing = stored.answers != run.answers
    count = int(differing.reshape(len(run.epochs), differing.shape[1], -1).any(axis=(0, 2)).sum())
    return f"{count:,} of {counted(differing.shape[1], 'answer')}" if count else ""


def _differing(folder: Path, changed: Sequence[_Place]) -> ResultsError:
    named = [f"{place.entry.name}: {place.difference}" for place in changed[:_NAMED_AT_MOST]]
    more = [f"and {len(changed) - _NAMED_AT_MOST} more"] if len(changed) > _NAMED_AT_MOST else []
    return ResultsError(
        f"{folder} holds {counted(len(changed), 'run')} with other answers; --replace sets the old ones aside, another "
        "--name keeps both:\n" + "\n".join([*named, *more])
    )


def _with_histories(manifest: Manifest, plan: AnalysisPlan, before: Manifest | None, *, finished: int) -> Manifest:
    seeds = sorted({entry.seed for entry in manifest.cells})
    plans = plan_history(
        manifest.analysis or {},
        cluster=None,
        arms=tuple(manifest.arms),
        variance=plan.variance,
        before=before,
        finished=finished,
    )
    history = before.seed_history if before is not None else (seed_entry(seeds, finished),)
    manifest = manifest.model_copy(update={"plan_history": plans, "seed_history": history})
    return with_seeds(manifest, seeds, finished)


def _write_run(store: Store, place: _Place, shared: Mapping[str, pa.Array]) -> None:
    """Write predictions and record; what is there under the same key is set aside when the new one is whole."""
    trials = store.folder / "trials"
    # A trial that a cut import left, and that is in no study, is written over.
    staged = trials / f".{place.entry.key}.new" if place.is_known else None
    folder = staged or trials / place.entry.key
    predictions = predictions_file(place.run, shared)
    write_file(folder / "predictions.parquet", predictions)
    sha256 = hashlib.sha256(predictions).hexdigest()
    record = imported_record(place.run, place.entry).model_copy(update={"predictions_sha256": sha256})
    write_file(folder / "record.json", json_file(record))
    if staged is not None:
        store.aside(trials / place.entry.key)
        staged.rename(trials / place.entry.key)
