"""The study that an import joins: whether it is one, and whether its runs are on the same data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import FormatError
from analysis.records.data_entry import AnswerKind
from analysis.records.manifest import Manifest, TrialEntry
from analysis.records.predictions import Predictions
from analysis.records.stored_trials import StoredTrial, mismatch, read_trial
from analysis.records.trial_record import SourceEntry
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Runs
from harness.errors import ResultsError


def refuse_trained(folder: Path, before: Manifest | None) -> None:
    """Raise ResultsError if the folder holds a study that was trained; `before` is its manifest, where it has one."""
    records = (folder / "trials").glob("*/record.json") if before is None else ()
    if (before is not None and before.imported is None) or any(map(_is_trained, records)):
        raise ResultsError(f"{folder} holds a study that was trained; give the imported one another name: --name")


def joining(folder: Path, before: Manifest, now: Manifest, runs: Runs) -> Runs:
    """Return runs as they join a study: with their examples in its order.

    Parameters
    ----------
    folder : Path
        The study's results.
    before, now : Manifest
        Of the study as it is, and with these runs.
    runs : Runs
        The runs.

    Raises
    ------
    ResultsError
        If they are on other data than those of the study, with everything in which they differ.
    """
    reference = _reference(folder, before)
    runs = runs if reference is None else _in_order_of(runs, reference.example_ids)
    _require_same_data(folder, before, now, runs, reference)
    return runs


def read_stored(folder: Path, entry: TrialEntry, kind: AnswerKind) -> StoredTrial:
    """Return what is stored of a run; ResultsError if it is of a format that this version does not read."""
    try:
        return read_trial(folder, entry, kind=kind)
    except FormatError as error:
        raise ResultsError(str(error)) from None


def _is_trained(record: Path) -> bool:
    try:
        return json.loads(record.read_bytes()).get("imported") is None
    except (OSError, ValueError, AttributeError):
        return False


def _reference(folder: Path, before: Manifest) -> Predictions | None:
    """Return the first answers that are stored of a study."""
    stored = (read_stored(folder, entry, before.data.answer_kind).predictions for entry in before.cells)
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
