"""Loading a study file: every problem in it is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.errors import KeyPath, StudyError
from harness.study import document
from harness.study.grid import expand_arms
from harness.study.looks import with_looks
from harness.study.settings import ArmBlock, BestEpoch
from harness.study.study import Study
from harness.study.task import problems_of_regression
from harness.study.validation import validate

# Far more than anybody trains, and few enough to be listed.
_MOST_TRIALS = 100_000
Check = Callable[[Mapping[str, Any], Sequence[str]], Iterable[tuple[KeyPath, str]]]


class _StudyFile(Study):
    arms: Mapping[str, ArmBlock] = Field(min_length=1)  # type: ignore[assignment]


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
    raw: Mapping[str, Any] = source.data
    of_claims = next((key for key in ("systems", "reports") if key in raw), None)
    if of_claims and "arms" not in raw:
        raise StudyError([source.problem((of_claims,), f"this is a claims file; use harness audit {path}")])
    raw, of_looks = with_looks(raw)
    written, problems = validate(source, (), _StudyFile, raw)
    arms, of_arms = expand_arms(source)
    problems = [*source.problems, *problems, *of_arms, *(source.problem(*one) for one in of_looks)]
    if raw.get("task") == "regression":
        problems += [source.problem(where, message) for where, message in problems_of_regression(raw, arms)]
    for check in checks:
        problems += [source.problem(where, message) for where, message in check(raw, tuple(arms))]
    if problems or written is None:
        raise StudyError(sorted(dict.fromkeys(problems), key=source.position))
    # Every part has been checked: validators of a model run again when it becomes part of another one.
    study = Study.model_construct(written.model_fields_set, **{**dict(written), "arms": arms})
    if len(study.arms) * len(study.numbered_seeds) > _MOST_TRIALS:
        size = f"{len(study.arms)} arms x {len(study.numbered_seeds)} seeds"
        raise StudyError([source.problem(("seeds",), f"expected at most {_MOST_TRIALS} trials, got {size}")])
    if len(study.data.tests) > 1:
        on_test = [
            name for name, arm in arms.items() if isinstance(arm.selection, BestEpoch) and arm.selection.on == "test"
        ]
        if on_test:
            raise StudyError(
                [
                    source.problem(
                        ("data", "test"),
                        f"names {len(study.data.tests)} test sets, and {', '.join(on_test)} would pick an epoch on the "
                        "test split, which means a single one; name one test set, or leave selection: {on: test} out",
                    )
                ]
            )
    study._folder = Path(source.file).absolute().parent
    study._file = str(path)
    study._overrides = tuple(overrides)
    return study
