"""Text from elsewhere, fit to be shown: names of classes, questions, claims, what a library complained of."""

from __future__ import annotations

import re

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a cursor, begins an escape sequence, turns a line around, or is half a character."""


def printable(text: str) -> str:
    r"""Return the text with a sign in place of each character that would do something instead of showing something.

    Line ends and tabs stay.

    Examples
    --------
    >>> printable("a \x1b[31mred\x1b[0m class")
    'a �[31mred�[0m class'
    """
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
