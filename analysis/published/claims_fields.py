"""Fields of a claims file: the types that texts become, and what each refuses."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, InstanceOf

from analysis.problems import shown
from analysis.published.printed_figures import (
    PrintedFigure,
    read_correlation,
    read_count,
    read_number,
    read_score,
    read_share,
    read_size,
    read_time,
)

MACRO = "macro"
"""The name that stands for the mean of all classes where a class could stand."""

WEIGHTED = "weighted"
"""The name that stands for the mean of all classes, weighted by their test examples."""

MOST_EXAMPLES = 10_000_000
"""Larger test sets than this are refused: going through their overlaps would take long."""

A_PAIR = "{treatment: SYSTEM, baseline: SYSTEM}"

_MOST_SD = Fraction(1, 5)


class Block(BaseModel):
    """A mapping of a claims file; unknown keys are refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _modules(value: object) -> object:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of module names such as [c_attn], got {shown(value)}")
    return tuple(value)


def _column(value: object) -> object:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of figures, one for each epoch, got {shown(value)}")
    return tuple(value)


def _unnamed(value: object) -> object:
    """Put figures that name no class under the empty name."""
    return value if isinstance(value, Mapping) else {"": value}


def _layers(value: object) -> int:
    if value in ("0", 0):
        return 0
    try:
        return read_count(value)
    except ValueError:
        raise ValueError(f"expected a whole number of layers, 0 or more, got {shown(value)}") from None


def _ddof(value: object) -> int:
    if value not in ("0", "1", 0, 1):
        wanted = "0 (divided by the number of runs, numpy's default) or 1 (divided by one less)"
        raise ValueError(f"expected {wanted}, got {shown(value)}")
    return int(str(value))


def _pairs(value: object) -> object:
    if value not in (None, "board") and not isinstance(value, list):
        raise ValueError(f"expected a list of {A_PAIR}, or board, got {shown(value)}")
    return value


def _above_zero(figure: PrintedFigure) -> PrintedFigure:
    if figure.value == 0:
        raise ValueError(f"expected a figure above 0, got {figure.printed!r}")
    return figure


def _not_too_many(n: int) -> int:
    if n > MOST_EXAMPLES:
        raise ValueError(f"expected at most {MOST_EXAMPLES:,} test examples, got {n:,}")
    return n


def _no_mean(classes: dict[str, int]) -> dict[str, int]:
    for name in (MACRO, WEIGHTED):
        if name in classes:
            raise ValueError(f"expected names of classes, got {name!r}, which stands for the mean over all classes")
    return classes


def _sd(figure: PrintedFigure) -> PrintedFigure:
    # Points without their sign would be read as shares: 0.4 as 40 points.
    if figure.high > _MOST_SD:
        hint = "" if "%" in figure.printed else f"; if it is in percentage points, write {figure.printed}%"
        raise ValueError(f"expected an SD below {float(_MOST_SD):.0%}, got {figure.printed!r}{hint}")
    return figure


Share = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_share)]
Score = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_score)]
Correlation = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_correlation)]
Number = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_number)]
Time = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_time)]
Size = Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_size)]
Count = Annotated[int, BeforeValidator(read_count)]
ByClass = Annotated[dict[str, Score], BeforeValidator(_unnamed)]
Shares = Annotated[tuple[Share, ...], BeforeValidator(_column)]
Numbers = Annotated[tuple[Number, ...], BeforeValidator(_column)]

AboveZero = AfterValidator(_above_zero)
BelowMostSd = AfterValidator(_sd)
Sd = Annotated[Share, BelowMostSd]
Ddof = Annotated[int, BeforeValidator(_ddof)]
Pairs = Annotated[Any, BeforeValidator(_pairs)]
Modules = Annotated[tuple[str, ...], BeforeValidator(_modules)]
Layers = Annotated[int, BeforeValidator(_layers)]
LoggedByClass = Annotated[dict[str, Shares], BeforeValidator(_unnamed)]
Examples = Annotated[Count, AfterValidator(_not_too_many)]
ClassCounts = Annotated[dict[str, Count], AfterValidator(_no_mean)]
