"""The figure of a leaderboard: its numbers are those of the board, and boards of any size can be drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from analysis.figures.board import board_figures, rank_bands
from analysis.figures.figure import Figure
from analysis.published.audit import Audit, audit
from analysis.published.claims_file import parse_claims_file


def judged(right: list[int], n: int = 1319) -> Audit:
    systems: dict[str, Any] = {f"system-{at} with a $name_{at}$": f"{count}/{n}" for at, count in enumerate(right)}
    return audit(parse_claims_file({"source": "s", "n": str(n), "pairs": "board", "systems": systems}))


def the_figure(audited: Audit) -> Figure:
    (figure,) = board_figures(audited)
    return figure


def test_its_numbers_are_those_of_the_board() -> None:
    audited = judged([694, 677, 677, 500, 20])
    board = audited.reports[0].board
    assert board is not None
    bands = rank_bands(board)
    assert bands.ranks == tuple(row.ranks for row in board.rows)
    assert bands.at_best == tuple(row.ranks_at_best for row in board.rows)
    assert bands.printed == (1, 2, 2, 4, 5)
    cells = {column.header: column.cells for column in the_figure(audited).columns}
    assert cells["Right answers"] == ("694", "677", "677", "500", "20")
    assert cells["Rank"] == ("1", "2", "2", "4", "5")
    assert cells["Ranks at the largest overlap"] == ("1", "2 to 3", "2 to 3", "4", "5")
    assert cells["Ranks whatever the overlap"][-1] == "5"


def test_it_says_in_words_what_is_to_be_seen() -> None:
    figure = the_figure(judged([694, 677, 677, 500, 20]))
    assert figure.alt.startswith("Ranks of 5 systems as bands, the best system first: system-0 with a $name_0$ 1 to ")
    assert "95% confidence for all systems at once" in figure.caption
    assert "Holm's method over 10 pairs, each in both directions" in figure.caption


@pytest.mark.parametrize("k", [2, 63, 500])
def test_boards_of_any_size_are_drawn(k: int) -> None:
    figure = the_figure(judged([1300 - at for at in range(k)]))
    drawn = ET.fromstring(figure.svg())
    assert drawn.tag.endswith("svg")
    assert figure.alt in "".join(drawn.itertext()) or drawn.get("aria-label") == figure.alt
    # No page is higher than it is read.
    _, _, width, height = map(float, drawn.attrib["viewBox"].split())
    assert height < 900
    assert width == 234


def test_the_same_board_gives_the_same_bytes() -> None:
    files = [the_figure(judged([694, 677, 20])).files() for _ in range(2)]
    assert files[0] == files[1]
    assert set(files[0]) == {"ranks.pdf", "ranks.svg", "ranks.png", "ranks-wide.pdf"}


def test_a_board_of_one_says_why_it_has_none() -> None:
    figure = the_figure(judged([694]))
    assert figure.reason == "1 system can be ranked."
    assert figure.columns == ()


def test_each_board_of_a_file_has_its_own() -> None:
    systems = {"a": "90%", "b": "80%"}
    reports = {"one": {"n": "872", "systems": systems}, "other": {"n": "500", "systems": systems}}
    figures = board_figures(audit(parse_claims_file({"source": "t", "pairs": "board", "reports": reports})))
    assert [(figure.name, figure.title) for figure in figures] == [
        ("ranks", "Ranks that each system may have: one"),
        ("ranks-2", "Ranks that each system may have: other"),
    ]
