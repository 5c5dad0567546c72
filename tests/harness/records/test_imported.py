"""Import: runs from elsewhere on a disk, added to, replaced, refused, cut short."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import analysis
from analysis.records.json_files import read_manifest
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Answers, Run, Runs
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import report_on
from harness.errors import ResultsError
from harness.records import imported
from harness.records.imported import ImportSummary, write_runs
from harness.records.lock import lock_study

N = 40
LABELS = np.arange(N) % 2
IDS = pa.array([f"e{i}" for i in range(N)])


def answers_of(kind: Answers, rng: np.random.Generator, epochs: int = 1) -> NDArray[Any]:
    if kind == "probabilities":
        p = rng.random((epochs, N)).astype(np.float32)
        return np.stack([p, 1 - p], axis=-1)
    if kind == "classes":
        return rng.integers(0, 2, (epochs, N))
    return rng.normal(size=(epochs, N))


def made(
    kind: Answers = "probabilities", *, arms: Sequence[str] = "ab", runs: Sequence[str] = "0123", **more: Any
) -> Runs:
    answered = tuple(
        Run(
            arm=arm,
            label=label,
            answers=answers_of(kind, np.random.default_rng([ord(arm), ord(label[0])])),
            sources=(SourceFile(path=f"{arm}{label}.csv", sha256=f"{arm}{label}" * 32),),
        )
        for arm in arms
        for label in runs
    )
    given: dict[str, Any] = {"answers": kind, "runs": answered}
    if kind in ("probabilities", "classes"):
        given |= {"labels": LABELS, "classes": ("no", "yes")}
    elif kind == "numbers":
        given |= {"labels": LABELS + 0.5}
    else:
        given |= {"labels": None, "score": "rouge"}
    return Runs(**{"example_ids": IDS, **given, **more})


def changed(runs: Runs, at: int = 0, examples: int = 3) -> Runs:
    """The same with other answers of one run to some examples."""
    answers = runs.runs[at].answers.copy()
    answers[:, :examples] = answers[:, :examples][..., ::-1] if answers.ndim == 3 else 1 - answers[:, :examples]
    return replace(
        runs, runs=tuple(replace(run, answers=answers) if i == at else run for i, run in enumerate(runs.runs))
    )


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., ImportSummary]:
    return lambda runs, **more: write_runs(runs, tmp_path, name="theirs", **{"analysis": {"baseline": "a"}, **more})


@pytest.mark.parametrize("kind", ["probabilities", "classes", "numbers", "scores"])
def test_the_folder_is_judged_as_the_runs_are(kind: Answers, write: Callable[..., ImportSummary]) -> None:
    runs = made(kind)
    summary = write(runs, analysis={"baseline": "a", "margin": 0.05})
    assert (len(summary.added), summary.unchanged, summary.others) == (8, 0, 0)
    assert not (summary.folder / ".holder.json").exists()
    outcomes = analysis.load(summary.folder)
    for run in runs.runs:
        trial = outcomes.trials[run.arm, int(run.label)]
        assert trial.status == "finished"
        np.testing.assert_array_equal(trial.known_answers, run.answers)
    here = imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis={"baseline": "a", "margin": 0.05}))
    there = analysis.analyze(summary.folder, resamples=99)
    assert report_on(here, resamples=99).to_json()["comparisons"] == there.to_json()["comparisons"]


def test_every_epoch_of_a_run_is_kept(write: Callable[..., ImportSummary]) -> None:
    rng = np.random.default_rng(0)
    runs = made()
    runs = replace(
        runs,
        runs=tuple(
            replace(run, epochs=(1, 3), answers=answers_of("probabilities", rng, epochs=2)) for run in runs.runs
        ),
    )
    outcomes = analysis.load(write(runs).folder)
    trial = outcomes.trials["b", 2]
    assert trial.epochs == (1, 3)
    np.testing.assert_array_equal(trial.known_answers, runs.runs[6].answers)
    assert write(runs).unchanged == 8


def test_the_same_again_writes_nothing(write: Callable[..., ImportSummary], tmp_path: Path) -> None:
    first = write(made())
    before = content(tmp_path)
    again = write(made())
    assert content(tmp_path) == before
    assert (again.added, again.unchanged, again.manifest) == ((), 8, first.manifest)


def test_new_runs_join_those_that_are_there(write: Callable[..., ImportSummary]) -> None:
    write(made(runs="01"))
    summary = write(made(runs="0123"))
    assert summary.added == ("a seed 2", "a seed 3", "b seed 2", "b seed 3")
    assert summary.unchanged == 4
    manifest = read_manifest(summary.folder)
    assert [(entry.seeds, entry.trials_finished) for entry in manifest.seed_history] == [((0, 1), 0), ((0, 1, 2, 3), 4)]
    assert manifest.imported is not None
    assert len(manifest.imported.files) == 8
    # A part of the runs takes nothing away, and another arm joins.
    summary = write(made(arms="ac", runs="23"))
    assert (summary.added, summary.unchanged, summary.others) == (("c seed 2", "c seed 3"), 2, 6)
    assert read_manifest(summary.folder).first_arms == {"a", "b"}
    assert analysis.load(summary.folder).trials["c", 0].status == "not run"


@pytest.mark.parametrize("kind", ["probabilities", "classes", "numbers", "scores"])
def test_runs_whose_examples_come_in_another_order_join(
    kind: Answers, write: Callable[..., ImportSummary], tmp_path: Path
) -> None:
    def shuffled(runs: Runs) -> Runs:
        order = np.random.default_rng(5).permutation(N)
        return replace(
            runs,
            example_ids=runs.example_ids.take(pa.array(order)),
            labels=None if runs.labels is None else runs.labels[order],
            runs=tuple(replace(run, answers=run.answers[:, order]) for run in runs.runs),
        )

    block = {"margin": 0.1}
    folder = write(made(kind, runs="01"), analysis=block).folder
    before = content(tmp_path)
    assert write(shuffled(made(kind, runs="01")), analysis=block).unchanged == 4
    assert content(tmp_path) == before
    assert len(write(shuffled(made(kind)), analysis=block).added) == 4
    outcomes = analysis.load(folder)
    for number, run in enumerate(made(kind).runs):
        np.testing.assert_array_equal(outcomes.trials[run.arm, number % 4].known_answers, run.answers)


def test_a_plan_that_changes_is_in_the_history(write: Callable[..., ImportSummary]) -> None:
    write(made())
    summary = write(made(), analysis={"baseline": "a", "margin": 0.2})
    assert summary.plan_changed
    assert [(entry.analysis, entry.trials_finished) for entry in summary.manifest.plan_history] == [
        ({"baseline": "a"}, 0),
        ({"baseline": "a", "margin": 0.2}, 8),
    ]
    caveats = analysis.analyze(summary.folder, resamples=99).footer.caveats
    assert "plan changed after trials finished" in {caveat.short for caveat in caveats}


def test_other_answers_are_refused_and_named(write: Callable[..., ImportSummary], tmp_path: Path) -> None:
    write(made())
    before = content(tmp_path)
    with pytest.raises(ResultsError) as refused:
        write(changed(changed(made(runs="01234")), at=6))
    assert str(refused.value).splitlines() == [
        f"{tmp_path / 'theirs'} holds 2 runs with other answers; --replace sets the old ones aside, another --name "
        "keeps both:",
        "a seed 0: 3 of 40 answers",
        "b seed 1: 3 of 40 answers",
    ]
    assert content(tmp_path) == before


def test_a_replaced_run_is_set_aside(write: Callable[..., ImportSummary]) -> None:
    folder = write(made()).folder
    key = read_manifest(folder).cells[0].key
    old = content(folder / "trials" / key)
    summary = write(changed(made()), replace=True)
    assert summary.replaced == ("a seed 0",)
    assert (summary.added, summary.unchanged) == ((), 7)
    assert content(folder / "set_aside" / f"{key}.0") == old
    np.testing.assert_array_equal(analysis.load(folder).trials["a", 0].known_answers, changed(made()).runs[0].answers)
    assert sorted(path.name for path in (folder / "trials").iterdir()) == sorted(
        entry.key for entry in read_manifest(folder).cells
    )


@pytest.mark.parametrize(
    ("other", "differences"),
    [
        (
            {"example_ids": pa.array([*IDS.to_pylist()[:-1], "x"])},
            ["examples: 40 examples against 40; 1 too many ('x');"],
        ),
        ({"labels": 1 - LABELS}, ["examples: 40 labels differ, first example 'e0' with 1 against 0"]),
        (
            {"classes": ("yes", "no"), "paired": False},
            ["classes: yes, no here, no, yes there", "seeds: not paired between arms here, paired between arms there"],
        ),
        ("scores", ["answers: scores here, probabilities there", "score: rouge, higher is better here, none there"]),
    ],
)
def test_other_data_are_refused_with_every_difference(
    other: Any, differences: list[str], write: Callable[..., ImportSummary], tmp_path: Path
) -> None:
    write(made())
    before = content(tmp_path)
    with pytest.raises(ResultsError, match="holds runs on other data") as refused:
        write(made(other) if other == "scores" else made(**other))
    for difference in differences:
        assert difference in str(refused.value)
    assert content(tmp_path) == before


def test_files_of_another_task_or_tool_are_other_data(write: Callable[..., ImportSummary]) -> None:
    def of(task: str | None, version: str, runs: Runs) -> Runs:
        source = SourceFile(path="log.jsonl", sha256=version, tool="some-tool", version=version, task=task)
        return replace(runs, runs=tuple(replace(run, sources=(source,)) for run in runs.runs))

    write(of("gsm8k, version 3", "1.0", made(runs="01")))
    with pytest.raises(ResultsError) as refused:
        write(of("gsm8k, version 2", "1.1", made()))
    assert str(refused.value).splitlines()[1:] == [
        "task: gsm8k, version 2 here, gsm8k, version 3 there",
        "written by: some-tool 1.1 here, some-tool 1.0 there",
    ]
    assert len(write(of("gsm8k, version 3", "1.0", made())).added) == 4


def test_a_study_that_was_trained_is_refused(write: Callable[..., ImportSummary], tmp_path: Path) -> None:
    folder = write(made()).folder
    manifest = json.loads((folder / "study.json").read_text())
    del manifest["imported"]
    manifest |= {"model": {"name": "m"}, "data": {**manifest["data"], "n_train": 5}}
    (folder / "study.json").write_text(json.dumps(manifest))
    with pytest.raises(ResultsError, match=r"holds a study that was trained; .*--name"):
        write(made())
    (folder / "study.json").unlink()
    record = next(folder.glob("trials/*/record.json"))
    record.write_text(json.dumps({**json.loads(record.read_text()), "imported": None}))
    with pytest.raises(ResultsError, match=r"holds a study that was trained; .*--name"):
        write(made())


def test_a_disk_that_is_full_loses_nothing(
    write: Callable[..., ImportSummary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = write(made(runs="01"))
    before = content(tmp_path)
    # One run alone needs two: none of those that are written at once gets whole.
    sync, left = os.fsync, [1]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        ResultsError, match="cannot be written: No space left on device; what was stored before is kept"
    ):
        write(changed(made()), replace=True)
    monkeypatch.undo()
    assert before.items() <= content(tmp_path).items()
    assert analysis.load(whole.folder).seeds == (0, 1)
    assert write(changed(made()), replace=True).replaced == ("a seed 0",)


def test_an_import_that_was_cut_short_is_no_study_and_is_completed(
    write: Callable[..., ImportSummary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_run = imported._write_run

    def cut(store: Any, place: Any, shared: Any) -> None:
        if place.entry.arm == "b":
            raise KeyboardInterrupt
        write_run(store, place, shared)

    monkeypatch.setattr(imported, "_write_run", cut)
    with pytest.raises(KeyboardInterrupt):
        write(made())
    assert not (tmp_path / "theirs" / "study.json").exists()
    monkeypatch.undo()
    stored = next((tmp_path / "theirs").glob("trials/a-0-*/record.json")).stat().st_mtime_ns
    # Of a run that is in no study yet, other answers are no change.
    summary = write(changed(made(), at=1))
    assert len(summary.added) == 8
    assert next(summary.folder.glob("trials/a-0-*/record.json")).stat().st_mtime_ns == stored
    assert {trial.status for trial in analysis.load(summary.folder).trials.values()} == {"finished"}


def test_what_cannot_be_read_is_written_again(write: Callable[..., ImportSummary]) -> None:
    folder = write(made()).folder
    first, second, third = (folder / "trials" / entry.key for entry in read_manifest(folder).cells[:3])
    (first / "predictions.parquet").write_bytes(b"broken")
    (second / "record.json").write_text("{")
    (third / "record.json").unlink()
    summary = write(made())
    assert summary.mended == ("a seed 0", "a seed 1")
    assert summary.added == ("a seed 2",)
    assert {trial.status for trial in analysis.load(folder).trials.values()} == {"finished"}
    assert len(list((folder / "set_aside").iterdir())) == 2


def test_the_predictions_hold_what_the_format_says(write: Callable[..., ImportSummary]) -> None:
    folder = write(made()).folder
    table = pq.read_table(next(folder.glob("trials/*/predictions.parquet")))
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "epoch": "int32",
        "example_id": "string",
        "label": "int32",
        "p_0": "float",
        "p_1": "float",
    }
    record = json.loads(next(folder.glob("trials/a-0-*/record.json")).read_text())
    assert record["imported"]["files"] == [{"path": "a0.csv", "sha256": "a0" * 32, "tool": None, "version": None}]


def test_one_process_at_a_time_writes(write: Callable[..., ImportSummary], tmp_path: Path) -> None:
    with lock_study(tmp_path / "theirs"), pytest.raises(ResultsError, match="is being run by process"):
        write(made())
