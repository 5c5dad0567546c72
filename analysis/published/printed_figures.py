"""Printed figures: numbers as somebody printed them, whose digits say how they were rounded. Exact, in fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from analysis.problems import shown

_DIGITS = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SHARE = re.compile(rf"(?P<digits>{_DIGITS})\s*(?P<percent>%?)")
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})")
_WHOLE = re.compile(r"[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+")
_SIZE = re.compile(rf"(?P<digits>{_DIGITS})\s*(?P<unit>[KMB])")
_TIME = re.compile(rf"(?:(?P<h>[0-9]+)\s*h)?\s*(?:(?P<min>{_DIGITS})\s*m(?:in)?)?\s*(?:(?P<s>{_DIGITS})\s*s)?")
_THOUSANDS = {"K": 10**3, "M": 10**6, "B": 10**9}
_SECONDS = {"h": 3600, "min": 60, "s": 1}

# A log may hold a float32, whose later digits are noise: these many decimals are taken at their word.
_TRUSTED_DECIMALS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedFigure:
    """A number as somebody printed it.

    Parameters
    ----------
    printed : str
        The text, such as ``"0.883"``, ``"88.3%"`` or ``"22 min 51 s"``.
    value : Fraction
        The number that it stands for: a share between 0 and 1, seconds, or a plain number.
    half_width : Fraction
        What rounding may have hidden to each side: half a unit of the last printed digit.
    """

    printed: str
    value: Fraction
    half_width: Fraction

    @property
    def low(self) -> Fraction:
        """The least number that rounds to the figure."""
        return self.value - self.half_width

    @property
    def high(self) -> Fraction:
        """The greatest number that rounds to the figure."""
        return self.value + self.half_width

    def agrees_with(self, other: PrintedFigure) -> bool:
        """Return whether one and the same number may stand behind both figures.

        Neighbours, such as 0.906 and 0.907, do not agree although a number that lies exactly between them could have
        been rounded to either.
        """
        return self.value == other.value or abs(self.value - other.value) < self.half_width + other.half_width

    def complement(self) -> PrintedFigure:
        """Return the share that is left: the accuracy that belongs to an error rate."""
        return PrintedFigure(printed=self.printed, value=1 - self.value, half_width=self.half_width)


def read_share(printed: object) -> PrintedFigure:
    """Read a printed share, such as an accuracy, together with its precision.

    Parameters
    ----------
    printed : object
        A text: a share between 0 and 1, or a percentage with its sign.

    Raises
    ------
    ValueError
        If it is a number without quotes (its trailing zeros are lost), no number, or outside 0 to 1.

    Examples
    --------
    >>> read_share("88.3%")
    PrintedFigure(printed='88.3%', value=Fraction(883, 1000), half_width=Fraction(1, 2000))
    """
    wanted = 'a figure such as "0.883" or "88.3%"'
    text = _text(printed, wanted)
    match = _SHARE.fullmatch(text)
    if match is None:
        point = "; write decimals with a point" if "," in text else ""
        raise ValueError(f"expected {wanted}, got {shown(printed)}{point}")
    unit = Fraction(1, 100) if match["percent"] else Fraction(1)
    figure = _figure(text, match["digits"], unit)
    if figure.value > 1:
        hint = "" if match["percent"] else '; a percentage needs its sign, such as "88.3%"'
        raise ValueError(f'expected a share from "0" to "1" or "0%" to "100%", got {text!r}{hint}')
    return figure


def read_number(printed: object) -> PrintedFigure:
    """Read a printed number from 0, such as a loss.

    Raises
    ------
    ValueError
        If it is no text with a plain number.

    Examples
    --------
    >>> float(read_number("0.3255").half_width)
    5e-05
    """
    wanted = "a number such as 0.3255"
    text = _text(printed, wanted)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {wanted}, got {shown(printed)}")
    return _figure(text, match["digits"], Fraction(1))


def read_time(printed: object) -> PrintedFigure:
    """Read a printed time in seconds, minutes and hours.

    Raises
    ------
    ValueError
        If it is no text of that kind, or 0.

    Examples
    --------
    >>> float(read_time("22 min 51 s").value), float(read_time("3275.93 s").value)
    (1371.0, 3275.93)
    """
    text = _text(printed, "a time such as 22 min 51 s")
    match = _TIME.fullmatch(text)
    parts = {unit: digits for unit, digits in match.groupdict().items() if digits} if match else {}
    figures = [_figure(text, digits, Fraction(_SECONDS[unit])) for unit, digits in parts.items()]
    value = sum((figure.value for figure in figures), Fraction(0))
    if not value:
        raise ValueError(f"expected a time such as 3275.93 s, 22 min 51 s or 1 h 2 min, got {shown(printed)}")
    # The last unit that was printed is the one that was rounded.
    return PrintedFigure(printed=text, value=value, half_width=figures[-1].half_width)


def read_size(printed: object) -> PrintedFigure:
    """Read a printed number of parameters, exact or in thousands (K), millions (M) or billions (B).

    Raises
    ------
    ValueError
        If it is no text of that kind, or 0.

    Examples
    --------
    >>> [int(read_size(text).value) for text in ("124,441,344", "124M")]
    [124441344, 124000000]
    """
    wanted = "a number of parameters such as 124,441,344 or 124M"
    text = _text(printed, wanted)
    match = _SIZE.fullmatch(text)
    if match:
        figure = _figure(text, match["digits"], Fraction(_THOUSANDS[match["unit"]]))
    elif _WHOLE.fullmatch(text):
        figure = PrintedFigure(printed=text, value=Fraction(text.replace(",", "")), half_width=Fraction(0))
    else:
        figure = None
    if figure is None or not figure.value:
        raise ValueError(f"expected {wanted}, got {shown(printed)}")
    return figure


def read_count(printed: object) -> int:
    """Read a whole number above 0, with or without commas.

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> read_count("67,349")
    67349
    """
    # A whole number loses no digit on its way through a program.
    text = str(printed).strip() if isinstance(printed, str | int) else ""
    count = int(text.replace(",", "")) if _WHOLE.fullmatch(text) else 0
    if count < 1:
        raise ValueError(f"expected a whole number above 0, got {shown(printed)}")
    return count


def _text(printed: object, wanted: str) -> str:
    if isinstance(printed, int | float) and not isinstance(printed, bool):
        raise ValueError(
            f"expected {wanted}, got the number {printed!r}; "
            f"write it as printed, in quotes: its digits say how it was rounded"
        )
    return printed.strip() if isinstance(printed, str) else ""


def _figure(text: str, digits: str, unit: Fraction) -> PrintedFigure:
    half = unit / (2 * 10 ** len(digits.partition(".")[2]))
    return PrintedFigure(
        printed=text,
        value=Fraction(digits) * unit,
        half_width=max(half, Fraction(1, 2 * 10**_TRUSTED_DECIMALS)),
    )
