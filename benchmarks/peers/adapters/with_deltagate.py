"""deltagate: the scores of two models on the same samples; its verdict is REAL."""

from __future__ import annotations

import deltagate
from exchange import ALPHA, Runs, answer, claim, one_run


def judge(treatment: Runs, baseline: Runs) -> int:
    """Claim what its verdict calls real."""
    scores = treatment.mean(axis=0), baseline.mean(axis=0)
    # Its verdict needs both this p-value and its bootstrap, which takes a hundred times longer.
    found = deltagate.paired_delta(*scores)
    real = found["p_value"] < ALPHA and deltagate.evaluate_comparison(*scores, alpha=ALPHA).significant
    return claim(shown=real, gap=found["delta"])


answer("deltagate", {"one run each": one_run(judge), "mean over runs of each sample": judge})
