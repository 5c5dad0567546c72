"""Printed figures: numbers as somebody printed them, whose digits say how they were rounded. Exact, in fractions."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction

from analysis.problems import shown

_DIGITS = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SHARE = re.compile(rf"(?P<digits>{_DIGITS})\s*(?P<percent>%?)")
_NUMBER = re.compile(rf"(?P<digits>{_DIGITS})")
_WHOLE = re.compile(r"[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+")
_SIZE = re.compile(rf"(?P<digits>{_DIGITS})\s*(?P<unit>[KMB])")
_SCORE_WITH_SPREAD = re.compile(
    rf"(?P<score>{_DIGITS})\s*(?P<first>%?)\s*"
    rf"(?:(?:±|\+/?-|\\pm)\s*(?P<after>{_DIGITS})|\(\s*±?\s*(?P<inside>{_DIGITS})\s*(?P<within>%?)\s*\))\s*(?P<last>%?)"
)
_OF_ALL = re.compile(r"(?P<right>[0-9][0-9,]*)\s*/\s*(?P<n>[0-9][0-9,]*)")
_CORRELATION = re.compile(r"(?P<sign>[-−+]?)\s*(?P<size>.*)")
_CLOCK = re.compile(
    r"(?:(?P<d>[0-9]+)(?:\s*d|\s*days?,?|-)\s*)?(?:(?P<h>[0-9]+):)?(?P<min>[0-9]{1,2}):(?P<s>[0-9]{2}(?:\.[0-9]+)?)"
)
_TIME = re.compile(rf"(?:(?P<h>[0-9]+)\s*h)?\s*(?:(?P<min>{_DIGITS})\s*m(?:in)?)?\s*(?:(?P<s>{_DIGITS})\s*s)?")
_THOUSANDS = {"K": 10**3, "M": 10**6, "B": 10**9}
_SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}

TRUSTED_DECIMALS = 7
"""A log may hold a float32, whose later digits are noise: these many decimals are taken at their word."""


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
    spread : PrintedFigure or None
        What stands after a ± or in brackets, in the same unit.
    n : int or None
        The examples, where the figure is printed as a count of them, such as ``"770/872"``.
    """

    printed: str
    value: Fraction
    half_width: Fraction
    spread: PrintedFigure | None = None
    n: int | None = None

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
        return dataclasses.replace(self, value=1 - self.value)


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
    >>> figure = read_share("88.3%")
    >>> figure.value, figure.half_width
    (Fraction(883, 1000), Fraction(1, 2000))
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


def read_score(printed: object) -> PrintedFigure:
    """Read a printed score as tables have it: a share, a share with its spread, or a count of all examples.

    Parameters
    ----------
    printed : object
        A text. Beside a spread a figure above 1 is a percentage, with its sign or without.

    Raises
    ------
    ValueError
        If it is none of these, or outside 0 to 1.

    Examples
    --------
    >>> score = read_score("92.3 (0.4)")
    >>> score.printed, float(score.value), float(score.spread.value)
    ('92.3%', 0.923, 0.004)
    >>> read_score("770/872").value, read_score("770/872").n
    (Fraction(385, 436), 872)
    """
    text = printed.strip() if isinstance(printed, str) else ""
    if match := _OF_ALL.fullmatch(text):
        right, n = (int(match[part].replace(",", "")) for part in ("right", "n"))
        if not 0 <= right <= n or not n:
            raise ValueError(f"expected a count of right answers and of all examples such as 770/872, got {text!r}")
        return PrintedFigure(printed=text, value=Fraction(right, n), half_width=Fraction(0), n=n)
    match = _SCORE_WITH_SPREAD.fullmatch(text)
    if match is None and "/" in text:
        raise ValueError(f"expected one figure, or a count such as 770/872, got {text!r}: write accuracy and f1 apart")
    if match is None:
        return read_share(printed)
    score, spread = match["score"], match["after"] or match["inside"]
    if match["inside"] and "." in score and "." not in spread:
        wanted = f"a spread with decimals in the brackets, such as {score} (0.4)"
        raise ValueError(f"expected {wanted}, got {text!r}: {spread} may be a last digit, a rank or a number of runs")
    percent = "%" in text or Fraction(score) > 1
    figure, beside = (read_share(f"{digits}%" if percent else digits) for digits in (score, spread))
    return dataclasses.replace(figure, spread=beside)


def read_correlation(printed: object) -> PrintedFigure:
    """Read a printed correlation from -1 to 1, such as Pearson's, Spearman's or Matthews'.

    Raises
    ------
    ValueError
        If it is no text with such a number.

    Examples
    --------
    >>> [float(read_correlation(text).value) for text in ("0.61", "-0.03", "61.2%", "61.2 ± 0.8")]
    [0.61, -0.03, 0.612, 0.612]
    """
    wanted = 'a correlation such as "0.61", "-0.03" or "61.2%"'
    match = _CORRELATION.fullmatch(_text(printed, wanted))
    try:
        figure = read_score(match["size"] if match else "")
    except ValueError:
        figure = None
    if match is None or figure is None or figure.n is not None:
        raise ValueError(f"expected {wanted}, got {shown(printed)}")
    if match["sign"] in ("-", "−"):
        return dataclasses.replace(figure, printed=f"-{figure.printed}", value=-figure.value)
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
    """Read a printed time: in seconds, minutes and hours, or as a clock that ends in seconds.

    Raises
    ------
    ValueError
        If it is no text of that kind, or 0.

    Examples
    --------
    >>> [float(read_time(text).value) for text in ("22 min 51 s", "3275.93 s", "22:51", "1:02:03")]
    [1371.0, 3275.93, 1371.0, 3723.0]
    """
    text = _text(printed, "a time such as 22 min 51 s")
    clock = _CLOCK.fullmatch(text)
    match = clock or _TIME.fullmatch(text)
    parts = {unit: digits for unit, digits in match.groupdict().items() if digits} if match else {}
    figures = [_figure(text, digits, Fraction(_SECONDS[unit])) for unit, digits in parts.items()]
    value = sum((figure.value for figure in figures), Fraction(0))
    if not value or (clock and not _is_clock(clock)):
        raise ValueError(f"expected a time such as 3275.93 s, 22 min 51 s or 1:02:03, got {shown(printed)}")
    # The last unit that was printed is the one that was rounded.
    return PrintedFigure(printed=text, value=value, half_width=figures[-1].half_width)


def _is_clock(clock: re.Match[str]) -> bool:
    """Return whether the minutes and seconds of a clock are below 60, and its hours below 24 after days."""
    hours_fit = clock["d"] is None or (clock["h"] is not None and int(clock["h"]) < 24)
    return hours_fit and (clock["h"] is None or int(clock["min"]) < 60) and float(clock["s"]) < 60


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
        half_width=max(half, Fraction(1, 2 * 10**TRUSTED_DECIMALS)),
    )
