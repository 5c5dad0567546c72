"""Claims of a study file: published accuracies, read as printed, for comparison with what the study measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError

from analysis.errors import PlanError, Problem
from analysis.problems import Allowed, ArmName, described, shown
from analysis.published.printed_figures import PrintedFigure, read_share


class Claim(BaseModel):
    """Accuracies that somebody published about a model on a number of examples.

    Parameters
    ----------
    source : str
        Where the figures come from.
    model : str
        The model that they are about, written as in a study file.
    data : str or None
        The data set, written as in a study file; None where it is the study's.
    n : int
        The number of test examples that each figure is computed on.
    accuracy : mapping of str to PrintedFigure
        The printed figure of each arm, in quotes.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    model: str = Field(min_length=1)
    data: str | None = None
    n: int = Field(gt=0)
    accuracy: dict[ArmName, Annotated[InstanceOf[PrintedFigure], BeforeValidator(read_share)]] = Field(min_length=1)


_ALLOWED = Allowed(
    keys={(): tuple(Claim.model_fields)},
    values={
        ("source",): "a text that says where the figures come from",
        ("model",): "a text with the name of a model",
        ("data",): "a text with the name of a data set",
        ("n",): "a whole number above 0",
        ("accuracy",): 'a mapping of arms to printed figures, such as {full: "0.883"}',
    },
    choices={},
)


def _validated(claims: object, *, arms: Sequence[str]) -> tuple[tuple[Claim, ...], list[Problem]]:
    if claims is None:
        return (), []
    if not isinstance(claims, list | tuple):
        return (), [Problem(path=("claims",), message=f"expected a list of claims, got {shown(claims)}")]
    valid: list[Claim] = []
    problems: list[Problem] = []
    for position, claim in enumerate(claims):
        path = ("claims", position)
        if not isinstance(claim, Mapping):
            problems.append(Problem(path=path, message=f"expected a mapping, got {shown(claim)}"))
            continue
        try:
            valid.append(Claim.model_validate(dict(claim), context={"arms": tuple(arms)}))
        except ValidationError as error:
            problems += described(error, allowed=_ALLOWED, prefix=path)
    return tuple(valid), problems


def claim_problems(claims: object, *, arms: Sequence[str]) -> list[Problem]:
    """List what is wrong with a `claims:` block of whatever type, without raising.

    Parameters
    ----------
    claims : object
        The block as the study file gives it; None where absent.
    arms : sequence of str
        The arms, in the order of the study file.
    """
    return _validated(claims, arms=arms)[1]


def parse_claims(claims: Sequence[Mapping[str, Any]] | None, *, arms: Sequence[str]) -> tuple[Claim, ...]:
    """Read the `claims:` block of a study.

    Parameters
    ----------
    claims : sequence of mapping of str to object or None
        The block as the study file gives it; None where absent.
    arms : sequence of str
        The arms, in the order of the study file.

    Raises
    ------
    PlanError
        With every problem of the block.
    """
    valid, problems = _validated(claims, arms=arms)
    if problems:
        raise PlanError(problems)
    return valid
