"""A study that has not run: what its crossed test will make of a true gap.

Every new study estimates its own mean squares, and with them its own standard error and degrees of freedom. The
chance that it finds a gap is the average over all that it may estimate: for the test that will be run, with its floor
under the mean square over seeds, and not for a t-test that resembles it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from analysis.methods.components import ArmComponents, VarianceComponents
from analysis.methods.crossed_design import Design, design_of, has_plain_df
from analysis.methods.moments import caution, independent_moments, paired_moments

Points = NDArray[np.float64]

# What lies beyond this share of a chi-square distribution, at either end, is left out.
_TAIL = 1e-12
# Points of each rule: along the seeds by design A and B, and along the examples.
_PAIR_POINTS, _ARM_POINTS, _EXAMPLE_POINTS = 40, 8, 3


class PlannedTest(NamedTuple):
    """How the comparisons of a study will be judged, which decides what they can find.

    Parameters
    ----------
    n_arms : int
        The arms over which the variation over seeds is pooled; 2 where each comparison stands by itself.
    paired : bool
        Whether both arms run with the same seeds.
    before_pooling : bool
        Whether the plan was frozen before arms could be pooled.
    lead : int
        How many more seeds the treatment has than the baseline, negative for fewer; only for seeds that are not paired.
        The number of seeds of a study is then that of the smaller arm.
    """

    n_arms: int = 2
    paired: bool = True
    before_pooling: bool = False
    lead: int = 0

    def seeds(self, n_seeds: int) -> tuple[int, int]:
        """Return the numbers of seeds of the treatment and of the baseline, where the smaller one is this."""
        return n_seeds + max(self.lead, 0), n_seeds + max(-self.lead, 0)

    def design(self, n_seeds: int) -> Design:
        """Return the design by which so many seeds are judged."""
        return (
            design_of(n_seeds=n_seeds, n_arms=self.n_arms, before_pooling=self.before_pooling) if self.paired else "B"
        )

    def has_plain_df(self, n_seeds: int) -> bool:
        """Say whether so many seeds are judged without caution about their share."""
        return has_plain_df(self.design(n_seeds), n_seeds=n_seeds, before_pooling=self.before_pooling)


BY_PAIR = PlannedTest()
"""Two arms that share their seeds, by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewStudy:
    """What a study of some size may estimate. All in units of the score.

    Parameters
    ----------
    standard_error : float
        The true standard error of the estimated gap, over new seeds and new examples.
    estimated : ndarray of float64, shape (points,)
        Standard errors that the study may estimate.
    df : ndarray of float64, shape (points,)
        The degrees of freedom that come with them.
    shares : ndarray of float64, shape (points,)
        How often they come; they add up to 1.
    """

    standard_error: float
    estimated: Points
    df: Points
    shares: Points

    def found(self, gap: float, *, alpha: float) -> tuple[float, float]:
        """Chances that a true gap is found with the right sign, and with the wrong one.

        Parameters
        ----------
        gap : float
            In units of the score; its sign does not matter.
        alpha : float
            Two-sided level, between 0 and 1.
        """
        reach = self._reach(alpha / 2)
        right = special.ndtr((abs(gap) - reach) / self.standard_error)
        wrong = special.ndtr((-abs(gap) - reach) / self.standard_error)
        return float(self.shares @ right), float(self.shares @ wrong)

    def equivalent(self, gap: float, *, margin: float, alpha: float) -> float:
        """Chance that both one-sided tests show the gap to lie within the margin.

        Parameters
        ----------
        gap : float
            True gap; its sign does not matter.
        margin : float
            Above 0.
        alpha : float
            One-sided level, between 0 and 1.
        """
        room = margin - self._reach(alpha)
        inside = special.ndtr((room - gap) / self.standard_error) - special.ndtr((-room - gap) / self.standard_error)
        return float(self.shares @ np.maximum(inside, 0.0))

    def detectable_gap(self, *, alpha: float, power: float) -> float:
        """Smallest true gap that is found, with its sign, with this chance."""
        reach = self._reach(alpha / 2)
        few = self.standard_error * float(special.ndtri(power))

        def missing(gap: float) -> float:
            return float(self.shares @ special.ndtr((gap - reach) / self.standard_error)) - power

        return float(optimize.brentq(missing, float(reach.min()) + few, float(reach.max()) + few, xtol=1e-15))

    def exaggeration(self, gap: float, *, alpha: float) -> float:
        """How many times too large the estimate of a true gap is on average, where it is significant."""
        reach, away = self._reach(alpha / 2), abs(gap)
        right, wrong = self.found(gap, alpha=alpha)
        density = np.exp(-0.5 * ((reach - away) / self.standard_error) ** 2)
        density += np.exp(-0.5 * ((reach + away) / self.standard_error) ** 2)
        size = self.standard_error * float(self.shares @ density) / math.sqrt(2 * math.pi) + away * (right - wrong)
        return size / ((right + wrong) * away)

    def _reach(self, tail: float) -> Points:
        """How far from 0 an estimate must lie to be significant, at every point."""
        return special.stdtrit(self.df, 1 - tail) * self.estimated


@functools.lru_cache(maxsize=512)
def new_study(
    components: VarianceComponents, *, n_seeds: int, n_examples: int, test: PlannedTest = BY_PAIR
) -> NewStudy | None:
    """Say what a study of this size may estimate.

    Parameters
    ----------
    components : VarianceComponents
        The true variances. Where they say nothing about the two arms by themselves, these count as alike and their
        seeds as independent.
    n_seeds, n_examples : int
        Seeds in each arm and test examples, at least 2 each; in the smaller arm where their numbers differ.
    test : PlannedTest
        How it will be judged.

    Returns
    -------
    NewStudy or None
        None where nothing varies, or where the components are NaN. Effects of seeds and of examples count as normal,
        and the residual's mean square, which has the most degrees of freedom, as known.

    Raises
    ------
    ValueError
        If a number is below 2, or if paired arms have unequal numbers of seeds.

    References
    ----------
    Hillis, Obuchowski and Berbaum (2011), Academic Radiology 18, 129-142 (power for readers and cases). Phillips
    (1990), Journal of Pharmacokinetics and Biopharmaceutics 18, 137-144 (power of two one-sided tests).
    """
    if min(n_seeds, n_examples) < 2:
        raise ValueError(f"need at least two seeds and two examples, got {n_seeds} and {n_examples}")
    if test.paired and test.lead:
        raise ValueError(f"paired arms have the same seeds, got a lead of {test.lead}")
    if not components.seed + components.example + components.residual > 0:
        return None
    S, N = n_seeds, n_examples
    resid = components.residual
    seed, example = N * components.seed + resid, S * components.example + resid
    if test.design(S) == "A":
        F = (test.n_arms - 1) * (S - 1)
        few, few_shares = _seed_points(F, resid / seed if seed > 0 else 0.0)
        many, many_shares = _chi_square_points(N - 1, _EXAMPLE_POINTS)
        V, df = paired_moments(
            seed * few[:, None],
            example * many,
            resid,
            n_seeds=S,
            n_examples=N,
            seed_df=F,
            weight=1.0 if test.has_plain_df(S) else caution(F),
        )
        shares = few_shares[:, None] * many_shares
    else:
        V, df, shares = _independent(components, S, N, test)
    return NewStudy(
        standard_error=math.sqrt(_true_variance(components, S, N, test)),
        estimated=np.sqrt(V).ravel(),
        df=df.ravel(),
        shares=shares.ravel(),
    )


def with_endless_seeds(components: VarianceComponents, *, n_examples: int) -> NewStudy | None:
    """Say what a study with any number of seeds may estimate on a test set of this size; None where nothing is left."""
    if n_examples < 2:
        raise ValueError(f"need at least two examples, got {n_examples}")
    variance = components.example / n_examples
    if not variance > 0:
        return None
    points, shares = _seed_points(n_examples - 1, 0.0)
    return NewStudy(
        standard_error=math.sqrt(variance),
        estimated=np.sqrt(variance * points),
        df=np.full(len(points), n_examples - 1.0),
        shares=shares,
    )


def _true_variance(components: VarianceComponents, S: int, N: int, test: PlannedTest) -> float:
    """Squared standard error over new seeds and new examples."""
    if test.paired:
        return components.seed / S + components.example / N + components.residual / (S * N)
    arms = zip(_by_arm(components), test.seeds(S), strict=True)
    return components.example / N + sum((of_seed + residual / N) / S_g for (of_seed, residual), S_g in arms)


def _by_arm(components: VarianceComponents) -> tuple[ArmComponents, ArmComponents]:
    half = ArmComponents(components.seed / 2, components.residual / 2)
    return components.by_arm or (half, half)


def _independent(components: VarianceComponents, S: int, N: int, test: PlannedTest) -> tuple[Points, Points, Points]:
    """Variance, degrees of freedom and shares by design B."""
    S_t, S_b = test.seeds(S)
    arms = _by_arm(components)
    resid_t, resid_b = (residual for _, residual in arms)
    seed_t, seed_b = (N * of_seed + residual for of_seed, residual in arms)
    shared, noise = 0.0, resid_t / S_t + resid_b / S_b
    if test.paired:
        # Paired seeds move both arms, so that their mean squares are drawn together: Bartlett's decomposition.
        both, difference = math.sqrt(seed_t * seed_b), N * components.seed + components.residual
        shared = min(max((seed_t + seed_b - difference) / (2 * both), -1.0), 1.0) if both > 0 else 0.0
        noise = components.residual / S
    first, first_shares = _chi_square_points(S_t - 1, _ARM_POINTS)
    z, z_shares = special.roots_hermitenorm(_ARM_POINTS)
    z_shares = z_shares / z_shares.sum()
    rest, rest_shares = _chi_square_points(S_b - 2, _ARM_POINTS) if S_b > 2 else (np.zeros(1), np.ones(1))
    many, many_shares = _chi_square_points(N - 1, _EXAMPLE_POINTS)
    grid = np.ix_(first * (S_t - 1), z, rest * (S_b - 2), many)
    own = math.sqrt(1 - shared**2)
    V, df = independent_moments(
        (
            seed_t * grid[0] / (S_t - 1),
            seed_b * ((shared * np.sqrt(grid[0]) + own * grid[1]) ** 2 + own**2 * grid[2]) / (S_b - 1),
        ),
        (resid_t, resid_b),
        (components.example + noise) * grid[3],
        n_seeds=(S_t, S_b),
        n_examples=N,
        plain_df=test.has_plain_df(S),
    )
    shares = np.einsum("i,j,k,l->ijkl", first_shares, z_shares, rest_shares, many_shares)
    return np.broadcast_to(V, shares.shape), np.broadcast_to(df, shares.shape), shares


def _seed_points(df: int, floor: float) -> tuple[Points, Points]:
    """Points of a chi-square variable over its degrees of freedom, and their shares; one for all below a floor."""
    below = float(special.chdtr(df, df * floor))
    low, high = (math.sqrt(special.chdtri(df, tail) / df) for tail in (1 - _TAIL, _TAIL))
    low = max(low, math.sqrt(floor))
    if low >= high:
        return np.array([floor]), np.ones(1)
    steps, widths = _legendre_points()
    roots = low + (high - low) * (steps + 1) / 2
    log_density = (df - 1) * np.log(roots) - df * roots**2 / 2
    density = widths * np.exp(log_density - log_density.max())
    points, shares = roots**2, density / density.sum() * (1 - below)
    return (points, shares) if below == 0 else (np.append(points, floor), np.append(shares, below))


@functools.cache
def _legendre_points() -> tuple[Points, Points]:
    return np.polynomial.legendre.leggauss(_PAIR_POINTS)


@functools.lru_cache(maxsize=512)
def _chi_square_points(df: int, count: int) -> tuple[Points, Points]:
    """Points of a chi-square variable over its degrees of freedom, and their shares, by Gauss's rule."""
    # Golub and Welsch (1969): the eigenvalues of the recurrence of Laguerre's polynomials.
    order = np.arange(count)
    between = np.sqrt((order[1:]) * (order[1:] + df / 2 - 1))
    values, vectors = np.linalg.eigh(np.diag(2 * order + df / 2) + np.diag(between, 1) + np.diag(between, -1))
    return 2 * values / df, vectors[0] ** 2
