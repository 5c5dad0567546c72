"""evalstats: two models, each scored on the same items in several runs; the interval of their difference leaves out 0.

Its function for arrays is used, which does without the tables that `compare` makes of them; on the first study the two
must give the same interval.
"""

from __future__ import annotations

import evalstats
import numpy as np
import pandas as pd
from exchange import ALPHA, Runs, answer, claim

ARMS = ["treatment", "baseline"]
_checked: list[bool] = []


def judge(treatment: Runs, baseline: Runs) -> int:
    """Claim what its 95% interval shows, with the method that it picks itself."""
    both = np.stack([treatment, baseline])
    items = [f"{number}" for number in range(both.shape[2])]
    scores = both.transpose(0, 2, 1)[..., None].astype(float)
    benchmark = evalstats.BenchmarkResult(scores=scores, template_labels=ARMS, input_labels=items)
    (pair,) = evalstats.analyze(benchmark, p_values=False, ci=1 - ALPHA).pairwise.results.values()
    if not _checked:
        _checked.append(True)
        np.testing.assert_allclose([pair.ci_low, pair.ci_high], as_compared(both))
    sign = 1 if pair.template_a == ARMS[0] else -1
    return claim(shown=pair.ci_low > 0 or pair.ci_high < 0, gap=sign * pair.point_diff)


def as_compared(both: Runs) -> tuple[float, float]:
    """Return the interval of `evalstats.compare`, the entry point that its documentation names first."""
    arm, run, item = (index.ravel() for index in np.indices(both.shape))
    scores = both.ravel().astype(int)
    table = pd.DataFrame({"model": np.array(ARMS)[arm], "item": item, "run": run, "score": scores})
    (pair,) = evalstats.compare(evalstats.load_from(table), factors="model").to_dict()["pairwise"]
    return (pair["ci_low"], pair["ci_high"]) if pair["a"] == ARMS[0] else (-pair["ci_high"], -pair["ci_low"])


answer("evalstats", {"runs of each item": judge})
