"""Columns: which column of a table plays which role, by the names that people give them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from analysis.errors import SourceError
from analysis.metrics.scores import METRICS
from analysis.problems import listed, near, shown
from analysis.sources.arrow import as_texts
from analysis.sources.numbers import holds_numbers
from analysis.sources.options import ImportOptions
from analysis.sources.tabular import Table

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "arm": ("arm", "model", "system", "method", "config", "variant"),
        "run": ("run", "seed", "fold", "trial", "run_id", "replicate"),
        "example": ("example", "id", "idx", "index", "example_id", "item", "item_id", "sample_id", "doc_id", "guid"),
        "label": ("label", "labels", "gold", "target", "y_true", "truth", "reference"),
        "prediction": ("prediction", "pred", "predicted", "y_pred", "predicted_label"),
        "epoch": ("epoch",),
    }
)
"""The names that a column of each role may have; the first is the role's own."""

_OUTPUT = re.compile(r"(?:p|prob|proba)[_ -](.+)", re.IGNORECASE | re.DOTALL)
"""A column that holds the probability of a class."""

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
        if not (beside and _role(role) in ("label", "example") and column not in table.names)
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
    asked = {_role(role) for role in named}
    wants_outputs = any(role and role.startswith("p_") for role in asked)
    wants_prediction = "prediction" in asked and not wants_outputs
    outputs = {} if wants_prediction else search.outputs(found.get("label"), options.classes)
    scores = search.scores(options.metric, others=bool(outputs) or "prediction" in found)
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
            known = _role(role)
            if known is None:
                self.problems.append(
                    f"--column {role}={column}: the roles are {', '.join(ROLES)}, score and p_CLASS{near(role, ROLES)}"
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
            if count > 1 and (name in self._named.values() or _plain(name) in _ALL_NAMES)
        ]

    def roles(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the columns of roles, by role; without those that no column plays."""
        roles = {}
        for role in wanted:
            taken = self._named.values()
            found = [name for name in self._table.names if _plain(name) in ROLES[role] and name not in taken]
            found = [self._named[role]] if role in self._named else found
            if len(set(found)) > 1:
                either = f"{self._table.name}: {listed(found)} may each be the {role}"
                self.problems.append(f"{either}; choose with --column {role}={found[0]}")
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

    def outputs(self, label: str | None, classes: Sequence[str]) -> dict[str, str]:
        """Return the column of each class that has one."""
        named = {role.removeprefix("p_"): column for role, column in self._named.items() if role.startswith("p_")}
        if named:
            return named
        found: dict[str, str] = {}
        for name in self._numbers():
            if (match := _OUTPUT.fullmatch(name)) and found.setdefault(match[1], name) != name:
                both = f"{found[match[1]]} and {name} may each be the probability of class {match[1]}"
                self.problems.append(f"{self._table.name}: {both}; choose with --column p_{match[1]}={name}")
        if found or label is None or label not in self._table.head:
            return found
        labels: Sequence[str] = classes or as_texts(self._table.head[label]).drop_null().unique().to_pylist()
        numbers = self._numbers()
        return {name: name for name in labels} if len(labels) > 1 and set(labels) <= set(numbers) else {}

    def scores(self, metric: str | None, *, others: bool) -> tuple[str, ...]:
        """Return the columns of scores that are to be read; `others` says whether there are other answers."""
        if "score" in self._named:
            return (self._named["score"],)
        numbers = [name for name in self._numbers() if not _OUTPUT.fullmatch(name)]
        if metric in numbers and metric not in METRICS:
            return (metric,)
        if others:
            return ()
        numbers = [name for name in numbers if _plain(name) not in _NO_SCORE and not name.startswith("Unnamed: ")]
        if metric is not None and metric in numbers:
            return (metric,)
        if len(numbers) > 1:
            wrong = f"no score {metric!r}{near(metric, numbers)}" if metric else "several scores"
            self.problems.append(
                f"{self._table.name}: {wrong} (there: {listed(numbers)}); choose with --metric {numbers[0]}"
            )
        return tuple(numbers[:1])

    def _numbers(self) -> list[str]:
        """Return the columns of numbers that play no other role."""
        taken = self._named.values()
        return [
            name
            for name, column in self._table.head.items()
            if name not in taken and _plain(name) not in _ALL_NAMES and holds_numbers(column)
        ]


_ALL_NAMES = {name for names in ROLES.values() for name in names}


def _role(name: str) -> str | None:
    """Return the role that a user means; p_CLASS keeps the name of the class."""
    if output := _OUTPUT.fullmatch(name):
        return f"p_{output[1]}"
    plain = _plain(name)
    return "score" if plain == "score" else next((role for role, names in ROLES.items() if plain in names), None)


def _plain(name: str) -> str:
    """Return a name without capitals, spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())
