"""Style of every figure: widths, colours, fonts, and names that are cut to fit."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

Width = Literal["single", "double"]

WIDTHS = MappingProxyType({"single": 234.0, "double": 486.0})
"""One and two columns of a paper, in points: 3.25 and 6.75 inches."""

TEXT, SMALL = 8.0, 7.0
"""Sizes of type, in points."""

INK, PAPER = "#1b1b1b", "#ffffff"
COLOURS = MappingProxyType(
    {
        "quiet": "#6b6b6b",
        "faint": "#d0d0d0",
        "band": "#e9e9e4",
        "blue": "#0b6fb3",
        "orange": "#c4510a",
        "green": "#00775a",
    }
)
"""Every colour but ink and paper, by its name. Red and green are never what tells two things apart: words, shapes and
signs do, so that a figure reads in grey."""

QUIET, FAINT, BAND = COLOURS["quiet"], COLOURS["faint"], COLOURS["band"]
BLUE, ORANGE, GREEN = COLOURS["blue"], COLOURS["orange"], COLOURS["green"]

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": INK,
    # Names of others may hold a dollar sign.
    "text.parse_math": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.solid_capstyle": "butt",
    # Fonts that a publisher's check accepts, and text that stays text.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
}


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Draw in the style of every figure, whatever matplotlib's settings are here.

    Parameters
    ----------
    name : str
        Of the figure. It is in the names of what an SVG file refers to, so that several of them can stand in one page.
    """
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A name in letters that the font lacks is drawn as boxes: the picture shows it, the terminal need not warn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        settings: Any = _RC | {"svg.hashsalt": name}
        matplotlib.rcParams.update(settings)
        yield


def text_width(text: str, *, size: float = TEXT) -> float:
    """Return the width of a line of text, in points."""
    font = _font()
    font.set_size(size, 72)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        font.set_text(text)
    return float(font.get_width_height()[0] / 64)


@functools.cache
def _font() -> FT2Font:
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont("DejaVu Sans"))


def cut_to_fit(names: Sequence[str], room: float, *, size: float = TEXT) -> list[str]:
    """Return names no wider than some points, cut in their middle where need be; two that differ still differ.

    Parameters
    ----------
    names : sequence of str
        The names; where two are alike, they stay alike.
    room : float
        In points.
    size : float
        Of the type, in points.

    Examples
    --------
    >>> cut_to_fit(["lora-r2", "distilbert-base-uncased-layers-0-to-5-frozen"], 110)
    ['lora-r2', 'distilbert-ba…-to-5-frozen']
    """
    taken: dict[str, str] = {}
    for name in dict.fromkeys(names):
        short, number = _cut(name, room, size=size), 1
        while short in taken.values():
            number += 1
            short = _cut(name, room, size=size, ending=f" ({number})")
        taken[name] = short
    return [taken[name] for name in names]


def _cut(name: str, room: float, *, size: float, ending: str = "") -> str:
    if text_width(name + ending, size=size) <= room:
        return name + ending
    # The end of a name often tells it from others: it keeps as much as the beginning.
    for kept in range(len(name) - 1, 1, -1):
        short = f"{name[: kept - kept // 2].rstrip()}…{name[-(kept // 2) :].lstrip()}{ending}"
        if text_width(short, size=size) <= room:
            return short
    return f"{name[:1]}…{ending}"
