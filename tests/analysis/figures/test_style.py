from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from analysis.figures import style
from analysis.figures.style import cut_to_fit, styled, text_width


@pytest.mark.parametrize("text", ["undecided", "distilbert-base-uncased-01", "seeds and examples", ""])
def test_a_text_is_as_wide_as_matplotlib_draws_it(text: str) -> None:
    drawn, *_ = TextToPath().get_text_width_height_descent(text, FontProperties(family="DejaVu Sans", size=8), False)
    assert text_width(text) == pytest.approx(drawn, rel=0.01)


def test_what_was_drawn_before_changes_no_width() -> None:
    before = text_width("width")
    with styled("test"):
        picture = Figure()
        picture.text(0.5, 0.5, "width", size=30)
        picture.canvas.draw()
    style._advance.cache_clear()
    assert text_width("width") == before


def test_letters_that_the_font_lacks_are_as_wide_as_a_page_has_them() -> None:
    assert text_width("中文", size=10) == 20


@pytest.mark.parametrize("room", [20, 60, 150])
def test_cut_names_fit_and_differ(room: float) -> None:
    names = [
        "short",
        *(f"a-long-name-of-an-arm-with-{number}-in-it-and-more-behind-it" for number in range(12)),
        *("x" * count for count in (60, 61, 62)),
    ]
    short = cut_to_fit(names, room)
    assert len(set(short)) == len(names)
    # Of names that differ in nothing that fits, a number tells them apart.
    assert sum(text_width(name) > room for name in short) <= (0 if room > 20 else len(names))
    assert short[0] == "short" or room < 25


def test_equal_names_stay_equal_and_control_characters_go() -> None:
    assert cut_to_fit(["a" * 80, "a" * 80], 50)[0] == cut_to_fit(["a" * 80], 50)[0]
    assert cut_to_fit(["\x1b[31mred"], 100) == ["\N{REPLACEMENT CHARACTER}[31mred"]
