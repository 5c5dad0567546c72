"""The study file: what it may say, and `load_study`, which reports every problem at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator

from harness.errors import KeyPath, StudyError
from harness.study import document
from harness.study.grid import expand_arms, set_setting
from harness.study.settings import Arm, ArmFile, Data, Scalar, Search, Selection, Strict, Training, wrong
from harness.study.validation import problems_of

EngineName = Literal["packed", "trainer"]
_MOST_SEEDS = 10_000
# Each cell is a trial: more than anybody trains, and few enough to be listed.
_MOST_CELLS = 100_000
Check = Callable[[Mapping[str, Any], Sequence[str]], Iterable[tuple[KeyPath, str]]]


def _seeds(value: Any) -> Any:
    """Turn a count into the seeds 0 to count - 1; a list stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise wrong(f"expected a count of seeds or a list of them, got {value!r}")
    if isinstance(value, int):
        if not 1 <= value <= _MOST_SEEDS:
            raise wrong(f"expected a count from 1 to {_MOST_SEEDS}, or a list of seeds, got {value}")
        return tuple(range(value))
    if len(value) > _MOST_SEEDS:
        raise wrong(f"expected at most {_MOST_SEEDS} seeds, got a list of {len(value)}")
    return tuple(value)


class Study(Strict):
    """A study, complete: defaults filled in, overrides applied, grids expanded.

    `analysis` and `claims` are carried as they are written; they belong to the analysis, which checks them.
    """

    name: str
    question: str = ""
    model: str = Field(min_length=1)
    revision: str | None = None
    head: Literal["drawn", "kept"] = "drawn"
    allow_pickle: bool = False
    data: Data
    training: Training = Field(default_factory=Training)
    arms: Mapping[str, Arm] = Field(min_length=1)
    engine: EngineName = "packed"
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], BeforeValidator(_seeds), Field(min_length=1)]
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
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            shown = name if len(name) <= 40 else f"{name[:40]}... ({len(name)} characters)"
            raise wrong(
                "expected up to 100 letters, digits, '.', '_' and '-', the first a letter or digit "
                f"(it names the results folder), got {shown!r}"
            )
        return name

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted(seed for seed, count in Counter(seeds).items() if count > 1)
        if twice:
            raise wrong(f"given twice: {', '.join(map(str, twice))}; each seed is one run of each arm")
        return seeds


class _StudyFile(Study):
    arms: Mapping[str, ArmFile] = Field(min_length=1)  # type: ignore[assignment]


def load_study(path: str | Path, overrides: Sequence[str] = (), *, checks: Sequence[Check] = ()) -> Study:
    """Read a study file and check everything that can be checked without its model and data.

    Parameters
    ----------
    path : str or Path
        The YAML file, or ``embedded/quickstart`` for the study that comes with the package.
    overrides : sequence of str
        ``key=value`` each, the key dotted: ``seeds=5``, ``arms.lora.adapter.r=4``.
    checks : sequence of callables
        Further checks of the raw file, so that one report holds their problems too. Each takes the file's content and
        the names of the arms, and gives ``(path, message)`` for each problem.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With every problem that was found, each with its file, line and key.
    """
    source = document.read(Path(path), overrides)
    raw = source.data
    of_claims = next((key for key in ("systems", "reports") if key in raw), None)
    if of_claims and "arms" not in raw:
        raise StudyError([source.problem((of_claims,), f"this is a claims file; it is for harness audit {path}")])
    problems = [*source.problems, *problems_of(source, (), _StudyFile, raw)]
    cells, more = expand_arms(source)
    problems += more
    for check in checks:
        problems += [source.problem(where, message) for where, message in check(raw, tuple(cells))]
    if problems:
        raise StudyError(sorted(dict.fromkeys(problems), key=source.position))
    study = Study.model_validate({**raw, "arms": cells})
    if len(study.arms) * len(study.seeds) > _MOST_CELLS:
        size = f"{len(study.arms)} arms x {len(study.seeds)} seeds"
        raise StudyError([source.problem(("seeds",), f"expected at most {_MOST_CELLS} cells, got {size}")])
    study._folder = Path(source.file).absolute().parent
    study._file = str(path)
    study._overrides = tuple(overrides)
    return study


def replace(arm: Arm, values: Mapping[str, Scalar]) -> Arm:
    """Return the arm with dotted settings replaced, checked again."""
    # What a file leaves out stays left out: some defaults may not be written beside other settings.
    raw = arm.model_dump(exclude_unset=True)
    for key, value in values.items():
        set_setting(raw, key, value)
    return Arm.model_validate(raw)
