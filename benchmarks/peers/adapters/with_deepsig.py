"""deepsig: almost stochastic order of the accuracies over seeds, asked in both directions.

Its bootstrap takes several seconds for a study, most of them in loops over single numbers. `bootstrapped` computes the
same from the same random numbers on arrays; on the first study it must give what the package itself gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from deepsig import aso
from exchange import ALPHA, Runs, answer
from numpy.typing import NDArray

MODULE = sys.modules["deepsig.aso"]
ORIGINAL = MODULE.get_bootstrapped_violation_ratios
SEED = 1234
Numbers = NDArray[np.float64]
Scores = tuple[float, ...]
_checked: list[bool] = []


@cache
def uniforms(sizes: tuple[int, int], seed: int, iterations: int) -> tuple[Numbers, Numbers]:
    """Return the random numbers of all iterations; each has a seed of its own."""
    drawn = []
    for offset in range(1, iterations + 1):
        rng = np.random.RandomState(seed + offset)
        drawn.append([rng.uniform(0, 1, size) for size in sizes])
    return tuple(np.array(side) for side in zip(*drawn, strict=True))


def quantiles(scores: Numbers, p: Numbers) -> Numbers:
    """Return empirical quantiles of the last axis of `scores`."""
    S = scores.shape[-1]
    return np.sort(scores, axis=-1)[..., np.clip(np.ceil(S * p).astype(int) - 1, 0, S - 1)]


def bootstrapped(
    scores_a: Numbers, scores_b: Numbers, _a: object, _b: object, iterations: int, dt: float, _jobs: int, *rest: object
) -> Numbers:
    """Return the violation ratio of each bootstrap sample."""
    seed = next(one for one in rest if isinstance(one, int) and not isinstance(one, bool))
    drawn = uniforms((len(scores_a), len(scores_b)), seed, iterations)
    t = np.arange(dt, 1, dt)
    f, g = (quantiles(quantiles(np.asarray(s), u), t) for s, u in zip((scores_a, scores_b), drawn, strict=True))
    squares = (g - f) ** 2
    all_of_it = np.sum(squares * dt, axis=1)
    # The package leaves out the first point of the violations, and only there.
    violated = np.sum(np.where(f >= g, 0, squares)[:, 1:] * dt, axis=1)
    return np.divide(violated, all_of_it, out=np.full(iterations, 0.5), where=all_of_it > 0)


def epsilon(better: Scores, worse: Scores, **options: int) -> float:
    """Return its eps_min: below a threshold, `better` is said to be better than `worse`."""
    return float(aso(list(better), list(worse), confidence_level=1 - ALPHA, seed=SEED, show_progress=False, **options))


def check(better: Scores, worse: Scores) -> None:
    """Compare the arrays with the package's own loop, with few iterations because it is slow."""
    found = {}
    for bootstrap in (ORIGINAL, bootstrapped):
        MODULE.get_bootstrapped_violation_ratios = bootstrap
        found[bootstrap] = epsilon(better, worse, num_bootstrap_iterations=40)
    np.testing.assert_allclose(found[bootstrapped], found[ORIGINAL], atol=1e-12)


@cache
def both_ways(treatment: Scores, baseline: Scores) -> tuple[float, float]:
    """Return eps_min for either arm as the better one; both thresholds are held against it."""
    return epsilon(treatment, baseline), epsilon(baseline, treatment)


def judge(threshold: float, treatment: Runs, baseline: Runs) -> int:
    """Claim what it finds below a threshold."""
    accuracies = tuple(treatment.mean(axis=1)), tuple(baseline.mean(axis=1))
    if not _checked:
        _checked.append(True)
        check(*accuracies)
    first, second = both_ways(*accuracies)
    return int(first < threshold) - int(second < threshold)


USES: dict[str, Callable[[Runs, Runs], int]] = {
    f"eps_min below {threshold}": partial(judge, threshold) for threshold in (0.2, 0.5)
}
answer("deepsig", USES)
