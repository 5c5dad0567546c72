"""Screens of `harness import`: what was understood, and what was written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.methods.crossed_design import design_of
from analysis.records.manifest import Manifest
from analysis.sources.runs import Runs
from analysis.study.plan import AnalysisPlan
from analysis.words import counted, seeds_in_words
from harness.records.archive import Archive
from harness.records.imported import ImportSummary

_ANSWERS = {
    "probabilities": "the probability of each class",
    "classes": "predicted classes",
    "numbers": "predicted numbers",
    "scores": "scores",
}
_NAMED_AT_MOST = 8


def show_understood(console: Console, runs: Runs, manifest: Manifest, plan: AnalysisPlan) -> None:
    """Print what an import took for what."""
    table = _table(manifest.name)
    by_arm, missing = _labels(runs), _missing(runs)
    for column in ("arm", "runs", "which", *(["missing"] if missing else [])):
        table.add_column(column, justify="right" if column == "runs" else "left")
    for arm, labels in by_arm.items():
        lacking = [Text(_named(missing.get(arm, [])))] if missing else []
        table.add_row(Text(arm), str(len(labels)), Text(_named(labels)), *lacking)
    console.print(table)
    console.print()
    facts = _table()
    facts.show_header = False
    for _ in range(2):
        facts.add_column()
    notes = [remark.removesuffix(".") for remark in runs.remarks]
    if all(len(labels) == 1 for labels in by_arm.values()):
        notes.append("each arm has one run: without another seed there can be no verdict")
    notes += _few_pairs(runs, plan)
    for what, taken in [*_facts(runs, plan), *(("note", note) for note in notes)]:
        facts.add_row(Text(what), Text(taken))
    console.print(facts)


def _table(title: str | None = None) -> Table:
    return Table(title=title and Text(title), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))


def _facts(runs: Runs, plan: AnalysisPlan) -> list[tuple[str, str]]:
    n, left_out = len(runs.example_ids), ""
    if runs.left_out:
        left_out = f"; {counted(runs.left_out, 'example')} left out, since not every run has them"
    answers = _ANSWERS[runs.answers]
    if runs.answers == "scores":
        answers = f"{runs.score}, {'higher' if runs.higher_is_better else 'lower'} is better"
    facts = [*runs.understood, ("examples", f"{n:,}{left_out}"), ("answers", answers)]
    if runs.classes:
        facts.append(("classes", _named(runs.classes)))
    paired = "paired: runs of one name share a seed; --unpaired if they do not"
    pairs = ", ".join([f"every arm with {plan.baseline}", *map(str, plan.comparisons)])
    compared = f"{pairs}; {plan.kind.title}, margin {plan.margin:g}, alpha {plan.alpha:g}"
    return [*facts, ("seeds", paired if runs.paired else "not paired: no two runs share one"), ("compared", compared)]


def _few_pairs(runs: Runs, plan: AnalysisPlan) -> list[str]:
    """Say of few paired runs that the test makes no use of their pairs."""
    if not runs.paired:
        return []
    labels = list(_labels(runs).values())
    # A run that another arm lacks waits for it.
    n_seeds = len(set(labels[0]).intersection(*labels[1:]))
    # As `planned_test`, for which an import would load SciPy.
    n_arms = len(labels) if plan.variance == "pooled" else 2

    def by_pair(count: int) -> bool:
        return design_of(n_seeds=count, n_arms=n_arms, before_pooling=plan.variance is None) == "A"

    fewest = next(filter(by_pair, itertools.count(n_seeds)))
    return [f"fewer than {fewest} pairs are tested as independent seeds"] if n_seeds < fewest else []


def _labels(runs: Runs) -> dict[str, list[str]]:
    return {arm: [run.label for run in runs.runs if run.arm == arm] for arm in runs.arms}


def _missing(runs: Runs) -> dict[str, list[str]]:
    """Return the runs that an arm lacks and another has, where they are paired."""
    if not runs.paired:
        return {}
    every = dict.fromkeys(run.label for run in runs.runs)
    lacking = {arm: [one for one in every if one not in labels] for arm, labels in _labels(runs).items()}
    return {arm: labels for arm, labels in lacking.items() if labels}


def _named(labels: Sequence[str]) -> str:
    if labels and all(label.isascii() and label.isdecimal() and len(label) < 19 for label in labels):
        return seeds_in_words(sorted(map(int, labels))).partition(" ")[2]
    more = f" and {len(labels) - _NAMED_AT_MOST} more" if len(labels) > _NAMED_AT_MOST else ""
    return f"{', '.join(labels[:_NAMED_AT_MOST])}{more}"


def show_summary(console: Console, summary: ImportSummary, *, dry_run: bool) -> None:
    """Print what an import wrote, and what comes next; or what it would write."""
    console.print()
    written = [
        f"would {would} {counted(len(names), 'run')}{more}" if dry_run else f"{counted(len(names), 'run')} {done}{more}"
        for names, would, done, more in (
            (summary.added, "add", "added", ""),
            (summary.replaced, "replace", "replaced", ", the old ones set aside"),
            (summary.mended, "write again", "written again", ", since their files could not be read"),
        )
        if names
    ]
    there = counted(summary.unchanged, "run") + (" is there" if summary.unchanged == 1 else " are there")
    if not written:
        written = [f"nothing new: {there}"]
    elif summary.unchanged:
        written.append(f"{there} already")
    if summary.others:
        written.append(f"{counted(summary.others, 'run')} of earlier imports kept")
    _line(console, f"{summary.folder}: {'; '.join(written)}")
    if summary.plan_changed:
        _line(console, "The plan differs from that of the import before; the tables will say so.")
    if not dry_run:
        _line(console, f"Next: harness analyze {summary.folder}")


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def show_archive(console: Console, archive: Archive, folder: Path, *, is_new: bool | None) -> None:
    """Print what a whole study holds, and whether it was written; `is_new` is None where nothing was to be."""
    study, count = archive.study, len(archive.trials)
    told = f"{study.name}, as harness export wrote it: {counted(len(study.arms), 'arm')}, {counted(count, 'trial')}"
    _line(console, f"{told}, {archive.n_examples:,} test examples, with its plan and records")
    if is_new is not None:
        done = f"{counted(count, 'trial')} written" if is_new else "nothing new: all trials are there"
        _line(console, f"{folder}: {done}")
        _line(console, f"Next: harness analyze {folder}")


def archive_json(archive: Archive, name: str, folder: Path, *, is_new: bool | None) -> dict[str, Any]:
    """Return the same as JSON can hold it."""
    count = len(archive.trials)
    written = None if is_new is None else {"folder": str(folder), "trials": count if is_new else 0}
    return {"name": name, "study": archive.study.name, "trials": count, "written": written}


def understood_json(runs: Runs, manifest: Manifest, plan: AnalysisPlan) -> dict[str, Any]:
    """Return what an import took for what, as JSON can hold it."""
    missing = _missing(runs)
    return {
        "name": manifest.name,
        "answers": runs.answers,
        "score": runs.score or None,
        "higher_is_better": plan.kind.higher_is_better,
        "classes": list(runs.classes),
        "n_examples": len(runs.example_ids),
        "left_out": runs.left_out,
        "paired": runs.paired,
        "arms": [
            {"arm": arm, "runs": labels, "missing": missing.get(arm, [])} for arm, labels in _labels(runs).items()
        ],
        "plan": plan.model_dump(mode="json"),
        "understood": [list(pair) for pair in runs.understood],
        "remarks": list(runs.remarks),
    }


def summary_json(summary: ImportSummary | None) -> dict[str, Any]:
    """Return what an import wrote; null of one that only looked."""
    if summary is None:
        return {"written": None}
    return {
        "written": {
            "folder": str(summary.folder),
            "added": list(summary.added),
            "replaced": list(summary.replaced),
            "mended": list(summary.mended),
            "unchanged": summary.unchanged,
            "others": summary.others,
            "plan_changed": summary.plan_changed,
        }
    }
