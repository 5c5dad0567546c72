"""Label permutation test: does it matter which trials belong to which arm, on this very test set; for unpaired seeds.

It is exact up to 40 trials. With more, numbers of right answers are counted exactly through a table as long as that
stays small; other scores, such as a log loss or an F1 score, are compared by random draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.methods.rearrangements import (
    MOST_DEALS,
    check_resamples,
    deals,
    deals_on_lattice,
    drawn_deals,
    fits_on_lattice,
    needed_generator,
)
from analysis.methods.seed_scores import right_per_seed, seed_scores
from analysis.methods.variance import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPermutationResult:
    """The outcome of `label_permutation`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Mean score of the treatment minus mean score of the baseline; accuracies where counts were given.
    p_value : float
        Two-sided.
    floor : float
        The smallest p-value that these numbers of seeds can give, or this number of draws.
    n_seeds : tuple of int
        Of the treatment and of the baseline.
    method : {"exact", "Monte Carlo"}
        Whether every way of dealing the trials to the two arms is counted, or random ones are.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    p_value: float
    floor: float
    n_seeds: tuple[int, int]
    method: Literal["exact", "Monte Carlo"] = "exact"
    generalizes_to: str = "seeds"
    reason: str


def label_permutation(
    treatment: ArrayLike,
    baseline: ArrayLike,
    *,
    n_examples: int | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 100_000,
) -> LabelPermutationResult:
    """Test whether it matters which trials belong to which arm, on this test set; for unpaired seeds.

    Parameters
    ----------
    treatment, baseline : array_like, shapes (S_t,) and (S_b,)
        One score per trial. With `n_examples` the numbers of right answers, from 0 to `n_examples`; without it any
        finite scores.
    n_examples : int, optional
        Size of the test set, if the scores are numbers of right answers. The p-value is then exact for any
        number of seeds, unless test set and gap are so large that the table of all sums would not fit.
    rng : numpy.random.Generator, optional
        Drawn from only where there are more than 40 trials and the scores are not counts, or the table does not fit.
    resamples : int
        Ways to deal the trials to draw in that case, at least 1.

    Returns
    -------
    LabelPermutationResult
        Generalises to new seeds, not to new examples.

    Raises
    ------
    ValueError
        If the scores are not finite or the counts not whole numbers in their range, or if random draws are
        needed and there is no `rng`.

    See Also
    --------
    sign_flip : For paired seeds.

    Notes
    -----
    A rearrangement counts when its absolute difference of means is at least the one observed. Scores that are
    not counts tie where they differ by rounding alone (1e-12 of the largest score).

    References
    ----------
    Pitman (1937), Supplement to the JRSS 4, 119-130. Pagano and Tritchler (1983), JASA 78, 435-440. Phipson and
    Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, article 39.

    Examples
    --------
    >>> label_permutation([880, 872, 884], [866, 870, 861], n_examples=1000).p_value
    0.1
    """
    check_resamples(resamples)
    if n_examples is not None:
        treatment, baseline = (
            right_per_seed("treatment", treatment, n_examples),
            right_per_seed("baseline", baseline, n_examples),
        )
    y_t, y_b = seed_scores("treatment", treatment), seed_scores("baseline", baseline)
    S_t, S_b = len(y_t), len(y_b)
    runs, floor = np.concatenate([y_t, y_b]), label_permutation_floor(S_t, S_b)
    rounding = ROUNDING * float(np.abs(runs).max())
    method: Literal["exact", "Monte Carlo"] = "exact"
    if n_examples is not None and fits_on_lattice(runs.astype(np.int64), S_t):
        p_value = deals_on_lattice(runs.astype(np.int64), S_t)
    elif S_t + S_b <= MOST_DEALS:
        p_value = deals(runs, S_t, tolerance=rounding)
    else:
        rng = needed_generator(rng, f"there are {S_t + S_b} runs", MOST_DEALS)
        p_value = drawn_deals(runs, S_t, tolerance=rounding, rng=rng, resamples=resamples)
        method, floor = "Monte Carlo", 1 / (resamples + 1)
    return LabelPermutationResult(
        estimate=(float(y_t.mean()) - float(y_b.mean())) / (n_examples or 1),
        p_value=p_value,
        floor=floor,
        n_seeds=(S_t, S_b),
        method=method,
        reason="" if float(np.ptp(runs)) > rounding else "every run is equally good",
    )


def label_permutation_floor(s_t: int, s_b: int) -> float:
    """Smallest p-value of `label_permutation`.

    With as many seeds in both arms every arrangement has a mirror image that is as far from 0; otherwise the
    most extreme one can stand alone.

    Parameters
    ----------
    s_t, s_b : int
        Seeds of the treatment and of the baseline, at least 1 each.

    Raises
    ------
    ValueError
        If an arm has no seed.

    Examples
    --------
    >>> [round(label_permutation_floor(s, s), 3) for s in (3, 4, 5)]
    [0.1, 0.029, 0.008]
    """
    if min(s_t, s_b) < 1:
        raise ValueError(f"need at least one seed in each arm, got {s_t} and {s_b}")
    return (2 if s_t == s_b else 1) / math.comb(s_t + s_b, s_t)
