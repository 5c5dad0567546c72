"""inspect_ai: the scores of a log, one row a sample; epochs are repeats of an answer, and count as their mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.errors import SourceError
from analysis.problems import shown
from analysis.sources.agreement import few
from analysis.sources.arrow import number_column, text_column
from analysis.sources.found_files import FoundFile
from analysis.sources.inspect_log import InspectLog, read_log
from analysis.sources.inspect_scores import SampleScores, scores_of
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows
from analysis.words import counted

_HEAD = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:\s*"[a-z]+"\s*,\s*"eval"\s*:')


def recognises(head: bytes) -> bool:
    """Return whether a file that begins so, by its first 4 KiB, is a log of inspect_ai.

    Examples
    --------
    >>> recognises(b'{"version": 2, "status": "success", "eval": {}}'), recognises(b'{"version": 3, "results": []}')
    (True, False)
    """
    if head.startswith(b"PK\x03\x04"):
        # NumPy's archives are zips as well; the name of the first member starts at byte 30.
        return head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".json")
    return _HEAD.match(head) is not None


def rows_of(found: Sequence[FoundFile], options: ImportOptions) -> Iterator[Rows]:
    """Read the scores of logs, one log a run.

    Parameters
    ----------
    found : sequence of FoundFile
        With the run of each: no training seed stands in a log. Where only the run is known, the arm is the log's model.
    options : ImportOptions
        Of which ``metric`` and ``common_examples`` count here.

    Yields
    ------
    Rows
        Of one log each, in their order, with one row a sample. A score is named after its scorer, ``scorer/key`` where
        the scorer gave an object; it is the mean over the epochs that have one.

    Raises
    ------
    SourceError
        With everything that is wrong with all logs, or where one id stands for two samples.
    """
    problems = [*_without_run(found)]
    rows, asked = [], _Asked()
    for file in found:
        try:
            rows.append(_rows_of_log(file, options, asked))
        except SourceError as error:
            problems += error.problems
    problems += asked.problems()
    if problems:
        raise SourceError(problems)
    for of_log in rows:
        yield replace(of_log, remarks=(*of_log.remarks, *asked.remarks()))


def _rows_of_log(found: FoundFile, options: ImportOptions, asked: _Asked) -> Rows:
    log = read_log(found.path)
    scores = scores_of(log.samples or (), options.metric)
    asked.compare(found, scores)
    faults = [*_unfinished(log, found)] or [*scores.problems(common_examples=options.common_examples)]
    if faults:
        raise SourceError(f"{found.name}: {fault}" for fault in faults)
    kept = np.flatnonzero(scores.scored)
    examples = [scores.examples[row] for row in kept]
    return Rows(
        source=found.source(tool="inspect_ai", version=log.eval.packages.get("inspect_ai"), task=_task(log)),
        arm=log.eval.model if found.arm is None else found.arm,
        run=found.run or "",
        example=text_column(examples),
        scores={name: number_column(means[kept], null=np.isnan(means[kept])) for name, means in scores.means.items()},
        understood=(("letters", "C is 1, P is 0.5, I and N are 0"),) if scores.letters else (),
        remarks=(*_epochs(log, scores), *(f"{found.name}: {remark}" for remark in scores.remarks())),
        place=lambda row: f"{found.name}, sample {examples[row]}",
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """A sample as the log holds it that names it first."""

    question: str
    target: str
    file: str


class _Asked:
    """Compares what logs asked: with the ids that inspect_ai counts, one id may be another sample in every log."""

    def __init__(self) -> None:
        self._first: dict[str, _Sample] = {}
        self._other_questions: dict[str, list[str]] = {}
        self._other_targets: dict[str, str] = {}

    def compare(self, found: FoundFile, scores: SampleScores) -> None:
        """Compare the samples of a log with those of the logs before it."""
        for example, question, target in zip(scores.examples, scores.questions, scores.targets, strict=True):
            first = self._first.setdefault(example, _Sample(question, target, found.name))
            if first.question != question:
                here, there = _from_their_difference(question, first.question)
                self._other_questions.setdefault(found.name, []).append(
                    f"sample {example} asks {shown(here)}, and in {first.file} {shown(there)}"
                )
            elif first.target != target:
                self._other_targets.setdefault(
                    example,
                    f"sample {example}: {shown(first.target)} in {first.file}, {shown(target)} in {found.name}",
                )

    def problems(self) -> Iterator[str]:
        """Say in which logs an id stands for another sample."""
        for file, questions in self._other_questions.items():
            more = f" (and {counted(len(questions) - 1, 'more sample')})" if len(questions) > 1 else ""
            yield (
                f"{file}: {questions[0]}{more}; evaluate all runs on the same samples, with ids of their own: "
                "inspect_ai counts those that have none after a shuffle"
            )

    def remarks(self) -> Iterator[str]:
        """Say whose target is not the same in all logs."""
        if self._other_targets:
            first = next(iter(self._other_targets.values()))
            yield (
                f"{counted(len(self._other_targets), 'target')} not the same in all logs, such as of {first}; shuffled "
                "choices do that, and so does another answer key."
            )


def _from_their_difference(question: str, other: str) -> tuple[str, str]:
    """Leave out of two texts how they begin alike, as many questions do."""
    alike = next((n for n, (a, b) in enumerate(zip(question, other, strict=False)) if a != b), len(question))
    start = max(0, alike - 20)
    return question[start:], other[start:]


def _task(log: InspectLog) -> str:
    dataset = f", dataset {log.eval.dataset.name}" if log.eval.dataset.name else ""
    return f"{log.eval.task}, version {log.eval.task_version}{dataset}"


def _without_run(found: Sequence[FoundFile]) -> Iterator[str]:
    if files := [file.name for file in found if file.run is None]:
        yield (
            f"{few(files)}: a log of inspect_ai holds no training seed; say whose run it is by "
            f"--pattern '{{arm}}/seed{{seed}}.eval' or --run {files[0]}=ARM,SEED"
        )


def _unfinished(log: InspectLog, found: FoundFile) -> Iterator[str]:
    # The samples that were answered before a log ended are no random ones: short answers come first.
    if log.status != "success":
        yield f"its status is {log.status}, so samples are missing; complete it by: inspect eval-retry {found.name}"
    elif log.invalidated:
        yield f"some of its samples were invalidated; ask them again by: inspect eval-retry {found.name}"
    elif not log.samples:
        yield "it holds no samples, only figures over all of them; keep them by: inspect eval --log-samples"


def _epochs(log: InspectLog, scores: SampleScores) -> Iterator[str]:
    if scores.epochs < 2:
        return
    yield f"{scores.epochs} epochs are averaged within each sample: they are decoding repeats, not seeds."
    reducers = {score.reducer for score in log.results.scores if score.reducer} if log.results else set()
    if others := sorted(reducers - {"mean"}):
        yield f"inspect_ai reduced the epochs by {', '.join(others)}; here their mean is compared."
