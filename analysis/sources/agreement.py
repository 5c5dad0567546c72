"""Agreement of runs: what must be the same in all of them, and which runs of two arms belong together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.problems import listed
from analysis.sources.rows import SourceFile
from analysis.words import counted

_FEW = 5
"""So many are named, of any list."""

RunName = tuple[str, str]
"""An arm and a run's label."""


def problems_of_tools(sources: Iterable[SourceFile]) -> list[str]:
    """Say which versions of which tools wrote the files, where they are not one."""
    by_tool: defaultdict[str, list[SourceFile]] = defaultdict(list)
    for source in sources:
        name = "an unknown program" if source.tool is None else " ".join(filter(None, (source.tool, source.version)))
        by_tool[name].append(source)
    if len(by_tool) < 2:
        return []
    groups = "; ".join(f"{name} wrote {few([file.path for file in files])}" for name, files in by_tool.items())
    return [f"the files are not of one tool and version, which may score differently: {groups}. Import those of one"]


def problems_of_tasks(sources: Iterable[SourceFile]) -> list[str]:
    """Say which files are of which task, where those that name theirs are not of one."""
    by_task: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        if source.task is not None:
            by_task[source.task].append(source.path)
    if len(by_task) < 2:
        return []
    groups = "; ".join(
        f"{few(paths)} {'holds' if len(paths) == 1 else 'hold'} {task}" for task, paths in by_task.items()
    )
    return [f"the files are not of one task: {groups}. Import those of one"]


def problems_of_epochs(epochs: Mapping[RunName, Iterable[int]]) -> list[str]:
    """Say which runs have other epochs than most."""
    groups: defaultdict[tuple[int, ...], list[RunName]] = defaultdict(list)
    for run, numbers in epochs.items():
        groups[tuple(sorted(numbers))].append(run)
    usual = max(groups, key=lambda numbers: len(groups[numbers]))
    return [
        f"{_runs(runs)}: epochs {_numbers(numbers)}, and the other runs have {_numbers(usual)}; all need the same"
        for numbers, runs in groups.items()
        if numbers != usual
    ]


def problems_of_examples(seen: Mapping[RunName, NDArray[np.bool_]], examples: pa.StringArray) -> list[str]:
    """Say which runs lack examples that others have.

    Parameters
    ----------
    seen : mapping of (str, str) to ndarray of bool, shape (N,)
        By run, which examples it has.
    examples : pa.StringArray
        The ids of all, shape (N,).
    """
    lacking = {run: np.flatnonzero(~has) for run, has in seen.items() if not has.all()}
    if not lacking:
        return []
    told = [
        f"{run_in_words(run)} lacks {len(missing)} of {counted(len(examples), 'example')}: "
        f"{few([examples[int(number)].as_py() for number in missing[:_FEW]], of=len(missing))}"
        for run, missing in list(lacking.items())[:_FEW]
    ]
    if len(lacking) > _FEW:
        told.append(f"so do {counted(len(lacking) - _FEW, 'more run')} of {len(seen)}")
    common = int(np.logical_and.reduce(list(seen.values())).sum())
    settles = (
        f"--common-examples leaves out the {len(examples) - common} that not every run has"
        if common
        else "no example is in every run; do the ids mean the same in all of them?"
    )
    return [*told[:-1], f"{told[-1]}. {settles}"]


def pairing(runs: Iterable[RunName], *, unpaired: bool) -> tuple[bool, list[str], list[str]]:
    """Return whether equal run labels in two arms mean the same seed, what to remark of it, and what is wrong.

    Parameters
    ----------
    runs : iterable of (str, str)
    unpaired : bool
        Whether they are known not to.
    """
    arms: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for arm, label in runs:
        arms[arm][label] = None
    every = dict.fromkeys(label for labels in arms.values() for label in labels)
    if len(arms) < 2:
        one = f"there is one arm, {listed(arms)}, and a comparison needs two"
        return True, [], [f"{one}; --column arm=COLUMN names another column for the arms"]
    if unpaired:
        return False, [], []
    if all(len(labels) == len(every) for labels in arms.values()):
        return True, [], []
    if alike := _one_number(every):
        unclear = (
            f"runs {listed(alike)} are one number written in two ways, and runs of one name share a seed: write them "
            "alike in every arm; or, if they share none, --unpaired"
        )
        return True, [], [unclear]
    if sum(map(len, arms.values())) == len(every):
        remark = "no two arms have a run of the same name, so runs are not paired by seed"
        return False, [remark], []
    shared = [label for label in every if all(label in labels for labels in arms.values())]
    if 2 * len(shared) >= len(every):
        # A run counts once every arm has it, and whoever lists the runs or judges them says so.
        return True, [], []
    lacking = "; ".join(
        f"arm {arm} lacks {'run' if len(missing) == 1 else 'runs'} {few(missing)}"
        for arm, labels in arms.items()
        if (missing := [label for label in every if label not in labels])
    )
    unclear = (
        f"the arms share only some of their runs: {lacking}. Add these runs, or leave them out of every "
        "arm; or, if runs of one name do not share a seed, --unpaired"
    )
    return True, [], [unclear]


def _one_number(labels: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two labels that write the same whole number, such as 1 and 01 or 1.0."""
    written: dict[int, str] = {}
    for label in labels:
        number = re.fullmatch(r"\s*([+-]?[0-9]{1,1000})(?:\.0*)?\s*", label)
        if number and (first := written.setdefault(int(number[1]), label)) != label:
            return first, label
    return None


def run_in_words(run: RunName) -> str:
    """Name a run in a message."""
    return f"arm {listed(run[:1])}, run {listed(run[1:])}"


def few(names: Sequence[str], *, of: int | None = None) -> str:
    """List the first names, and how many more there are."""
    more = (len(names) if of is None else of) - len(names[:_FEW])
    return listed(names[:_FEW]) + (f" and {more} more" if more else "")


def _runs(runs: Sequence[RunName]) -> str:
    return "; ".join(map(run_in_words, runs[:_FEW])) + (f" and {len(runs) - _FEW} more" if len(runs) > _FEW else "")


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
