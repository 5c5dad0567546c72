"""Columns: which column of a table plays which role, by the names that people give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote

import numpy as np
import pyarrow as pa

from analysis.errors import SourceError
from analysis.metrics.metric_kinds import METRICS
from analysis.problems import listed, near, shown
from analysis.sources.arrow import as_texts
from analysis.sources.column_names import ALL_NAMES, ROLES, class_of, is_logit, plain, role_of
from analysis.sources.numbers import holds_numbers, read_numbers
from analysis.sources.options import ImportOptions
from analysis.sources.tabular import Table

_NO_SCORE = {"", "level_0", "__index_level_0__", "p", "prob", "proba", "probability", "confidence", "logit"}
"""Columns of numbers that are no score unless somebody says so: row numbers, and the probability of who knows what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table that are read.

    Parameters
    ----------
    roles : mapping of str to str
        The column of each role that one plays.
    outputs : mapping of str to str
        The column of each class that has one.
    scores : tuple of str
        The columns of scores, which are their names.
    checked : str or None
        The column of the prediction where there are outputs too and nobody said which of the two counts.
    """

    roles: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[str, ...] = ()
    checked: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Each of them once."""
        checked = [] if self.checked is None else [self.checked]
        return tuple(dict.fromkeys([*self.roles.values(), *self.outputs.values(), *self.scores, *checked]))


def recognise(table: Table, options: ImportOptions, *, arm: bool, run: bool) -> Columns:
    """Find out which column plays which role.

    Parameters
    ----------
    table : Table
    options : ImportOptions
        Whose ``columns`` name the column of a role, and whose ``metric`` may name a score.
    arm, run : bool
        Whether a column must say which arm, and which run, a row is of; else something else says it. Where it says
        both, a table need not name the examples.

    Raises
    ------
    SourceError
        With all roles that no column plays, or several.
    """
    beside = options.labels is not None
    named = {
        role: column
        for role, column in options.columns.items()
        if not (beside and role_of(role) in ("label", "example") and column not in table.names)
    }
    search = _Search(table, named)
    needed = {"arm": arm, "run": run}
    found = search.roles([role for role in ROLES if needed.get(role, True)])
    if arm and not found and len(table.names) < 2:
        first = shown(*table.names) if table.names else "nothing that could be one"
        raise SourceError([f"{table.name} is no table: it should begin with the names of columns, and has {first}"])
    if arm and "arm" not in found:
        # The pattern that is there has no {arm}, else it would say the arm.
        pattern = (
            ", or read it off the path by --pattern" if options.pattern is None else " or put {arm} into --pattern"
        )
        search.lacks("arm", "which arm (model, method) a row is of", other=pattern)
    if (arm or run) and "example" not in found:
        search.lacks("example", "which example a row is about, and the order of rows does not")
    # Probabilities say more than a prediction, unless it was asked for.
    asked = {role_of(role) for role in named}
    wants_outputs = any(role and role.startswith("p_") for role in asked)
    wants_prediction = "prediction" in asked and not wants_outputs
    outputs = {} if wants_prediction else search.outputs(found.get("label"), options.classes, logits=options.logits)
    scores = search.scores(options.metric, others=bool(outputs) or "prediction" in found)
    if outputs and not scores and not options.logits and not wants_outputs:
        search.refuses_logits(outputs.values(), found.get("prediction"))
    checked = None
    if scores or outputs:
        checked = found.pop("prediction", None)
    if scores or wants_outputs:
        checked = None
    if scores:
        outputs = {}
    elif not outputs and "prediction" not in found:
        search.lacks("prediction", "what was answered (a prediction, p_CLASS for each class, or a score)")
    if search.problems:
        raise SourceError(search.problems)
    return Columns(roles=found, outputs=outputs, scores=scores, checked=checked)


def recognise_labels(table: Table, options: ImportOptions) -> Columns:
    """Find the columns of a table that holds the labels alone: ``label`` and, where there is one, ``example``.

    Raises
    ------
    SourceError
        If no column is the label, or several may be one of them.
    """
    there = {role: column for role, column in options.columns.items() if column in table.names}
    search = _Search(table, there)
    found = search.roles(("example", "label"))
    if "label" not in found:
        search.lacks("label", "what the right answer is")
    if search.problems:
        raise SourceError(search.problems)
    return Columns(roles=found)


class _Search:
    """Looks for columns, and keeps what is wrong."""

    def __init__(self, table: Table, named: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._table = table
        self._named: dict[str, str] = {}
        self._misnamed: set[str] = set()
        for role, column in named.items():
            known = role_of(role)
            if known is None:
                given = quote(f"{role}={column}")
                self.problems.append(
                    f"--column {given}: the roles are {', '.join(ROLES)}, score and p_CLASS{near(role, ROLES)}"
                )
            elif column not in table.names:
                self._misnamed.add(known)
                self.problems.append(
                    f"{table.name} has no column {column!r}{near(column, table.names)} (there: {listed(table.names)})"
                )
            else:
                self._named[known] = column
        self.problems += [
            f"{table.name} has two columns {name!r}; rename one"
            for name, count in Counter(table.names).items()
            if count > 1 and (name in self._named.values() or plain(name) in ALL_NAMES)
        ]

    def roles(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the columns of roles, by role; without those that no column plays."""
        roles = {}
        for role in wanted:
            taken = self._named.values()
            found = [name for name in self._table.names if plain(name) in ROLES[role] and name not in taken]
            found = [self._named[role]] if role in self._named else found
            if len(set(found)) > 1:
                either = f"{self._table.name}: {listed(found)} may each be the {role}"
                self.problems.append(f"{either}; choose with --column {role}={quote(found[0])}")
            if found:
                roles[role] = found[0]
        return roles

    def lacks(self, role: str, what: str, *, other: str = "") -> None:
        """Note that no column plays a role, unless the one that was named for it is not there."""
        if role not in self._misnamed:
            self.problems.append(
                f"{self._table.name}: no column says {what}; name it with --column {role}=COLUMN{other} "
                f"(there: {listed(self._table.names)})"
            )

    def refuses_logits(self, columns: Iterable[str], prediction: str | None) -> None:
        """Refuse columns that are logits by their names."""
        if held := [column for column in columns if is_logit(column)]:
            are = f"column {listed(held)} holds logits" if len(held) == 1 else f"columns {listed(held)} are logits"
            instead = f", --column prediction={quote(prediction)} the predictions" if prediction is not None else ""
            self.problems.append(f"{self._table.name}: {are}: --logits takes their softmax{instead}")

    def outputs(self, label: str | None, classes: Sequence[str], *, logits: bool) -> dict[str, str]:
        """Return the column of each class that has one: probabilities, or logits where they are asked for."""
        named = {role.removeprefix("p_"): column for role, column in self._named.items() if role.startswith("p_")}
        if named:
            return named
        found: dict[str, str] = {}
        held = [name for name in self._numbers() if class_of(name) is not None]
        # Where both are there, those that are asked for; without --logits that is probabilities.
        for name in [name for name in held if is_logit(name) == logits] or held:
            of_class = str(class_of(name))
            if found.setdefault(of_class, name) != name:
                both = f"{found[of_class]} and {name} may each be the {'logit' if logits else 'probability'} of class"
                choice = quote(f"p_{of_class}={name}")
                self.problems.append(f"{self._table.name}: {both} {of_class}; choose with --column {choice}")
        if found or label is None or label not in self._table.head:
            return found
        labels: Sequence[str] = classes or as_texts(self._table.head[label]).drop_null().unique().to_pylist()
        numbers = self._numbers()
        return {name: name for name in labels} if len(labels) > 1 and set(labels) <= set(numbers) else {}

    def scores(self, metric: str | None, *, others: bool) -> tuple[str, ...]:
        """Return the columns of scores that are to be read; `others` says whether there are other answers."""
        if "score" in self._named:
            return (self._named["score"],)
        numbers = [name for name in self._numbers() if class_of(name) is None]
        if metric in numbers and metric not in METRICS:
            return (metric,)
        if others:
            return ()
        numbers = [name for name in numbers if plain(name) not in _NO_SCORE and not name.startswith("Unnamed: ")]
        if metric is not None and metric in numbers:
            return (metric,)
        if len(numbers) > 1:
            wrong = f"no score {metric!r}{near(metric, numbers)}" if metric else "several scores"
            # What lies within 0 and 1 is more likely a score than, say, a length or a year.
            numbers.sort(key=lambda name: not _is_share(self._table.head[name]))
            self.problems.append(
                f"{self._table.name}: {wrong} (there: {listed(numbers)}); choose with --metric {quote(numbers[0])}"
            )
        return tuple(numbers[:1])

    def _numbers(self) -> list[str]:
        """Return the columns of numbers that play no other role."""
        taken = self._named.values()
        return [
            name
            for name, column in self._table.head.items()
            if name not in taken and plain(name) not in ALL_NAMES and holds_numbers(column)
        ]


def _is_share(column: pa.Array) -> bool:
    """Whether all numbers of a column are from 0 to 1."""
    numbers, _ = read_numbers(column)
    return bool(((numbers >= 0) & (numbers <= 1) | np.isnan(numbers)).all())
