"""JSON of results: dicts, lists, texts and finite numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction

from pydantic import BaseModel


def jsonable(value: object) -> object:
    """Return dicts, lists, texts and numbers only; a number that is not finite becomes None.

    Parameters
    ----------
    value : object
        A result, a model, or a container of them. A dataclass gives its fields, or what its `json_keys` name.

    Examples
    --------
    >>> jsonable({"p": (0.5, float("nan"))})
    {'p': [0.5, None]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        keys = getattr(value, "json_keys", None) or [field.name for field in dataclasses.fields(value)]
        return {key: jsonable(getattr(value, key)) for key in keys}
    if isinstance(value, BaseModel):
        return {name: jsonable(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [jsonable(entry) for entry in value]
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
