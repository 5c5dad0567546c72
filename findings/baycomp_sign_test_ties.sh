#!/usr/bin/env bash
# baycomp 1.0.3: the more data sets on which two classifiers tie, the surer its sign test is that one is better.
#
# SignTest.probs(x, y) without a region of practical equivalence gives (p_left, p_right), as if these were the
# probabilities that the one or the other is better. Ties go into a third class, and of each draw from the posterior
# only the class with the largest share counts. Draws that ties win, soon nearly all, are dropped and the rest is
# scaled up to 1. What is left are the few draws in which one classifier beat even the ties, and these are the
# lopsided ones. The documentation says nothing of ties. The draws themselves (SignTest.sample) have the better one
# ahead as often as without any tie. When ties win every draw, the answer is nan.
#
# Seen, with baycomp 1.0.3, scipy 1.17.1, NumPy 2.4.6 on Python 3.11; 4 data sets won, 2 lost and some ties; Beta(4,
# 2) has .812 above a half:
#    0 ties: (0.813, 0.187), share of draws with more won than lost 0.811
#    4 ties: (0.853, 0.147), share of draws with more won than lost 0.813
#    8 ties: (0.899, 0.101), share of draws with more won than lost 0.812
#   16 ties: (0.969, 0.031), share of draws with more won than lost 0.811
#   32 ties: (nan, nan), share of draws with more won than lost 0.811
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet baycomp==1.0.3 scipy==1.17.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
import math

import numpy as np
from baycomp import SignTest
from scipy import stats

won, lost = 4, 2
right = stats.beta(won, lost).sf(0.5)
found = []
for ties in (0, 4, 8, 16, 32):
    y = np.full(won + lost + ties, 0.5)
    x = y + 0.01 * np.repeat([1, -1, 0], [won, lost, ties])
    left, other = SignTest.probs(x, y, random_state=0)
    draws = SignTest.sample(x, y, random_state=0)
    ahead = float(np.mean(draws[:, 0] > draws[:, 2]))
    found.append((left, ahead))
    print(f"{ties:2} ties: ({left:.3f}, {other:.3f}), share of draws with more won than lost {ahead:.3f}")
surer = [left for left, _ in found[:4]]
if surer != sorted(surer) or surer[0] > 0.83 or surer[3] < 0.95 or not math.isnan(found[4][0]):
    raise SystemExit("this is no longer what was seen")
if max(abs(ahead - right) for _, ahead in found) > 0.01:
    raise SystemExit("this is no longer what was seen")
PYTHON
