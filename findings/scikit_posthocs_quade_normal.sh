#!/usr/bin/env bash
# scikit-posthocs 0.17.1: posthoc_quade with dist="normal" calls every fourth pair of equal classifiers different.
#
# The test compares classifiers over data sets. The documentation offers the t distribution and the normal one and
# tells no difference in kind. With the normal one, the standard error is computed for rows x columns data sets where
# there are as many as rows. It is too small by about the root of the number of classifiers, whatever the number of
# data sets.
#
# Seen, with scikit-posthocs 0.17.1, scipy 1.17.1, NumPy 2.4.6 on Python 3.11; 500 tables of noise each, no
# correction; right: the same statistic, with its variance over all orders of the ranks in each row:
#   3 classifiers, 10 data sets: pairs with p < .05: normal 27.7%, t 4.8%, right 4.2%
#   3 classifiers, 50 data sets: pairs with p < .05: normal 24.9%, t 3.7%, right 3.7%
#   5 classifiers, 30 data sets: pairs with p < .05: normal 20.9%, t 5.1%, right 5.1%
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet scikit-posthocs==0.17.1 scipy==1.17.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
from scikit_posthocs import posthoc_quade
from scipy import stats

rng = np.random.default_rng(0)
changed = False
for classifiers, sets in ((3, 10), (3, 50), (5, 30)):
    pairs = np.triu_indices(classifiers, 1)
    p_values = {"normal": [], "t": [], "right": []}
    for _ in range(500):
        scores = rng.normal(size=(sets, classifiers))
        for dist in ("normal", "t"):
            p_values[dist].extend(posthoc_quade(scores, dist=dist).to_numpy()[pairs])
        # A row's weight is the rank of its range. Two ranks of a row of k differ with variance k (k + 1) / 6.
        weight = stats.rankdata(np.ptp(scores, axis=1))
        weighted = (weight[:, None] * stats.rankdata(scores, axis=1)).sum(axis=0)
        error = np.sqrt(classifiers * (classifiers + 1) / 6 * (weight**2).sum())
        p_values["right"].extend(2 * stats.norm.sf(np.abs(weighted[pairs[0]] - weighted[pairs[1]]) / error))
    share = {name: float(np.mean(np.less(values, 0.05))) for name, values in p_values.items()}
    told = ", ".join(f"{name} {value:.1%}" for name, value in share.items())
    print(f"{classifiers} classifiers, {sets} data sets: pairs with p < .05: {told}")
    changed |= share["normal"] < 0.15 or max(share["t"], share["right"]) > 0.07
if changed:
    raise SystemExit("this is no longer what was seen")
PYTHON
