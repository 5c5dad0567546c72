"""Logs of lm-evaluation-harness 0.4.13, which it wrote itself: lm_eval/make.sh says how."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import SourceError
from analysis.sources.found_files import FoundFile, find_files
from analysis.sources.lm_eval import rows_of
from analysis.sources.lm_eval_log import recognises
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from analysis.sources.rows import Rows
from analysis.sources.runs import Runs

LOGS = Path(__file__).parent / "lm_eval" / "logs"


def read(task: str, logs: Path = LOGS, **options: Any) -> list[Rows]:
    chosen = ImportOptions(pattern=f"{{arm}}-seed{{seed}}/samples_{task}_*.jsonl", **options)
    return list(rows_of(find_files([logs], chosen).files, chosen))


def problems(task: str, logs: Path = LOGS, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as raised:
        read(task, logs, **options)
    return raised.value.problems


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A copy of the logs to spoil."""
    return Path(shutil.copytree(LOGS, tmp_path / "logs"))


def samples(logs: Path, run: str, task: str) -> Path:
    (path,) = (logs / run).glob(f"samples_{task}_*.jsonl")
    return path


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    """Change the lines of a log."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def rewrite_results(logs: Path, run: str, change: Callable[[dict[str, Any]], object]) -> Path:
    (path,) = (logs / run).glob("results_*.json")
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return path


def results_of(run: str) -> dict[str, Any]:
    (path,) = (LOGS / run).glob("results_*.json")
    return json.loads(path.read_text())["results"]


def test_the_choices_that_all_documents_share_are_classes() -> None:
    read_rows = read("sentiment")
    assert [(rows.arm, rows.run) for rows in read_rows] == [
        (arm, seed) for arm in ("full", "lora-r8") for seed in "123"
    ]
    for rows in read_rows:
        assert rows.example.to_pylist() == [str(number) for number in range(12)]
        assert list(rows.outputs) == ["negative", "positive"]
        assert not rows.scores
        negative, positive = (column.to_numpy() for column in rows.outputs.values())
        np.testing.assert_allclose(negative + positive, 1)
        predicted = np.where(positive > negative, "positive", "negative")
        figures = results_of(f"{rows.arm}-seed{rows.run}")["sentiment"]
        assert np.mean(predicted == np.array(rows.label.to_pylist())) == pytest.approx(figures["acc,none"])
        assert rows.remarks == ()
    first = read_rows[0]
    assert first.label.to_pylist()[:4] == ["positive", "negative", "positive", "negative"]
    line = json.loads(samples(LOGS, "full-seed1", "sentiment").read_text().splitlines()[0])
    gap = float(line["filtered_resps"][1][0]) - float(line["filtered_resps"][0][0])
    assert first.outputs["positive"][0].as_py() == pytest.approx(1 / (1 + np.exp(-gap)))
    assert (first.source.tool, first.source.version) == ("lm-evaluation-harness", "0.4.13")
    assert first.source.task == "sentiment, version 1.0"
    assert first.place(11) == f"{samples(LOGS, 'full-seed1', 'sentiment')}, line 12"
    assert dict(first.understood)["probabilities"] == (
        "softmax of the log-likelihoods of negative, positive; --metric acc_norm takes that score of the log"
    )


def test_a_metric_of_the_log_is_a_score_when_it_is_asked_for() -> None:
    for metric in ("acc", "acc_norm"):
        for rows in read("sentiment", metric=metric):
            figures = results_of(f"{rows.arm}-seed{rows.run}")["sentiment"]
            assert rows.scores[metric].to_numpy().mean() == pytest.approx(figures[f"{metric},none"])
            assert (rows.outputs, rows.label, rows.higher_is_better) == ({}, None, True)


def test_a_metric_of_classes_leaves_them_probabilities() -> None:
    assert list(read("sentiment", metric="macro_f1")[0].outputs) == ["negative", "positive"]


def test_choices_that_differ_between_documents_are_scored_by_a_metric_of_choice() -> None:
    assert problems("quiz") == ("the logs score each document by acc, acc_norm: choose one with --metric NAME",)
    rows = read("quiz", metric="acc_norm")[0]
    assert rows.scores["acc_norm"].to_numpy().mean() == pytest.approx(results_of("full-seed1")["quiz"]["acc_norm,none"])


def test_a_figure_of_all_documents_is_no_score() -> None:
    assert problems("quiz", metric="brier_score") == (
        "--metric brier_score: of a document the log holds a list, from which a figure for all of them is computed",
    )
    (problem,) = problems("last_word", metric="perplexity")
    assert problem.startswith("--metric perplexity: of a document the log holds the log-likelihood")
    assert problems("quiz", metric="acc_nrm") == (
        "--metric acc_nrm: the logs score each document by acc, acc_norm; did you mean 'acc_norm'?",
    )


def test_the_only_score_is_taken_and_what_is_left_aside_is_said() -> None:
    rows = read("last_word")[0]
    assert list(rows.scores) == ["acc"]
    assert dict(rows.understood)["score"] == (
        "acc (the only score of one document; perplexity: of a document the log holds the log-likelihood, of which "
        "more is better, and no perplexity)"
    )
    assert rows.remarks == ()


def test_of_several_filters_one_is_chosen() -> None:
    assert problems("echo") == (
        "the logs hold answers by 2 filters, whole-answer, first-letter: choose one with --filter NAME",
    )
    assert problems("echo", filter="first-leter")[0].endswith(
        "and 1 more: --filter can be whole-answer, first-letter; did you mean 'first-letter'?"
    )
    for number, name in enumerate(("whole-answer", "first-letter")):
        for rows in read("echo", filter=name):
            figures = results_of(f"{rows.arm}-seed{rows.run}")["echo"]
            assert rows.scores["exact_match"].to_numpy().mean() == pytest.approx(figures[f"exact_match,{name}"])
            assert ("filter", name) in rows.understood
            assert rows.place(0).endswith(f"line {1 + 8 * number}")


def test_equal_documents_stay_apart() -> None:
    path = samples(LOGS, "full-seed1", "echo")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[3]["doc_hash"] == lines[4]["doc_hash"]
    assert read("echo", filter="whole-answer")[0].example.to_pylist() == [str(number) for number in range(8)]


def test_a_log_without_a_run_is_refused() -> None:
    paths = [samples(LOGS, run, "quiz") for run in ("full-seed1", "lora-r8-seed1")]
    options = ImportOptions(metric="acc")
    with pytest.raises(SourceError) as raised:
        list(rows_of(find_files(paths, options).files, options))
    (problem,) = raised.value.problems
    assert problem.startswith(f"{paths[0]}, {paths[1]}: no training seed stands in a log")
    assert f"--run {paths[0]}=ARM,SEED or --pattern" in problem


def test_the_folder_is_the_arm_where_only_the_run_is_known() -> None:
    found = [FoundFile(path=samples(LOGS, "full-seed1", "quiz"), run="1")]
    (rows,) = rows_of(found, ImportOptions(metric="acc"))
    assert (rows.arm, rows.run) == ("full-seed1", "1")
    assert ("arm", "name of the folder") in rows.understood


def test_two_logs_of_one_run_are_refused(logs: Path) -> None:
    path = samples(logs, "full-seed1", "quiz")
    again = path.with_name("samples_quiz_2026-12-01T10-00-00.000000.jsonl")
    for beside in list(path.parent.iterdir()):
        if beside.name.startswith(("samples_quiz", "results")):
            shutil.copy(
                beside, beside.with_name(beside.name.partition("_2026-")[0] + again.name[12:-6] + beside.suffix)
            )
    found = [FoundFile(path=path, run="1"), FoundFile(path=again, run="1")]
    with pytest.raises(SourceError, match=r"are all arm full-seed1, run 1, such as an earlier and a later evaluation"):
        list(rows_of(found, ImportOptions(metric="acc")))


def test_tasks_and_their_versions_do_not_mix(logs: Path) -> None:
    options = ImportOptions(
        runs={
            str(samples(logs, "full-seed1", "quiz")): ("full", "1"),
            str(samples(logs, "lora-r8-seed1", "echo")): ("lora", "1"),
        }
    )
    with pytest.raises(
        SourceError, match=r"different tasks, or versions of one: quiz, version 1\.0 .*; echo, version 1"
    ):
        list(rows_of(find_files([], options).files, options))
    rewrite_results(logs, "full-seed2", lambda told: told["versions"].update(quiz=2.0))
    (problem,) = problems("quiz", logs, metric="acc")
    assert "quiz, version 2.0" in problem
    assert "--pattern '{arm}-seed{seed}/samples_quiz_*.jsonl'" in problem


def test_a_document_that_is_another_one_is_refused_by_both_places(logs: Path) -> None:
    path = rewrite(samples(logs, "lora-r8-seed1", "quiz"), lambda lines: [line.update(doc_hash="0") for line in lines])
    (problem,) = problems("quiz", logs, metric="acc")
    first = samples(logs, "full-seed1", "quiz")
    assert problem.startswith(f"{path}, line 1: doc_id 0 is another document than in {first}, line 1, by its doc_hash;")
    assert problem.endswith("(and 7 more documents of this file)")


def test_another_target_is_refused(logs: Path) -> None:
    path = rewrite(samples(logs, "lora-r8-seed1", "quiz"), lambda lines: lines[2].update(target="1"))
    first = samples(logs, "full-seed1", "quiz")
    assert problems("quiz", logs, metric="acc") == (
        f"{path}, line 3: doc_id 2 has the target '1', and '2' in {first}, line 3",
    )


def test_unlike_prompts_are_said(logs: Path) -> None:
    path = rewrite(samples(logs, "lora-r8-seed3", "quiz"), lambda lines: lines[4].update(prompt_hash="0"))
    (remark,) = {remark for rows in read("quiz", logs, metric="acc") for remark in rows.remarks}
    assert remark.startswith(f"the prompts differ, such as in {path}, line 5")


def test_lines_that_cannot_be_read_are_told_all_at_once(logs: Path) -> None:
    first, second = samples(logs, "full-seed1", "quiz"), samples(logs, "full-seed2", "quiz")
    lines = first.read_text().splitlines(keepends=True)
    lines[1] = "{]\n"
    lines[2] = '{"doc_id": "2", "doc_hash": "a", "target": "1"}\n'
    lines[3] = "[1]\n"
    first.write_text("".join(lines)[:-40])
    second.write_text("\n")
    told = problems("quiz", logs, metric="acc")
    assert [problem.partition(": ")[0] for problem in told] == [
        *(f"{first}, line {number}" for number in (2, 3, 4, 8)),
        f"{second} is empty",
    ]
    assert "this is no JSON (" in told[0]
    assert "expected doc_id, filter, metrics, as every line" in told[1]
    assert "expected doc_id, doc_hash, target, filter, metrics" in told[2]
    assert told[3].endswith("the file is cut off here; evaluate the model again")


def limited(logs: Path, run: str, documents: int) -> None:
    """Leave what ``--limit`` leaves."""
    path = samples(logs, run, "quiz")
    rewrite(path, lambda lines: lines.__delitem__(slice(documents, None)))
    metrics = [json.loads(line) for line in path.read_text().splitlines()]
    mean = sum(line["acc"] for line in metrics) / documents
    rewrite_results(logs, run, lambda told: told["results"]["quiz"].update({"sample_len": documents, "acc,none": mean}))


def runs(task: str, logs: Path = LOGS, **options: Any) -> Runs:
    return read_sources([logs], ImportOptions(pattern=f"{{arm}}-seed{{seed}}/samples_{task}_*.jsonl", **options))


def test_logs_become_runs_of_probabilities_or_scores() -> None:
    read_runs = runs("sentiment")
    assert (read_runs.answers, read_runs.classes, read_runs.paired) == ("probabilities", ("negative", "positive"), True)
    for run in read_runs.runs:
        right = run.answers[0].argmax(axis=1) == read_runs.labels
        assert right.mean() == pytest.approx(results_of(f"{run.arm}-seed{run.label}")["sentiment"]["acc,none"])
    read_runs = runs("echo", filter="first-letter")
    assert (read_runs.answers, read_runs.score, read_runs.higher_is_better) == ("scores", "exact_match", True)
    assert read_runs.example_ids.to_pylist() == [str(number) for number in range(8)]
    for run in read_runs.runs:
        figure = results_of(f"{run.arm}-seed{run.label}")["echo"]["exact_match,first-letter"]
        assert run.answers.mean() == pytest.approx(figure)


def test_documents_that_a_limit_left_out_are_not_cut_unasked(logs: Path) -> None:
    limited(logs, "lora-r8-seed2", 5)
    with pytest.raises(SourceError, match=r"arm lora-r8, run 2 lacks 3 of 8 examples: 5, 6, 7.*--common-examples"):
        runs("quiz", logs, metric="acc")
    read_runs = runs("quiz", logs, metric="acc", common_examples=True)
    assert (len(read_runs.example_ids), read_runs.left_out) == (5, 3)


def test_a_score_that_is_nan_is_told_with_its_line(logs: Path) -> None:
    path = rewrite(samples(logs, "full-seed2", "quiz"), lambda lines: lines[6].update(acc=float("nan")))
    assert "NaN" in path.read_text()
    with pytest.raises(SourceError, match=rf"{path}, line 7: the score acc is missing or not finite"):
        runs("quiz", logs, metric="acc")


def test_a_folder_of_logs_without_a_pattern_says_what_is_lacking() -> None:
    with pytest.raises(SourceError) as raised:
        read_sources([LOGS], ImportOptions())
    without_run, tasks = raised.value.problems
    assert "--pattern '{arm}-seed{seed}/samples_TASK_*.jsonl'" in without_run
    assert [name in tasks for name in ("echo, version 1.0 (6 logs: ", "last_word", "quiz", "sentiment")] == [True] * 4


def test_lines_that_are_missing_are_noticed_by_the_results(logs: Path) -> None:
    path = rewrite(samples(logs, "full-seed1", "quiz"), lambda lines: lines.pop())
    (results,) = (logs / "full-seed1").glob("results_*.json")
    assert problems("quiz", logs, metric="acc") == (
        f"{path} has 7 documents, and {results} counts 8: lines are missing",
    )


def test_a_score_that_is_no_number_is_told_with_its_line(logs: Path) -> None:
    path = rewrite(
        samples(logs, "full-seed1", "last_word"), lambda lines: [line.update(acc=None) for line in lines[2:]]
    )
    assert problems("last_word", logs, metric="acc") == (
        f"{path}, line 3: expected a number as acc, got nothing (and 1 more document of this file)",
    )


def test_a_number_whose_mean_is_not_the_figure_is_no_score(logs: Path) -> None:
    results = rewrite_results(logs, "full-seed1", lambda told: told["results"]["quiz"].update({"acc,none": 0.9}))
    (problem,) = problems("quiz", logs, metric="acc")
    assert problem.endswith(f"and {results} says 0.9; did you mean 'acc_norm'?")


def test_nothing_scored(logs: Path) -> None:
    for path in logs.glob("*/samples_last_word_*"):
        rewrite(path, lambda lines: [line.update(metrics=["bypass"], bypass=None) for line in lines])
    (problem,) = problems("last_word", logs)
    assert problem.startswith("no metric of the logs is a score of one document. bypass: it is empty in ")


def test_log_likelihoods_that_are_no_numbers(logs: Path) -> None:
    path = rewrite(
        samples(logs, "full-seed1", "sentiment"),
        lambda lines: [line.update(filtered_resps=[["nan", "False"], ["-0.1", "False"]]) for line in lines[4:6]],
    )
    assert problems("sentiment", logs) == (
        f"{path}, line 5: the log-likelihoods of negative, positive are nan, -0.1 (and 1 more document of this file); "
        "--metric acc takes what the log makes of them",
    )
    assert len(read("sentiment", logs, metric="acc")) == 6


def test_a_choice_that_cannot_be_has_no_probability(logs: Path) -> None:
    def impossible(lines: list[dict[str, Any]]) -> None:
        line = next(line for line in lines if line["target"] == "1" and line["acc"] == 1)
        line["filtered_resps"][0][0] = "-inf"

    rewrite(samples(logs, "full-seed1", "sentiment"), impossible)
    assert read("sentiment", logs)[0].outputs["negative"].to_numpy().min() == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"filtered_resps": [["-2.5", "False"], ["-2.5", "False"]]}, "since two choices are equally probable in "),
        (
            {"filtered_resps": [["-1", "False"], ["-9", "False"]], "acc": 1.0},
            "since acc is not about the most probable choice in ",
        ),
        ({"target": "[0, 1]"}, "since not every target is one of negative, positive"),
    ],
)
def test_where_the_most_probable_choice_is_not_what_acc_counts_acc_is_compared(
    logs: Path, change: dict[str, Any], why: str
) -> None:
    for path in logs.glob("*/samples_sentiment_*"):
        rewrite(path, lambda lines: lines[0].update(change))
    for path in logs.glob("*/results_*"):
        path.unlink()
    read_rows = read("sentiment", logs)
    assert all(list(rows.scores) == ["acc"] and not rows.outputs for rows in read_rows)
    assert why in dict(read_rows[0].understood)["score"]


def test_targets_may_be_the_choices_themselves(logs: Path) -> None:
    before = read("sentiment", logs)
    for path in logs.glob("*/samples_sentiment_*"):
        rewrite(
            path, lambda lines: [line.update(target=["negative", "positive"][int(line["target"])]) for line in lines]
        )
    after = read("sentiment", logs)
    assert [rows.label.to_pylist() for rows in after] == [rows.label.to_pylist() for rows in before]


def test_numerals_among_the_choices_are_read_as_acc_reads_them(logs: Path) -> None:
    def reversed_names(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            for pair, name in zip(line["arguments"].values(), (" 1", " 0"), strict=True):
                pair["arg_1"] = name
            line["target"] = "01"[line["target"] == "0"]

    for path in logs.glob("*/samples_sentiment_*"):
        rewrite(path, reversed_names)
    rows = read("sentiment", logs)[0]
    assert list(rows.outputs) == ["1", "0"]
    assert rows.label.to_pylist()[:4] == ["0", "1", "0", "1"]


def test_without_results_the_direction_is_not_known(logs: Path) -> None:
    for path in logs.glob("full-*/results_*"):
        path.unlink()
    (problem,) = problems("quiz", logs, metric="acc")
    assert "copy results_*.json there" in problem
    for path in logs.glob("*/results_*"):
        path.unlink()
    rows = read("quiz", logs, metric="acc")[0]
    assert (rows.source.version, rows.source.task, rows.higher_is_better) == (None, "quiz", None)
    assert rows.remarks == (
        "the logs do not say which way acc goes; more counts as better unless --lower-is-better says not",
    )


def test_results_that_cannot_be_read_are_told(logs: Path) -> None:
    (first,) = (logs / "full-seed1").glob("results_*.json")
    first.write_text("{")
    second = rewrite_results(logs, "full-seed2", lambda told: told.pop("versions"))
    told = problems("quiz", logs, metric="acc")
    assert told[0].startswith(f"{first} cannot be read: ")
    assert told[1] == f"{second}: expected what lm-evaluation-harness 0.4.13 writes about task quiz"


def test_logs_are_recognised_by_what_is_in_them() -> None:
    for task in ("sentiment", "quiz", "echo", "last_word"):
        whole = samples(LOGS, "full-seed1", task).read_bytes()
        assert recognises(whole)
        assert recognises(whole[:100])
    assert not recognises(b'{"doc_id": 0, "doc_hash": "a"}\n')
    assert not recognises(b"[1, 2]\n")
    assert not recognises(b"")
