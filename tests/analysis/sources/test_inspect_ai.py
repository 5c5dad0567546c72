"""Logs of inspect_ai: scores, epochs, errors, and logs that cannot be used, in files that inspect_ai itself wrote."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.errors import SourceError
from analysis.sources import inspect_log
from analysis.sources.found_files import FoundFile
from analysis.sources.inspect_ai import recognises, rows_of
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from analysis.sources.rows import Rows

LOGS = Path(__file__).parent / "inspect_ai/logs"
AVERAGED = "epochs are averaged within each sample: they are decoding repeats, not seeds."


def read(path: Path, *, arm: str | None = "lora", run: str | None = "1", **options: Any) -> Rows:
    (rows,) = rows_of([FoundFile(path=path, arm=arm, run=run)], ImportOptions(**options))
    return rows


def problems(path: Path, *, run: str | None = "1", **options: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        read(path, run=run, **options)
    return tuple(problem.replace(str(path), "LOG") for problem in caught.value.problems)


def values(rows: Rows) -> dict[str, list[float | None]]:
    return {name: column.to_pylist() for name, column in rows.scores.items()}


def content(name: str = "epochs.json") -> Any:
    return json.loads((LOGS / name).read_text())


def written(path: Path, log: Any) -> Path:
    path.write_text(json.dumps(log))
    return path


def zipped(path: Path, members: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, member in members.items():
            archive.writestr(name, json.dumps(member))
    return path


def header_and_samples() -> tuple[dict[str, Any], list[Any]]:
    log = content()
    samples = log.pop("samples")
    return log, samples


def with_values(*given: Any) -> Any:
    """A log of one epoch whose samples scored the values."""
    log = content()
    sample = log["samples"][0]
    log["samples"] = [
        {**sample, "id": n, "scores": {"judge": {"value": value}}} if value != "error" else {**sample, "id": n}
        for n, value in enumerate(given, 1)
    ]
    return log


def test_a_log_holds_one_run() -> None:
    path = LOGS / "lora/seed1.eval"
    rows = read(path)
    assert (rows.arm, rows.run) == ("lora", "1")
    assert rows.example.to_pylist() == [str(n) for n in range(1, 11)]
    assert values(rows) == {"match": [float(n not in (3, 5, 8)) for n in range(1, 11)]}
    assert (rows.source.tool, rows.source.version) == ("inspect_ai", "0.3.285")
    assert rows.source.task == "sums, version 0, dataset sums"
    assert rows.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert rows.understood == (("letters", "C is 1, P is 0.5, I and N are 0"),)
    assert rows.remarks == ()
    assert rows.place(4) == f"{path}, sample 5"


@pytest.mark.parametrize("name", ["epochs.eval", "epochs.json"])
def test_epochs_are_averaged_and_never_runs(name: str) -> None:
    rows = read(LOGS / name)
    assert values(rows) == {"match": [1.0, 1 / 3]}
    assert rows.run == "1"
    assert rows.remarks == (f"3 {AVERAGED}",)


def test_members_that_are_deflated_are_read_as_well() -> None:
    rows = read(LOGS / "old.eval")
    assert values(rows) == {"match": [1.0, 0.5, 0.0]}
    assert rows.source.version == "0.3.140"


def test_another_reduction_of_epochs_is_told() -> None:
    rows = read(LOGS / "reduced.eval")
    assert values(rows) == {"match": [1.0, 1 / 3]}
    assert rows.remarks[1] == "inspect_ai reduced the epochs by pass_at_2; here their mean is compared."


def test_letters_numbers_booleans_and_objects_are_scores() -> None:
    rows = read(LOGS / "scorers.eval")
    assert values(rows) == {
        "graded": [1.0, 0.5, 0.0, 0.0],
        "share": [0.5, 0.5, 0.0, None],
        "rubric/short": [1.0, 1.0, 1.0, 1.0],
        "rubric/letter": [1.0, 0.5, 0.0, 0.0],
    }
    assert rows.remarks == (f"{LOGS / 'scorers.eval'}: each cannot be compared: a list is not one number.",)


def test_a_metric_that_a_scorer_has_is_the_only_one() -> None:
    rows = read(LOGS / "scorers.eval", metric="rubric/letter")
    assert values(rows) == {"rubric/letter": [1.0, 0.5, 0.0, 0.0]}
    assert rows.remarks == ()


def test_a_metric_that_no_scorer_has_is_left_to_the_assembly() -> None:
    assert len(read(LOGS / "scorers.eval", metric="f1").scores) == 4


def test_a_sample_without_a_score_counts_where_another_score_is_compared() -> None:
    assert problems(LOGS / "scorers.eval", metric="share") == (
        "LOG: 1 sample of 4 without a score: 4; --common-examples leaves out of every run what one of them lacks",
    )
    assert len(read(LOGS / "scorers.eval", metric="graded").example) == 4


def test_a_list_is_no_score() -> None:
    assert problems(LOGS / "scorers.eval", metric="each") == (
        "LOG: each: a list is not one number; let the scorer give a number or an object",
    )


@pytest.mark.parametrize("name", ["errors.eval", "errors.json"])
def test_a_sample_that_failed_is_missing(name: str) -> None:
    missing = "1 sample of 3 without a score: 3 (error in the log: ValueError('no answer came'))"
    assert problems(LOGS / name) == (
        f"LOG: {missing}; --common-examples leaves out of every run what one of them lacks",
    )
    rows = read(LOGS / name, common_examples=True)
    assert rows.example.to_pylist() == ["1", "2"]
    assert values(rows) == {"match": [1.0, 1.0]}
    assert rows.remarks == (
        f"2 {AVERAGED}",
        f"{LOGS / name}: {missing}.",
        f"{LOGS / name}: 1 sample with a score in fewer than 2 epochs: 2.",
    )


@pytest.mark.parametrize("status", ["started", "cancelled"])
def test_a_log_that_did_not_end_is_refused(status: str) -> None:
    assert problems(LOGS / f"stopped/{status}.eval", common_examples=True) == (
        f"LOG: its status is {status}, so samples are missing; complete it by: inspect eval-retry LOG",
    )


def test_whose_run_it_is_must_be_said(tmp_path: Path) -> None:
    log = {**content(), "invalidated": True}
    assert problems(written(tmp_path / "log.json", log), run=None) == (
        "LOG: a log of inspect_ai holds no training seed; say whose run it is by "
        "--pattern '{arm}/seed{seed}.eval' or --run LOG=ARM,SEED",
        "LOG: some of its samples were invalidated; ask them again by: inspect eval-retry LOG",
    )


def test_the_arm_is_the_model_where_only_the_seed_is_known() -> None:
    assert read(LOGS / "epochs.eval", arm=None).arm == "mockllm/model"


def test_a_log_without_samples_is_refused(tmp_path: Path) -> None:
    header, _ = header_and_samples()
    assert problems(written(tmp_path / "log.json", header)) == (
        "LOG: it holds no samples, only figures over all of them; keep them by: inspect eval --log-samples",
    )


@pytest.mark.parametrize("summaries", [None, 2])
def test_samples_are_read_where_summaries_are_missing(tmp_path: Path, summaries: int | None) -> None:
    header, samples = header_and_samples()
    members: dict[str, Any] = {f"samples/{s['id']}_epoch_{s['epoch']}.json": s for s in samples}
    if summaries is not None:
        members["summaries.json"] = samples[:summaries]
    path = zipped(tmp_path / "log.eval", {**members, "header.json": header})
    assert values(read(path)) == values(read(LOGS / "epochs.eval"))


def test_a_member_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    # inspect_ai begins a new Zstandard frame every 200 MiB, at which Python 3.14's own zipfile stops.
    header, samples = header_and_samples()
    path, summaries = tmp_path / "log.eval", json.dumps(samples).encode()
    frames = [pa.compress(part, "zstd", asbytes=True) for part in (summaries[:5000], summaries[5000:])]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(header))
        archive.writestr("summaries.json", b"".join(frames))
        info = archive.getinfo("summaries.json")
        info.compress_type, info.file_size, info.CRC = 93, len(summaries), zlib.crc32(summaries)
    assert values(read(path)) == values(read(LOGS / "epochs.eval"))


def test_a_sample_that_was_asked_again_counts_once(tmp_path: Path) -> None:
    log = content()
    again = {**log["samples"][0], "scores": {"match": {"value": "I"}}}
    log["samples"].append(again)
    assert values(read(written(tmp_path / "log.json", log))) == {"match": [2 / 3, 1 / 3]}


def test_values_are_read_as_inspect_ai_reads_them(tmp_path: Path) -> None:
    given = ("C", "I", "P", "N", True, False, "yes", "No", "TRUE", "false", "0.25", -3, 1e300)
    rows = read(written(tmp_path / "log.json", with_values(*given)))
    assert values(rows) == {"judge": [1, 0, 0.5, 0, 1, 0, 1, 0, 1, 0, 0.25, -3, 1e300]}


def test_letters_are_only_said_where_there_are_any(tmp_path: Path) -> None:
    assert read(written(tmp_path / "log.json", with_values(1, 0.5))).understood == ()


def test_values_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    given = ("C", "A", "c", "nan", float("inf"), 10**400)
    assert problems(written(tmp_path / "log.json", with_values(*given))) == (
        "LOG: judge of sample 2 is 'A', judge of sample 3 is 'c', judge of sample 4 is 'nan', "
        f"judge of sample 5 is inf, judge of sample 6 is {str(10**400)[:57]}...; "
        "expected finite numbers, true or false, or C, P, I and N",
    )


def test_a_score_that_is_no_number_may_stand_beside_the_one_that_is_compared(tmp_path: Path) -> None:
    path = written(tmp_path / "log.json", with_values({"a": 1, "b": "A"}, {"a": 0, "b": "C"}))
    assert problems(path) == (
        "LOG: judge/b of sample 1 is 'A'; expected finite numbers, true or false, or C, P, I and N; "
        "--metric chooses among judge/a, judge/b",
    )
    assert values(read(path, metric="judge/a")) == {"judge/a": [1, 0]}


def test_what_a_scorer_of_objects_left_open_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path / "log.json", with_values({"a": 1, "b": None}, float("nan"), {"a": 0, "b": 1}))
    assert read(path, metric="judge/b", common_examples=True).example.to_pylist() == ["3"]


def test_no_score_at_all_is_refused_whatever_counts(tmp_path: Path) -> None:
    log = with_values(float("nan"), None)
    assert problems(written(tmp_path / "log.json", log), common_examples=True) == (
        "LOG: 2 samples of 2 without a score: 1, 2",
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 1}, "version: input should be 2, got 1"),
        ({"eval": {"task": "sums"}}, "eval.model: it is missing"),
        ({"samples": [{"id": 1}]}, "samples.0.epoch: it is missing"),
        ({"samples": [{}] * 3}, "samples.0.id: it is missing; samples.0.epoch: it is missing; "
         "samples.1.id: it is missing; samples.1.epoch: it is missing; samples.2.id: it is missing; and 1 more"),
    ],
)  # fmt: skip
def test_another_layout_is_refused(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    path = written(tmp_path / "log.json", {**content(), **change})
    assert problems(path) == (f"LOG cannot be read as a log of inspect_ai, version 2: {problem}",)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.eval") == (
        "LOG cannot be read as a log of inspect_ai, version 2: No such file or directory",
    )
    (tmp_path / "log.json").write_text('{"version": 2, "status"')
    (problem,) = problems(tmp_path / "log.json")
    assert "EOF while parsing" in problem
    assert problems(zipped(tmp_path / "other.eval", {"data.json": 1})) == (
        "LOG cannot be read as a log of inspect_ai, version 2: it holds neither header.json nor _journal/start.json",
    )


@pytest.mark.parametrize("place", range(0, 12_000, 400))
def test_a_damaged_archive_is_read_right_or_refused(tmp_path: Path, place: int) -> None:
    whole = bytearray((LOGS / "epochs.eval").read_bytes())
    whole[place : place + 40] = bytes(40)
    path = tmp_path / "log.eval"
    path.write_bytes(whole)
    try:
        assert values(read(path)) == values(read(LOGS / "epochs.eval"))
    except SourceError as error:
        assert "cannot be read as a log of inspect_ai" in str(error)  # noqa: PT017


def test_a_member_of_absurd_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_log, "_LARGEST", 1000)
    (problem,) = problems(LOGS / "epochs.eval")
    assert "header.json says that it has" in problem
    assert problem.endswith("bytes, more than 1,000")


def test_logs_are_recognised_by_what_is_in_them(tmp_path: Path) -> None:
    for path in LOGS.rglob("*.*"):
        assert recognises(path.read_bytes()[:4096]), path
    np.savez(tmp_path / "scores.npz", lora=np.zeros(3))
    assert not recognises((tmp_path / "scores.npz").read_bytes()[:4096])
    assert not recognises(b'{"version": 3, "results": [], "eval": {}}')
    assert not recognises(b"")
    assert not recognises(b"PK\x03\x04")


def test_logs_become_runs() -> None:
    runs = read_sources([LOGS], ImportOptions(pattern="{arm}/seed{seed}.eval"))
    assert (runs.answers, runs.score, runs.higher_is_better, runs.paired) == ("scores", "match", True, True)
    wrong = [np.flatnonzero(run.answers[0] == 0) + 1 for run in runs.runs]
    assert [numbers.tolist() for numbers in wrong] == [[3, 8], [8], [3], [3, 5, 8], [5, 8], [5, 9, 10]]
    assert runs.remarks == ()


def two(first: Path, second: Path) -> list[FoundFile]:
    return [FoundFile(path=first, arm="full", run="1"), FoundFile(path=second, arm="lora", run="1")]


def problems_of_two(first: Path, second: Path) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        read_sources([], ImportOptions(runs={str(first): ("full", "1"), str(second): ("lora", "1")}))
    return tuple(
        problem.replace(str(first), "FIRST").replace(str(second), "SECOND") for problem in caught.value.problems
    )


def test_logs_of_unlike_tasks_and_versions_are_refused(tmp_path: Path) -> None:
    log = content()
    log["eval"] |= {"task_version": 2, "packages": {"inspect_ai": "0.3.200"}}
    assert problems_of_two(LOGS / "epochs.json", written(tmp_path / "other.json", log)) == (
        "the files are not of one tool and version, which may score differently: "
        "inspect_ai 0.3.285 wrote FIRST; inspect_ai 0.3.200 wrote SECOND. Import those of one",
        "the files are not of one task: FIRST holds sums, version 0, dataset sums; "
        "SECOND holds sums, version 2, dataset sums. Import those of one",
    )


def test_an_id_that_was_counted_after_a_shuffle_names_two_samples() -> None:
    assert problems_of_two(LOGS / "shuffled/3.eval", LOGS / "shuffled/4.eval") == (
        "SECOND: sample 1 asks '3+3=', and in FIRST '2+2=' (and 1 more sample); evaluate all runs on the same samples, "
        "with ids of their own: inspect_ai counts those that have none after a shuffle",
    )


def test_questions_are_told_from_where_they_differ(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        log = content()
        for sample in log["samples"]:
            sample["input"] = [{"role": "user", "content": "Answer with one number. " * 9 + f"{name} and so on"}]
        paths.append(written(tmp_path / f"{name}.json", log))
    (problem,) = problems_of_two(paths[0], paths[1])
    assert "sample 1 asks 'er with one number. b and so on', and in FIRST 'er with one number. a and so on'" in problem


def test_a_question_of_messages_is_the_same_in_summaries_and_samples(tmp_path: Path) -> None:
    picture = {"type": "image", "image": "attachment://1"}
    whole = [{"id": "a", "role": "user", "content": [{"type": "text", "text": "x" * 6000}, picture]}]
    short = [{"id": "b", "role": "user", "content": [{"type": "text", "text": "x" * 5120 + "...\n(content truncated)"},
                                                     {"type": "text", "text": "(Image)"}]}]  # fmt: skip
    paths = []
    for name, question in (("whole", whole), ("short", short)):
        log = content()
        log["samples"] = [{**sample, "input": question} for sample in log["samples"]]
        paths.append(written(tmp_path / f"{name}.json", log))
    assert len(list(rows_of(two(paths[0], paths[1]), ImportOptions()))) == 2


def test_targets_that_differ_are_told(tmp_path: Path) -> None:
    log = content()
    log["samples"] = [{**sample, "target": ["2", "two"] if sample["id"] == 1 else "4"} for sample in log["samples"]]
    path = written(tmp_path / "other.json", log)
    told = (
        "1 target not the same in all logs, such as of sample 1: "
        f"'2' in {LOGS / 'epochs.json'}, '2, two' in {path}; shuffled choices do that, and so does another answer key."
    )
    assert [rows.remarks for rows in rows_of(two(LOGS / "epochs.json", path), ImportOptions())] == [
        (f"3 {AVERAGED}", told)
    ] * 2


def test_problems_of_all_logs_are_told_at_once() -> None:
    told = problems_of_two(LOGS / "errors.eval", LOGS / "stopped/started.eval")
    assert [problem.partition(": ")[0] for problem in told] == ["FIRST", "SECOND"]
