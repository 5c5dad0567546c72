"""Classes figure: how precision and recall of each class differ between two arms, as a heat map with verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.marks import Mark, draw_mark, mark_of
from analysis.figures.style import BLUE, GREEN, INK, ORANGE, QUIET, SMALL, TEXT, cut_to_fit, text_width
from analysis.study.class_comparisons import MEASURES, ClassComparison
from analysis.study.study_report import StudyReport
from analysis.study.verdict import Verdict
from analysis.tables.by_class import class_comparison_table
from analysis.tables.digits import declared_points, points
from analysis.tables.notes import about_the_first_set
from analysis.tables.table import UNKNOWN
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "classes", "Precision and recall by class"
_MOST_ROWS = 48
_TOLD_AT_MOST = 8
_ROW, _HEAD, _COLUMN_HEAD, _EDGE, _GAP = 13.0, 15.0, 12.0, 4.0, 6.0
_MOST_FOR_NAMES = 0.42
# Bold type is as wide as plain type of this size.
_BOLD = 1.13 * TEXT
# The strongest shade still lets the number in it be read.
_STRONGEST = 0.55
_MARKS = (
    KeyEntry("better", shape="^", colour=BLUE),
    KeyEntry("worse", shape="v", colour=ORANGE),
    KeyEntry("equivalent", shape="s", colour=GREEN),
    KeyEntry("undecided", shape="o", colour=QUIET, hollow=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGap:
    """The difference of one measure on one class.

    Parameters
    ----------
    gap : float
        Treatment minus baseline, between -1 and 1; NaN where there is no test.
    text : str
        The same in percentage points, as the table has it.
    verdict : Verdict
    """

    gap: float
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """The differences on one class.

    Parameters
    ----------
    comparison, label : str
        The two arms, and the class.
    precision, recall : ClassGap
    p_value : float
        The smaller of the corrected p-values for a difference; 1 without a test.
    """

    comparison: str
    label: str
    precision: ClassGap
    recall: ClassGap
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMap:
    """The differences by class of the comparisons of a study.

    Parameters
    ----------
    rows : tuple of ClassRow
        At least one, those of a comparison one after the other.
    strongest : float
        The difference that has the strongest shade, above 0.
    """

    rows: tuple[ClassRow, ...]
    strongest: float


def classes_figure(report: StudyReport) -> Figure:
    """Show how precision and recall of each class differ."""
    table = class_comparison_table(report, "")
    if table is None:
        return missing(_NAME, _TITLE, _why_not(report))
    rows = class_rows(report)
    if not any(math.isfinite(gap.gap) for row in rows for gap in (row.precision, row.recall)):
        reasons = dict.fromkeys(row.reason for row in report.class_comparisons)
        return missing(_NAME, _TITLE, f"No class could be compared: {'; '.join(filter(None, reasons))}.")
    clearest = sorted(rows, key=lambda row: row.p_value)[:_MOST_ROWS]
    shown = tuple(row for row in rows if row in clearest)
    gaps = [abs(gap.gap) for row in shown for gap in (row.precision, row.recall) if math.isfinite(gap.gap)]
    class_map = ClassMap(rows=shown, strongest=max(*gaps, 2 * report.class_margin))
    return Figure(
        name=_NAME,
        title=_TITLE,
        caption=_caption(report, n_rows=len(rows), n_shown=len(shown)),
        alt=_alt(rows),
        columns=table.columns,
        draw=partial(draw_classes, class_map),
    )


def _why_not(report: StudyReport) -> str:
    if report.answers == "numbers":
        return "Predicted numbers have no classes."
    if report.answers == "scores":
        return "The runs hold a score for each example, and no classes."
    reasons = dict.fromkeys(pair.verdict.reason or pair.reason for pair in report.comparisons)
    return f"No comparison could be tested: {'; '.join(filter(None, reasons)) or 'there is one arm'}."


def class_rows(report: StudyReport) -> list[ClassRow]:
    """Collect the differences on every class of every comparison."""
    by_class: dict[tuple[str, str, str], dict[str, ClassComparison]] = {}
    for one in report.class_comparisons:
        by_class.setdefault((one.treatment, one.baseline, one.label), {})[one.measure] = one
    return [
        ClassRow(
            comparison=f"{treatment} against {baseline}",
            label=label,
            precision=_gap(measures["precision"]),
            recall=_gap(measures["recall"]),
            p_value=min((one.difference_p for one in measures.values() if not math.isnan(one.difference_p)), default=1),
        )
        for (treatment, baseline, label), measures in by_class.items()
    ]


def _gap(one: ClassComparison) -> ClassGap:
    error = one.result.standard_error if one.result is not None else math.nan
    text = points(one.estimate, standard_error=error).removesuffix(" pp")
    return ClassGap(gap=one.estimate, text=text, verdict=one.verdict)


def _caption(report: StudyReport, *, n_rows: int, n_shown: int) -> str:
    populations = dict.fromkeys(row.result.generalizes_to for row in report.class_comparisons if row.result is not None)
    reasons = dict.fromkeys(row.verdict.reason for row in report.class_comparisons if not row.verdict.asked)
    parts = [
        "Difference in precision and in recall of each class, treatment minus baseline, in percentage points; the "
        "darker, the larger."
    ]
    if any(row.verdict.asked for row in report.class_comparisons):
        parts.append(
            f"Verdicts are for new {' or '.join(populations)}, corrected over the whole table together, apart from "
            f"those on {report.metric.title}. Equivalent: within {declared_points(report.class_margin)}."
        )
    if reasons:
        parts.append(f"No mark: no verdict ({'; '.join(reasons)}).")
    parts += about_the_first_set(report)
    if n_shown < n_rows:
        parts.append(
            f"Shown are the {n_shown} of {counted(n_rows, 'row')} with the smallest corrected p; the table has all."
        )
    return " ".join(parts)


def _alt(rows: Sequence[ClassRow]) -> str:
    shown = [
        f"{measure} of {row.label}, {row.comparison}: {gap.text} pp, {gap.verdict.label}"
        for row in rows
        for measure, gap in zip(MEASURES, (row.precision, row.recall), strict=True)
        if gap.verdict.differs
    ]
    if not shown:
        return "Heat map of differences in precision and recall by class: in none was a difference shown."
    more = f"; and {len(shown) - _TOLD_AT_MOST} more" if len(shown) > _TOLD_AT_MOST else ""
    return (
        f"Heat map of differences in precision and recall by class. Shown are {'; '.join(shown[:_TOLD_AT_MOST])}{more}."
    )


def draw_classes(class_map: ClassMap, width: float) -> Picture:
    """Draw the heat map, so many points wide."""
    from matplotlib.figure import Figure as Picture

    rows = class_map.rows
    entries = _MARKS if any(gap.verdict.asked for row in rows for gap in (row.precision, row.recall)) else ()
    names = cut_to_fit([row.label for row in rows], _MOST_FOR_NAMES * width)
    left = _EDGE + max(map(text_width, names)) + _GAP
    key = key_height(entries, width)
    comparisons = list(dict.fromkeys(row.comparison for row in rows))
    heads = dict(zip(comparisons, cut_to_fit(comparisons, width - 2 * _EDGE, size=_BOLD), strict=True))
    height = len(heads) * _HEAD + len(rows) * _ROW
    total = _EDGE + key + _COLUMN_HEAD + height + _EDGE
    picture = Picture(figsize=(width / 72, total / 72))
    # One unit is one point, downwards from the first row.
    axes = picture.add_axes((0, _EDGE / total, 1, (height + _COLUMN_HEAD) / total))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(-height, _COLUMN_HEAD)
    each = (width - left - _EDGE) / len(MEASURES)
    for column, measure in enumerate(MEASURES):
        axes.text(left + each * (column + 0.5), 2, measure, size=TEXT, ha="center", va="bottom")
    y, comparison = 0.0, ""
    for row, name in zip(rows, names, strict=True):
        if row.comparison != comparison:
            comparison = row.comparison
            axes.text(_EDGE, -(y + _HEAD - 4), heads[comparison], size=TEXT, va="baseline", weight="bold")
            y += _HEAD
        axes.text(left - _GAP, -(y + _ROW / 2), name, size=TEXT, ha="right", va="center")
        for column, gap in enumerate((row.precision, row.recall)):
            _cell(axes, gap, left + each * column, y, each, class_map.strongest)
        y += _ROW
    draw_key(picture, entries)
    return picture


def _cell(axes: Axes, gap: ClassGap, x: float, y: float, width: float, strongest: float) -> None:
    from matplotlib.patches import Rectangle

    middle = -(y + _ROW / 2)
    if math.isfinite(gap.gap):
        shade = _STRONGEST * abs(gap.gap) / strongest
        colour = BLUE if gap.gap > 0 else ORANGE
        axes.add_patch(Rectangle((x, -(y + _ROW)), width - 1, _ROW - 1, color=colour, alpha=shade, linewidth=0))
    known = gap.text != UNKNOWN
    axes.text(
        x + width / 2 + 12,
        middle,
        gap.text,
        size=SMALL,
        ha="right",
        va="center_baseline",
        color=INK if known else QUIET,
    )
    mark: Mark | None = mark_of(gap.verdict) if gap.verdict.asked and known else None
    if mark is not None:
        draw_mark(axes, x + width / 2 + 22, middle, mark, size=5.0)
