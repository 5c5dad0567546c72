"""Study: its question, model, data, arms and seeds, complete and checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PrivateAttr, Tag, field_validator, model_validator

from harness.study.settings import Arm, Data, Search, SeedPair, SeedsBySource, Selection
from harness.study.strict import Strict, invalid
from harness.study.training import Training

EngineName = Literal["packed", "trainer"]
Task = Literal["classification", "regression"]
_MOST_SEEDS = 10_000


def _seeds(value: Any) -> Any:
    """Turn a count into the seeds 0 to count - 1; a list stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise invalid(
            f"expected a count of seeds or a list of them, or {{initialisation: 5, data_order: 4}}, got {value!r}"
        )
    if isinstance(value, int):
        if not 1 <= value <= _MOST_SEEDS:
            raise invalid(f"expected a count from 1 to {_MOST_SEEDS}, or a list of seeds, got {value}")
        return tuple(range(value))
    if len(value) > _MOST_SEEDS:
        raise invalid(f"expected at most {_MOST_SEEDS} seeds, got a list of {len(value)}")
    return tuple(value)


Seeds = Annotated[
    Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
        BeforeValidator(_seeds),
        Field(min_length=1),
        Tag("<plain>"),
    ]
    | Annotated[SeedsBySource, Tag("<by source>")],
    Discriminator(lambda value: "<by source>" if isinstance(value, Mapping | SeedsBySource) else "<plain>"),
]


class Study(Strict):
    """A study, complete: defaults filled in, overrides applied, grids expanded.

    `analysis` and `claims` are carried as they are written; they belong to the analysis, which checks them.
    docs/study-files.md describes every key.
    """

    name: str
    question: str = ""
    task: Task = "classification"
    model: str = Field(min_length=1)
    revision: str | None = None
    head: Literal["drawn", "kept"] = "drawn"
    allow_pickle: bool = False
    data: Data
    training: Training = Field(default_factory=Training)
    arms: Mapping[str, Arm] = Field(min_length=1)
    engine: EngineName = "packed"
    store_texts: bool = True
    timing: Literal["on", "off"] = "on"
    seeds: Seeds
    selection: Selection = "last"
    search: Search | None = None
    deviations: Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = ()
    analysis: Any = Field(default_factory=dict)
    claims: Any = Field(default_factory=list)
    # Private, so that where the file lies is neither a key of it nor part of what identifies a study.
    _folder: Path | None = PrivateAttr(None)
    _file: str | None = PrivateAttr(None)
    _overrides: tuple[str, ...] = PrivateAttr(())

    @property
    def numbered_seeds(self) -> Mapping[int, SeedPair | None]:
        """The seeds of each arm's trials: by number, with the pair that it stands for where seeds are by source."""
        if isinstance(self.seeds, SeedsBySource):
            return dict(enumerate(self.seeds.pairs))
        return dict.fromkeys(self.seeds)

    @property
    def folder(self) -> Path | None:
        """The folder of the study file; relative paths that are not in the working folder are looked up here."""
        return self._folder

    @property
    def file(self) -> str | None:
        """The study file, as it was given; None where the study comes from none."""
        return self._file

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was laid over the study file, as it was written."""
        return self._overrides

    @field_validator("name")
    @classmethod
    def _name_is_a_folder(cls, name: str) -> str:
        if fault := name_fault(name):
            raise invalid(fault)
        return name

    @model_validator(mode="after")
    def _two_sources_are_enough(self) -> Study:
        if not isinstance(self.seeds, SeedsBySource):
            return self
        if len(self.data.tests) > 1:
            raise invalid(
                "seeds: by source, they are judged on one test set, and data.test names "
                f"{len(self.data.tests)}; name one, or give a count of seeds"
            )
        if self.data.resample is not None:
            raise invalid(
                "seeds: initialisation and data order have seeds of their own here, and none is left to draw a "
                "training set with; leave out data.resample, or give a count of seeds"
            )
        return self

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, seeds: tuple[int, ...] | SeedsBySource) -> tuple[int, ...] | SeedsBySource:
        if isinstance(seeds, SeedsBySource):
            return seeds
        twice = sorted(seed for seed, count in Counter(seeds).items() if count > 1)
        if twice:
            raise invalid(f"given twice: {', '.join(map(str, twice))}; each seed trains each arm once")
        return seeds


def name_fault(name: str) -> str:
    """Say what is wrong with the name of a study; an empty text where nothing is."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        return ""
    shown = name if len(name) <= 40 else f"{name[:40]}... ({len(name)} characters)"
    return (
        "expected up to 100 letters, digits, '.', '_' and '-', the first a letter or digit "
        f"(it names the results folder), got {shown!r}"
    )
