"""Population of a study's results, where a seed draws its own training set besides all that a seed draws anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple, TypeVar

from analysis.records.manifest import Manifest

Result = TypeVar("Result")

# What a result speaks about begins with one of these where new seeds are part of it; the longer one goes first.
_WITH_TRAINING_SETS = {
    "seeds and examples": "seeds, training sets and examples",
    "seeds": "seeds and training sets",
}


class TrainingSets(NamedTuple):
    """The training sets of a study that resamples: each seed draws one from the same pool, without replacement.

    Parameters
    ----------
    size : int
        How many examples a seed draws.
    pool : int
        How many it draws them from.
    """

    size: int
    pool: int

    @property
    def overlap(self) -> float:
        """The share of its examples that a training set has in common with another, on average."""
        return self.size / self.pool


def training_sets(manifest: Manifest) -> TrainingSets | None:
    """Return how the seeds of a study draw their training sets; None where all of them take every example."""
    size, pool = manifest.data.n_drawn, manifest.data.n_train
    return None if size is None or pool is None else TrainingSets(size, pool)


def with_training_sets(result: Result) -> Result:
    """Return results that speak about new training sets too wherever they speak about new seeds.

    Parameters
    ----------
    result : dataclass, tuple or mapping
        Results, with other results in them to any depth. The methods take arrays of scores and know nothing of how a
        seed was used, so they name the population of a study in which a seed draws no training set.

    Examples
    --------
    >>> from analysis.methods.over_seeds import paired_t
    >>> result = with_training_sets(paired_t([0.81, 0.83, 0.82], [0.80, 0.81, 0.82]))
    >>> result.generalizes_to
    'seeds and training sets'
    """
    changed: Any = result
    if is_dataclass(result) and not isinstance(result, type):
        parts = {field.name: getattr(result, field.name) for field in fields(result)}
        new = {name: with_training_sets(part) for name, part in parts.items()}
        if "generalizes_to" in parts:
            new["generalizes_to"] = _named(parts["generalizes_to"])
        different = {name: part for name, part in new.items() if part is not parts[name]}
        changed = replace(result, **different) if different else result
    elif isinstance(result, tuple):
        items = [with_training_sets(part) for part in result]
        if any(item is not part for item, part in zip(items, result, strict=True)):
            changed = type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    elif isinstance(result, Mapping):
        changed = {key: with_training_sets(part) for key, part in result.items()}
    same: Result = changed
    return same


def _named(population: str) -> str:
    for seeds, both in _WITH_TRAINING_SETS.items():
        if population.startswith(seeds):
            return both + population.removeprefix(seeds)
    return population
