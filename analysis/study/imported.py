"""Imported studies: runs from elsewhere as a manifest and as outcomes, the same on a disk and in memory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from analysis.records.data_entry import DataEntry, ScoreEntry
from analysis.records.format import NEWER_FORMAT
from analysis.records.manifest import ArmEntry, EpochSelection, ImportedStudy, Manifest, ModelEntry, TrialEntry
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial
from analysis.records.trial_record import EpochEntry, ImportedTrial, SourceEntry, TrialRecord
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Run, Runs
from analysis.study.analysis_block import frozen_plan
from analysis.study.plan import AnalysisPlan

# Every number with fewer digits can be held by every reader of the files.
_TOO_LONG = len(str(2**63 - 1))


def imported_manifest(
    runs: Runs,
    *,
    name: str,
    analysis: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]] | None = None,
    model: str | None = None,
    before: Manifest | None = None,
) -> Manifest:
    """Return the manifest of a study of these runs, without the histories of its plan and seeds.

    Parameters
    ----------
    runs : Runs
        The runs.
    name : str
        The name of the study.
    analysis : mapping of str to Any
        Its `analysis:` block.
    claims : sequence of mapping, optional
        Its `claims:` block.
    model : str, optional
        The model, as claims name it; by default that of the study before.
    before : Manifest or None
        The manifest of a study that these runs join, on the same examples.
    """
    cells = cells_of(runs, before.cells if before is not None else ())
    told = runs.remarks
    files: dict[str, SourceEntry] = {}
    if before is not None and before.imported is not None:
        told = (*before.data.remarks, *told)
        files = {file.path: file for file in before.imported.files}
    known = {file.sha256 for file in files.values() if file.sha256}
    for file in (source_entry(source) for run in runs.runs for source in run.sources):
        # The same bytes are the same file, wherever they lie now.
        if file.sha256 not in known:
            files[file.path] = file
    named = before.model if before is not None else None
    if model is not None:
        named = ModelEntry(name=model)
    unpaired: dict[str, Any] = {} if runs.paired else {"paired": False}
    return Manifest(
        format=NEWER_FORMAT,
        name=name,
        analysis=dict(analysis),
        claims=None if claims is None else [dict(claim) for claim in claims],
        selection=EpochSelection(rule="last"),
        model=named,
        data=DataEntry(
            path=_path(list(files.values()), _labels_alone(runs)),
            classes=runs.classes,
            n_test=len(runs.example_ids),
            remarks=tuple(dict.fromkeys(told)),
            **_where_it_applies(runs),
        ),
        imported=ImportedStudy(files=tuple(files.values()), understood=runs.understood),
        arms={arm: ArmEntry() for arm in dict.fromkeys(entry.arm for entry in cells)},
        cells=cells,
        **unpaired,
    )


def imported_plan(runs: Runs, manifest: Manifest) -> AnalysisPlan:
    """Return the plan in a manifest of these runs, checked against what they hold.

    Raises
    ------
    PlanError
        With every problem of the `analysis:` block.
    """
    return frozen_plan(manifest, arms=tuple(manifest.arms), score=imported_outcomes(runs, manifest).score_kind)


def _where_it_applies(runs: Runs) -> dict[str, Any]:
    """Return the keys of the data that a manifest has only where there is something to say."""
    entry: dict[str, Any] = {}
    if runs.answers == "scores":
        score = ScoreEntry(name=runs.score, higher_is_better=runs.higher_is_better)
        entry |= {"task": "scores", "score": score}
    elif runs.answers == "numbers":
        entry["task"] = "regression"
    elif runs.answers == "classes":
        entry["predictions"] = "classes"
    if runs.left_out:
        entry["left_out"] = runs.left_out
    return entry


def _labels_alone(runs: Runs) -> set[str]:
    """Return the hashes of the files that every run was read from, beside one of its own: they hold the labels."""
    hashes = [{source.sha256 for source in run.sources} for run in runs.runs]
    shared = set.intersection(*hashes)
    return shared if all(one - shared for one in hashes) else set()


def _path(files: Sequence[SourceEntry], labels: Collection[str]) -> str:
    """Return a text for all files, those of the labels apart."""
    answers = _paths([file.path for file in files if file.sha256 not in labels])
    beside = _paths([file.path for file in files if file.sha256 in labels])
    return f"{answers}, labels {beside}" if beside else answers


def _paths(files: Sequence[str]) -> str:
    if len(files) < 3:
        return " and ".join(files)
    try:
        folder = os.path.commonpath(files)
    except ValueError:
        # Some are absolute and some are not.
        folder = ""
    return f"{files[0]} and {len(files) - 1} more" if folder in ("", os.curdir) else f"{len(files)} files in {folder}"


def source_entry(source: SourceFile) -> SourceEntry:
    """Return what is stored of a file that runs were read from."""
    # Of a file that does not say it, there is no such key.
    task: dict[str, Any] = {} if source.task is None else {"task": source.task}
    return SourceEntry(path=source.path, sha256=source.sha256, tool=source.tool, version=source.version, **task)


def imported_record(run: Run, entry: TrialEntry) -> TrialRecord:
    """Return the record of a run; what its source does not know is not in it."""
    return TrialRecord(
        format=NEWER_FORMAT,
        key=entry.key,
        arm=entry.arm,
        seed=entry.seed,
        status="finished",
        epochs=tuple(EpochEntry(epoch=epoch) for epoch in run.epochs),
        selected_epoch=run.epochs[-1],
        imported=ImportedTrial(files=tuple(map(source_entry, run.sources))),
    )


def imported_outcomes(runs: Runs, manifest: Manifest, *, clusters: Sequence[str] | None = None) -> Outcomes:
    """Return the outcomes of runs that are on no disk.

    Parameters
    ----------
    runs : Runs
        The runs.
    manifest : Manifest
        Of these runs, from `imported_manifest`.
    clusters : sequence of str, optional
        The group that each example belongs to, shape (N,).
    """
    if clusters is not None:
        data = manifest.data.model_copy(update={"cluster": "clusters"})
        manifest = manifest.model_copy(update={"data": data})
    by_place = {(run.arm, run.label): run for run in runs.runs}
    trials = [_trial(entry, by_place.get((entry.arm, entry.label))) for entry in manifest.cells]
    return Outcomes(
        folder=None,
        manifest=manifest,
        arms=tuple(manifest.arms),
        seeds=tuple(sorted({entry.seed for entry in manifest.cells})),
        trials={(trial.arm, trial.seed): trial for trial in trials},
        example_ids=tuple(runs.example_ids.to_pylist()),
        labels=np.empty(0) if runs.labels is None else runs.labels,
        clusters=None if clusters is None else tuple(clusters),
        other_records=0,
        set_aside=(),
        looks_taken=(),
    )


def _trial(entry: TrialEntry, run: Run | None) -> Trial:
    if run is None:
        return Trial(arm=entry.arm, seed=entry.seed, status="not run", message="there is no such run", run=entry.run)
    return Trial(
        arm=entry.arm,
        seed=entry.seed,
        status="finished",
        record=imported_record(run, entry),
        epochs=run.epochs,
        answers=run.answers,
        run=entry.run,
    )


def cells_of(runs: Runs, known: Sequence[TrialEntry] = ()) -> tuple[TrialEntry, ...]:
    """Give every run its place in a study: its seed and the key of its folder.

    A run whose label is a whole number has it as its seed; if one label is none, runs are numbered in their order,
    and by arm where they are not paired. Of arms that are paired each has an entry for every label, also for a run that
    is not there.

    Parameters
    ----------
    runs : Runs
        The runs.
    known : sequence of TrialEntry
        The entries that the study has already; they stay as they are.

    Returns
    -------
    tuple of TrialEntry
        Those of `known` and the new ones, arm by arm.
    """
    arms = dict.fromkeys([*(entry.arm for entry in known), *runs.arms])
    if runs.paired:
        numbers = _numbered((run.label for run in runs.runs), {entry.label: entry.seed for entry in known})
        seeds = dict.fromkeys(arms, numbers)
    else:
        seeds = {
            arm: _numbered(
                (run.label for run in runs.runs if run.arm == arm),
                {entry.label: entry.seed for entry in known if entry.arm == arm},
            )
            for arm in arms
        }
    entries = [_entry(arm, label, seed) for arm, of_arm in seeds.items() for label, seed in of_arm.items()]
    position = {arm: at for at, arm in enumerate(arms)}
    return tuple(sorted(entries, key=lambda entry: (position[entry.arm], entry.seed)))


def _numbered(labels: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    new = [label for label in dict.fromkeys(labels) if label not in known]
    taken = set(known.values())
    if all(_is_seed(label) and int(label) not in taken for label in new):
        return {**known, **{label: int(label) for label in new}}
    free = (number for number in count() if number not in taken)
    return {**known, **dict(zip(new, free, strict=False))}


def _is_seed(label: str) -> bool:
    return label.isascii() and label.isdecimal() and len(label) < _TOO_LONG and str(int(label)) == label


def _entry(arm: str, label: str, seed: int) -> TrialEntry:
    # A run has this key in every import, so that what is stored of it is found again.
    digest = hashlib.sha256(f"{arm}\0{label}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{arm}-{label}").strip("-_.")
    key = "-".join(filter(None, (readable[:100], digest)))
    named_run: dict[str, Any] = {} if str(seed) == label else {"run": label}
    return TrialEntry(arm=arm, seed=seed, key=key, **named_run)
