"""The models of the stored files, their JSON schema, and the tables of docs/records.md say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from analysis.records.format import Stored
from analysis.records.looks import Looks, TakenLook
from analysis.records.manifest import Manifest
from analysis.records.schema import schema
from analysis.records.timing import Timing
from analysis.records.trial_record import TrialRecord

DOCS = Path(__file__).parents[3] / "docs"


def documented(section: str) -> dict[str, set[str]]:
    """The keys in a section's table, each with the keys of the first object that its row describes."""
    text = (DOCS / "records.md").read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    keys = {}
    for names, content in re.findall(r"^\| (`.+?) \| (.+) \|$", text, re.MULTILINE):
        inner = re.search(r"`\{((?:[^{}]|\{[^{}]*\})*)\}", content)
        flat = re.sub(r"\{[^{}]*\}", "", inner[1]) if inner else ""
        nested = {part.partition(":")[0].strip() for part in flat.split(",") if part.strip()}
        keys |= dict.fromkeys(re.findall(r"`(\w+)`", names), nested)
    return keys


def models_in(annotation: object) -> list[type[Stored]]:
    """The models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Stored):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


@pytest.mark.parametrize(
    ("section", "file"), [("study.json", Manifest), ("record.json", TrialRecord), ("timing.json", Timing)]
)
def test_the_docs_list_exactly_the_keys_of_the_models(section: str, file: type[Stored]) -> None:
    keys = documented(section)
    assert set(keys) == set(file.model_fields)
    for name, field in file.model_fields.items():
        for model in models_in(field.annotation):
            assert keys[name] == set(model.model_fields), name


def test_the_docs_list_the_keys_of_looks() -> None:
    text = (DOCS / "records.md").read_text("utf-8")
    for model in (Looks, TakenLook):
        assert "{" + ", ".join(model.model_fields) + "}" in text


def test_the_schema_in_the_docs_is_that_of_the_models() -> None:
    committed = (DOCS / "records.schema.json").read_text("utf-8")
    assert committed == schema(), "run: python -m analysis.records.schema > docs/records.schema.json"


@pytest.mark.parametrize("before", ["analysis.records.schema", "analysis.published.claims_epochs"])
def test_the_schema_does_not_depend_on_what_was_imported_before(before: str) -> None:
    code = f"import {before}, sys\nfrom analysis.records.schema import schema\nsys.stdout.write(schema())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (DOCS / "records.schema.json").read_text("utf-8")


def test_a_record_of_an_older_version_is_readable() -> None:
    record = TrialRecord(key="k", seed=0, status="failed")
    assert (record.pack_size, record.provenance.versions, record.data, record.solo) == (1, {}, None, True)
    assert record.to_json() == {"key": "k", "seed": 0, "status": "failed"}


def test_a_record_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrialRecord(key="k", seed=0, status="failed").seed = 1  # type: ignore[misc]
