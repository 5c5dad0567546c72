"""Tuning blocks of a claims file: what is trained of a model, so that numbers of parameters can be checked."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from analysis.problems import shown
from analysis.published.claims_fields import Block, Count, Layers, Modules

_TUNINGS = "all, {freeze: {layers: 3}} or {lora: {r: 4, target_modules: [c_attn]}}"


class Lora(Block):
    """A LoRA adapter, in peft's words.

    Parameters
    ----------
    r : int
        Its rank.
    target_modules : tuple of str
        The modules that it adapts, by the last part of their names.
    """

    r: Count
    target_modules: Modules


class Freeze(Block):
    """Frozen layers, as in a study file.

    Parameters
    ----------
    layers : int
        How many layers are frozen after the embeddings.
    """

    layers: Layers


class Tuning(Block):
    """What is trained: everything, where neither an adapter nor frozen layers are given."""

    lora: Lora | None = None
    freeze: Freeze | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: object) -> object:
        if value == "all":
            return {}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"expected {_TUNINGS}, got {shown(value)}")
        return value
