"""Figure: one picture of a report, with its words and its numbers; drawn only when somebody asks for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analysis.figures.style import WIDTHS, Width, styled
from analysis.figures.svg import for_page
from analysis.printable import printable
from analysis.tables.table import Column

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

Draw = Callable[[float], "Picture"]
"""Draws a result on a page so many points wide."""

# Nothing that changes from day to day.
_METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
# By width: what the names of its files add to that of the figure, and their formats.
_FILES: Mapping[Width, tuple[str, tuple[str, ...]]] = {
    "single": ("", ("pdf", "svg", "png")),
    "double": ("-wide", ("pdf",)),
}
_DOTS_PER_INCH = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of a report. Its words and numbers are there at once; matplotlib is loaded when it is drawn.

    Parameters
    ----------
    name : str
        Of its files and of its place in a page, such as ``gaps``: small letters.
    title : str
        What it is about, in a few words; not drawn, so that a paper or a page can say it in its own way.
    caption : str
        What is drawn, of which seeds and test examples, and which population it speaks about: one paragraph of plain
        text.
    alt : str
        What is to be seen, for somebody who cannot see it: plain text.
    columns : tuple of Column
        Its numbers as the columns of a table, already rounded, one row for each thing that is drawn.
    reason : str
        Why there is nothing to draw, as a sentence; empty where there is a figure. Without a figure, caption, alt and
        columns are empty.
    draw : callable or None
        Draws it, so many points wide; use `svg` and `files`.
    """

    name: str
    title: str
    caption: str = ""
    alt: str = ""
    columns: tuple[Column, ...] = ()
    reason: str = ""
    draw: Draw | None = field(default=None, repr=False)

    def svg(self, *, width: Width = "single") -> str:
        """Return the figure as an ``<svg>`` element for a page of HTML.

        The element has the class ``figure``. Text is text, in the page's sans-serif type. The width is given in ``em``
        and never more than the room there is, so that the type grows with the reader's: on a phone, one column of a
        paper fills the screen. Ink is ``currentColor``, and every other colour a property that the page may set, with
        the colour on white paper where it does not: ``--figure-paper``, ``--figure-quiet``, ``--figure-faint``,
        ``--figure-band``, ``--figure-blue``, ``--figure-orange``, ``--figure-green``. It holds no script, no style
        sheet and no reference to another file; ids in it are those of this figure alone. The same result gives the same
        text.

        Parameters
        ----------
        width : {"single", "double"}
            Of one or two columns of a paper; which decides how much stands beside what.

        Raises
        ------
        ValueError
            If there is nothing to draw; `reason` says why.
        """
        stream = io.StringIO()
        with styled(self.name):
            self._drawn(width).savefig(stream, format="svg", facecolor="none", metadata=_METADATA["svg"])
        return for_page(stream.getvalue(), alt=self.alt)

    def __post_init__(self) -> None:
        for name in ("title", "caption", "alt", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(f"{self.name}{suffix}.{kind}" for suffix, formats in _FILES.values() for kind in formats)

    def files(self) -> dict[str, bytes]:
        """Return the files of the figure by their names, on white paper and in true size.

        One column of a paper wide: ``NAME.pdf``, ``NAME.svg`` and ``NAME.png``; two columns wide: ``NAME-wide.pdf``.
        PDF embeds its fonts as TrueType, as publishers ask. The same result gives the same bytes.

        Raises
        ------
        ValueError
            If there is nothing to draw; `reason` says why.
        """
        made = {}
        with styled(self.name):
            for width, (suffix, formats) in _FILES.items():
                picture = self._drawn(width)
                for kind in formats:
                    made[f"{self.name}{suffix}.{kind}"] = _written(picture, kind)
        return made

    def _drawn(self, width: Width) -> Picture:
        if self.draw is None:
            raise ValueError(f"there is no figure {self.name}: {self.reason}")
        return self.draw(WIDTHS[width])


def _written(picture: Picture, kind: str) -> bytes:
    stream = io.BytesIO()
    picture.savefig(stream, format=kind, dpi=_DOTS_PER_INCH, metadata=_METADATA[kind])
    return stream.getvalue()


def missing(name: str, title: str, reason: str) -> Figure:
    """Return what stands in the place of a figure that cannot be drawn."""
    return Figure(name=name, title=title, reason=reason)
