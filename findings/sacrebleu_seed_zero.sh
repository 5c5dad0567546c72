#!/usr/bin/env bash
# sacrebleu 2.6.0: with SACREBLEU_SEED=0 a paired test is drawn anew each time, under a signature that says seed:0.
#
# The variable is documented to take an integer, and "None" for draws that cannot be repeated. Zero counts as none in
# the paired tests: the p-value is another one in each run, and whoever publishes it with its signature, which is there
# so that others can repeat it, publishes one that nobody can. Every other seed repeats, and so do the intervals of one
# system (--confidence) with seed 0.
#
# Seen, with sacrebleu 2.6.0, NumPy 2.4.6 on Python 3.11; 300 sentences, chrF, --paired-ar with 1,000 trials, six runs:
#   seed 0: p = 0.4825, 0.4935, 0.5145, 0.5265, 0.4925, 0.5225; nrefs:1|ar:1000|seed:0|case:mixed|eff:yes|nc:6|nw:0|...
#   seed 1: p = 0.5544, 0.5544, 0.5544, 0.5544, 0.5544, 0.5544; nrefs:1|ar:1000|seed:1|case:mixed|eff:yes|nc:6|nw:0|...
#   seed 12345: p = 0.4885 six times
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet sacrebleu==2.6.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import logging
import os
import random

from sacrebleu.metrics import CHRF
from sacrebleu.significance import PairedTest

logging.disable()

random.seed(0)
words = "the a cat dog sat ran on under mat tree quickly slowly big small red blue house car went home".split()
references = [random.choices(words, k=12) for _ in range(300)]


def system(errors):
    return [" ".join(random.choice(words) if random.random() < errors else word for word in line) for line in references]


systems = [("base", system(0.40)), ("other", system(0.39))]
texts = [" ".join(line) for line in references]
different = {}
for seed in ("0", "1", "12345"):
    os.environ["SACREBLEU_SEED"] = seed
    p_values = []
    for _ in range(6):
        # What --paired-ar calls.
        signatures, told = PairedTest(systems, {"chrF": CHRF()}, [texts], test_type="ar", n_samples=1000)()
        p_values.append(float(told["chrF2"][1].p_value))
    different[seed] = len(set(p_values))
    signed = str(signatures["chrF2"])
    print(f"seed {seed}: p = {', '.join(f'{value:.4f}' for value in p_values)}; {signed}")
    if f"seed:{seed}|" not in signed:
        raise SystemExit("this is no longer what was seen")
if different["0"] == 1 or different["1"] != 1 or different["12345"] != 1:
    raise SystemExit("this is no longer what was seen")
PYTHON
