"""Import: runs that were trained elsewhere, written as the trials of a study, so that every command reads them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import FormatError
from analysis.records.manifest import AnswerKind, Manifest, TrialEntry
from analysis.records.predictions import Predictions
from analysis.records.stored_trials import StoredTrial, mismatch, read_trial
from analysis.records.trial_record import SourceEntry
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Run, Runs
from analysis.study.imported import imported_manifest, imported_plan, imported_record
from analysis.study.plan import AnalysisPlan
from analysis.words import counted
from harness.errors import ResultsError
from harness.records.files import json_file, write_file
from harness.records.history import plan_history, seed_entry, with_seeds
from harness.records.imported_predictions import predictions_file, shared_columns
from harness.records.lock import lock_study
from harness.records.store import Store

_NAMED_AT_MOST = 10
_AT_ONCE = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What an import wrote.

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


def write_runs(
    runs: Runs,
    root: Path,
    *,
    name: str,
    analysis: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]] | None = None,
    model: str | None = None,
    replace: bool = False,
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
    with lock_study(store.folder):
        before = store.manifest()
        _refuse_trained(store.folder, before)
        manifest = imported_manifest(runs, name=name, analysis=analysis, claims=claims, model=model, before=before)
        if before is not None:
            reference = _reference(store.folder, before)
            runs = runs if reference is None else _in_order_of(runs, reference.example_ids)
            _require_same_data(store.folder, before, manifest, runs, reference)
        plan = imported_plan(runs, manifest)
        known = {entry.key for entry in before.cells if _is_there(store.folder, entry)} if before is not None else set()
        entries = {(entry.arm, entry.label): entry for entry in manifest.cells}
        kind = manifest.data.answer_kind
        places = _for_each(
            runs.runs, lambda run: _place(store.folder, run, entries[run.arm, run.label], known, kind=kind)
        )
        changed = [place for place in places if place.is_changed]
        if changed and not replace:
            raise _differing(store.folder, changed)
        shared = shared_columns(runs)
        missing = [place for place in places if not place.is_stored]
        _for_each(missing, lambda place: _write_run(store, place, shared))
        manifest = _with_histories(manifest, plan, before, finished=len(known))
        if before is None or manifest.to_json() != before.to_json():
            store.write_manifest(manifest)
    plans = before.plan_history if before is not None else ()
    return ImportSummary(
        folder=store.folder,
        manifest=manifest,
        added=tuple(place.entry.name for place in places if not place.is_known),
        replaced=tuple(place.entry.name for place in changed),
        mended=tuple(place.entry.name for place in places if place.is_broken),
        unchanged=sum(place.is_known and place.is_stored for place in places),
        others=len(known - {place.entry.key for place in places}),
        plan_changed=bool(plans) and plans[-1].digest != manifest.plan_history[-1].digest,
    )


def _refuse_trained(folder: Path, before: Manifest | None) -> None:
    records = (folder / "trials").glob("*/record.json") if before is None else ()
    if (before is not None and before.imported is None) or any(map(_is_trained, records)):
        raise ResultsError(f"{folder} holds a study that was trained; give the imported one another name: --name")


def _is_trained(record: Path) -> bool:
    try:
        return json.loads(record.read_bytes()).get("imported") is None
    except (OSError, ValueError, AttributeError):
        return False


def _is_there(folder: Path, entry: TrialEntry) -> bool:
    return (folder / "trials" / entry.key / "record.json").exists()


def _reference(folder: Path, before: Manifest) -> Predictions | None:
    """Return the first answers that are stored of a study."""
    stored = (_read(folder, entry, before.data.answer_kind).predictions for entry in before.cells)
    return next((predictions for predictions in stored if predictions is not None), None)


def _in_order_of(runs: Runs, example_ids: pa.StringArray) -> Runs:
    """Return runs with their examples in this order; as they are where their examples are other ones."""
    place = pc.index_in(example_ids, value_set=runs.example_ids)
    if runs.example_ids.equals(example_ids) or place.null_count or len(example_ids) != len(runs.example_ids):
        return runs
    order = np.from_dlpack(place.cast(pa.int64()))
    return dataclasses.replace(
        runs,
        example_ids=example_ids,
        labels=None if runs.labels is None else runs.labels[order],
        runs=tuple(dataclasses.replace(run, answers=run.answers[:, order]) for run in runs.runs),
    )


def _require_same_data(
    folder: Path, before: Manifest, now: Manifest, runs: Runs, reference: Predictions | None
) -> None:
    """Refuse runs of other data than those of the study, and say everything in which they differ."""
    there = _facts(before, before.imported.files if before.imported is not None else ())
    here = _facts(now, [source for run in runs.runs for source in run.sources])
    differences = [f"{name}: {fact} here, {there[name]} there" for name, fact in here.items() if fact != there[name]]
    if reference is not None:
        # Labels of another kind are told by what the answers are.
        labels = reference.labels
        if runs.labels is not None and runs.labels.shape == labels.shape:
            labels = runs.labels
        theirs = dataclasses.replace(reference, example_ids=runs.example_ids, labels=labels)
        if not theirs.same_examples(reference):
            differences.append(f"examples: {mismatch(theirs, reference)}")
    if differences:
        raise ResultsError(
            f"{folder} holds runs on other data, so that these cannot join them; give the new study another name "
            "(--name):\n" + "\n".join(differences)
        )


def _facts(manifest: Manifest, files: Sequence[SourceEntry | SourceFile]) -> dict[str, str]:
    """Return what the runs of one study have in common besides their examples."""
    programs = {f"{file.tool} {file.version or ''}".strip() for file in files if file.tool}
    data, score = manifest.data, manifest.data.score
    direction = "higher is better" if score is None or score.higher_is_better else "lower is better"
    return {
        "answers": data.answer_kind.answers,
        "score": "none" if score is None else f"{score.name}, {direction}",
        "classes": ", ".join(data.classes) or "none",
        "seeds": "paired between arms" if manifest.paired else "not paired between arms",
        "task": "; ".join(sorted({file.task for file in files if file.task})) or "not said",
        "written by": "; ".join(sorted(programs)) or "not said",
    }


def _for_each(items: Iterable[_Item], do: Callable[[_Item], _Result]) -> list[_Result]:
    """Do the same for each, a few at once: most of the time goes by until the disk has answered."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(do, items))


def _place(folder: Path, run: Run, entry: TrialEntry, known: Collection[str], *, kind: AnswerKind) -> _Place:
    trial = _read(folder, entry, kind)
    return _Place(
        run=run,
        entry=entry,
        status=trial.status,
        difference=_difference(run, trial.predictions),
        is_known=entry.key in known,
    )


def _read(folder: Path, entry: TrialEntry, kind: AnswerKind) -> StoredTrial:
    try:
        return read_trial(folder, entry, kind=kind)
    except FormatError as error:
        raise ResultsError(str(error)) from None


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
