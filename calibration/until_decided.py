"""Studies that run until decided: false claims, what they show, and the trials that they save.

Against each of them stands the fixed design: as many seeds as the last look has, judged once. Every study runs in two
ways that share no code: in normal theory, and on right and wrong answers, judged by the functions of the analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from analysis.methods.arm_scores import ArmScores
from analysis.methods.crossed_result import CrossedResult
from analysis.study.analysis_block import parse_plan
from analysis.study.comparisons import correct
from analysis.study.futility import HOPELESS, chance_of_decision
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan
from analysis.study.primary_test import PValues, primary_test, sequential_p_values
from calibration.counts import ClusteredCount, Count, Size, streams
from calibration.families import ALPHA, MARGIN, PROMISED
from calibration.normal import Bools
from calibration.normal_looks import Claims, at_the_end, draw_studies, until_decided
from calibration.regimes import Regime, draw_arms
from harness.study.looks import automatic_looks

DECIDED_SEEDS = 20
FEW_SEEDS = 10
"""Here a study may be left with two arms at fewer than eight seeds, which are judged as independent."""

DECIDED_SIZES = (1, 3, 7)
DECIDED_REGIMES = (PROMISED[1], PROMISED[2], PROMISED[4])
FOUND = 0.8
"""The power of the fixed design for its gap, and for the margin that it can just show."""

ROOMY = 1.5
"""How many times that margin is where equivalence can be shown."""

Truth = Literal[
    "no gap", "gaps of the margin", "the design's gap", "twice that gap", "twice that gap in half", "equal, to be shown"
]
TRUTHS: tuple[Truth, ...] = get_args(Truth)

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
    n_seeds : int
        Of the fixed design, and at the last look.
    """

    regime: Regime
    size: int
    truth: Truth
    normal: bool
    n_seeds: int = DECIDED_SEEDS

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds at which it is looked at."""
        return tuple(automatic_looks(self.n_seeds))

    @property
    def gap(self) -> float:
        """The true gap, where there is one."""
        if self.truth in ("no gap", "equal, to be shown"):
            return 0.0
        if self.truth == "gaps of the margin":
            return MARGIN
        return design_gap(self.regime, self.size, self.n_seeds) * (1 if self.truth == "the design's gap" else 2)

    @property
    def gaps(self) -> tuple[float, ...]:
        """The true gap of each comparison."""
        halved = self.truth == "twice that gap in half"
        return tuple(0.0 if halved and k % 2 else self.gap for k in range(self.size))

    @property
    def margin(self) -> float:
        """The margin of equivalence."""
        if self.truth in ("no gap", "gaps of the margin"):
            return MARGIN
        if self.truth == "equal, to be shown":
            return ROOMY * design_margin(self.regime, self.size, self.n_seeds)
        return design_gap(self.regime, self.size, self.n_seeds) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedRates:
    """What studies that run until decided claim, and what the same studies claim when judged once.

    Parameters
    ----------
    of : Decided
    false, false_at_the_end : Count
        Studies with any false claim: of a gap or its direction, or of equivalence.
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
        Decided(regime=regime, size=size, truth=truth, normal=True, n_seeds=n_seeds)
        for regime, sizes, n_seeds in (
            *((regime, DECIDED_SIZES, DECIDED_SEEDS) for regime in DECIDED_REGIMES),
            (PROMISED[2], (3,), FEW_SEEDS),
        )
        for size in sizes
        for truth in TRUTHS
        if size > 1 or truth != "twice that gap in half"
    ]
    one, three, seven = (
        [
            Decided(regime=PROMISED[2], size=size, truth=truth, normal=False)
            for truth in (TRUTHS[0], TRUTHS[2], TRUTHS[-1])
        ]
        for size in DECIDED_SIZES
    )
    # The draws of a cell follow from its place here, so that one more stands at the end.
    return [*one, *three, *normal, *seven]


@lru_cache
def design_gap(regime: Regime, size: int, n_seeds: int) -> float:
    """Return the gap that the fixed design finds in 80% of the comparisons."""
    return _smallest(regime, n_seeds, lambda value: ((value,) * size, MARGIN))


@lru_cache
def design_margin(regime: Regime, size: int, n_seeds: int) -> float:
    """Return the margin within which the fixed design shows equal arms in 80% of the comparisons."""
    return _smallest(regime, n_seeds, lambda value: ((0.0,) * size, value))


def _smallest(regime: Regime, n_seeds: int, study_of: Callable[[float], tuple[tuple[float, ...], float]]) -> float:
    """Return the smallest gap or margin for which the true claim is made often enough, by bisection."""
    low, high = 0.0, 0.2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        gaps, margin = study_of(middle)
        # The same draws for every value: the share then rises with it.
        rng, _ = streams(2300, len(gaps))
        drawn = draw_studies(regime, n_seeds, rng, gaps=gaps, studies=_STUDIES_TO_DESIGN)
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
    if of.normal:
        studies = max(size.normal // (10 * of.size), 16)
        drawn = draw_studies(of.regime, of.n_seeds, rng, gaps=of.gaps, studies=studies)
        once = at_the_end(drawn, margin=of.margin, alpha=ALPHA)
        looked = until_decided(drawn, of.looks, margin=of.margin, alpha=ALPHA, hopeless=HOPELESS)
    else:
        once, looked = _by_answers(of, rng, studies=size.resampled)
    fixed = of.n_seeds * (of.size + 1)
    return DecidedRates(
        of=of,
        false=_false(of, looked),
        false_at_the_end=_false(of, once),
        shown=ClusteredCount.of(_true(of, looked)),
        shown_at_the_end=ClusteredCount.of(_true(of, once)),
        saved=1 - float(looked.trials.mean()) / fixed,
    )


def _true(of: Decided, claims: Claims) -> Bools:
    return np.where(np.array(of.gaps) > 0, claims.difference & claims.better, claims.equivalence)


def _false(of: Decided, claims: Claims) -> Count:
    gaps = np.array(of.gaps)
    wrong_gap = claims.difference & ~(claims.better & (gaps > 0))
    wrong = wrong_gap | (claims.equivalence & (gaps >= of.margin))
    return Count(int(wrong.any(axis=1).sum()), len(wrong))


def _by_answers(of: Decided, rng: np.random.Generator, *, studies: int) -> tuple[Claims, Claims]:
    drawn = (draw_arms(of.regime, of.n_seeds, rng, gaps=of.gaps) for _ in range(studies))
    both = [judged_by_the_analysis(arms, of.looks, margin=of.margin) for arms in drawn]
    once, looked = zip(*both, strict=True)
    return _as_claims(once), _as_claims(looked)


class _Study(NamedTuple):
    """The claims about the comparisons of one study, and its trials."""

    difference: Sequence[bool]
    equivalence: Sequence[bool]
    better: Sequence[bool]
    trials: int


def judged_by_the_analysis(
    arms: Sequence[ArrayLike], looks: tuple[int, ...], *, margin: float
) -> tuple[_Study, _Study]:
    """Judge a study once at the end, and until decided, by what a report calls.

    Parameters
    ----------
    arms : sequence of array_like, shape (S, N)
        The scores of the treatments, and then of the baseline.
    looks : tuple of int
    margin : float
    """
    names = [f"t{k}" for k in range(len(arms) - 1)]
    plan = parse_plan({"baseline": "b", "margin": margin, "alpha": ALPHA, "looks": list(looks)}, arms=[*names, "b"])
    scores = {name: ArmScores(rows) for name, rows in zip((*names, "b"), arms, strict=True)}
    results = [primary_test(plan, scores, name, "b") for name in names]
    claimed = _claimed(plan, [sequential_p_values(one, (), look=None, margin=margin) for one in results])
    better = [one.estimate > 0 for one in results]
    return _Study(*claimed, better, looks[-1] * len(arms)), _look_by_look(plan, scores, names)


def _look_by_look(plan: AnalysisPlan, scores: dict[str, ArmScores], names: Sequence[str]) -> _Study:
    looks, trials, before = plan.looks, 0, 0
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
        look = Look(looks=looks, number=number, seeds=tuple(range(size)), waiting="", threshold=0.0, left={})
        p_values = [sequential_p_values(seen[name][-1], seen[name], look=look, margin=plan.margin) for name in names]
        differs, same = _claimed(plan, p_values)
        if number == len(looks):
            break
        sharing = len(names) - sum(map(all, zip(differs, same, strict=True)))
        decided = dict(zip(names, map(any, zip(differs, same, strict=True)), strict=True))
        in_play = [
            name
            for name in in_play
            if not decided[name]
            and not chance_of_decision(seen[name][-1], look, alpha=plan.alpha / sharing, margin=plan.margin) < HOPELESS
        ]
        if not in_play:
            break
    return _Study(differs, same, [seen[name][-1].estimate > 0 for name in names], trials)


def _claimed(plan: AnalysisPlan, p_values: Sequence[PValues]) -> tuple[list[bool], list[bool]]:
    corrected = correct(plan, p_values)
    return [p.difference <= plan.alpha for p in corrected], [p.equivalence <= plan.alpha for p in corrected]


def _as_claims(studies: Sequence[_Study]) -> Claims:
    difference, equivalence, better, trials = (np.array(part) for part in zip(*studies, strict=True))
    return Claims(difference=difference, equivalence=equivalence, better=better, trials=trials.astype(np.float64))
