#!/usr/bin/env bash
# deepsig 1.2.8: the correction for several comparisons grows weaker the more there are, and with one nothing is found.
#
# The confidence level of almost stochastic order is corrected "by Bonferroni" to 0.95 + 0.05 / comparisons, where
# Bonferroni's is 1 - 0.05 / comparisons. With ten comparisons it is 0.955 and not 0.995. multi_aso corrects by default,
# and of two models makes one comparison: its level is then 1, its eps_min 1 for both models, and none is ever better,
# while aso on the same scores says that one is. Nothing warns.
#
# Seen, with deepsig 1.2.8, scipy 1.17.1, NumPy 2.4.6 on Python 3.11:
#   aso(a, b): eps_min 0.183; multi_aso of the two: 1.0 and 1.0; with use_bonferroni=False: 0.183
#   aso with num_comparisons=1: 0.183, 2: 0.218, 10: 0.189, 100: 0.184
#   aso with confidence_level=0.95: 0.183, 0.975: 0.218, 0.995: 0.287, 0.9995: 0.366
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet deepsig==1.2.8 scipy==1.17.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
from deepsig import aso, multi_aso

a = [0.897, 0.904, 0.891, 0.909, 0.883]
b = [0.885, 0.899, 0.880, 0.878, 0.892]
how = {"seed": 1234, "show_progress": False, "num_bootstrap_iterations": 50}
alone = aso(a, b, **how)
corrected = multi_aso({"a": a, "b": b}, **how)
plain = multi_aso({"a": a, "b": b}, use_bonferroni=False, **how)
print(
    f"aso(a, b): eps_min {alone:.3f}; multi_aso of the two: {corrected[0, 1]:.1f} and {corrected[1, 0]:.1f}; "
    f"with use_bonferroni=False: {plain[0, 1]:.3f}"
)
by_number = {number: aso(a, b, num_comparisons=number, **how) for number in (1, 2, 10, 100)}
print("aso with num_comparisons=" + ", ".join(f"{number}: {value:.3f}" for number, value in by_number.items()))
by_level = {1 - 0.05 / number: aso(a, b, confidence_level=1 - 0.05 / number, **how) for number in by_number}
print("aso with confidence_level=" + ", ".join(f"{level:g}: {value:.3f}" for level, value in by_level.items()))
weaker = by_number[2] > by_number[10] > by_number[100]
if alone > 0.2 or corrected[0, 1] != 1 or corrected[1, 0] != 1 or plain[0, 1] != alone or not weaker:
    raise SystemExit("this is no longer what was seen")
PYTHON
