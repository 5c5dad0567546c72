"""Multiple comparisons with the best: which of several arms may be the best one, and how far the others are behind.

Each arm in turn is the contender. It stays in the set unless another arm is shown to be better than it, by one-sided
tests that allow for all the others being tried. The truly best arm is then in the set with the stated confidence,
however many arms there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from analysis.methods.arm_scores import ArmScores, as_arm
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import Interval
from analysis.methods.student import TResult

# Where the variation over seeds is pooled, arms vary alike: two differences that share an arm then share half of it.
_SHARED_OVER_SEEDS = 0.5
# Close to 1 the quadrature would need more nodes; a smaller correlation only errs on the cautious side.
_HIGHEST_CORRELATION = 0.9
_Z = np.linspace(-9.0, 9.0, 65)
_Z_WEIGHTS = np.exp(-0.5 * _Z**2) / np.exp(-0.5 * _Z**2).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One arm as a contender for the best.

    Parameters
    ----------
    arm, rival : str
        The arm, and the one of the others with the highest mean beside it, the first of several that share it.
    estimate, standard_error : float
        Mean of the arm minus mean of its rival, in units of the score, with the seeds of their test.
    interval : Interval
        Of the arm's true mean minus the highest true mean of the others. Simultaneous over all arms, and constrained:
        it ends at 0 where the arm cannot be the best, and begins at 0 where no other can.
    in_set : bool
        Whether the arm may be the best.
    """

    arm: str
    rival: str
    estimate: float
    standard_error: float
    interval: Interval
    in_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonsWithBest:
    """The outcome of `compare_with_best`. It generalises to new seeds and new examples of the same kind.

    Parameters
    ----------
    contenders : tuple of Contender
        One for each arm, in the order that they were given; empty where there is a `reason`.
    confidence : float
        The best arm is in the set, and all intervals hold, with this probability at least.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why there is no set; else empty.
    """

    contenders: tuple[Contender, ...]
    confidence: float
    generalizes_to: str = "seeds and examples"
    reason: str

    @property
    def may_be_best(self) -> tuple[str, ...]:
        """The arms of the set."""
        return tuple(one.arm for one in self.contenders if one.in_set)


def compare_with_best(
    scores: Mapping[str, ArrayLike | ArmScores],
    results: Mapping[tuple[str, str], CrossedResult],
    *,
    alpha: float = 0.05,
    pair_level: float | Mapping[tuple[str, str], float] | None = None,
) -> ComparisonsWithBest:
    """Find the arms that may be the best, by Hsu's multiple comparisons with the best.

    A contender leaves the set when the one-sided test of another arm against it rejects at a level that keeps the
    chance of any such rejection, where the contender is the best, at `alpha`. That level comes from the multivariate t
    distribution of the contender's differences to the others. They share the contender, and so are correlated: by one
    half over seeds, and as the scores say over examples. All of them count as correlated as little as the least are,
    which can only lower the level (Slepian's inequality). They also share the estimate of the variation over seeds
    where that was pooled over the arms. Where it was not, the tests count as sharing nothing over seeds.

    Parameters
    ----------
    scores : mapping of str to array_like, shape (S, N)
        By arm, higher is better: one row per seed and one column per example, the same ones for every arm.
    results : mapping of (str, str) to CrossedResult
        `crossed_test` of every two arms, in either order: treatment, baseline. Those of different pairs may rest on
        different seeds.
    alpha : float
        One minus the confidence, between 0 and 1.
    pair_level : float, mapping of (str, str) to float, or None
        The one-sided level of each test, at least 0 and below 1, where it is fixed otherwise, as at one of several
        declared looks: one for all, or with the keys of `results`, such that those of one arm add up to `alpha` over
        all looks. None to find it from `alpha`, which takes every test as made with the same seeds.

    Returns
    -------
    ComparisonsWithBest
        With two arms, an arm leaves the set exactly where the one-sided crossed test rejects. One arm, fewer than
        three seeds, or a pair without a p-value give no set, and a reason; so do tests of different seeds that put
        every arm below another.

    Raises
    ------
    ValueError
        If a level is out of range, if there is no arm, or if a pair has no result or no level.

    See Also
    --------
    crossed_test : The test of two arms.
    pooled_seed_spread : The variation over seeds of all arms.
    joint_step_down : A correction over declared comparisons.

    References
    ----------
    Hsu (1981), Annals of Statistics 9, 1026-1034; (1984), Annals of Statistics 12, 1136-1144 (constrained
    intervals); (1996), Multiple Comparisons: Theory and Methods, chapter 4. Dunnett (1955), Journal of the American
    Statistical Association 50, 1096-1121. Slepian (1962), Bell System Technical Journal 41, 463-501.

    Examples
    --------
    >>> from analysis.methods.crossed import crossed_test
    >>> rng = np.random.default_rng(0)
    >>> ease = rng.normal(0, 0.1, 400)
    >>> scores = {arm: rng.random((5, 400)) < share + ease for arm, share in (("a", 0.9), ("b", 0.89), ("c", 0.7))}
    >>> results = {(i, j): crossed_test(scores[i], scores[j], paired=True) for i, j in combinations(scores, 2)}
    >>> compare_with_best(scores, results).may_be_best
    ('a', 'b')
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    of_pairs: Mapping[tuple[str, str], float] = {}
    if pair_level is not None:
        of_pairs = pair_level if isinstance(pair_level, Mapping) else dict.fromkeys(results, pair_level)
    for level in of_pairs.values():
        if not 0 <= level < 1:
            raise ValueError(f"pair_level must be at least 0 and below 1, got {level!r}")
    if not scores:
        raise ValueError("expected at least one arm, got none")
    missing = [f"{i} and {j}" for i, j in combinations(scores, 2) if not {(i, j), (j, i)} & results.keys()]
    if missing:
        raise ValueError(f"every two arms need a result, got none for {', '.join(missing)}")
    unlevelled = [f"{i} and {j}" for i, j in results if (i, j) not in of_pairs]
    if pair_level is not None and unlevelled:
        raise ValueError(f"every result needs a level, got none for {', '.join(unlevelled)}")
    reason = _reason(list(scores), results)
    if reason:
        return ComparisonsWithBest(contenders=(), confidence=1 - alpha, reason=reason)

    gaps = {(i, j): _gap(results, i, j) for i in scores for j in scores if i != j}
    if pair_level is None:
        by_example = {arm: as_arm(y).example_means for arm, y in scores.items()}
        own = {arm: _chance(by_example, arm, results).level(alpha) for arm in scores}
        levels = {(i, j): own[i] for i, j in gaps}
    else:
        levels = {(i, j): of_pairs[(i, j) if (i, j) in results else (j, i)] for i, j in gaps}
    # No level, however high, rules out an arm that is ahead in every pair.
    ruled_out = {pair[0] for pair, gap in gaps.items() if gap.estimate < 0 and _p_behind(gap) <= levels[pair]}
    in_set = [arm for arm in scores if arm not in ruled_out]
    if not in_set:
        return ComparisonsWithBest(
            contenders=(), confidence=1 - alpha, reason="different seeds put each arm below another"
        )
    contenders = []
    for arm in scores:
        ahead = {other: _limit(gaps[arm, other], levels[arm, other]) for other in scores if other != arm}
        # How far an arm may be behind is known only against arms that may be the best, each at its own level.
        behind = [-_limit(gaps[other, arm], levels[other, arm]) for other in in_set if other != arm]
        rival = min(ahead, key=lambda other: gaps[arm, other].estimate)
        contenders.append(
            Contender(
                arm=arm,
                rival=rival,
                estimate=gaps[arm, rival].estimate,
                standard_error=gaps[arm, rival].standard_error,
                interval=Interval(min([0.0, *behind]), max(0.0, min(ahead.values()))),
                in_set=arm in in_set,
            )
        )
    return ComparisonsWithBest(contenders=tuple(contenders), confidence=1 - alpha, reason="")


def _reason(arms: Sequence[str], results: Mapping[tuple[str, str], CrossedResult]) -> str:
    if len(arms) == 1:
        return "one arm: there is nothing to compare it with"
    few = min(min(result.n_seeds) for result in results.values())
    if few < SEEDS_FOR_A_VERDICT:
        return f"fewer than {SEEDS_FOR_A_VERDICT} seeds cannot tell which arm may be the best"
    return next((f"{i} and {j}: {one.reason}" for (i, j), one in results.items() if math.isnan(one.p_value)), "")


def _gap(results: Mapping[tuple[str, str], CrossedResult], i: str, j: str) -> TResult:
    """Return the mean of arm i minus that of arm j, with its standard error."""
    found, sign = (results[i, j], 1) if (i, j) in results else (results[j, i], -1)
    return TResult(estimate=sign * found.estimate, standard_error=found.standard_error, df=found.df)


def _p_behind(gap: TResult) -> float:
    """Return the one-sided p that the gap is 0 or more; 1 where nothing varies, since then nothing differs."""
    return float(special.stdtr(gap.df, gap.estimate / gap.standard_error)) if gap.standard_error > 0 else 1.0


def _limit(gap: TResult, level: float) -> float:
    """Return the upper limit of a gap; infinite at level 0."""
    if level == 0:
        return math.inf
    half = -float(special.stdtrit(gap.df, level)) * gap.standard_error if gap.standard_error > 0 else 0.0
    return gap.estimate + half


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chance:
    """Chance that any of several one-sided tests rejects where all their null hypotheses are just true.

    Their statistics are t variables with equally correlated numerators and one denominator of `df` degrees of freedom.
    """

    n_tests: int
    correlation: float
    df: float

    def of_any(self, level: float) -> float:
        """Return the chance that one of them rejects when each is made at `level`."""
        q = -float(special.ndtri(level) if math.isinf(self.df) else special.stdtrit(self.df, level))
        scales, weights = self._scales()
        bounds = (q * scales[:, None] - math.sqrt(self.correlation) * _Z) / math.sqrt(1 - self.correlation)
        return float(weights @ -np.expm1(self.n_tests * special.log_ndtr(bounds)) @ _Z_WEIGHTS)

    def level(self, alpha: float) -> float:
        """Return the level of each test at which one of them rejects with probability `alpha`."""
        if self.n_tests == 1:
            return alpha

        def excess(log_level: float) -> float:
            return math.log(self.of_any(math.exp(log_level)) / alpha)

        # Between Bonferroni's level and no correction; at a tiny alpha Bonferroni's is right to the last digits.
        lowest, highest = math.log(alpha / self.n_tests), math.log(alpha)
        return math.exp(optimize.brentq(excess, lowest, highest, xtol=1e-9) if excess(lowest) < 0 else lowest)

    def _scales(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return nodes and weights for estimated over true standard error, the root of a chi-square over its df."""
        if math.isinf(self.df):
            return np.ones(1), np.ones(1)
        low, high = (0.5 * math.log(float(special.chdtri(self.df, tail)) / self.df) for tail in (1 - 1e-14, 1e-14))
        logs = np.linspace(low, high, 49)
        density = self.df * (logs - np.exp(2 * logs) / 2)
        weights = np.exp(density - density.max())
        return np.exp(logs), weights / weights.sum()


def _chance(
    by_example: Mapping[str, NDArray[np.float64]], contender: str, results: Mapping[tuple[str, str], CrossedResult]
) -> _Chance:
    """Say what the tests of one contender against the others share."""
    others = [arm for arm in by_example if arm != contender]
    tests = [results.get((contender, other)) or results[other, contender] for other in others]
    pooled = all(test.n_arms > 2 for test in tests)
    variance = np.array([test.standard_error**2 for test in tests])
    over_examples = np.array([test.components.example / test.n_examples for test in tests])
    over_seeds = np.maximum(variance - over_examples, 0.0)
    differences = np.array([by_example[contender] - by_example[other] for other in others])
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.nan_to_num(np.atleast_2d(np.corrcoef(differences))) * np.sqrt(
            np.outer(over_examples, over_examples)
        )
        shared += (_SHARED_OVER_SEEDS if pooled else 0.0) * np.sqrt(np.outer(over_seeds, over_seeds))
        least = float(np.nan_to_num(shared / np.sqrt(np.outer(variance, variance))).min())
    return _Chance(
        n_tests=len(others),
        correlation=min(max(least, 0.0), _HIGHEST_CORRELATION),
        df=max((test.df for test in tests if test.df > 0), default=math.inf) if pooled else math.inf,
    )
