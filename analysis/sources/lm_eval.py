"""Logs of lm-evaluation-harness, read into rows: matched by document, as probabilities of classes or as one metric.

Where all documents offer the same choices, and the most probable one is what the log's own ``acc`` is about, the rows
hold the probabilities of the choices. Elsewhere, and where ``--metric`` names a metric of the log, they hold that one.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from analysis.errors import SourceError
from analysis.metrics.metric_kinds import METRICS
from analysis.problems import near
from analysis.sources.agreement import few
from analysis.sources.found_files import FoundFile
from analysis.sources.lm_eval_answers import and_more, labels_of, probabilities, scores, why_no_score
from analysis.sources.lm_eval_log import TOOL, Log, read_log
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows
from analysis.words import counted


def rows_of(found: Sequence[FoundFile], options: ImportOptions) -> Iterator[Rows]:
    """Read the logs of one task, one log a run.

    Parameters
    ----------
    found : sequence of FoundFile
        With the run of each, since no training seed stands in a log. Where the arm is not said, it is the folder's
        name, which the tool makes of the model's.
    options : ImportOptions
        Of which ``filter`` and ``metric`` count here.

    Yields
    ------
    Rows
        Of one file each, in their order.

    Raises
    ------
    SourceError
        With everything that is wrong: files without a run, lines that cannot be read, several tasks, filters or metrics
        without a choice, documents that are not the same in all files.
    """
    problems = _without_run(found)
    logs = []
    for file in found:
        try:
            logs.append(read_log(file, options.filter))
        except SourceError as error:
            problems += error.problems
    if unlike := _without_results(logs) or _questions(logs):
        problems += unlike
    else:
        problems += [*_twice(logs), *_filters(logs, options.filter), *_documents(logs)]
    if problems:
        raise SourceError(problems)
    answers = _answers(logs, options.metric)
    unlike_prompts = _unlike_prompts(logs)
    for rows in answers:
        yield dataclasses.replace(rows, remarks=(*rows.remarks, *unlike_prompts))


def _without_run(found: Sequence[FoundFile]) -> list[str]:
    files = [file.name for file in found if file.run is None]
    if not files:
        return []
    return [
        f"{few(files)}: no training seed stands in a log of {TOOL} (--seed is of the evaluation); say whose run it "
        f"is by --run {files[0]}=ARM,SEED or --pattern '{{arm}}-seed{{seed}}/samples_TASK_*.jsonl'"
    ]


def _without_results(logs: Sequence[Log]) -> list[str]:
    files = [log.file.name for log in logs if log.results is None]
    if not files or len(files) == len(logs):
        return []
    return [
        f"{few(files)}: no results of the same time lie beside, as they do beside the other logs, to tell the "
        f"versions of {TOOL} and of the task; copy results_*.json there"
    ]


def _questions(logs: Sequence[Log]) -> list[str]:
    files: dict[str, list[str]] = defaultdict(list)
    for log in logs:
        files[log.question or "a task without a name"].append(log.file.name)
    if len(files) < 2:
        return []
    told = "; ".join(f"{question} ({counted(len(names), 'log')}: {names[0]} ...)" for question, names in files.items())
    return [
        f"the logs are of different tasks, or versions of one: {told}. Import one, such as by "
        f"--pattern '{{arm}}-seed{{seed}}/samples_{logs[0].task or 'TASK'}_*.jsonl'"
    ]


def _twice(logs: Sequence[Log]) -> list[str]:
    files: dict[tuple[str, str], list[str]] = defaultdict(list)
    for log in logs:
        if log.file.run is not None:
            files[log.arm, log.file.run].append(log.file.name)
    return [
        f"{few(names)} are all arm {arm}, run {run}, such as an earlier and a later evaluation: name one of them"
        for (arm, run), names in files.items()
        if len(names) > 1
    ]


def _filters(logs: Sequence[Log], wanted: str | None) -> list[str]:
    filters = tuple(dict.fromkeys(name for log in logs for name in log.filters))
    if wanted is None and len(filters) > 1:
        return [f"the logs hold answers by {len(filters)} filters, {few(filters)}: choose one with --filter NAME"]
    lacking = [log.file.name for log in logs if wanted is not None and wanted not in log.filters]
    if not lacking:
        return []
    return [f"no filter {wanted!r} in {few(lacking)}: --filter can be {few(filters)}{near(wanted, filters)}"]


def _documents(logs: Sequence[Log]) -> list[str]:
    """Say where one ``doc_id`` is not the same document in all logs, and where documents were lost."""
    differing: dict[str, list[str]] = defaultdict(list)
    for log, row, other, at in _seen_before(logs):
        here, there = log.documents[row], other.documents[at]
        where = f"{log.place(row)}: doc_id {here.doc_id}"
        if here.doc_hash != there.doc_hash:
            differing[log.file.name].append(
                f"{where} is another document than in {other.place(at)}, by its doc_hash; evaluate all models on the "
                "same data, and with --samples, if any, in ascending order"
            )
        elif here.target != there.target:
            differing[log.file.name].append(
                f"{where} has the target {here.target!r}, and {there.target!r} in {other.place(at)}"
            )
    cut = [
        f"{log.file.name} has {counted(len(log.documents), 'document')}, and {log.results.name} counts "
        f"{log.results.documents}: lines are missing"
        for log in logs
        if log.documents and log.results and log.results.documents not in (None, 0, len(log.documents))
    ]
    return [*(messages[0] + and_more(messages) for messages in differing.values()), *cut]


def _unlike_prompts(logs: Sequence[Log]) -> tuple[str, ...]:
    for log, row, other, at in _seen_before(logs):
        if log.documents[row].prompt_hash != other.documents[at].prompt_hash:
            return (
                f"the prompts differ, such as in {log.place(row)} from {other.place(at)}, maybe by few-shot examples "
                "or a chat template; what that does is part of every gap",
            )
    return ()


def _seen_before(logs: Sequence[Log]) -> Iterator[tuple[Log, int, Log, int]]:
    """Yield the place of each document, with the place where its ``doc_id`` comes first."""
    first: dict[str, tuple[Log, int]] = {}
    for log in logs:
        for row, document in enumerate(log.documents):
            place = first.setdefault(document.doc_id, (log, row))
            if place != (log, row):
                yield log, row, *place


def _answers(logs: Sequence[Log], metric: str | None) -> Iterable[Rows]:
    """Decide what the rows hold, the same for all logs, and return them."""
    names = dict.fromkeys(name for log in logs for document in log.documents for name in document.metrics)
    no_score = {name: why for name in names if (why := why_no_score(name, logs))}
    usable = [name for name in names if name not in no_score]
    if metric in usable:
        return scores(logs, metric)
    labels, why_none = labels_of(logs) if "acc" in usable else (None, "")
    if labels is not None and (metric is None or metric in METRICS):
        return probabilities(logs, labels, [name for name in usable if name != "acc"])
    if metric is not None:
        why = no_score.get(metric, f"the logs score each document by {few(usable) or 'nothing'}")
        raise SourceError([f"--metric {metric}: {why}{near(metric, usable)}"])
    if why_none:
        return scores(logs, "acc", why_none)
    if len(usable) > 1:
        raise SourceError([f"the logs score each document by {few(usable)}: choose one with --metric NAME"])
    told = "; ".join(f"{name}: {why}" for name, why in no_score.items())
    if not usable:
        raise SourceError([f"no metric of the logs is a score of one document. {told or 'There is none'}"])
    return scores(logs, usable[0], f"the only score of one document; {told}" if told else "")
