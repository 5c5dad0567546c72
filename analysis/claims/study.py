"""The `claims:` block of a study: published accuracies, read as printed, beside what the study measures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from analysis.errors import PlanError, Problem
from analysis.problems import Allowed, ArmName, described, shown

_PRINTED = re.compile(r"(?P<digits>[0-9]+(\.[0-9]+)?|\.[0-9]+)\s*(?P<percent>%?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An accuracy as somebody printed it.

    Parameters
    ----------
    printed
        The text, such as ``"0.883"`` or ``"88.3%"``.
    value
        The share that it stands for, between 0 and 1.
    half_width
        Half a unit of the last printed digit: what rounding may have hidden.
    """

    printed: str
    value: float
    half_width: float


def read_figure(printed: object) -> Figure:
    """Read a printed accuracy together with its precision.

    Parameters
    ----------
    printed
        A text: a share between 0 and 1, or a percentage with its sign.

    Raises
    ------
    ValueError
        If it is a number without quotes (its trailing zeros are lost), no number, or outside 0 to 1.

    Examples
    --------
    >>> read_figure("88.3%")
    Figure(printed='88.3%', value=0.883, half_width=0.0005)
    """
    if isinstance(printed, int | float) and not isinstance(printed, bool):
        raise ValueError(
            f"expected the figure in quotes, got the number {printed!r}; "
            f'write it as printed, such as "0.883" or "88.3%": its digits say how it was rounded'
        )
    text = printed.strip() if isinstance(printed, str) else ""
    match = _PRINTED.fullmatch(text)
    if match is None:
        raise ValueError(f'expected a figure in quotes such as "0.883" or "88.3%", got {shown(printed)}')
    unit = Decimal("0.01") if match["percent"] else Decimal(1)
    value = Decimal(match["digits"]) * unit
    if value > 1:
        hint = "" if match["percent"] else '; a percentage needs its sign, such as "88.3%"'
        raise ValueError(f'expected an accuracy from "0" to "1" or "0%" to "100%", got {text!r}{hint}')
    places = len(match["digits"].partition(".")[2])
    half_width = Decimal(5).scaleb(-places - 1) * unit
    return Figure(printed=text, value=float(value), half_width=float(half_width))


class Claim(BaseModel):
    """Accuracies that somebody published about a model on a number of examples.

    Parameters
    ----------
    source
        Where the figures stand.
    model
        The model that they are about, written as in a study file.
    data
        The data set, written as in a study file; None where it is the study's.
    n
        The number of test examples behind each figure.
    accuracy
        The printed figure of each arm, in quotes.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    model: str = Field(min_length=1)
    data: str | None = None
    n: int = Field(gt=0)
    accuracy: dict[ArmName, Annotated[Figure, BeforeValidator(read_figure)]] = Field(min_length=1)


_ALLOWED = Allowed(
    keys={(): tuple(Claim.model_fields)},
    values={
        ("source",): "a text that says where the figures stand",
        ("model",): "a text with the name of a model",
        ("data",): "a text with the name of a data set",
        ("n",): "a whole number above 0",
        ("accuracy",): 'a mapping of arm to printed figure, such as {full: "0.883"}',
    },
    choices={},
)


def _validated(claims: object, *, arms: Sequence[str]) -> tuple[tuple[Claim, ...], list[Problem]]:
    if claims is None:
        return (), []
    if not isinstance(claims, list | tuple):
        return (), [Problem(path=("claims",), message=f"expected a list of claims, got {shown(claims)}")]
    read: list[Claim] = []
    problems: list[Problem] = []
    for position, claim in enumerate(claims):
        path = ("claims", position)
        if not isinstance(claim, Mapping):
            problems.append(Problem(path=path, message=f"expected a mapping, got {shown(claim)}"))
            continue
        try:
            read.append(Claim.model_validate(dict(claim), context={"arms": tuple(arms)}))
        except ValidationError as error:
            problems += described(error, allowed=_ALLOWED, prefix=path)
    return tuple(read), problems


def claim_problems(claims: object, *, arms: Sequence[str]) -> list[Problem]:
    """List what is wrong with a `claims:` block of whatever type, without raising.

    Parameters
    ----------
    claims
        The block as the study file gives it; None where absent.
    arms
        The arms, in the order of the study file.
    """
    return _validated(claims, arms=arms)[1]


def parse_claims(claims: Sequence[Mapping[str, Any]] | None, *, arms: Sequence[str]) -> tuple[Claim, ...]:
    """Read the `claims:` block of a study.

    Parameters
    ----------
    claims
        The block as the study file gives it; None where absent.
    arms
        The arms, in the order of the study file.

    Raises
    ------
    PlanError
        With every problem of the block.
    """
    read, problems = _validated(claims, arms=arms)
    if problems:
        raise PlanError(problems)
    return read
