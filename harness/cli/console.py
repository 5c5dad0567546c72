"""A console on which only the console itself moves the cursor, changes colours, or turns a line around."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from analysis.printable import printable


class SafeConsole(Console):
    """Shows texts of whatever origin: study files, data sets, other people's records, libraries' errors."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Lay out, with every text made fit to be shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
