"""autorank: a column for each arm, a row for each seed; the p-value of its result is below alpha."""

from __future__ import annotations

import pandas as pd
from autorank import autorank
from exchange import ALPHA, Runs, answer, claim


def judge(treatment: Runs, baseline: Runs) -> int | None:
    """Claim that the arm with the larger centre is better, as its report says it."""
    if len(treatment) < 5:
        # It refuses fewer rows.
        return None
    accuracies = pd.DataFrame({"treatment": treatment.mean(axis=1), "baseline": baseline.mean(axis=1)})
    result = autorank(accuracies, alpha=ALPHA, verbose=False)
    centre = result.rankdf["mean" if result.omnibus == "ttest" else "median"]
    return claim(shown=result.pvalue < ALPHA, gap=centre["treatment"] - centre["baseline"])


answer("autorank", {"accuracy by seed": judge})
