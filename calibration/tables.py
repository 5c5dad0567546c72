"""Tables of docs/calibration.md, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from calibration.counts import ClusteredCount, Count
from calibration.failures import FAILURE_SEEDS, FRAGILE, METRICS, PREDICTIONS, UNPAIRED
from calibration.families import (
    FAMILY_SEEDS,
    FAMILY_SIZES,
    PROMISED,
    TAIL,
    UNLIKE,
    VARIANCES,
    FamilyRates,
    Variance,
    kind_of,
)
from calibration.methods import LEVELS, METHODS, N_SEEDS
from calibration.promises import Promise, small
from calibration.regimes import REGIMES
from calibration.simulation import Calibration


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """Return a table whose first `words` columns are words and the others numbers."""
    lines = [head, ["---" if column < words else "---:" for column in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rate(share: float) -> str:
    """Return a share with three places; a dash where there is none."""
    if math.isnan(share):
        return "–"
    return f"{share:.3f}".lstrip("0") if share < 0.9995 else "1"


def promise_table(made: Sequence[Promise]) -> str:
    """Return one line for each promise: in how many cells it is made and broken, and where it is nearest to that."""
    rows = []
    for promise in dict.fromkeys(one.promise for one in made):
        cells = [one for one in made if one.promise == promise]
        worst = max(cells, key=lambda one: (one.count.lower, one.count.rate))
        broken = sum(one.broken for one in cells)
        kept = f"**broken in {broken}**" if broken else "held"
        rows.append((promise, worst.where, small(worst.count.rate), small(worst.most), str(len(cells)), kept))
    return markdown(("Promise", "worst cell", "rate", "at most", "cells", "in all"), rows, words=2)


class Families:
    """The tables of families.

    Parameters
    ----------
    result : Calibration
    """

    def __init__(self, result: Calibration) -> None:
        self._rows = {
            (one.family.normal, one.family.regime.name, one.family.gaps, one.family.n_seeds, one.variance): one
            for one in result.families
        }
        self._kinds = list(dict.fromkeys(one.family.gaps for one in result.families if one.family.kind != "no gap"))
        self._answers = [one.family for one in result.families if not one.family.normal and one.variance == "pooled"]

    def _row(
        self, regime: str, gaps: tuple[float, ...], seeds: int, variance: Variance, *, normal: bool = True
    ) -> FamilyRates | None:
        return self._rows.get((normal, regime, gaps, seeds, variance))

    def _joint(self, regime: str, gaps: tuple[float, ...], seeds: int, *, normal: bool = True) -> str:
        pair = [self._row(regime, gaps, seeds, variance, normal=normal) for variance in VARIANCES]
        return _beside(one.joint.rate if one is not None else math.nan for one in pair)

    def any_false_claim(self) -> str:
        """Return any false claim where no arm is better: pooled / by pair."""
        rows = [
            (regime.name, str(size), *(self._joint(regime.name, (0.0,) * size, seeds) for seeds in FAMILY_SEEDS))
            for regime in PROMISED
            for size in FAMILY_SIZES
        ]
        return markdown(("Regime", "K", *_by_seeds(FAMILY_SEEDS)), rows)

    def uncorrected(self) -> str:
        """Return any false claim of the pooled test without a correction, in the strong regime."""
        rows = []
        for size in FAMILY_SIZES:
            of_size = [self._row(PROMISED[2].name, (0.0,) * size, seeds, "pooled") for seeds in FAMILY_SEEDS]
            rows.append((str(size), *(rate(one.uncorrected.rate if one is not None else math.nan) for one in of_size)))
        return markdown(("K", *_by_seeds(FAMILY_SEEDS)), rows)

    def tail(self) -> str:
        """Return how many times each level single comparisons reject, in the worst of the promised regimes."""
        rows = []
        for size in FAMILY_SIZES:
            for level in TAIL:
                cells = []
                for seeds in FAMILY_SEEDS:
                    found = [self._row(regime.name, (0.0,) * size, seeds, "pooled") for regime in PROMISED]
                    ratios = [one.tail[level].rate / level for one in found if one is not None]
                    cells.append(f"{max(ratios):.2f}" if ratios else "–")
                rows.append((str(size), f"{level:g}".lstrip("0"), *cells))
        return markdown(("K", "level", *_by_seeds(FAMILY_SEEDS)), rows, words=0)

    def at_the_margin(self) -> str:
        """Return any false claim where gaps are as large as the margin: pooled / by pair."""
        rows = []
        for gaps in self._kinds:
            if kind_of(gaps) == "gaps to find":
                continue
            for regime in (PROMISED[1], PROMISED[2], PROMISED[-1]):
                cells = [self._joint(regime.name, gaps, seeds) for seeds in FAMILY_SEEDS]
                rows.append((kind_of(gaps), regime.name, str(len(gaps)), *cells))
        return markdown(("True gaps", "Regime", "K", *_by_seeds(FAMILY_SEEDS)), rows, words=2)

    def power(self) -> str:
        """Return the share of gaps that are found at a quarter of .05: pooled / by pair."""
        gaps = next((gaps for gaps in self._kinds if kind_of(gaps) == "gaps to find"), ())
        rows = []
        for regime in PROMISED:
            if self._row(regime.name, gaps, FAMILY_SEEDS[0], "pooled") is None:
                continue
            cells = []
            for seeds in FAMILY_SEEDS:
                pair = [self._row(regime.name, gaps, seeds, variance) for variance in VARIANCES]
                cells.append(_beside(one.found.rate if one is not None else math.nan for one in pair))
            rows.append((regime.name, *cells))
        return markdown(("Regime", *_by_seeds(FAMILY_SEEDS)), rows)

    def both_ways(self) -> str:
        """Return the families that run in both ways, beside each other: pooled / by pair."""
        rows = []
        for family in self._answers:
            name, gaps, seeds = family.regime.name, family.gaps, family.n_seeds
            cells = []
            for normal in (False, True):
                pair = [self._row(name, gaps, seeds, variance, normal=normal) for variance in VARIANCES]
                if family.kind == "gaps to find":
                    cells.append(_beside(one.found.rate if one is not None else math.nan for one in pair))
                else:
                    cells.append(self._joint(name, gaps, seeds, normal=normal))
            rows.append((family.kind, name, str(family.size), str(seeds), *cells))
        return markdown(("True gaps", "Regime", "K", "S", "answers", "normal theory"), rows, words=2)

    def unlike(self) -> str:
        """Return what happens where arms are not alike over seeds, among four comparisons: pooled / by pair."""
        rows = []
        for regime in UNLIKE:
            firsts, joints = [], []
            for seeds in FAMILY_SEEDS:
                pair = [self._row(regime.name, (0.0,) * 4, seeds, variance) for variance in VARIANCES]
                firsts.append(_beside(one.first.rate if one is not None else math.nan for one in pair))
                joints.append(_beside(one.joint.rate if one is not None else math.nan for one in pair))
            rows += [(regime.name, "first comparison", *firsts), (regime.name, "any, corrected", *joints)]
        return markdown(("Regime", "claim", *_by_seeds(FAMILY_SEEDS)), rows, words=2)


def class_table(result: Calibration) -> str:
    """Return any false claim in tables by class."""
    rows = [
        (one.regime, str(one.n_arms), str(one.n_seeds), rate(one.joint.rate), rate(one.uncorrected.rate))
        for one in result.classes
    ]
    return markdown(("Regime", "arms", "S", "corrected", "no correction"), rows)


def rejections(result: Calibration, methods: Sequence[str]) -> str:
    """Return the rejections at .05 of some methods, each cell by the number of seeds."""
    by_place = {(row.regime, row.method, row.n_seeds): row for row in result.rates}
    seeds_of = {method.name: method.seeds for method in METHODS}
    rows = []
    for regime in REGIMES:
        cells = []
        for method in methods:
            found = [by_place.get((regime.name, method, seeds)) for seeds in seeds_of[method]]
            cells.append(_beside(one.rejected[LEVELS[0]].rate if one is not None else math.nan for one in found))
        rows.append((regime.name, *cells))
    return markdown(("Regime", *methods), rows)


def in_full(result: Calibration) -> str:
    """Return the crossed t of two arms: rejections at both levels, coverage and power, each cell by seeds."""
    by_place = {(row.regime, row.n_seeds): row for row in result.rates if row.method == "crossed t"}
    rows = []
    for regime in REGIMES:
        found = [row for seeds in N_SEEDS if (row := by_place.get((regime.name, seeds))) is not None]
        columns = [[row.rejected[level].rate for row in found] for level in LEVELS]
        columns += [[row.covered.rate for row in found], [row.detected.rate for row in found]]
        rows.append((regime.name, *(_beside(column) for column in columns)))
    return markdown(("Regime", *(f"at {small(level)}" for level in LEVELS), "coverage", "power"), rows)


def best_arm_table(result: Calibration) -> str:
    """Return what the confidence set for the best arm leaves out."""
    rows = [
        (
            one.regime,
            str(one.n_arms),
            str(one.n_seeds),
            *(rate(part.rate) for part in (one.equal, one.ahead, one.ruled_out)),
        )
        for one in result.best_arms
    ]
    return markdown(("Regime", "arms", "S", "all equal", "one ahead", "others ruled out"), rows)


def look_table(result: Calibration) -> str:
    """Return the looks of two arms."""
    rows = [
        (
            one.regime,
            *(rate(count.rate) for count in (one.declared, one.undeclared, one.at_the_end)),
            *(rate(count.rate) for count in (one.detected, one.detected_at_the_end)),
            f"{one.seeds:.1f}",
        )
        for one in result.looks
    ]
    head = ("Regime", "declared", "undeclared", "at the end", "power, declared", "power, at the end", "seeds")
    return markdown(head, rows)


def family_look_table(result: Calibration) -> str:
    """Return the looks of four comparisons."""
    rows = [
        (one.regime, *(rate(count.rate) for count in (one.declared, one.undeclared, one.at_the_end)))
        for one in result.family_looks
    ]
    return markdown(("Regime", "declared", "undeclared", "at the end"), rows)


def decided_table(result: Calibration, *, normal: bool) -> str:
    """Return what studies that run until decided claim and save, beside the same studies judged once."""
    rows = [
        (
            one.of.regime.name,
            str(one.of.size),
            str(one.of.n_seeds),
            one.of.truth,
            f"{100 * one.of.gap:.1f}",
            f"{100 * one.of.margin:.1f}",
            _and_once(one.false, one.false_at_the_end),
            _and_once(one.shown, one.shown_at_the_end),
            f"{100 * one.saved:.0f}%",
        )
        for one in result.decided
        if one.of.normal == normal
    ]
    head = ("Regime", "K", "S", "truth", "gap", "margin", "any false claim", "truth shown", "trials saved")
    return markdown(head, rows)


def _and_once(looked: Count | ClusteredCount, once: Count | ClusteredCount) -> str:
    return f"{rate(looked.rate)} / {rate(once.rate)}"


def fragile_table(result: Calibration) -> str:
    """Return how often a gap is claimed for an arm that does badly now and then."""
    tests = ("two arms", "two arms, in its favour", "five arms, pooled")
    names = [regime.name for regime in FRAGILE]
    return _failures(result, names, tests, [str(seeds) for seeds in FAILURE_SEEDS], ("The arm", "judged by"))


def metric_table(result: Calibration) -> str:
    """Return how often a gap in a metric is claimed where a class is predicted rarely."""
    tests = [f"{predictions} predictions" for predictions in PREDICTIONS]
    return _failures(result, list(METRICS), tests, [str(seeds) for seeds in FAILURE_SEEDS[:3]], ("Metric", "a run"))


def other_failures(result: Calibration) -> str:
    """Return the failures that have tables of one line."""
    seeds = [str(seeds) for seeds in FAILURE_SEEDS]
    unpaired = [f"{few} and {many}" for few, many in UNPAIRED]
    log_loss = _failures(result, ["log loss, 100 examples"], ["unequal tails"], seeds, ("Metric", "where"))
    others = _failures(result, ["unpaired seeds"], ["independent seeds"], unpaired, ("Design", "judged by"))
    return f"{log_loss}\n\n{others}"


def _failures(
    result: Calibration, names: Sequence[str], tests: Sequence[str], places: Sequence[str], head: tuple[str, str]
) -> str:
    claimed = {(one.failure, one.test, one.place): one.claimed.rate for one in result.failures}
    rows = [
        (name, test, *(rate(claimed.get((name, test, place), math.nan)) for place in places))
        for name in names
        for test in tests
    ]
    return markdown((*head, *(f"S = {place}" for place in places)), rows, words=2)


def _by_seeds(seeds: Sequence[int]) -> list[str]:
    return [f"S = {number}" for number in seeds]


def _beside(shares: Iterable[float]) -> str:
    texts = [rate(share) for share in shares]
    return " / ".join(texts) if set(texts) - {"–"} else "–"
