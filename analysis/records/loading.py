"""Loading of a results folder: the trials that belong to the study now, aligned example by example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.errors import AlignmentError, FormatError, RecordError
from analysis.records.json_files import read_looks, read_manifest, read_timing
from analysis.records.manifest import Manifest
from analysis.records.outcomes import Outcomes
from analysis.records.predictions import Predictions, read_clusters
from analysis.records.stored_trials import StoredTrial, count_others, mismatch, read_trials
from analysis.records.timing import Timing
from analysis.records.trial import Trial

_NAMED_AT_MOST = 5


def load(folder: Path) -> Outcomes:
    """Read a results folder: its manifest and exactly the trials that belong to the study now.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.

    Returns
    -------
    Outcomes
        Every trial of the study, with its predictions where it finished. Times that cannot be used are left out, and
        `timing_fault` says why.

    Raises
    ------
    RecordError
        If the manifest is missing or cannot be used.
    FormatError
        If the manifest or one of the records has a format that this version does not read.
    AlignmentError
        If an arm lacks a seed that another has (where runs are not paired by seed: if it has no run), or if finished
        trials differ in their examples, the order of these, or their labels, and most trials share no list of examples.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    seeds = manifest.seeds
    _require_all_seeds(manifest, seeds)
    stored = read_trials(folder, manifest.cells, kind=manifest.data.answer_kind)
    by_place = {(trial.entry.arm, trial.entry.seed): trial for trial in stored}
    places = [(arm, seed) for arm in manifest.arms for seed in seeds if (arm, seed) in by_place]
    in_order = [(_trial(by_place[place]), by_place[place].predictions) for place in places]
    finished = [(trial, predictions) for trial, predictions in in_order if predictions is not None]
    _require_alignment(finished)
    reference = finished[0][1] if finished else None
    example_ids = tuple(reference.example_ids.to_pylist()) if reference else ()
    sets = manifest.data.sets
    if sets and reference and len(example_ids) != manifest.data.n_test:
        raise AlignmentError(
            f"the test sets of study.json hold {manifest.data.n_test} examples, but the trials were scored on "
            f"{len(example_ids)}; run the study again to write it anew"
        )
    grouped = manifest.data.cluster or any(one.n_shared for one in sets)
    timing, timing_fault = _timing(folder, manifest)
    return Outcomes(
        folder=folder,
        manifest=manifest,
        arms=tuple(manifest.arms),
        seeds=seeds,
        trials={(trial.arm, trial.seed): trial for trial, _ in in_order},
        example_ids=example_ids,
        labels=reference.labels if reference else np.empty(0, dtype=np.int64),
        clusters=_clusters(folder, example_ids) if grouped else None,
        other_records=count_others(folder, {entry.key for entry in manifest.cells}),
        set_aside=_names_in(folder / "set_aside"),
        looks_taken=read_looks(folder),
        timing=timing,
        timing_fault=timing_fault,
    )


def _timing(folder: Path, manifest: Manifest) -> tuple[Timing | None, str]:
    """Read what was measured in turns of the arms that have not changed since, or say why it cannot be used."""
    try:
        timing = read_timing(folder)
    except FormatError:
        raise
    except RecordError as error:
        # Times decide no verdict.
        return None, str(error)
    if timing is None:
        return None, ""
    arms = timing.timed(manifest.keys)
    return (timing.model_copy(update={"arms": arms}) if arms else None), ""


def _trial(stored: StoredTrial) -> Trial:
    predictions = stored.predictions
    return Trial(
        arm=stored.entry.arm,
        seed=stored.entry.seed,
        status=stored.status,
        message=stored.message,
        record=stored.record,
        epochs=predictions.epochs if predictions is not None else (),
        answers=predictions.answers if predictions is not None else None,
        run=stored.entry.run,
    )


def _clusters(folder: Path, example_ids: Sequence[str]) -> tuple[str, ...]:
    by_example = read_clusters(folder)
    lost = [example for example in example_ids if example not in by_example]
    if lost:
        raise AlignmentError(
            f"{folder / 'clusters.parquet'} names no cluster for {len(lost)} of {len(example_ids)} test examples, "
            f"first {lost[0]!r}; run the study again to write it anew"
        )
    return tuple(by_example[example] for example in example_ids)


def _require_all_seeds(manifest: Manifest, seeds: Sequence[int]) -> None:
    present = {(entry.arm, entry.seed) for entry in manifest.cells}
    lacking = []
    for arm in manifest.arms:
        missing = [str(seed) for seed in seeds if (arm, seed) not in present]
        # Runs that are not paired are numbered by arm, and an arm may have fewer than another.
        if missing and (manifest.paired or len(missing) == len(seeds)):
            lacking.append(f"{arm} lacks seed {', '.join(missing)}")
    if lacking or not seeds:
        raise AlignmentError(
            f"the manifest must list every arm with {'every seed' if manifest.paired else 'a run or more'}; "
            f"{'; '.join(lacking) or 'it lists no trial'}"
        )


def _require_alignment(finished: Sequence[tuple[Trial, Predictions]]) -> None:
    """Refuse trials that differ where most share no list of examples, so that none is the odd one out."""
    faults = []
    for trial, stored in finished[1:]:
        first, reference = finished[0]
        if not stored.same_examples(reference):
            faults.append(f"{trial.name} against {first.name}: {mismatch(stored, reference)}")
    if faults:
        more = f"\nand {len(faults) - _NAMED_AT_MOST} more trials" if len(faults) > _NAMED_AT_MOST else ""
        raise AlignmentError(
            "the trials cannot be compared example by example, and most of them share no list of examples:\n"
            + "\n".join(faults[:_NAMED_AT_MOST])
            + more
        )


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()
