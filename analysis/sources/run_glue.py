"""run_glue: predictions that the text classification examples of transformers write, one file a run, without labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from analysis.errors import SourceError
from analysis.problems import shown
from analysis.sources.arrow import number_column, text_column
from analysis.sources.found_files import FoundFile
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows


def recognises(head: bytes) -> bool:
    r"""Whether a file that begins with ``head`` was written by one of the examples.

    Examples
    --------
    >>> recognises(b"index\tprediction\n0\tpositive\n"), recognises(b"index\tprediction\n17\tpositive\n")
    (True, False)
    """
    return re.match(rb"index\tprediction\r?\n0\t", head) is not None


def rows_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read the predictions of one run.

    The first column counts the examples of the test file in its order, and is no id. The second is the name of a class,
    or in a regression a number with three digits.

    Raises
    ------
    SourceError
        If the file cannot be read, a line is not as the examples write it, or nothing says whose run it is or what the
        labels are.
    """
    problems = []
    if options.labels is None:
        problems.append(f"{found.name} holds no labels; add --labels FILE, with a row for each in the same order")
    if found.arm is None or found.run is None:
        problems.append(
            f"{found.name} does not say whose run it holds; add --pattern '{{arm}}/seed{{seed}}/{found.path.name}', or "
            f"--run {found.name}=ARM,SEED"
        )
    try:
        lines = found.path.read_text("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError([*problems, f"{found.name} cannot be read: {error}"]) from None
    fields = [line.partition("\t") for line in lines[1:]]
    for number, (index, _, prediction) in enumerate(fields):
        if index != str(number) or not prediction:
            got = shown(lines[number + 1])
            problems.append(f"{found.name}, line {number + 2}: expected {number}, a tab and a prediction, got {got}")
            break
    if problems:
        raise SourceError(problems)
    yield Rows(
        source=found.source(tool="transformers run_glue"),
        arm=found.arm,
        run=found.run,
        example=number_column(np.arange(len(fields))),
        numbered=True,
        prediction=text_column([prediction for _, _, prediction in fields]),
        place=lambda row: f"{found.name}, line {row + 2}",
    )
