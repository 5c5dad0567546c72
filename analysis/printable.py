"""Printable text: names, questions, claims and messages from elsewhere, without control characters."""

from __future__ import annotations

import re

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a cursor, begin an escape sequence or reverse a line, and halves of characters."""


def printable(text: str) -> str:
    r"""Return the text with a replacement character for each character that would control the terminal.

    Line ends and tabs remain.

    Examples
    --------
    >>> printable("a \x1b[31mred\x1b[0m class")
    'a �[31mred�[0m class'
    """
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
