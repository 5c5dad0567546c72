"""Promises of the methods, and the counts that break them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from calibration.counts import ClusteredCount, Count
from calibration.families import TAIL
from calibration.methods import LEVELS
from calibration.regimes import REGIMES
from calibration.simulation import Calibration

FAMILY = 0.055
"""Most studies with any false claim after the joint step-down, of comparisons or of a table by class."""

BEST_ARM = 0.055
"""Most studies whose 95% confidence set leaves the best arm out."""

TAIL_FACTOR = 1.3
"""How many times each level of `TAIL` single comparisons may reject."""

CROSSED = {0.05: 0.06, 0.00625: TAIL_FACTOR * 0.00625}
"""Most rejections of two arms by level, by the crossed test on right and wrong answers and on other metrics."""

LOOKS = 0.06
"""Most rejections of the crossed test at declared looks."""

OWN_QUESTION = {
    "sign-flip": "arms alike on every example",
    "label permutation": "arms alike on every example",
    "Wilcoxon": "arms alike on every example",
    "paired t": "arms alike on every example",
    "McNemar, exact": "no seed effect",
    "McNemar, mid-p": "no seed effect",
    "Tango": "no seed effect",
    "Newcombe": "no seed effect",
    "score test of precision": "no seed effect",
}
"""The regime in which a method's own null hypothesis holds; there it rejects at most .06 at .05."""

OF_METRICS = ("precision", "recall", "F1", "macro-F1", "balanced accuracy", "MCC", "log loss", "Brier", "AUROC")
"""Metrics whose crossed test makes the same promise as that of accuracy."""

FEWEST_SEEDS = 3

TAIL_SEEDS_OF_TWO = 4
"""From how many seeds on two arms promise the tail; with fewer they promise .05, and decide single comparisons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise in one cell of the tables.

    Parameters
    ----------
    promise : str
        In words; the same for all its cells.
    where : str
        The cell.
    count : Count or ClusteredCount
    most : float
        The rate that is promised at most.
    """

    promise: str
    where: str
    count: Count | ClusteredCount
    most: float

    @property
    def broken(self) -> bool:
        """Whether the rate's whole interval lies above what is promised."""
        return self.count.lower > self.most

    def __str__(self) -> str:
        """Say what was counted and what was promised."""
        return f"{self.where}: {self.count.rate:.3g}, promised at most {self.most:.3g}"


def small(share: float) -> str:
    """Return a small share with four digits, and without the 0 before the point."""
    return f"{share:.4g}".lstrip("0") or "0"


FAMILY_PROMISE = "any false claim among several comparisons, after the joint step-down"
BEST_ARM_PROMISE = "the best arm left out of its 95% confidence set"
DECIDED_PROMISE = "any false claim of a study that runs until decided"
CLASS_PROMISE = "any false claim in a table by class, after its joint step-down"


def tail_promise(level: float) -> str:
    """Return the promise of single comparisons at one level, in words."""
    return f"a single comparison at {small(level)}"


def promises(result: Calibration) -> list[Promise]:
    """Return every promise in every cell that it is made for.

    Parameters
    ----------
    result : Calibration
    """
    made = (
        *_of_families(result),
        *_of_classes(result),
        *_of_best_arms(result),
        *_of_two_arms(result),
        *_of_looks(result),
    )
    return [one for one in made if one.count.studies]


def broken(made: Iterable[Promise]) -> list[str]:
    """Say which promises are broken; empty when all hold."""
    return [f"{one.promise}; {one}" for one in made if one.broken]


def _of_families(result: Calibration) -> Iterator[Promise]:
    for row in result.families:
        family = row.family
        if not family.regime.promised or row.variance != "pooled" or family.kind == "gaps to find":
            continue
        how = "normal theory" if family.normal else "answers"
        where = f"{family.regime.name}, {family.kind}, K = {family.size}, {family.n_seeds} seeds, {how}"
        yield Promise(promise=FAMILY_PROMISE, where=where, count=row.joint, most=FAMILY)
        for level in TAIL:
            near = family.size == 1 and family.n_seeds < TAIL_SEEDS_OF_TWO
            if level in row.tail and not (near and level < LEVELS[0]):
                yield Promise(promise=tail_promise(level), where=where, count=row.tail[level], most=TAIL_FACTOR * level)


def _of_classes(result: Calibration) -> Iterator[Promise]:
    for table in result.classes:
        where = f"{table.regime}, {table.n_arms} arms, {table.n_seeds} seeds"
        yield Promise(promise=CLASS_PROMISE, where=where, count=table.joint, most=FAMILY)


def _of_best_arms(result: Calibration) -> Iterator[Promise]:
    for one in result.best_arms:
        where = f"{one.regime}, {one.n_arms} arms, {one.n_seeds} seeds"
        for truth, count in (("all equal", one.equal), ("one ahead", one.ahead)):
            yield Promise(promise=BEST_ARM_PROMISE, where=f"{where}, {truth}", count=count, most=BEST_ARM)


def _of_two_arms(result: Calibration) -> Iterator[Promise]:
    promised = {regime.name for regime in REGIMES if regime.promised}
    for row in result.rates:
        where = f"{row.method}, {row.regime}, {row.n_seeds} seeds"
        crossed = row.method == "crossed t" or row.method in OF_METRICS
        if crossed and row.n_seeds >= FEWEST_SEEDS and row.regime in promised:
            of_what = "accuracy" if row.method == "crossed t" else "other metrics"
            for level, most in CROSSED.items():
                if row.n_seeds < TAIL_SEEDS_OF_TWO and level < LEVELS[0]:
                    continue
                promise = f"the crossed t of two arms at {small(level)}, {of_what}"
                yield Promise(promise=promise, where=where, count=row.rejected[level], most=most)
        elif OWN_QUESTION.get(row.method) == row.regime:
            promise = "other methods at .05, on their own question"
            yield Promise(promise=promise, where=where, count=row.rejected[LEVELS[0]], most=CROSSED[0.05])


def _of_looks(result: Calibration) -> Iterator[Promise]:
    for one in result.decided:
        how = "normal theory" if one.of.normal else "answers"
        where = f"{one.of.regime.name}, {one.of.truth}, K = {one.of.size}, {one.of.n_seeds} seeds, {how}"
        yield Promise(promise=DECIDED_PROMISE, where=where, count=one.false, most=FAMILY)
    for looks in result.looks:
        yield Promise(promise="declared looks, two arms", where=looks.regime, count=looks.declared, most=LOOKS)
    for several in result.family_looks:
        where = f"{several.regime}, four comparisons"
        yield Promise(promise="declared looks, several comparisons", where=where, count=several.declared, most=FAMILY)
