"""Train-test split: drawn once for a study from rows that have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from harness import seeding


def train_test_split(
    labels: Sequence[Hashable], units: Sequence[Hashable], *, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to test on, each in the order of the file.

    Every class gives its share, at least one unit and never all of them, so that a class with a single unit is
    trained on only.

    Parameters
    ----------
    labels : sequence
        The class of each row.
    units : sequence
        What each row belongs to. The rows of a unit stay together: the same text on both sides would be an answer
        known by heart. A unit counts for the class of its first row.
    fraction : float
        The share of units to test on.
    seed : int
        Another seed is another draw.

    Examples
    --------
    >>> train, test = train_test_split(list("aaaaabbbbb"), range(10), fraction=0.2, seed=0)
    >>> len(train), sorted("aaaaabbbbb"[i] for i in test)
    (8, ['a', 'b'])
    """
    classes: dict[Hashable, dict[Hashable, None]] = defaultdict(dict)
    first: dict[Hashable, Hashable] = {}
    for label, unit in zip(labels, units, strict=True):
        classes[first.setdefault(unit, label)][unit] = None
    chosen: set[Hashable] = set()
    for number, label in enumerate(classes):
        units_of_class = list(classes[label])
        count = min(max(round(fraction * len(units_of_class)), 1), len(units_of_class) - 1)
        order = seeding.study_permutation(f"test rows of class {number}, seed {seed}", len(units_of_class))
        chosen.update(units_of_class[i] for i in order[:count])
    drawn = np.array([unit in chosen for unit in units], dtype=bool)
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)
