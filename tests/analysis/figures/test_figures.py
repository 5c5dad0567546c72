"""Figures: their numbers are those of frames and tables, the same report gives the same bytes, every study has them."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import figures, tables
from analysis.figures.classes import class_rows
from analysis.figures.cost import cost_and_quality
from analysis.figures.epochs import arm_epochs
from analysis.figures.figure import Figure
from analysis.figures.gaps import gaps_of
from analysis.figures.power import found_with, power_of
from analysis.figures.runs import run_dots
from analysis.study.report import analyze
from analysis.study.study_report import StudyReport
from analysis.tables.table import Table

if TYPE_CHECKING:
    from conftest import StudyFolder

NAMES = ["gaps", "runs", "cost", "power", "classes", "epochs"]
LONG = "distilbert-base-uncased-{:02d}-with-a-very-long-name-of-an-arm"
Simulated = Callable[..., Any]


@pytest.fixture
def report(tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated) -> StudyReport:
    """Three arms, five seeds, three epochs, with times."""
    arms = {"full": 0.88, "lora-r2": 0.75, "lora-r8": 0.87}
    by_epoch = [simulated(rng, arms, seeds=5, examples=400, seed_sd=0.01) for _ in range(3)]
    scores = {arm: np.stack([epoch[arm] for epoch in by_epoch], axis=1) for arm in arms}
    folder = write_study(tmp_path / "study", scores, analysis={"margin": 0.02})
    for seed in range(5):
        folder.change_record("lora-r8", seed, shorter)
    return analyze(folder.root, resamples=99)


def shorter(record: dict[str, Any]) -> None:
    record["seconds"]["training"] = 6.0 + record["seed"] % 3


def named(report: StudyReport, name: str) -> Figure:
    return next(figure for figure in figures.build(report) if figure.name == name)


def titled(report: StudyReport, title: str) -> Table:
    return next(table for table in tables.build(report) if table.title.startswith(title))


def cells(of: Figure | Table, header: str) -> list[str]:
    return next(list(column.cells) for column in of.columns if column.header == header)


def test_there_are_six_in_the_order_of_a_reader(report: StudyReport) -> None:
    built = figures.build(report)
    assert [figure.name for figure in built] == NAMES
    assert not any(figure.reason for figure in built)


def test_gaps_are_those_of_the_frames(report: StudyReport) -> None:
    rows = gaps_of(report).rows
    verdicts, intervals = report.frame("verdicts"), report.frame("intervals")
    assert [row.estimate for row in rows] == verdicts["gap"].tolist()
    assert [row.interval.low for row in rows] == verdicts["low"].tolist()
    assert [row.interval.high for row in rows] == verdicts["high"].tolist()
    assert [row.verdict.label for row in rows] == verdicts["verdict"].tolist()
    for which in ("seeds_only", "examples_only"):
        for side in ("low", "high"):
            found = [getattr(getattr(row, which), side) for row in rows]
            assert found == intervals[f"{which}_{side}"].tolist()


def test_seeds_alone_are_student_s_t_over_the_runs_at_the_verdicts_confidence(report: StudyReport) -> None:
    runs = report.frame("runs").pivot_table(index="seed", columns="arm", values="value")
    for row in report.frame("intervals").itertuples():
        assert row.only_confidence == pytest.approx(0.975)
        expected = stats.ttest_rel(runs[row.treatment], runs[row.baseline]).confidence_interval(0.975)
        assert (row.seeds_only_low, row.seeds_only_high) == pytest.approx(tuple(expected))


def test_the_numbers_of_the_gaps_are_those_of_the_table_of_verdicts(report: StudyReport) -> None:
    figure, table = named(report, "gaps"), titled(report, "Verdicts")
    for header in table.headers:
        assert cells(figure, header) == cells(table, header)


def test_runs_are_those_of_the_frame(report: StudyReport) -> None:
    frame = report.frame("runs")
    dots = run_dots(report)
    assert [value for arm in dots.arms for value in arm.values] == frame["value"].tolist()
    assert [arm.mean for arm in dots.arms] == report.frame("arms")["mean"].tolist()
    figure = named(report, "runs")
    assert cells(figure, "Seed") == [str(seed) for seed in frame["seed"]]
    assert [float(cell.removesuffix("%")) for cell in cells(figure, "Accuracy")] == pytest.approx(
        (100 * frame["value"]).tolist(), abs=0.05
    )


def test_costs_are_those_of_the_frame_and_of_the_table(report: StudyReport) -> None:
    frame = report.frame("cost").set_index("arm").drop("full")
    arms = cost_and_quality(report).arms
    assert [arm.arm for arm in arms] == frame.index.tolist()
    assert [arm.ratio for arm in arms] == frame["time_ratio"].tolist()
    assert [arm.ratio_interval.low for arm in arms] == frame["time_ratio_low"].tolist()
    assert [arm.gap for arm in arms] == frame["gap"].tolist()
    assert cells(named(report, "cost"), "Time ratio") == cells(titled(report, "Cost"), "Time ratio")[1:]


def test_power_goes_through_what_is_found_now_and_falls_to_the_floor(report: StudyReport) -> None:
    frame = report.frame("detectable").set_index("treatment")
    for curve in power_of(report).curves:
        row = frame.loc[curve.name.partition(" ")[0]]
        assert curve.now == row["detectable_gap"] == pytest.approx(curve.found[curve.seeds.index(5)], rel=1e-9)
        assert (curve.floor, curve.floor_range) == (row["floor_gap"], (row["floor_gap_low"], row["floor_gap_high"]))
        assert list(curve.found) == sorted(curve.found, reverse=True)
        assert curve.found[-1] > curve.floor
    figure, table = named(report, "power"), titled(report, "Which gaps")
    assert cells(figure, "Found now") == cells(table, "Detectable now")
    assert cells(figure, "Any number (95% limits)") == cells(table, "Floor (95% limits)")
    pair = report.comparisons[0]
    assert pair.result is not None
    assert pair.settling_margin is not None
    many = found_with(100_000, pair.result, pair.settling_margin)
    assert many == pytest.approx(pair.settling_margin.floor_gap, rel=0.01) or pair.settling_margin.floor_gap == 0


def test_classes_are_those_of_the_frame_and_of_the_table(report: StudyReport) -> None:
    frame = report.frame("class_comparisons")
    found = [gap for row in class_rows(report) for gap in (row.precision, row.recall)]
    assert [gap.gap for gap in found] == frame["gap"].tolist()
    assert [gap.verdict.label for gap in found] == frame["verdict"].tolist()
    table = titled(report, "Precision and recall by class, compared")
    assert [f"{gap.text} pp" for gap in found] == cells(table, "Gap")
    assert named(report, "classes").columns == table.columns


def test_epochs_are_those_of_the_frames(report: StudyReport) -> None:
    frame, selection = report.frame("epochs"), report.frame("selection")
    arms = arm_epochs(report)
    assert [value for one in arms for value in one.curve.mean] == frame["mean"].tolist()
    assert [value for one in arms for value in one.curve.lowest] == frame["lowest"].tolist()
    assert [one.picked for one in arms] == selection["best"].tolist()
    assert [one.curve.mean[-1] for one in arms] == pytest.approx(selection["last"].tolist())
    figure = named(report, "epochs")
    last = [cell for epoch, cell in zip(cells(figure, "Epoch"), cells(figure, "Mean"), strict=True) if epoch == "3"]
    table = next(table for table in tables.build(report) if "Selection lift" in table.headers)
    assert last == cells(table, "Last epoch")
    best = [cell for epoch, cell in zip(cells(figure, "Epoch"), cells(figure, "Mean"), strict=True) if "best" in epoch]
    assert best == cells(table, "Best on test")


@pytest.fixture
def other_settings() -> Iterator[None]:
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "svg.fonttype": "path", "text.usetex": False}):
        yield


def test_the_same_report_gives_the_same_bytes_whatever_matplotlib_s_settings(
    report: StudyReport, request: pytest.FixtureRequest
) -> None:
    first = [figure.svg() for figure in figures.build(report)]
    files = named(report, "epochs").files()
    request.getfixturevalue("other_settings")
    assert [figure.svg() for figure in figures.build(report)] == first
    assert named(report, "epochs").files() == files
    assert matplotlib.rcParams["font.size"] == 20


def test_files_are_what_their_names_say_and_embed_their_fonts(report: StudyReport) -> None:
    for figure in (named(report, "gaps"), named(report, "power")):
        files = figure.files()
        assert tuple(files) == figure.file_names
        assert list(files) == [f"{figure.name}{ending}" for ending in (".pdf", ".svg", ".png", "-wide.pdf")]
        for name, content in files.items():
            if name.endswith("pdf"):
                assert content.startswith(b"%PDF")
                assert b"/FontFile2" in content
                assert b"/Type3" not in content
                assert b"CreationDate" not in content
        widths = [
            re.search(rb"/MediaBox \[ 0 0 (\S+) ", files[f"{figure.name}{ending}.pdf"]) for ending in ("", "-wide")
        ]
        assert [float(width[1]) for width in widths if width] == [234.0, 486.0]
        assert files[f"{figure.name}.png"].startswith(b"\x89PNG")
        assert b"<text" in files[f"{figure.name}.svg"]
        assert b"<dc:date>" not in files[f"{figure.name}.svg"]


def test_an_svg_of_a_page_is_text_in_the_colours_of_the_page(report: StudyReport) -> None:
    ids: list[str] = []
    for figure in figures.build(report):
        svg = figure.svg()
        root = ET.fromstring(svg)
        assert (root.get("class"), root.get("role"), root.get("aria-label")) == ("figure", "img", figure.alt)
        assert "max-width:100%" in str(root.get("style"))
        # Every colour can be changed, and has the one on white paper in brackets.
        assert not re.findall(r"(?<!, )#[0-9a-f]{6}", svg)
        assert "currentColor" in svg
        tags = {element.tag.partition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "g", "path", "text", "use", "defs", "clipPath", "rect"}
        references = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
        assert all(value.startswith("#") for value in references)
        ids += [value for element in root.iter() for key, value in element.attrib.items() if key == "id"]
        if figure.name in ("gaps", "runs", "epochs"):
            words = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("}text"))
            assert "lora-r2" in words
    # Several figures stand in one page.
    assert len(set(ids)) == len(ids)


def test_hostile_names_are_text(tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Any) -> None:
    arms = {
        "<script>alert(1)</script>": 0.9,
        'a "b" & $x_1$': 0.8,
        "_hidden": 0.85,
        "\u202e中文\x1b[31m": 0.8,
        '#1b1b1b id="x"': 0.8,
    }
    root = write_study(tmp_path / "s", simulated(rng, arms, seeds=3, examples=120), classes=["<b>", "&amp;"]).root
    for figure in figures.build(analyze(root, resamples=99)):
        if figure.reason:
            continue
        tree = ET.fromstring(figure.svg())
        words = [element.text or "" for element in tree.iter() if element.tag.endswith("}text")]
        assert not any("\x1b" in word or "\u202e" in word for word in words)
        if figure.name == "runs":
            assert {"<script>alert(1)</script>", 'a "b" & $x_1$', "_hidden", '#1b1b1b id="x"'} <= set(words)
        assert not {element.tag for element in tree.iter()} & {"script", "b"}


def good(built: tuple[Figure, ...]) -> dict[str, Figure]:
    """Every figure is there with all its words, or says why it is not."""
    assert [figure.name for figure in built] == NAMES
    for figure in built:
        assert figure.title
        if figure.reason:
            assert figure.reason[0].isupper()
            assert figure.reason.endswith(".")
            assert not any((figure.caption, figure.alt, figure.columns))
            with pytest.raises(ValueError, match=f"no figure {figure.name}: "):
                figure.svg()
            continue
        assert figure.caption.endswith(".")
        assert figure.alt.endswith(".")
        assert "nan" not in f"{figure.caption} {figure.alt}"
        assert len({len(column.cells) for column in figure.columns}) == 1
        ET.fromstring(figure.svg())
        ET.fromstring(figure.svg(width="double"))
    return {figure.name: figure for figure in built}


def missing(built: dict[str, Figure]) -> list[str]:
    return [name for name, figure in built.items() if figure.reason]


def test_one_arm(tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated) -> None:
    root = write_study(tmp_path / "s", simulated(rng, {"full": 0.9}, seeds=3, examples=50)).root
    built = good(figures.build(analyze(root, resamples=99)))
    assert missing(built) == ["gaps", "cost", "power", "classes", "epochs"]
    assert built["gaps"].reason == "There is one arm."
    assert built["epochs"].reason.startswith("Every run was scored after one epoch only")


def test_one_seed(tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated) -> None:
    root = write_study(tmp_path / "s", simulated(rng, {"full": 0.9, "lora": 0.7}, seeds=1, examples=50)).root
    built = good(figures.build(analyze(root, resamples=99)))
    assert missing(built) == ["power", "epochs"]
    assert "There is no interval: one seed" in built["gaps"].caption
    assert "solid" not in built["gaps"].caption
    assert "dashed, if only test examples were" in built["gaps"].caption
    assert "joined" not in built["runs"].caption


def test_nothing_varies(tmp_path: Path, write_study: Any) -> None:
    built = good(
        figures.build(
            analyze(write_study(tmp_path / "s", {arm: np.ones((3, 20), int) for arm in "ab"}).root, resamples=99)
        )
    )
    assert missing(built) == ["power", "epochs"]
    assert built["power"].reason.startswith("There is nothing to plan from: the arms scored every example alike")


def test_nothing_finished(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    built = good(figures.build(analyze(study.root, resamples=99)))
    assert missing(built) == NAMES
    assert built["runs"].reason == "No trial has finished."
    assert built["epochs"].reason == "No trial has finished."


def test_an_arm_without_a_verdict_is_named(study: StudyFolder) -> None:
    study.end("lora-r2", 2, "diverged", "loss is nan")
    built = good(figures.build(analyze(study.root, resamples=99)))
    assert missing(built) == ["epochs"]
    assert "1 comparison could not be tested" in built["gaps"].caption
    assert cells(built["gaps"], "Verdict")[0] == "no verdict"
    assert "lora-r2 against full, no verdict" in built["gaps"].alt
    assert "not drawn: lora-r2." in built["cost"].caption


def test_packed_trials_have_no_cost(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.pack(arm, seed, 6)
    built = good(figures.build(analyze(study.root, resamples=99)))
    assert built["cost"].reason.startswith("No arm was timed alone")
    study.time({arm: [0.1, 0.11, 0.12] for arm in ("full", "lora-r2", "lora-r8")})
    figure = named(analyze(study.root), "cost")
    assert "geometric mean over 3 turns" in figure.caption
    assert "repeats, not for new seeds" in figure.caption
    assert "seeds on this machine" not in figure.caption


def test_many_arms_with_long_names(
    tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated
) -> None:
    arms = {LONG.format(number): 0.7 + 0.005 * number for number in range(40)}
    root = write_study(tmp_path / "s", simulated(rng, arms, seeds=3, examples=80)).root
    report = analyze(root, resamples=99)
    built = good(figures.build(report))
    assert missing(built) == ["epochs"]
    assert "Shown are 8 of 39 comparisons" in built["power"].caption
    assert "Shown are the 48 of 78 rows" in built["classes"].caption
    assert len(cells(built["power"], "Comparison")) == 39
    assert len(built["gaps"].alt) < 400
    # Each name is cut to where it differs from the others.
    words = {element.text for element in ET.fromstring(built["runs"].svg()).iter() if element.tag.endswith("}text")}
    assert all(any(f"-{number:02d}-" in (word or "") for word in words) for number in range(40))


def imported(write: Any, answers: Any, *, paired: bool = True, **options: Any) -> StudyReport:
    root = write(answers, **options)
    if not paired:
        manifest = json.loads((root / "study.json").read_text())
        (root / "study.json").write_text(json.dumps(manifest | {"paired": False}))
    return analyze(root, resamples=99)


def test_scores_without_classes(write_imported: Any, rng: np.random.Generator) -> None:
    answers = {arm: rng.normal(mean, 5, (4, 60)) for arm, mean in (("full", 30), ("lora", 28))}
    report = imported(write_imported, answers, analysis={"margin": 1.0})
    built = good(figures.build(report))
    assert missing(built) == ["cost", "classes", "epochs"]
    assert built["cost"].reason == "The study was trained elsewhere, and what it took is not known."
    assert built["classes"].reason == "The runs hold a score for each example, and no classes."
    assert "pp" not in built["gaps"].caption
    assert "gap in rouge to full" in built["gaps"].svg()


def test_runs_that_are_not_paired(write_imported: Any, rng: np.random.Generator) -> None:
    labels = rng.integers(0, 3, 90)
    answers = {
        arm: np.where(rng.random((runs, 90)) < right, labels, (labels + 1) % 3).astype(np.int32)
        for arm, runs, right in (("full", 4, 0.9), ("lora", 6, 0.7))
    }
    report = imported(write_imported, answers, paired=False, labels=labels, classes=["a", "b", "c"])
    built = good(figures.build(report))
    assert missing(built) == ["cost", "epochs"]
    assert "The runs are not paired by seed, so none are joined." in built["runs"].caption
    assert built["power"].title == "What more runs would find"
    runs = report.frame("runs")
    full, lora = (runs.loc[runs["arm"] == arm, "value"] for arm in ("full", "lora"))
    expected = stats.ttest_ind(lora, full, equal_var=False).confidence_interval(0.95)
    assert report.comparisons[0].seeds_only == pytest.approx(tuple(expected))
    (curve,) = power_of(report).curves
    assert curve.found[curve.seeds.index(4)] == pytest.approx(curve.now)


def test_an_undefined_metric(write_imported: Any, rng: np.random.Generator) -> None:
    labels = rng.normal(0, 1, 60)
    answers = {"full": labels + rng.normal(0, 0.5, (4, 60)), "flat": np.zeros((4, 60))}
    report = imported(write_imported, answers, labels=labels, analysis={"metric": "pearson", "margin": 0.1})
    built = good(figures.build(report))
    assert missing(built) == ["gaps", "cost", "power", "classes", "epochs"]
    assert "Pearson correlation is undefined" in built["gaps"].reason
    assert built["classes"].reason == "Predicted numbers have no classes."
    assert "4 runs without a value are not drawn." in built["runs"].caption


def test_lower_is_better(write_imported: Any, rng: np.random.Generator) -> None:
    labels = rng.normal(0, 1, 60)
    answers = {arm: labels + rng.normal(0, sd, (4, 60)) for arm, sd in (("full", 0.5), ("lora", 0.9))}
    report = imported(write_imported, answers, labels=labels, analysis={"metric": "mse", "margin": 0.1})
    assert "lower is better" in good(figures.build(report))["gaps"].svg()


def test_before_the_first_look_there_are_no_gaps(
    tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated
) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.8}, seeds=3, examples=60)
    root = write_study(tmp_path / "s", scores, analysis={"looks": [4, 8]}).root
    built = good(figures.build(analyze(root, resamples=99)))
    assert built["gaps"].reason == "No comparison could be tested: the first look is at 4 seeds."


def test_an_early_look_may_have_intervals_without_limits(
    tmp_path: Path, rng: np.random.Generator, write_study: Any, simulated: Simulated
) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.8}, seeds=4, examples=60)
    root = write_study(tmp_path / "s", scores, analysis={"looks": [4, 200], "alpha": 1e-3}).root
    report = analyze(root, resamples=99)
    assert report.comparisons[0].seeds_only == (-math.inf, math.inf)
    good(figures.build(report))


def test_several_test_sets(write_imported: Any, rng: np.random.Generator) -> None:
    labels = rng.integers(0, 2, 80)
    answers = {
        arm: np.where(rng.random((4, 80)) < right, labels, 1 - labels).astype(np.int32)
        for arm, right in (("full", 0.9), ("lora", 0.7))
    }
    sets = [{"name": "easy", "n_test": 30, "n_shared": 0}, {"name": "hard", "n_test": 50, "n_shared": 0}]
    report = imported(write_imported, answers, labels=labels, classes=["no", "yes"], sets=sets)
    built = good(figures.build(report))
    assert "mean over 2 test sets" in built["gaps"].caption
    assert "over the test sets, the mean" in built["runs"].caption
    assert "About the first test set, easy, alone." in built["classes"].caption


def test_a_row_that_no_table_has_does_not_hide(report: StudyReport) -> None:
    """Frames of what is drawn have a row for each mark."""
    assert len(report.frame("intervals")) == len(gaps_of(report).rows)
    assert not report.frame("epochs")["mean"].isna().any()
    assert pd.api.types.is_integer_dtype(report.frame("epochs")["n_picked"])
