"""Style of every figure: widths, colours, fonts, and names that are cut to fit."""

from __future__ import annotations

import functools
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from analysis.printable import printable

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

# At which the letters of the font are measured.
_FONT_SIZE = 100.0

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
    return size * sum(map(_advance, text))


@functools.cache
def _advance(character: str) -> float:
    """Return the width of a letter in units of the size of type."""
    # The font has a narrow box for these, a page the letters themselves.
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.0
    return float(_font().load_char(ord(character)).linearHoriAdvance / 65536 / _FONT_SIZE)


@functools.cache
def _font() -> FT2Font:
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    # One of our own: matplotlib's changes its size with every text that is drawn.
    font = FT2Font(findfont("DejaVu Sans"))
    font.set_size(_FONT_SIZE, 72)
    return font


def cut_to_fit(names: Sequence[str], room: float, *, size: float = TEXT) -> list[str]:
    """Return names no wider than some points, cut where need be; two that differ still differ.

    Parameters
    ----------
    names : sequence of str
        The names, of which no control character remains; where two are alike, they stay alike.
    room : float
        In points.
    size : float
        Of the type, in points.

    Examples
    --------
    >>> cut_to_fit(["lora-r2", "distilbert-base-uncased-layers-0-to-5-frozen"], 110)
    ['lora-r2', 'distilbert-ba…0-to-5-frozen']
    >>> cut_to_fit([f"distilbert-base-uncased-lora-r{rank}-with-dropout-everywhere" for rank in (2, 8)], 110)
    ['…sed-lora-r2-with-drop…', '…sed-lora-r8-with-drop…']
    """
    names = list(map(printable, names))
    distinct = list(dict.fromkeys(names))
    short = {name: _middle_cut(name, room, size=size) for name in distinct}
    if len(set(short.values())) < len(distinct):
        short = _around_the_difference(distinct, room, size=size)
    taken: set[str] = set()
    for name in distinct:
        number = 1
        while short[name] in taken:
            number += 1
            short[name] = _middle_cut(name, room, size=size, ending=f" ({number})")
        taken.add(short[name])
    return [short[name] for name in names]


def _middle_cut(name: str, room: float, *, size: float, ending: str = "") -> str:
    if text_width(name + ending, size=size) <= room:
        return name + ending
    # The end of a name often tells it from others: it keeps as much as the beginning.
    for kept in range(len(name) - 1, 1, -1):
        short = f"{name[: kept - kept // 2].rstrip()}…{name[-(kept // 2) :].lstrip()}{ending}"
        if text_width(short, size=size) <= room:
            return short
    return f"{name[:1]}…{ending}"


def _around_the_difference(names: Sequence[str], room: float, *, size: float) -> dict[str, str]:
    """Cut the names that are too wide to where they differ, with as much around it as there is room for."""
    wide = [name for name in names if text_width(name, size=size) > room]
    before = _alike(wide)
    after = min(_alike([name[::-1] for name in wide]), *(len(name) - before for name in wide))
    short = {name: name for name in names}
    for name in wide:
        for around in range(len(name), -1, -1):
            start, end = max(before - around, 0), min(len(name) - after + around, len(name))
            short[name] = "…" * (start > 0) + name[start:end] + "…" * (end < len(name))
            if text_width(short[name], size=size) <= room:
                break
        else:
            short[name] = _middle_cut(name[before : len(name) - after], room, size=size)
    return short


def _alike(names: Sequence[str]) -> int:
    """Return with how many letters all names begin alike."""
    differ = (place for place, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1)
    return next(differ, min(map(len, names)))
