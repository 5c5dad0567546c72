"""Comparison in memory: a table or arrays of predictions in, the report of a study out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from analysis.errors import PlanError, Problem, SourceError
from analysis.sources.arrays import runs_of_arrays
from analysis.sources.assembly import assemble
from analysis.sources.frames import is_frame, rows_of_frame
from analysis.sources.options import ImportOptions
from analysis.sources.runs import Runs
from analysis.study.as_arguments import as_arguments
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import RESAMPLES, StudyReport, report_on

if TYPE_CHECKING:
    from typing import Literal

    import pandas as pd


def compare(
    data: pd.DataFrame | Mapping[str, ArrayLike],
    *,
    labels: ArrayLike | None = None,
    ids: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
    classes: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    task: Literal["classification", "regression"] | None = None,
    metric: str | None = None,
    baseline: str | None = None,
    margin: float | None = None,
    alpha: float | None = None,
    comparisons: Iterable[tuple[str, str]] = (),
    logits: bool = False,
    paired: bool = True,
    lower_is_better: bool = False,
    common_examples: bool = False,
    clusters: Sequence[Any] | None = None,
    resamples: int = RESAMPLES,
    name: str = "comparison",
) -> StudyReport:
    """Compare arms of which you hold the predictions: what `analyze` does, without a folder.

    An arm is what is compared, such as a method or a setting; a run is one training of it, with its own seed. Every run
    must have answered the same examples. Verdicts speak about new seeds and new examples.

    Parameters
    ----------
    data : DataFrame, or mapping of str to array
        A long table, one row for each run and example, with columns for arm, run (or seed), example, label, and what
        the run answered: a predicted class or number, the probability of each class, or a score of the answer. Or
        arrays by arm, one row for each run: predicted classes (runs, examples), with `labels`; probabilities (runs,
        examples, classes), with `labels`; predicted numbers, with `labels` and ``task="regression"``; scores (runs,
        examples), any number for each example, without `labels`.
    labels : array, shape (examples,)
        The true classes or numbers.
    ids : array, shape (examples,)
        Names of the examples; default 0, 1, ...
    seeds : array, shape (runs,)
        Seeds of the rows, the same in every arm; default 0, 1, ...
    classes : sequence of str
        The class names in the order of the labels, where some class is in no label.
    columns : mapping of str to str
        Which column of a table is what, where its name does not say it: ``{"arm": "method", "run": "repeat"}``. Roles
        are ``arm``, ``run``, ``example``, ``label``, ``prediction``, ``score``, ``epoch`` and ``p_CLASS``.
    task : {"classification", "regression"}
        Whether predictions are classes or numbers, where they could be both.
    metric : str
        What is compared: a key of `METRICS`, by default accuracy, in a regression Pearson's correlation; of scores
        their name, or of several columns with scores the name of one.
    baseline : str
        The arm that every other arm is compared with; default the first.
    margin : float
        The largest gap that does not matter, in the units of the metric; default 0.01, one percentage point.
    alpha : float
        Error rate of all verdicts together; default 0.05.
    comparisons : iterable of (str, str)
        Further comparisons, each a treatment and its baseline.
    logits : bool
        Whether the arrays hold logits in the place of probabilities.
    paired : bool
        Whether the same run of two arms shares its seed. If not, no seed is taken to be shared.
    lower_is_better : bool
        Of the score.
    common_examples : bool
        Whether examples that some run lacks are left out; the tables then say how many.
    clusters : sequence, shape (examples,)
        Beside arrays, the group of each example, such as the text that a question is about: groups are then what is
        drawn anew.
    resamples : int
        How often the multi-bootstrap resamples seeds and examples, at least 2.
    name : str
        The name of the study in the tables.

    Returns
    -------
    StudyReport
        Every figure and verdict; `analysis.tables` prints it.

    Raises
    ------
    SourceError
        If the data cannot be compared, with everything that is wrong.
    PlanError
        If metric, baseline, margin, alpha or comparisons do not fit, with every problem.
    ValueError
        If `clusters` do not name a group for each example.

    See Also
    --------
    analyze : The same for a folder of results.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, 400)
    >>> def runs(accuracy):
    ...     return np.where(rng.random((6, 400)) < accuracy, labels, 1 - labels)
    >>> report = compare({"full": runs(0.90), "small": runs(0.75)}, labels=labels, margin=0.02, resamples=999)
    >>> [(one.name, one.verdict.label) for one in report.comparisons]
    [('small against full', 'worse')]
    """
    sides = list(comparisons)
    if problems := _problems(data, columns, classes, task, sides, resamples, name):
        raise SourceError(problems)
    options = ImportOptions(
        columns={role: str(column) for role, column in (columns or {}).items()},
        metric=metric,
        classes=tuple(map(str, classes)),
        task=task,
        logits=logits,
        lower_is_better=lower_is_better,
        unpaired=not paired,
        common_examples=common_examples,
    )
    try:
        runs = _runs(data, options, labels=labels, ids=ids, seeds=seeds, clusters=clusters)
    except SourceError as error:
        raise SourceError(map(as_arguments, error.problems)) from None
    runs = replace(runs, remarks=tuple(map(as_arguments, runs.remarks)))
    asked = {
        # Of scores the metric is the one that was chosen.
        "metric": None if runs.answers == "scores" else metric,
        "baseline": baseline,
        "margin": margin,
        "alpha": alpha,
        "comparisons": [{"treatment": treatment, "baseline": base} for treatment, base in sides] or None,
    }
    block = {key: value for key, value in asked.items() if value is not None}
    outcomes = imported_outcomes(
        runs, imported_manifest(runs, name=name, analysis=block), clusters=_clusters(clusters, runs)
    )
    try:
        return report_on(outcomes, resamples=resamples)
    except PlanError as error:
        # The block was made of arguments.
        raise PlanError(Problem(path=one.path[1:] or one.path, message=one.message) for one in error.problems) from None


def _problems(
    data: Any, columns: Any, classes: Any, task: Any, sides: Sequence[Any], resamples: Any, name: Any
) -> list[str]:
    """Say which arguments are not what they should be; what depends on the data is told later."""
    problems = []
    if isinstance(data, Mapping):
        if twice := [arm for arm, count in Counter(map(str, data)).items() if count > 1]:
            problems.append(f"two arms are written {', '.join(twice)}; call them otherwise")
        if columns:
            problems.append("columns: expected beside a table alone, got arrays, which have none")
    elif not is_frame(data):
        kind = type(data)
        problems.append(
            "expected a pandas DataFrame, or arrays by arm, such as {'full': ..., 'lora': ...}, got "
            f"{kind.__module__}.{kind.__qualname__}"
        )
    if columns is not None and not isinstance(columns, Mapping):
        problems.append(f"columns: expected columns by role, such as {{'arm': 'method'}}, got {columns!r}")
    names = [] if isinstance(classes, str) else list(map(str, classes))
    if len(classes) and (len(names) < 2 or len(set(names)) < len(names)):
        problems.append(f"classes: expected two different names or more, such as ['no', 'yes'], got {classes!r}")
    if task not in (None, "classification", "regression"):
        problems.append(f"task: expected 'classification' or 'regression', got {task!r}")
    problems += [
        f"comparisons: expected a treatment and its baseline, such as ('lora', 'full'), got {pair!r}"
        for pair in sides
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2
    ]
    if not isinstance(resamples, int) or resamples < 2:
        problems.append(f"resamples: expected a whole number from 2 on, got {resamples!r}")
    if not isinstance(name, str):
        problems.append(f"name: expected a text, got {name!r}")
    return problems


def _runs(data: pd.DataFrame | Mapping[str, ArrayLike], options: ImportOptions, **beside: Any) -> Runs:
    if isinstance(data, Mapping):
        return runs_of_arrays(
            {str(arm): values for arm, values in data.items()},
            options,
            **{name: beside[name] for name in ("labels", "ids", "seeds")},
        )
    if given := [name for name, value in beside.items() if value is not None]:
        raise SourceError([f"{', '.join(given)}: expected beside arrays alone, got a table, in which they are columns"])
    return assemble(rows_of_frame(data, options), options)


def _clusters(clusters: Sequence[Any] | None, runs: Runs) -> list[str] | None:
    if clusters is None:
        return None
    if len(clusters) != len(runs.example_ids) or runs.left_out:
        raise ValueError(
            f"clusters must name the group of each of the {len(runs.example_ids)} examples, got {len(clusters)}"
        )
    for number, one in enumerate(clusters):
        if one is None or (not isinstance(one, str) and str(one) in ("nan", "<NA>", "NaT")):
            raise ValueError(f"clusters must name the group of each example, got {one} for that at {number}")
    return [str(one) for one in clusters]
