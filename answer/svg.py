"""SVG files of the pages: on white paper, and the same text for the same picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


def svg(name: str, draw: Callable[[], Picture]) -> str:
    """Draw a picture, and return it as an SVG file whose ids begin with its name."""
    stream = io.StringIO()
    with styled(name):
        draw().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    # matplotlib leaves blanks at the end of some lines.
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
