"""A published pair beside a study that retrains it: what one more run of each arm is expected to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.claims.overlaps import p_over_discordance
from analysis.crossed import crossed_test
from analysis.errors import AnalysisError
from analysis.mcnemar import binomial_p
from analysis.outcomes import Outcomes

_NAN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What a study's own runs say about a published pair.

    Parameters
    ----------
    study
        The name of the study.
    treatment, baseline
        Its arms.
    n_seeds, n_examples
        Paired seeds that finished, and test examples.
    gap, interval, p_value
        Of the crossed test, for new seeds and new examples.
    seed_sd, seed_df
        SD over seeds of one run's accuracy on this test set, pooled over both arms, and its degrees of freedom.
    discordance
        Share of examples on which exactly one run of a pair is right: mean, least and greatest over the seeds.
    p_exact
        McNemar's exact p-value of the published gap at the least and at the greatest of these shares; NaN where no
        number of right answers is known.
    expected_gap
        Within which the gap of one new run of each arm falls with a chance of 95%, for new seeds on this test set.
    significant
        The share of seeds whose pair of runs has an exact p-value of at most alpha.
    """

    study: str
    treatment: str
    baseline: str
    n_seeds: int
    n_examples: int
    gap: float
    interval: tuple[float, float]
    p_value: float
    seed_sd: float
    seed_df: int
    discordance: tuple[float, float, float]
    p_exact: tuple[float, float]
    expected_gap: tuple[float, float]
    significant: float


def rerun(outcomes: Outcomes, treatment: str, baseline: str, *, gap: int | None, n: int, alpha: float = 0.05) -> Rerun:
    """Read what a study says about a published pair.

    Parameters
    ----------
    outcomes
        The study.
    treatment, baseline
        Two of its arms.
    gap
        The published difference in right answers; None where it is not known.
    n
        The published number of test examples.
    alpha
        Two-sided level.

    Raises
    ------
    AnalysisError
        If fewer than two seeds finished in both arms.
    """
    done = [
        seed
        for seed in outcomes.seeds
        if all(outcomes.trials[arm, seed].status == "finished" for arm in (treatment, baseline))
    ]
    if len(done) < 2:
        raise AnalysisError(
            f"{outcomes.folder}: {treatment} and {baseline} have {len(done)} finished seeds in common; it takes two"
        )
    right_t, right_b = (outcomes.scores(arm, seeds=done) for arm in (treatment, baseline))
    result = crossed_test(outcomes.drawn(right_t), outcomes.drawn(right_b), paired=True)
    only_t = np.count_nonzero(right_t > right_b, axis=1)
    only_b = np.count_nonzero(right_t < right_b, axis=1)
    shares = (only_t + only_b) / outcomes.n_examples
    means = np.stack([right_t.mean(axis=1), right_b.mean(axis=1)])
    difference = means[0] - means[1]
    m = len(done)
    reach = float(special.stdtrit(m - 1, 0.975)) * float(difference.std(ddof=1)) * math.sqrt(1 + 1 / m)
    centre = float(difference.mean())
    return Rerun(
        study=outcomes.manifest.name,
        treatment=treatment,
        baseline=baseline,
        n_seeds=m,
        n_examples=outcomes.n_examples,
        gap=result.estimate,
        interval=result.interval(),
        p_value=result.p_value,
        seed_sd=math.sqrt(float(means.var(axis=1, ddof=1).mean())),
        seed_df=2 * (m - 1),
        discordance=(float(shares.mean()), float(shares.min()), float(shares.max())),
        p_exact=_p_at(gap, n, float(shares.min()), float(shares.max())),
        expected_gap=(centre - reach, centre + reach),
        significant=float(np.mean(binomial_p(only_t, only_b)[0] <= alpha)),
    )


def _p_at(gap: int | None, n: int, *shares: float) -> tuple[float, float]:
    """Return the exact p-values of the published gap where the models differ on these shares of the examples."""
    if gap is None:
        return _NAN, _NAN
    # The nearest discordance that goes with the gap: no smaller, and odd or even as it is.
    counts = np.array([abs(gap) + 2 * max(0, round((share * n - abs(gap)) / 2)) for share in shares])
    least, most = p_over_discordance(gap, counts)[0]
    return float(least), float(most)
