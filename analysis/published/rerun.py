"""Reruns of a published pair: what the runs of a study that retrains it say, and what one more is expected to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.errors import AnalysisError
from analysis.methods.components import VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.methods.interval import Interval
from analysis.methods.mcnemar_clustered import mcnemar_by_seed
from analysis.published.overlaps import Overlaps, p_over_discordance
from analysis.records.outcomes import Outcomes

_NAN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What a study's own runs say about a published pair, at the epoch that its verdicts use.

    Parameters
    ----------
    study, model : str
        The name of the study, and what it trained; empty where an imported study names no model.
    treatment, baseline : str
        Its arms.
    n_seeds, n_examples : int
        Paired seeds that finished, and test examples.
    n_drawn : int or None
        How many training examples each seed drew as its own; then new seeds stand for new training sets too. None where
        all seeds were trained on the same examples.
    gap : float
    interval : Interval
    p_value : float
        Of the crossed test, for new seeds and new examples; the interval at 1 - alpha.
    components : VarianceComponents
        Its variance components, from which to plan.
    seed_sd : float
    seed_df : int
        SD over seeds of one run's accuracy on this test set, pooled over both arms; and its degrees of freedom, one
        less than the seeds, since the arms share them.
    discordance : tuple of float
        Share of examples on which exactly one run of a pair is right: mean, least and greatest over the seeds.
    p_exact : tuple of float
        McNemar's exact p-value of the published gap at the least and at the greatest of these shares; NaN where no
        single number of right answers is known.
    expected_gap : Interval
        The gap of one more pair of runs, of one new seed, falls within it with a chance of 95% on this test set.
    significant : float
        The share of seeds whose pair of runs has an exact p-value of at most alpha.
    """

    study: str
    model: str
    treatment: str
    baseline: str
    n_seeds: int
    n_examples: int
    n_drawn: int | None
    gap: float
    interval: Interval
    p_value: float
    components: VarianceComponents
    seed_sd: float
    seed_df: int
    discordance: tuple[float, float, float]
    p_exact: tuple[float, float]
    expected_gap: Interval
    significant: float


def rerun(
    outcomes: Outcomes, treatment: str, baseline: str, *, published: Overlaps | None, alpha: float = 0.05
) -> Rerun:
    """Compare a published pair with a study that retrains it.

    Parameters
    ----------
    outcomes : Outcomes
        The study; of several test sets the first counts.
    treatment, baseline : str
        Two of its arms.
    published : Overlaps or None
        What the published figures allow; None where they allow no test.
    alpha : float
        Two-sided level.

    Raises
    ------
    AnalysisError
        If the study is a regression, if its seeds are of two kinds that cross, or if fewer than two seeds finished in
        both arms.
    """
    if not outcomes.has_classes:
        task = "a regression" if outcomes.is_regression else "one of scores"
        raise AnalysisError(f"{outcomes.place}: published accuracies need a study of classes, got {task}")
    if outcomes.manifest.crossing is not None:
        raise AnalysisError(
            f"{outcomes.place}: its seeds are by source, and an audit takes seeds as independent of each other; "
            "compare with a study whose seeds are a count or a list"
        )
    # Figures are published of one test set; of several, a study's first is the one that they are held against.
    outcomes = outcomes.by_set()[0]
    done = [
        seed
        for seed in outcomes.seeds
        if all(outcomes.trials[arm, seed].status == "finished" for arm in (treatment, baseline))
    ]
    if len(done) < 2:
        raise AnalysisError(
            f"{outcomes.place}: {treatment} and {baseline} need at least two finished seeds in common, got {len(done)}"
        )
    right_t, right_b = (outcomes.scores(arm, seeds=done) for arm in (treatment, baseline))
    result = crossed_test(outcomes.drawn(right_t), outcomes.drawn(right_b), paired=True)
    by_seed = mcnemar_by_seed(right_t, right_b, outcomes.clusters)
    shares = np.abs(right_t - right_b).mean(axis=1)
    means = np.stack([right_t.mean(axis=1), right_b.mean(axis=1)])
    difference = means[0] - means[1]
    m = len(done)
    reach = float(special.stdtrit(m - 1, 0.975)) * float(difference.std(ddof=1)) * math.sqrt(1 + 1 / m)
    centre = float(difference.mean())
    return Rerun(
        study=outcomes.manifest.name,
        model=outcomes.manifest.model_name,
        treatment=treatment,
        baseline=baseline,
        n_seeds=m,
        n_examples=outcomes.n_examples,
        n_drawn=outcomes.manifest.data.n_drawn,
        gap=result.estimate,
        interval=result.interval(1 - alpha),
        p_value=result.p_value,
        components=result.components,
        seed_sd=math.sqrt(float(means.var(axis=1, ddof=1).mean())),
        seed_df=m - 1,
        discordance=(float(shares.mean()), float(shares.min()), float(shares.max())),
        p_exact=_p_at(published, float(shares.min()), float(shares.max())),
        expected_gap=Interval(centre - reach, centre + reach),
        significant=float(np.mean([test.p_exact <= alpha for test in by_seed])),
    )


def _p_at(published: Overlaps | None, *shares: float) -> tuple[float, float]:
    """Return the exact p-values of the published gap where the models differ on these shares of the examples."""
    if published is None or published.gap[0] != published.gap[1]:
        return _NAN, _NAN
    gap, (fewest, greatest) = published.gap[0], published.discordance
    # The nearest discordance that the figures allow: odd or even as the gap is.
    counts = [fewest + 2 * round((share * published.n - fewest) / 2) for share in shares]
    least, most = p_over_discordance(gap, np.clip(counts, fewest, greatest))[0]
    return float(least), float(most)
