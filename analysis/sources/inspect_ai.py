"""inspect_ai: the scores of a log, one row a sample; epochs are repeats of an answer, and count as their mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from analysis.errors import SourceError
from analysis.sources.found_files import FoundFile
from analysis.sources.inspect_log import InspectLog, read_log
from analysis.sources.inspect_scores import SampleScores, scores_of
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows

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


def rows_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read the scores of a log, all its samples at once.

    Parameters
    ----------
    found : FoundFile
        The file and whose run it is: no training seed stands in a log. Where only the run is known, the arm is the
        log's model.
    options : ImportOptions
        Of which ``metric`` and ``common_examples`` count here.

    Yields
    ------
    Rows
        One row a sample. A score is named after its scorer, ``scorer/key`` where the scorer gave an object; it is the
        mean over the epochs that have one.

    Raises
    ------
    SourceError
        With everything that is wrong with the file.
    """
    log = read_log(found.path)
    scores = scores_of(log.samples or (), options.metric)
    faults = [*_unfinished(log, found)] or [*scores.problems(common_examples=options.common_examples)]
    problems = [f"{found.name}: {fault}" for fault in (*_unmapped(log, found), *faults)]
    if problems:
        raise SourceError(problems)
    kept = np.flatnonzero(scores.scored)
    examples = [scores.examples[row] for row in kept]
    yield Rows(
        source=found.source(tool="inspect_ai", version=log.eval.packages.get("inspect_ai"), task=_task(log)),
        arm=log.eval.model if found.arm is None else found.arm,
        run=found.run or "",
        example=pa.array(examples, pa.string()),
        label=pa.array([scores.targets[row] for row in kept], pa.string()),
        scores={name: pa.array(means[kept], from_pandas=True) for name, means in scores.means.items()},
        understood=(("letters", "C is 1, P is 0.5, I and N are 0"),) if scores.letters else (),
        remarks=(*_epochs(log, scores), *(f"{found.name}: {remark}" for remark in scores.remarks())),
        place=lambda row: f"{found.name}, sample {examples[row]}",
    )


def _task(log: InspectLog) -> str:
    dataset = f", dataset {log.eval.dataset.name}" if log.eval.dataset.name else ""
    return f"{log.eval.task}, version {log.eval.task_version}{dataset}"


def _unmapped(log: InspectLog, found: FoundFile) -> Iterator[str]:
    if found.run is None:
        yield (
            f"a log names its model, {log.eval.model}, but no training seed; say whose run it is by "
            f"--pattern 'logs/{{arm}}/seed{{seed}}.eval' or --run {found.name}=ARM,SEED"
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
