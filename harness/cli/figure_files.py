"""Files of figures: writes those of a report, and says which there are and why one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.atomic_file import atomic_write

if TYPE_CHECKING:
    from analysis.figures import Figure

FOLDER = "figures"


def write_figures(place: Path, figures: Sequence[Figure]) -> None:
    """Write the files of figures into their folder in a report's, each whole or not at all.

    Files of an earlier figure that can no longer be drawn are removed, so that none stands for another report.

    Parameters
    ----------
    place : Path
        The folder of the report.
    figures : sequence of Figure
        Those of `analysis.figures.build`.
    """
    for figure in figures:
        if figure.reason:
            for path in (place / FOLDER / name for name in figure.file_names):
                path.unlink(missing_ok=True)
            continue
        for name, content in figure.files().items():
            with atomic_write(place / FOLDER / name) as stream:
                stream.write(content)


def figures_in_words(place: Path, figures: Sequence[Figure]) -> str:
    """Say where figures are, and of each that there is none why.

    Parameters
    ----------
    place : Path
        The folder of the report.
    figures : sequence of Figure
        As in `write_figures`.
    """
    drawn = ", ".join(figure.name for figure in figures if not figure.reason)
    lines = [f"Figures as PDF, SVG and PNG: {place / FOLDER}: {drawn or 'none'}"]
    lines += [f"  no figure {figure.name}: {figure.reason}" for figure in figures if figure.reason]
    return "\n".join(lines)
