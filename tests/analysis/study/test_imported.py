"""Imported studies: the place of every run, and outcomes that are on no disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis import tables
from analysis.records.manifest import TrialEntry
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Run, Runs
from analysis.study.imported import cells_of, imported_manifest, imported_outcomes
from analysis.study.report import report_on

N = 60
LABELS = np.arange(N) % 2


def made(labels_by_arm: dict[str, list[str]], **more: Any) -> Runs:
    rng = np.random.default_rng(3)
    runs = [
        Run(
            arm=arm,
            label=label,
            answers=np.where(rng.random((1, N)) < 0.8, LABELS, 1 - LABELS),
            sources=(SourceFile(path=f"out/{arm}.csv", sha256=arm * 64, tool="t", version="1"),),
        )
        for arm, labels in labels_by_arm.items()
        for label in labels
    ]
    given: dict[str, Any] = {"answers": "classes", "classes": ("no", "yes"), "labels": LABELS}
    ids = pa.array([f"e{i}" for i in range(N)])
    return Runs(example_ids=ids, runs=tuple(runs), **{**given, **more})


def places(entries: tuple[TrialEntry, ...]) -> list[tuple[str, int, str | None]]:
    return [(entry.arm, entry.seed, entry.run) for entry in entries]


def test_a_label_that_is_a_whole_number_is_the_seed() -> None:
    assert places(cells_of(made({"a": ["7", "12"], "b": ["12", "7"]}))) == [
        ("a", 7, None),
        ("a", 12, None),
        ("b", 7, None),
        ("b", 12, None),
    ]


@pytest.mark.parametrize("odd", ["final", "-1", "007", "1.0", "", "９", "9" * 19, "9" * 5000])
def test_where_a_label_is_none_all_runs_are_numbered_in_their_order(odd: str) -> None:
    entries = cells_of(made({"a": ["5", odd], "b": [odd, "5"]}))
    assert places(entries) == [("a", 0, "5"), ("a", 1, odd), ("b", 0, "5"), ("b", 1, odd)]
    assert {entry.label for entry in entries} == {"5", odd}


def test_a_paired_run_that_one_arm_lacks_has_its_place() -> None:
    assert places(cells_of(made({"a": ["0", "1"], "b": ["1"]}))) == [
        ("a", 0, None),
        ("a", 1, None),
        ("b", 0, None),
        ("b", 1, None),
    ]
    assert len(cells_of(made({"a": ["0", "1"], "b": ["1"]}, paired=False))) == 3


def test_later_runs_leave_the_places_of_the_earlier_ones() -> None:
    first = cells_of(made({"a": ["x", "y"], "b": ["x", "y"]}))
    later = cells_of(made({"b": ["1", "5", "x"], "c": ["y"]}, paired=False), first)
    assert places(later) == [*places(first), ("b", 2, "1"), ("b", 3, "5"), ("c", 0, "y")]
    assert places(cells_of(made({"a": ["5"]}, paired=False), first))[2] == ("a", 5, None)


def test_runs_that_are_paired_have_one_number_in_every_arm() -> None:
    first = cells_of(made({"a": ["x", "y"], "b": ["x", "y"]}))
    later = cells_of(made({"b": ["1", "z"], "c": ["1", "y"]}), first)
    assert {(entry.seed, entry.label) for entry in later} == {(0, "x"), (1, "y"), (2, "1"), (3, "z")}
    assert len(later) == 12


def test_keys_are_of_the_arm_and_the_label_and_safe_in_a_path() -> None:
    entries = cells_of(made({"a/b": ["..", "s 1"], "a b": ["s 1", ".."], "é" * 300: ["..", "s 1"]}))
    assert len({entry.key.lower() for entry in entries}) == 6
    assert cells_of(made({"a b": ["s 1"]}, paired=False))[0].key in {entry.key for entry in entries}


def test_the_manifest_says_where_runs_came_from() -> None:
    runs = made({"a": ["0"], "b": ["0"]}, left_out=3, remarks=("noted",), understood=(("arm", "column model"),))
    manifest = imported_manifest(runs, name="theirs", analysis={"margin": 0.02})
    assert manifest.format == 2
    assert manifest.data.to_json() == {
        "predictions": "classes",
        "path": "out/a.csv and out/b.csv",
        "classes": ["no", "yes"],
        "n_test": N,
        "left_out": 3,
        "remarks": ["noted"],
    }
    assert manifest.imported is not None
    assert [file.path for file in manifest.imported.files] == ["out/a.csv", "out/b.csv"]
    assert manifest.imported.understood == (("arm", "column model"),)
    again = imported_manifest(runs, name="theirs", analysis={"margin": 0.02}, before=manifest)
    assert again == manifest
    assert "paired" not in manifest.to_json()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a.csv",), "a.csv"),
        (("out/1/a.csv", "out/2/a.csv"), "out/1/a.csv and out/2/a.csv"),
        (("out/1/a.csv", "out/2/a.csv", "out/2/b.csv"), "3 files in out"),
        # A folder without a name says nothing, and its full stop would end a sentence.
        (("a.csv", "b/c.csv", "d.csv"), "a.csv and 2 more"),
        (("./a.csv", "./b.csv", "./c.csv"), "./a.csv and 2 more"),
        (("/data/a.csv", "b.csv", "c.csv"), "/data/a.csv and 2 more"),
    ],
)
def test_several_files_are_called_by_their_folder(paths: tuple[str, ...], expected: str) -> None:
    runs = made({"a": ["1"], "b": ["1"]})
    files = tuple(SourceFile(path=path, sha256="0" * 64) for path in paths)
    runs = replace(runs, runs=tuple(replace(run, sources=files) for run in runs.runs))
    assert imported_manifest(runs, name="x", analysis={}).data.path == expected


def test_a_file_with_the_labels_is_named_apart() -> None:
    runs = made({arm: ["1", "2"] for arm in "ab"})
    labels = SourceFile(path="test.csv", sha256="7" * 64)
    own = [SourceFile(path=f"out/{run.arm}/{run.label}.csv", sha256=run.arm + run.label) for run in runs.runs]
    named = [replace(run, sources=(one, labels)) for run, one in zip(runs.runs, own, strict=True)]
    manifest = imported_manifest(replace(runs, runs=tuple(named)), name="x", analysis={})
    assert manifest.data.path == "4 files in out, labels test.csv"
    one_table = [replace(run, sources=(own[0], labels)) for run in runs.runs]
    manifest = imported_manifest(replace(runs, runs=tuple(one_table)), name="x", analysis={})
    assert manifest.data.path == "out/a/1.csv and test.csv"


def test_a_file_is_known_by_its_bytes_and_by_its_path() -> None:
    def of(path: str, sha256: str) -> Runs:
        runs = made({"a": ["0"], "b": ["0"]})
        source = SourceFile(path=path, sha256=sha256)
        return replace(runs, runs=tuple(replace(run, sources=(source,)) for run in runs.runs))

    first = imported_manifest(of("x.csv", "1"), name="theirs", analysis={})
    assert first.data.path == "x.csv"
    for path, sha256, expected in (("y.csv", "1", [("x.csv", "1")]), ("x.csv", "2", [("x.csv", "2")])):
        later = imported_manifest(of(path, sha256), name="theirs", analysis={}, before=first)
        assert later.imported is not None
        assert [(file.path, file.sha256) for file in later.imported.files] == expected


def test_runs_that_are_not_paired_are_said_to_be_so() -> None:
    unpaired = imported_manifest(made({"a": ["0"], "b": ["1"]}, paired=False), name="x", analysis={})
    assert unpaired.to_json()["paired"] is False


def test_outcomes_need_no_disk() -> None:
    runs = made({"a": list("0123"), "b": list("0123")})
    report = report_on(imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis={})), resamples=99)
    assert [one.verdict.label for one in report.comparisons] == ["undecided"]
    assert report.arms[0].mean == pytest.approx(np.mean([(run.answers[0] == LABELS).mean() for run in runs.runs[:4]]))
    assert "theirs" in tables.markdown(report)


def test_a_run_that_is_not_there_waits() -> None:
    runs = made({"a": list("0123"), "b": list("012")})
    outcomes = imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis={}))
    assert outcomes.trials["b", 3].status == "not run"
    assert report_on(outcomes, resamples=99).waiting_seeds == (3,)


def test_a_run_with_a_name_is_called_by_it() -> None:
    runs = made({"a": ["first", "again", "final"], "b": ["first", "again"]})
    outcomes = imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis={}))
    shown = tables.markdown(report_on(outcomes, resamples=99))
    assert "Only runs first, again count: run final waits until every arm has run it." in shown


def test_groups_of_examples_are_drawn_together() -> None:
    runs = made({"a": list("0123"), "b": list("0123")})
    manifest = imported_manifest(runs, name="theirs", analysis={})
    outcomes = imported_outcomes(runs, manifest, clusters=[str(i // 3) for i in range(N)])
    assert report_on(outcomes, resamples=99).n_clusters == N // 3
