"""lm-evaluation-harness: the z of scripts/model_comparator.py, from the accuracy and the standard error that it prints.

The script is in the repository and not in the package, and evaluates a checkpoint by two backends itself. The two
figures that it divides are those of any evaluation, and come from the package's own functions here.
"""

from __future__ import annotations

import math

from exchange import ALPHA, Runs, answer, claim, one_run
from lm_eval.api.metrics import mean, mean_stderr


def judge(treatment: Runs, baseline: Runs) -> int:
    """Claim what a z-test of two independent accuracies shows."""
    scores = [run[0].astype(float).tolist() for run in (treatment, baseline)]
    gap = mean(scores[0]) - mean(scores[1])
    error = math.hypot(*map(mean_stderr, scores))
    # Two-sided: erfc is twice the normal tail beyond z / sqrt(2).
    return claim(shown=error > 0 and math.erfc(abs(gap) / error / math.sqrt(2)) < ALPHA, gap=gap)


answer("lm_eval", {"one run each": one_run(judge)})
