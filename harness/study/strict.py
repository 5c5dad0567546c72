"""Strict models: the base of all settings, and the one error that their validators raise."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Scalar = bool | int | float | str
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """A model that takes nothing for something else: no unknown key, no ``"1"`` for 1, no change afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def invalid(message: str) -> PydanticCustomError:
    """Return what a validator raises to say `message` and nothing else."""
    return PydanticCustomError("harness", "{message}", {"message": message})
