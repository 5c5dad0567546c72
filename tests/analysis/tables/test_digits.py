"""Rounding: how many digits a figure keeps, and that no other file of the tables rounds."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analysis import tables
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.tables import digits
from analysis.tables.comparison_cells import open_where_cut

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize(
    ("error", "places"), [(0.52, 2), (0.034, 3), (12.0, 0), (1e-9, 4), (0.0, 2), (math.nan, 2), (1.0, 1)]
)
def test_the_standard_error_sets_the_decimals(error: float, places: int) -> None:
    assert digits.decimals(error) == places


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (digits.points(0.0206, standard_error=0.0052), "+2.06 pp"),
        (digits.points(-0.0206, standard_error=0.0052), "-2.06 pp"),
        (digits.points(-0.0206, standard_error=0.00052), "-2.060 pp"),
        (digits.points(-0.00001, standard_error=0.0052), "0.00 pp"),
        (digits.points(math.nan), "–"),
        (digits.declared_points(0.01), "1 pp"),
        (digits.declared_points(0.0125), "1.25 pp"),
        (digits.points_interval(Interval(-0.031, -0.0102), standard_error=0.0052), "[-3.10, -1.02]"),
        (digits.points_interval(NO_INTERVAL), "–"),
        (digits.p_value(0.0123), "0.012"),
        (digits.p_value(0.0009), "<0.001"),
        (digits.p_value(math.nan), "–"),
        (digits.probability(0.0), "0.00"),
        (digits.probability(1e-6), "<0.01"),
        (digits.probability(0.9999), ">0.99"),
        (digits.probability(0.42), "0.42"),
        (digits.percent(0.8830, standard_error=0.011), "88.3%"),
        (digits.percent(math.nan), "–"),
        (digits.exact_count(124441344), "124,441,344"),
        (digits.exact_count(None), "–"),
        (digits.alpha_of_each(0.05, 1), "alpha = 0.05"),
        (digits.alpha_of_each(0.05, 3), "alpha / 3 = 0.0167"),
        (digits.confidence_level(0.05 / 4), "98.75%"),
        (digits.planned_range("9", ("6", "19"), never="never"), "9 (6 to 19)"),
        (digits.planned_range("9", ("6", "never enough"), never="never enough"), "9 (6 to never)"),
        (digits.planned_range("9", ("9", "9"), never="never"), "9"),
        (digits.planned_range("never", ("6", "never"), never="never"), "no number (6 at best)"),
        (digits.planned_range("never", ("never", "never"), never="never"), "never"),
        (digits.Scale(share=True).planned_gap(0.0, 0.0, 0.0061), "0 to 0.61 pp"),
        (digits.Scale(share=True).planned_gap(0.004, 0.0, 0.0061), "0.4 pp (0 to 0.61)"),
        (digits.time_taken(0.5), "0.50 s"),
        (digits.time_taken(13.54), "13.5 s"),
        (digits.time_taken(3275.93), "55 min"),
        (digits.time_taken(9000), "2.5 h"),
        (digits.time_taken(600000), "6.9 days"),
        (digits.time_taken(math.nan), "–"),
        (digits.time_taken(13.54, (9.96, 17.0)), "13.5 s (10.0 to 17.0)"),
        (digits.memory(300_000_000), "286 MiB"),
        (digits.memory(5 * 2**30), "5.0 GiB"),
        (digits.memory(None), "–"),
        (digits.ratio_interval(0.648, Interval(0.62, 0.69)), "0.65 [0.62, 0.69]"),
        (digits.ratio_interval(0.648, NO_INTERVAL), "0.65"),
    ],
)
def test_rounding(made: str, text: str) -> None:
    assert made == text


def test_figures_are_rounded_in_one_file() -> None:
    folder = Path(tables.__file__).parent
    rounding = [
        f"{path.relative_to(folder)}: {ast.unparse(value)}"
        for path in folder.rglob("*.py")
        for value in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(value, ast.FormattedValue) and value.format_spec is not None
        if re.search(r"[efg%]'$", ast.unparse(value.format_spec)) and path.name not in ("digits.py", "as_latex.py")
    ]
    assert rounding == []


def test_a_limit_that_is_not_zero_shows_on_which_side_of_zero_it_lies() -> None:
    assert digits.points_interval(Interval(-0.0213, -0.00004), standard_error=0.006) == "[-2.13, -0.004]"
    assert digits.points_interval(Interval(-0.0213, 0.0), standard_error=0.006) == "[-2.13, 0.00]"
    assert digits.Scale(share=False).interval(Interval(0.0001, 0.3), standard_error=0.1) == "[+0.0001, +0.30]"


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        (Interval(0.0, 0.02), "(0.0, +2.0]"),
        (Interval(-0.02, 0.0), "[-2.0, 0.0)"),
        (Interval(-0.01, 0.003), "(-1.0, +0.3]"),
        (Interval(0.002, 0.01), "[+0.2, +1.0)"),
        (Interval(-0.02, 0.02), "[-2.0, +2.0]"),
        (NO_INTERVAL, "–"),
    ],
)
def test_a_limit_that_the_verdict_cut_has_a_round_bracket(limits: Interval, shown: str) -> None:
    assert open_where_cut(digits.points_interval(limits, standard_error=0.02), limits, margin=0.01) == shown
