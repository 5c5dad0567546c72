"""Names of columns: those that people give them, and the roles that these tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from types import MappingProxyType

from analysis.sources.agreement import few
from analysis.words import counted

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "arm": ("arm", "model", "system", "method", "config", "variant"),
        "run": ("run", "seed", "fold", "trial", "run_id", "replicate", "run_seed", "random_seed", "seed_id"),
        "example": (
            *("example", "id", "idx", "index", "example_id", "item", "item_id", "sample", "sample_id", "doc_id"),
            *("question_id", "sentence_id", "guid", "uid"),
        ),
        "label": (
            *("label", "labels", "gold", "gold_label", "true_label", "target", "y_true", "truth", "reference"),
            "answer_key",
        ),
        "prediction": (
            *("prediction", "predictions", "pred", "predicted", "y_pred", "y_hat", "predicted_label"),
            "predicted_class",
        ),
        "epoch": ("epoch",),
    }
)
"""The names that a column of each role may have; the first is the role's own."""

ALL_NAMES = frozenset(name for names in ROLES.values() for name in names)
"""All of them."""

_OUTPUT = re.compile(r"(?:p|prob|proba|(logits?))[_ -](.+)", re.IGNORECASE | re.DOTALL)
"""A column that holds the probability of a class, or its logit."""


def role_of(name: str) -> str | None:
    """Return the role that a name tells, None if it tells none; p_CLASS keeps the name of the class.

    Examples
    --------
    >>> [role_of(name) for name in ("Seed", "y true", "prob_positive", "length")]
    ['run', 'label', 'p_positive', None]
    """
    if (of_class := class_of(name)) is not None:
        return f"p_{of_class}"
    short = plain(name)
    return "score" if short == "score" else next((role for role, names in ROLES.items() if short in names), None)


def class_of(name: str) -> str | None:
    """Return the class whose output a column holds by its name, None if it holds none."""
    output = _OUTPUT.fullmatch(name)
    return None if output is None else output[2]


def is_logit(name: str) -> bool:
    """Whether a column holds logits by its name."""
    output = _OUTPUT.fullmatch(name)
    return output is not None and output[1] is not None


def plain(name: str) -> str:
    """Return a name without capitals, spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def proposed(role: str, unused: Sequence[tuple[str, int]]) -> str:
    """Say which column may play a role that none plays, and the option that names it.

    Parameters
    ----------
    role : str
    unused : sequence of (str, int)
        The columns that play none, each with the number of its values. One that says the same of all rows is not it.

    Examples
    --------
    >>> proposed("run", [("note", 300), ("attempt", 5), ("host", 1)])
    'attempt (5 values), note (300 values) may be it: --column run=attempt'
    >>> proposed("run", [])
    '--column run=COLUMN names it'
    """
    likely = sorted((one for one in unused if one[1] > 1), key=lambda one: one[1])
    if not likely:
        return f"--column {role}=COLUMN names it"
    told = few([f"{name} ({counted(values, 'value')})" for name, values in likely])
    return f"{told} may be it: --column {role}={quote(likely[0][0])}"
