"""JSON schema of the stored files, for programs in other languages: docs/records.schema.json."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import models_json_schema

from analysis.records.looks import Looks
from analysis.records.manifest import Manifest
from analysis.records.timing import Timing
from analysis.records.trial_record import TrialRecord


def schema() -> str:
    """Return the schema: `$defs` holds Manifest (study.json), TrialRecord (record.json), Looks and Timing, likewise."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in (Manifest, TrialRecord, Looks, Timing)], title="The record format"
    )
    return json.dumps(_with_sorted_enums(definitions), indent=1) + "\n"


def _with_sorted_enums(part: Any) -> Any:
    # Literal["a", "b"] | None may come back as an earlier Literal["b", "a"] | None: typing (CPython 3.11) caches them
    # as equal. The order of the values would depend on what was imported before.
    if isinstance(part, dict):
        return {key: sorted(value) if key == "enum" else _with_sorted_enums(value) for key, value in part.items()}
    return [_with_sorted_enums(value) for value in part] if isinstance(part, list) else part


if __name__ == "__main__":
    sys.stdout.write(schema())
