"""SciPy: two rank sum tests and the paired t-test on the accuracies of the seeds."""

from __future__ import annotations

import numpy as np
from exchange import ALPHA, Runs, answer, claim
from scipy import stats


def by_seed(test):
    """Return a judge that gives a test of SciPy the accuracy of every run."""

    def judge(treatment: Runs, baseline: Runs) -> int:
        a, b = treatment.mean(axis=1), baseline.mean(axis=1)
        return claim(shown=test(a, b).pvalue < ALPHA, gap=float(np.mean(a) - np.mean(b)))

    return judge


answer(
    "scipy",
    {
        "rank sum (mannwhitneyu)": by_seed(stats.mannwhitneyu),
        "rank sum (ranksums)": by_seed(stats.ranksums),
        "paired t (ttest_rel)": by_seed(stats.ttest_rel),
    },
)
