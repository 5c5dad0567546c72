"""Preview of a run: what it would find done in a results folder, and what it would train; without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.store import FINAL, AnswerKind, Manifest, Store, StoredTrial, TrialEntry, trial_entry
from harness.runs.status import StudyStatus, looks_of, summarise, timing_of, with_looks_ahead
from harness.search.candidates import tuned_arm
from harness.study.settings import Data
from harness.study.study import Study
from harness.study.trials import expand

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInputs:
    """What a study's trials start from and are trained on.

    Parameters
    ----------
    model : str
        What identifies the model that a trial starts from, apart from its seed.
    data : str
        Fingerprint of the processed data.
    n_classes : int
        The number of classes; 0 in a regression.
    """

    model: str
    data: str
    n_classes: int


def preview(
    study: Study,
    folder: Path,
    *,
    arms: Sequence[str] | None = None,
    inputs: TrialInputs | None = None,
    until_decided: bool = False,
) -> StudyStatus:
    """Return what a run of a study would find done, and what it would train.

    A trial is found by its key, as in a run, whatever the study was when it last ran.

    Parameters
    ----------
    study : Study
        The study to run; its seeds and settings may differ from those of the last run.
    folder : Path
        The folder of its results; it need not exist.
    arms : sequence of str, optional
        The arms to train; default all.
    inputs : TrialInputs, optional
        Model and data as they are now; default those of the last run, if the study still names the same ones.
    until_decided : bool
        Whether the run would go from look to look, and spare what no open comparison needs.

    Raises
    ------
    ResultsError
        If the folder holds a study that cannot be read.
    """
    store = Store(folder)
    chosen = list(study.arms if arms is None else arms)
    inputs = inputs or _last_inputs(study, store)
    refuse_other_results(study, store)
    pairs = [(arm, seed) for arm in study.arms for seed in study.numbered_seeds]
    stored: dict[tuple[str, int], StoredTrial] = {
        (arm, seed): StoredTrial(entry=TrialEntry(arm=arm, seed=seed, key=_UNKNOWN), status="not run")
        for arm, seed in pairs
    }
    if inputs is not None:
        source = {"model": inputs.model, "data": inputs.data}
        tuned = {name: tuned_arm(study, name, arm, store=store, **source) for name, arm in study.arms.items()}
        trials = expand(study, arms={name: arm for name, arm in tuned.items() if arm is not None}, **source)
        entries = [trial_entry(trial) for trial in trials]
        stored |= {
            (trial.entry.arm, trial.entry.seed): trial
            for trial in store.entries(entries, AnswerKind.trained(inputs.n_classes))
        }
    others = store.others({trial.entry.key for trial in stored.values()})
    chosen_trials = [trial for trial in stored.values() if trial.entry.arm in chosen]
    if not until_decided:
        return summarise(study.name, chosen, chosen_trials, others, timing_of(store))
    looks, seeds = looks_of(study.analysis), _in_order(study, store.manifest())
    chosen_trials = [trial for trial in chosen_trials if trial.entry.seed in seeds[: looks[-1]]]
    spared = _spared(study, store, chosen_trials, seeds)
    status = summarise(study.name, chosen, chosen_trials, others, timing_of(store), spared=spared)
    return with_looks_ahead(status, seeds, looks)


def _in_order(study: Study, manifest: Manifest | None) -> tuple[int, ...]:
    """Return the seeds of a study in the order in which its looks would take them up."""
    before = () if manifest is None else manifest.seeds
    return tuple(
        dict.fromkeys(seed for seed in (*before, *sorted(study.numbered_seeds)) if seed in study.numbered_seeds)
    )


def _spared(
    study: Study, store: Store, trials: Sequence[StoredTrial], seeds: Sequence[int]
) -> frozenset[tuple[str, int]]:
    """Return the arm and the seed of each trial that the looks so far have spared.

    A look at other trials, or by another plan, spares nothing: it is taken anew.
    """
    manifest, now = store.manifest(), study.model_dump(mode="json")
    if manifest is None or not _same_input(now, manifest) or now["analysis"] != manifest.study.get("analysis"):
        return frozenset()
    left = manifest.arms_left(store.looks())
    spared = {(arm, seed): size for arm, size in left.items() for seed in seeds[size:]}
    to_run = [one.entry for one in trials if one.status not in FINAL]
    open_seeds = {entry.seed for entry in to_run if (entry.arm, entry.seed) not in spared}
    reached = next((at for at, seed in enumerate(seeds) if seed in open_seeds), len(seeds))
    return frozenset(pair for pair, size in spared.items() if size <= reached)


def refuse_other_results(study: Study, store: Store) -> None:
    """Refuse to mix a study with results that it cannot go on from: imported ones, or those of other seeds by source.

    The seeds of a study with seeds by source do not change once a trial of it has run, nor does it become one: its test
    takes every initialisation with every order of the data. What a part of them shows would be a look, and no rule for
    looks covers it.

    Raises
    ------
    ResultsError
        If the results were imported, or are of other seeds.
    """
    before = store.manifest()
    if before is None:
        return
    if before.imported is not None:
        raise ResultsError(
            f"name: {store.folder} holds runs that were imported, and trials that are trained here do not belong to "
            "them. Give this study another name: name=..."
        )
    then, now = before.study.get("seeds"), study.model_dump(mode="json")["seeds"]
    by_source = isinstance(then, Mapping) or isinstance(now, Mapping)
    if by_source and then is not None and then != now and any(trial.record for trial in store.stored(before)):
        raise ResultsError(
            f"seeds: the trials in {store.folder} have run with {_in_words(then)}, got {_in_words(now)}; a study with "
            "seeds by source keeps them as they were declared. Give this one another name: name=..."
        )


def refuse_to_time_imported(manifest: Manifest, folder: Path) -> None:
    """Refuse a study whose trials nobody here can repeat.

    Raises
    ------
    ResultsError
        If it was imported.
    """
    if manifest.imported is not None:
        raise ResultsError(f"{folder} holds runs that were trained elsewhere; their times cannot be measured here")


def same_settings(study: Study, folder: Path) -> bool:
    """Whether the results in `folder`, where there are some, were made with the study's model, data and arms."""
    manifest = Store(folder).manifest()
    if manifest is None:
        return True
    now, then = study.model_dump(mode="json"), manifest.study
    return _same_input(now, manifest) and _agrees(then.get("arms"), now["arms"])


def _in_words(seeds: Any) -> str:
    if isinstance(seeds, Mapping):
        return ", ".join(f"{source}: {count}" for source, count in seeds.items())
    return f"{len(seeds)} seeds of one kind"


def _last_inputs(study: Study, store: Store) -> TrialInputs | None:
    """Return the model and the data of the last run; None if there was none, or if the study names others."""
    manifest = store.manifest()
    if manifest is None or not _same_input(study.model_dump(mode="json"), manifest):
        return None
    models = [trial.record.settings.get("model") for trial in store.stored(manifest) if trial.record is not None]
    # Before the first record: a head that is drawn anew for every seed is no part of what identifies the checkpoint.
    of_checkpoint = manifest.model.identity if manifest.model and study.head == "drawn" else None
    model = next((model for model in models if isinstance(model, str)), of_checkpoint)
    if model is None or manifest.data.fingerprint is None:
        return None
    return TrialInputs(model=model, data=manifest.data.fingerprint, n_classes=len(manifest.data.classes))


def _same_input(now: Mapping[str, Any], manifest: Manifest) -> bool:
    """Whether a resolved study names the model and the data of the last run."""
    # A setting that an older manifest lacks had its default.
    then = {"head": "drawn", "task": "classification", **manifest.study}
    if isinstance(then.get("data"), Mapping):
        then["data"] = {**Data(path=".").model_dump(mode="json"), **then["data"]}
    return all(now[key] == then.get(key) for key in ("model", "revision", "head", "task", "data"))


def _agrees(then: Any, now: Any) -> bool:
    """Whether settings are the same, apart from those that an older version did not have."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return all(_agrees(then[key], value) for key, value in now.items() if key in then)
    return bool(then == now)
