"""Terminal output: consoles on which no text from outside moves the cursor, changes colours or turns a line around."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from analysis.printable import printable


class SafeConsole(Console):
    """Shows texts of whatever origin: study files, data sets, other people's records, libraries' errors."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Lay out, with every text made fit to be shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class PipedConsole(SafeConsole):
    """Lays out as on a terminal, without the blanks that fill its lines: they are of no use in a file."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, and end lines where their text does."""
        with self.capture() as shown:
            super().print(*objects, **options)
        self.file.write(re.sub(r" +$", "", shown.get(), flags=re.MULTILINE))
        # A log is read while a run goes on.
        self.file.flush()
