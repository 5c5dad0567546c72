"""The record format: what all models of stored files share.

`analysis.records.manifest` has the model of study.json, `analysis.records.trial_record` that of record.json,
`analysis.records.looks` and `analysis.records.timing` those of looks.json and timing.json. They write and read these
files and are the one description of the keys: the tables of docs/records.md are checked against them, and
docs/records.schema.json is made from them by `python -m analysis.records.schema`.
A field with a default may be absent, since an older version did not write it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Final = 1
"""The format of every file that an older version judges as this one does."""

NEWER_FORMAT: Final = 2
"""The format of a manifest that version 1 would misjudge: it must refuse what it does not know, not leave it out."""

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A whole number that every reader of the file can hold."""

LONGEST_SECONDS: Final = 1e12
"""Longer than anything that was ever timed. Sums and products of such times are finite."""

Scalar = bool | int | float | str


class Stored(BaseModel):
    """The base of all that is stored."""

    # Strict: a text is no number. Every number is finite.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, protected_namespaces=())

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: the keys that were given, in the order of the fields."""
        return self.model_dump(mode="json", exclude_unset=True)


class StoredFile(Stored):
    """The base of a whole file: it names its format."""

    # Not a literal: that takes true and 1.0 for 1.
    format: int = Field(default=FORMAT, ge=FORMAT, le=NEWER_FORMAT)
