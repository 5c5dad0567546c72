"""LaTeX macros: every figure under a name of its own, as the tables print it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import tables
from analysis.study.report import StudyReport, analyze
from analysis.tables.as_latex import escaped

DEFINITION = re.compile(r"\\newcommand\{\\([A-Za-z]+)\}\{(.*)\} % .*")


def defined(report: StudyReport) -> dict[str, str]:
    """The macros; each line but the two comments at the top defines one."""
    head, second, *lines = tables.macros(report).splitlines()
    assert head.startswith("% ")
    assert second.startswith("% ")
    found = [DEFINITION.fullmatch(line) for line in lines]
    names = {one[1]: one[2] for one in found if one}
    assert len(names) == len(lines)
    return names


@pytest.fixture
def report(tmp_path: Path, simulated: Any, write_study: Any) -> StudyReport:
    rng = np.random.default_rng(6)
    scores = simulated(rng, {"full": 0.9, "lora-r8": 0.8, "lora-r16": 0.85}, seeds=4, examples=120)
    return analyze(write_study(tmp_path / "s", scores).root, resamples=99)


def test_macros_print_what_the_tables_print(report: StudyReport) -> None:
    macros = defined(report)
    verdicts, arms, *_ = tables.build(report)
    names = ["LoraREightFull", "LoraROneSixFull"]
    for column, kind in enumerate(("gap", "interval", "verdict"), start=1):
        assert [macros[kind + name] for name in names] == [escaped(row[column]) for row in verdicts.rows]
    assert [macros[f"mean{name}"] for name in ("Full", "LoraREight", "LoraROneSix")] == [
        escaped(row[1]) for row in arms.rows
    ]
    classes = next(table for table in tables.build(report) if table.title.startswith("Precision"))
    row = next(row for row in classes.rows if row[:2] == ("lora-r8", "positive"))
    cells = [macros[f"{kind}LoraREightPositive"] for kind in ("precision", "recall", "fOne")]
    assert cells == [escaped(cell) for cell in row[2:5]]
    assert (macros["seedsOfHandMade"], macros["examplesOfHandMade"], macros["marginOfHandMade"]) == ("4", "120", "1 pp")


def test_names_that_are_alike_without_their_signs_stay_apart(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    arms = ("a-b", "c", "a", "b-c", "AB", "日本", "@")
    scores = simulated(np.random.default_rng(6), dict.fromkeys(arms, 0.9), seeds=3, examples=60)
    comparisons = [{"treatment": "a", "baseline": "b-c"}]
    study = write_study(tmp_path / "s", scores, analysis={"baseline": "c", "comparisons": comparisons}, name="x\n\\y")
    made = analyze(study.root, resamples=99)
    macros = defined(made)
    assert {"gapABC", "gapABCAgain", "gapABAgainC", "gapOtherC", "gapOtherAgainC"} <= set(macros)
    assert sum(name.startswith("gap") for name in macros) == len(made.comparisons)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_document_takes_them(report: StudyReport, tmp_path: Path) -> None:
    (tmp_path / "numbers.tex").write_text(tables.macros(report))
    body = " ".join(rf"\{name}{{}}" for name in defined(report))
    (tmp_path / "paper.tex").write_text(
        rf"\documentclass{{article}}\usepackage[T1]{{fontenc}}\input{{numbers.tex}}\begin{{document}}{body}\end{{document}}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
