"""Sign-flip test: would new seeds change which arm is better on this very test set; for paired seeds.

Given the numbers of right answers it is exact for any number of seeds. Other scores, such as a log loss or an F1
score, are compared exactly up to 40 seeds that differ, and by random draws beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.methods.rearrangements import (
    MOST_FLIPS,
    check_resamples,
    drawn_flips,
    flips,
    flips_on_lattice,
    needed_generator,
)
from analysis.methods.seed_scores import paired_differences, right_per_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlipResult:
    """The outcome of `sign_flip`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Mean score of the treatment minus mean score of the baseline; accuracies where counts were given.
    p_value : float
        Two-sided.
    floor : float
        The smallest p-value that this number of seeds can give, or this number of draws.
    n_seeds : int
        Paired seeds.
    method : {"exact", "Monte Carlo"}
        Whether every assignment of signs is counted, or random ones are.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    p_value: float
    floor: float
    n_seeds: int
    method: Literal["exact", "Monte Carlo"] = "exact"
    generalizes_to: str = "seeds"
    reason: str


def sign_flip(
    treatment: ArrayLike,
    baseline: ArrayLike,
    *,
    n_examples: int | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 100_000,
) -> SignFlipResult:
    """Test whether swapping the two arms within a seed changes anything, on this test set.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S,)
        One score per trial; position ``s`` of both arms is the same seed. With `n_examples` the numbers of right
        answers, from 0 to `n_examples`; without it any finite scores.
    n_examples : int, optional
        Size of the test set, if the scores are numbers of right answers. The p-value is then exact for any
        number of seeds.
    rng : numpy.random.Generator, optional
        Drawn from only where more than 40 seeds differ and the scores are not counts.
    resamples : int
        Assignments of signs to draw in that case, at least 1.

    Returns
    -------
    SignFlipResult
        Generalises to new seeds, not to new examples.

    Raises
    ------
    ValueError
        If the scores are not finite or the counts not whole numbers in their range, if the arms differ in
        length, or if random draws are needed and there is no `rng`.

    See Also
    --------
    label_permutation : For seeds that are not paired.
    paired_t : By Student's t, without a floor.
    wilcoxon : By signed ranks.

    Notes
    -----
    An assignment of signs counts when its sum is at least as far from 0 as the one observed. Scores that are
    not counts tie where they differ by rounding alone (1e-12 of the largest score).

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21. Pagano and Tritchler (1983), JASA 78, 435-440 (exact
    distributions in polynomial time). Phipson and Smyth (2010), Statistical Applications in Genetics and
    Molecular Biology 9, article 39 (why a drawn p-value is never 0).

    Examples
    --------
    >>> sign_flip([880, 872, 884, 879, 881], [870, 866, 869, 871, 868], n_examples=1000).p_value
    0.0625
    >>> sign_flip([0.31, 0.28, 0.33, 0.30, 0.35, 0.29], [0.40, 0.37, 0.39, 0.36, 0.38, 0.41]).p_value
    0.03125
    """
    check_resamples(resamples)
    if n_examples is not None:
        treatment, baseline = (
            right_per_seed("treatment", treatment, n_examples),
            right_per_seed("baseline", baseline, n_examples),
        )
    d, rounding = paired_differences(treatment, baseline)
    S, estimate = len(d), float(d.mean()) / (n_examples or 1)
    floor = sign_flip_floor(S)
    method: Literal["exact", "Monte Carlo"] = "exact"
    if n_examples is not None:
        p_value = flips_on_lattice(d.astype(np.int64))
    else:
        d = d[np.abs(d) > rounding]
        if len(d) <= MOST_FLIPS:
            p_value = flips(d, tolerance=S * rounding)
        else:
            rng = needed_generator(rng, f"{len(d)} seeds differ", MOST_FLIPS)
            p_value = drawn_flips(d, tolerance=S * rounding, rng=rng, resamples=resamples)
            method, floor = "Monte Carlo", 1 / (resamples + 1)
    return SignFlipResult(
        estimate=estimate,
        p_value=p_value,
        floor=floor,
        n_seeds=S,
        method=method,
        reason="" if d.any() else "the arms are equally good with every seed",
    )


def sign_flip_floor(n_seeds: int) -> float:
    """Smallest p-value of `sign_flip`.

    Parameters
    ----------
    n_seeds : int
        Paired seeds, at least 1.

    Raises
    ------
    ValueError
        If there is no seed.

    Examples
    --------
    >>> sign_flip_floor(5), sign_flip_floor(6)
    (0.0625, 0.03125)
    """
    if n_seeds < 1:
        raise ValueError(f"need at least one seed, got {n_seeds}")
    return 2.0 ** (1 - n_seeds)
