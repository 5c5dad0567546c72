"""From a results folder to its outcomes: which trials belong to the study now, strictly aligned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.errors import AlignmentError, FormatError, RecordError
from analysis.outcomes import Outcomes, Trial
from analysis.predictions import Predictions, read_clusters, read_predictions
from analysis.records import Cell, Manifest, Record, read_looks, read_manifest, read_record

_NAMED_AT_MOST = 5


def load(folder: Path) -> Outcomes:
    """Read a results folder: its manifest and exactly the trials that belong to the study now.

    Parameters
    ----------
    folder
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If the manifest is missing or cannot be used.
    FormatError
        If the manifest or one of the records has a format that this version does not read.
    AlignmentError
        If an arm lacks a seed that another has, or finished trials differ in their examples, the order of
        them, or their labels.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    seeds = _in_order(manifest)
    _require_all_seeds(manifest, seeds)
    read = {(cell.arm, cell.seed): _read_trial(folder, cell, manifest) for cell in manifest.cells}
    in_order = [read[arm, seed] for arm in manifest.arms for seed in seeds]
    finished = [(trial, stored) for trial, stored in in_order if stored is not None]
    _require_alignment(finished)
    reference = finished[0][1] if finished else None
    example_ids = tuple(reference.example_ids.to_pylist()) if reference else ()
    return Outcomes(
        folder=folder,
        manifest=manifest,
        arms=tuple(manifest.arms),
        seeds=seeds,
        trials={(trial.arm, trial.seed): trial for trial, _ in in_order},
        example_ids=example_ids,
        labels=reference.labels if reference else np.empty(0, dtype=np.int64),
        clusters=_clusters(folder, example_ids) if manifest.data.cluster else None,
        other_records=_count_others(folder, {cell.key for cell in manifest.cells}),
        set_aside=_names_in(folder / "set_aside"),
        looks_taken=read_looks(folder),
    )


def _in_order(manifest: Manifest) -> tuple[int, ...]:
    """Return the seeds as the study took them up: a look at the first four sees the same four ever after."""
    present = {cell.seed for cell in manifest.cells}
    taken_up = [seed for entry in manifest.seed_history for seed in sorted(entry.seeds) if seed in present]
    return tuple(dict.fromkeys([*taken_up, *sorted(present)]))


def _read_trial(folder: Path, cell: Cell, manifest: Manifest) -> tuple[Trial, Predictions | None]:
    place = folder / "trials" / cell.key
    trial = Trial(arm=cell.arm, seed=cell.seed, status="not run", message="there is no record yet")
    if not (place / "record.json").exists():
        return trial, None
    try:
        record = read_record(place, cell)
        trial = replace(trial, status=record.status, message=_said(record), record=record)
        if record.status != "finished":
            return trial, None
        stored = read_predictions(place, n_classes=len(manifest.data.classes))
        _require_epochs(place, record, stored)
    except FormatError:
        raise
    except RecordError as error:
        return replace(trial, status="unreadable", message=_within(folder, error)), None
    return replace(trial, message="", epochs=stored.epochs, probabilities=stored.probabilities), stored


def _clusters(folder: Path, example_ids: Sequence[str]) -> tuple[str, ...]:
    by_example = read_clusters(folder)
    lost = [example for example in example_ids if example not in by_example]
    if lost:
        raise AlignmentError(
            f"{folder / 'clusters.parquet'} names no cluster for {len(lost)} of {len(example_ids)} test examples, "
            f"first {lost[0]!r}; run the study again, which writes it anew"
        )
    return tuple(by_example[example] for example in example_ids)


def _said(record: Record) -> str:
    return str((record.error or {}).get("message") or "no message was recorded")


def _within(folder: Path, error: RecordError) -> str:
    """Name files from the results folder on: a report may be read on another machine."""
    return str(error).replace(f"{folder}{os.sep}", "")


def _require_epochs(place: Path, record: Record, stored: Predictions) -> None:
    recorded = tuple(entry.epoch for entry in record.epochs)
    if recorded != stored.epochs or record.selected_epoch not in recorded:
        raise RecordError(
            f"{place} cannot be used: its record names the epochs {list(recorded)} and selects "
            f"{record.selected_epoch}, its predictions hold {list(stored.epochs)}"
        )


def _require_all_seeds(manifest: Manifest, seeds: Sequence[int]) -> None:
    present = {(cell.arm, cell.seed) for cell in manifest.cells}
    lacking = []
    for arm in manifest.arms:
        missing = [str(seed) for seed in seeds if (arm, seed) not in present]
        if missing:
            lacking.append(f"{arm} lacks seed {', '.join(missing)}")
    if lacking or not seeds:
        raise AlignmentError(
            f"the manifest must list every arm with every seed; {'; '.join(lacking) or 'it lists no cell'}"
        )


def _require_alignment(finished: Sequence[tuple[Trial, Predictions]]) -> None:
    faults = []
    for trial, stored in finished[1:]:
        first, reference = finished[0]
        if not stored.example_ids.equals(reference.example_ids):
            faults.append(f"{trial.name} against {first.name}: {_id_mismatch(stored, reference)}")
        elif np.any(stored.labels != reference.labels):
            at = np.flatnonzero(stored.labels != reference.labels)
            where = int(at[0])
            faults.append(
                f"{trial.name} against {first.name}: {len(at)} labels differ, first example "
                f"{stored.example_ids[where].as_py()!r} with {stored.labels[where]} "
                f"against {reference.labels[where]}"
            )
    if faults:
        more = f"\nand {len(faults) - _NAMED_AT_MOST} more trials" if len(faults) > _NAMED_AT_MOST else ""
        raise AlignmentError(
            "the trials cannot be compared example by example:\n" + "\n".join(faults[:_NAMED_AT_MOST]) + more
        )


def _id_mismatch(stored: Predictions, reference: Predictions) -> str:
    here, there = stored.example_ids.to_pylist(), reference.example_ids.to_pylist()
    extra, absent = sorted(set(here) - set(there)), sorted(set(there) - set(here))
    if not extra and not absent:
        at = next(at for at, (one, other) in enumerate(zip(here, there, strict=True)) if one != other)
        return f"the same {len(here)} examples in another order, first at position {at}"
    parts = [f"{len(here)} examples against {len(there)}"]
    for words, ids in (("not there", extra), ("missing here", absent)):
        if ids:
            named = ", ".join(repr(name) for name in ids[:_NAMED_AT_MOST])
            parts.append(f"{len(ids)} {words} ({named}{', ...' if len(ids) > _NAMED_AT_MOST else ''})")
    return "; ".join(parts)


def _count_others(folder: Path, keys: set[str]) -> int:
    return sum(path.parent.name not in keys for path in (folder / "trials").glob("*/record.json"))


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()
