"""Studies that run until decided: false claims, what they show, and the trials that they save.

Against each of them stands the fixed design: as many seeds as the last look has, judged once. Every study runs in two
ways that share no code: in normal theory, and on right and wrong answers, judged by the functions of the analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from analysis.methods.arm_scores import ArmScores
from analysis.methods.crossed import CrossedResult
from analysis.methods.equivalence import tost
from analysis.methods.looks import sequential_p
from analysis.methods.multiplicity import joint_step_down
from analysis.study.comparison_tests import primary_test
from analysis.study.futility import HOPELESS, chance_of_decision
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan, parse_plan
from calibration.counts import ClusteredCount, Count, Size, streams
from calibration.families import ALPHA, MARGIN, PROMISED
from calibration.normal import Bools
from calibration.normal_looks import Claims, at_the_end, draw_studies, until_decided
from calibration.regimes import Regime, draw_arms
from harness.study.looks import automatic_looks

DECIDED_SEEDS = 20
DECIDED_LOOKS = tuple(automatic_looks(DECIDED_SEEDS))
DECIDED_SIZES = (1, 3, 7)
DECIDED_REGIMES = (PROMISED[1], PROMISED[2], PROMISED[4])
FOUND = 0.8
"""The power of the fixed design for its gap, and for the margin that it can just show."""

ROOMY = 1.5
"""How many times that margin is where equivalence can be shown."""

Truth = Literal["no gap", "gaps of the margin", "the design's gap", "twice that gap", "equal, to be shown"]
TRUTHS: tuple[Truth, ...] = ("no gap", "gaps of the margin", "the design's gap", "twice that gap", "equal, to be shown")

# Enough for three digits of a gap, of which the tables show two.
_STUDIES_TO_DESIGN = 4000
_HALVINGS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Studies of K comparisons with one baseline, of which one thing is true.

    Parameters
    ----------
    regime : Regime
    size : int
        K.
    truth : Truth
    normal : bool
        Whether normal theory is simulated, or else every answer of every run.
    """

    regime: Regime
    size: int
    truth: Truth
    normal: bool

    @property
    def gap(self) -> float:
        """The true gap of every comparison."""
        if self.truth == "gaps of the margin":
            return MARGIN
        times = {"the design's gap": 1.0, "twice that gap": 2.0}.get(self.truth, 0.0)
        return times and times * design_gap(self.regime, self.size)

    @property
    def margin(self) -> float:
        """The margin of equivalence."""
        if self.truth in ("no gap", "gaps of the margin"):
            return MARGIN
        if self.truth == "equal, to be shown":
            return ROOMY * design_margin(self.regime, self.size)
        return design_gap(self.regime, self.size) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedRates:
    """What studies that run until decided claim, and what the same studies claim when judged once.

    Parameters
    ----------
    of : Decided
    false, false_at_the_end : Count
        Studies with any false claim, of a gap or of equivalence.
    shown, shown_at_the_end : ClusteredCount
        Comparisons of which the truth is claimed: the gap, or equivalence where there is none.
    saved : float
        Mean share of the fixed design's trials that is not trained.
    """

    of: Decided
    false: Count
    false_at_the_end: Count
    shown: ClusteredCount
    shown_at_the_end: ClusteredCount
    saved: float


def decided_studies() -> list[Decided]:
    """Return every cell of the table."""
    normal = [
        Decided(regime=regime, size=size, truth=truth, normal=True)
        for regime in DECIDED_REGIMES
        for size in DECIDED_SIZES
        for truth in TRUTHS
    ]
    answers = [
        Decided(regime=PROMISED[2], size=size, truth=truth, normal=False)
        for size in DECIDED_SIZES[:2]
        for truth in (TRUTHS[0], TRUTHS[2], TRUTHS[4])
    ]
    return [*answers, *normal]


@lru_cache
def design_gap(regime: Regime, size: int) -> float:
    """Return the gap that the fixed design finds in 80% of the comparisons."""
    return _smallest(regime, size, lambda value: ((value,) * size, MARGIN))


@lru_cache
def design_margin(regime: Regime, size: int) -> float:
    """Return the margin within which the fixed design shows equal arms in 80% of the comparisons."""
    return _smallest(regime, size, lambda value: ((0.0,) * size, value))


def _smallest(regime: Regime, size: int, study_of: Callable[[float], tuple[tuple[float, ...], float]]) -> float:
    """Return the smallest gap or margin for which the true claim is made often enough, by bisection."""
    low, high = 0.0, 0.2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        gaps, margin = study_of(middle)
        # The same draws for every value: the share then rises with it.
        rng, _ = streams(4000, size)
        drawn = draw_studies(regime, DECIDED_SEEDS, rng, gaps=gaps, studies=_STUDIES_TO_DESIGN)
        claims = at_the_end(drawn, margin=margin, alpha=ALPHA)
        shown = claims.difference if any(gaps) else claims.equivalence
        low, high = (middle, high) if shown.mean() < FOUND else (low, middle)
    return high


def count_decided(of: Decided, size: Size, *key: int) -> DecidedRates:
    """Count studies of one kind.

    Parameters
    ----------
    of : Decided
    size : Size
    key : int
        What their draws follow from.
    """
    rng, _ = streams(*key)
    gaps = (of.gap,) * of.size
    if of.normal:
        studies = max(size.normal // (10 * of.size), 16)
        drawn = draw_studies(of.regime, DECIDED_SEEDS, rng, gaps=gaps, studies=studies)
        once = at_the_end(drawn, margin=of.margin, alpha=ALPHA)
        looked = until_decided(drawn, DECIDED_LOOKS, margin=of.margin, alpha=ALPHA, hopeless=HOPELESS)
    else:
        once, looked = _by_answers(of, gaps, rng, studies=size.resampled)
    fixed = DECIDED_SEEDS * (of.size + 1)
    return DecidedRates(
        of=of,
        false=_false(of, looked),
        false_at_the_end=_false(of, once),
        shown=ClusteredCount.of(_true(of, looked)),
        shown_at_the_end=ClusteredCount.of(_true(of, once)),
        saved=1 - float(looked.trials.mean()) / fixed,
    )


def _true(of: Decided, claims: Claims) -> Bools:
    return claims.difference if of.gap else claims.equivalence


def _false(of: Decided, claims: Claims) -> Count:
    wrong = np.zeros(claims.difference.shape, dtype=bool)
    if not of.gap:
        wrong |= claims.difference
    if of.gap >= of.margin:
        wrong |= claims.equivalence
    return Count(int(wrong.any(axis=1).sum()), len(wrong))


def _by_answers(of: Decided, gaps: Sequence[float], rng: np.random.Generator, *, studies: int) -> tuple[Claims, Claims]:
    """Judge every study once at the end, and until decided, by what a report calls."""
    names = [f"t{k}" for k in range(of.size)]
    plan = parse_plan(
        {"baseline": "b", "margin": of.margin, "alpha": ALPHA, "looks": list(DECIDED_LOOKS)}, arms=[*names, "b"]
    )
    once, looked = [], []
    for _ in range(studies):
        right = draw_arms(of.regime, DECIDED_SEEDS, rng, gaps=gaps)
        scores = {name: ArmScores(rows) for name, rows in zip((*names, "b"), right, strict=True)}
        results = [primary_test(plan, scores, name, "b") for name in names]
        raw = [one.p_value for one in results], [_same(one, plan) for one in results]
        once.append((_claimed(*raw), float(DECIDED_SEEDS * (of.size + 1))))
        looked.append(_look_by_look(plan, scores, names))
    return _as_claims(once), _as_claims(looked)


def _look_by_look(
    plan: AnalysisPlan, scores: dict[str, ArmScores], names: Sequence[str]
) -> tuple[tuple[list[bool], list[bool]], float]:
    looks, trials, before = plan.looks, 0.0, 0
    in_play = list(names)
    seen: dict[str, list[CrossedResult]] = {name: [] for name in names}
    differs: list[bool] = []
    same: list[bool] = []
    for number, size in enumerate(looks, start=1):
        trials += (len(in_play) + 1) * (size - before)
        before = size
        trained = {name: scores[name].first(size) for name in (*in_play, "b")}
        for name in in_play:
            seen[name].append(primary_test(plan, trained, name, "b"))
        differs, same = _claimed(*zip(*(_p_values(seen[name], plan) for name in names), strict=True))
        if number == len(looks):
            break
        sharing = len(names) - sum(map(all, zip(differs, same, strict=True)))
        look = Look(looks=looks, number=number, seeds=tuple(range(size)), waiting="", threshold=0.0, left={})
        decided = dict(zip(names, map(any, zip(differs, same, strict=True)), strict=True))
        in_play = [
            name
            for name in in_play
            if not decided[name]
            and not chance_of_decision(seen[name][-1], look, alpha=plan.alpha / sharing, margin=plan.margin) < HOPELESS
        ]
        if not in_play:
            break
    return (differs, same), trials


def _p_values(seen: Sequence[CrossedResult], plan: AnalysisPlan) -> tuple[float, float]:
    rises = seen[-1].estimate > 0
    difference = [one.p_value if (one.estimate > 0) == rises else 1.0 for one in seen]
    return (
        sequential_p(difference, plan.looks, sides=2),
        sequential_p([_same(one, plan) for one in seen], plan.looks, sides=1),
    )


def _same(result: CrossedResult, plan: AnalysisPlan) -> float:
    return tost(result.estimate, result.standard_error, result.df, margin=plan.margin).p_value


def _claimed(difference: Sequence[float], equivalence: Sequence[float]) -> tuple[list[bool], list[bool]]:
    adjusted = joint_step_down(difference, equivalence)
    return [p <= ALPHA for p in adjusted.difference], [p <= ALPHA for p in adjusted.equivalence]


def _as_claims(studies: Sequence[tuple[tuple[list[bool], list[bool]], float]]) -> Claims:
    return Claims(
        difference=np.array([differs for (differs, _), _ in studies]),
        equivalence=np.array([same for (_, same), _ in studies]),
        trials=np.array([trials for _, trials in studies]),
    )
