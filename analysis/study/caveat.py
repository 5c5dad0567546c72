"""Caveats: what a reader must know before trusting a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """Something that a reader must know before trusting a table.

    Parameters
    ----------
    short : str
        A few words, fit for a line under every table.
    text : str
        The whole sentence.
    on_verdicts : bool
        Whether it limits what a verdict is worth, so that the table of verdicts says it in full.
    """

    short: str
    text: str
    on_verdicts: bool = False
