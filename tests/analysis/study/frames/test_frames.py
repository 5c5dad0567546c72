"""Frames of a report: their names, their columns and types in any study, and the page that lists them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from analysis.study.frames import FRAMES
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")
LISTED = PAGE.partition("\n## Every frame and its columns\n")[2].partition("\n## ")[0]

Types = dict[str, dict[str, str]]


def analyze(folder: StudyFolder) -> StudyReport:
    return analyze_with(folder.root, resamples=99)


def types(report: StudyReport) -> Types:
    return {name: {column: str(dtype) for column, dtype in report.frame(name).dtypes.items()} for name in FRAMES}


def on_the_page() -> Types:
    found: Types = {}
    for section in LISTED.split("\n### ")[1:]:
        columns = found[section.partition("\n")[0]] = {}
        for names, dtype in re.findall(r"^\| (`[^|]*`) \| (\w+) \|", section, flags=re.MULTILINE):
            for name in re.findall(r"`(\w+)`", names):
                assert name not in columns, f"{name} stands twice"
                columns[name] = dtype
    return found


@pytest.fixture(scope="module")
def described() -> Types:
    return on_the_page()


def test_the_page_lists_every_frame_with_its_columns_and_types(study: StudyFolder, described: Types) -> None:
    assert list(described) == list(FRAMES)
    assert described == types(analyze(study))


def test_a_study_without_a_trial_has_the_same_columns(study: StudyFolder, described: Types) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    report = analyze(study)
    assert types(report) == described
    # What is known stays known: which arms there are, and why there is no answer.
    asked = ("verdicts", "arms", "cost", "tests", "intervals", "best", "variance", "detectable")
    assert report.frames == (*asked, "provenance", "caveats")
    verdicts = report.frame("verdicts")
    assert verdicts.gap.isna().all()
    assert verdicts.differs.isna().all()
    assert verdicts.reason.str.startswith("not run: lora-r").all()
    assert report.frame("arms").n_not_run.tolist() == [6, 6, 6]


def test_one_arm_alone_has_the_same_columns(
    tmp_path: Path, write_study: Any, rng: np.random.Generator, described: Types
) -> None:
    report = analyze(write_study(tmp_path / "s", {"full": (rng.random((1, 30)) < 0.9).astype(int)}))
    assert types(report) == described
    assert report.frame("verdicts").empty
    assert report.frame("runs")[["arm", "seed"]].to_numpy().tolist() == [["full", 0]]
    assert report.frame("best").reason.tolist() == ["1 arm can be judged, and it takes 2"]


def test_an_unknown_name_is_refused_with_the_names_that_there_are(study: StudyFolder) -> None:
    report = analyze(study)
    there = f"there are: {', '.join(FRAMES)}"
    with pytest.raises(ValueError, match="no frame") as near:
        report.frame("verdict")
    assert str(near.value) == f"no frame 'verdict'; did you mean 'verdicts'? {there}"
    with pytest.raises(ValueError, match="no frame") as far:
        report.frame("xyz")
    assert str(far.value) == f"no frame 'xyz'; {there}"


def test_a_frame_says_which_study_it_is_of(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(metric="macro_f1", margin=0.02, alpha=0.1))
    report = analyze(study)
    for name in FRAMES:
        attrs = {"metric": "macro_f1", "higher_is_better": True, "margin": 0.02, "alpha": 0.1}
        assert report.frame(name).attrs == {"name": "hand_made", **attrs}
    arms = report.frame("arms")
    assert arms["mean"].tolist() == [arm.mean for arm in report.arms]


HOSTILE = (
    *("", " ", "nan", "None", "<NA>", "a,b", "x|y", "a\nb", "\x1b[31mred", "é✓ 日本", "=1+1", "a" * 300, "0"),
    "\u202eabc",
)


def test_names_stay_as_they_are(tmp_path: Path, write_study: Any, rng: np.random.Generator) -> None:
    names = list(HOSTILE)
    scores = {name: (rng.random((3, 40)) < 0.8).astype(int) for name in names}
    classes = ["", "<NA>"]
    report = analyze(write_study(tmp_path / "s", scores, classes=classes, name="a|b"))
    assert report.frame("arms").arm.tolist() == names
    assert report.frame("verdicts").treatment.tolist() == names[1:]
    assert report.frame("runs").groupby("arm").value.mean().to_dict() == pytest.approx(
        {name: rows.mean() for name, rows in scores.items()}
    )
    assert set(report.frame("classes").label) == set(classes)
    assert report.frame("verdicts").attrs["name"] == "a|b"
    for name in report.frames:
        frame = report.frame(name)
        frame.to_parquet(tmp_path / "frame.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "frame.parquet"), frame, check_dtype=False)


def test_frames_can_be_joined_and_filtered(study: StudyFolder) -> None:
    report = analyze(study)
    joined = report.frame("verdicts").merge(report.frame("cost"), left_on="treatment", right_on="arm")
    assert joined.trainable.tolist() == [8000, 8000]
    verdicts = report.frame("verdicts")
    assert verdicts[verdicts.differs & (verdicts.gap < 0)].treatment.tolist() == ["lora-r2"]


def test_making_a_report_and_its_tables_loads_no_pandas_but_frames_do(study: StudyFolder) -> None:
    code = (
        "import sys; from pathlib import Path; from analysis import analyze, tables\n"
        "report = analyze(Path(sys.argv[1]), resamples=99); tables.markdown(report); report.to_json(); report.frames\n"
        "assert 'pandas' not in sys.modules\n"
        "report.frame('verdicts'); assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(study.root)], check=True, cwd=ROOT)
