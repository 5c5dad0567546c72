"""JSON schema of the stored files, for programs in other languages: docs/records.schema.json."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import models_json_schema

from analysis.records.manifest import Looks, Manifest
from analysis.records.trial_record import TrialRecord


def schema() -> str:
    """Return the schema: `$defs` holds Manifest (study.json), TrialRecord (record.json) and Looks (looks.json)."""
    _, definitions = models_json_schema(
        [(Manifest, "validation"), (TrialRecord, "validation"), (Looks, "validation")], title="The record format"
    )
    return json.dumps(definitions, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
