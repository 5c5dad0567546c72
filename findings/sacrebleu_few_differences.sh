#!/usr/bin/env bash
# sacrebleu 2.6.0: two systems that differ in one sentence, or in none, are significantly different (p = 0.0001).
#
# --paired-ar says that its p-value is about the probability of "the absolute score difference (delta) or higher".
# Only higher ones are counted, and none that is equal. Swapping the one sentence that differs leaves the absolute
# difference as it is in all 10,000 trials, so the count is 0 and the p-value the smallest there is, where it should
# be 1. Likewise with two and three sentences that all differ in one direction. Whoever compares a model with its
# quantised copy, or a checkpoint with the next, has such systems, and the table stars their scores. Of identical
# systems --paired-bs says the same; a comment in the source wants that, the documentation does not tell it.
#
# Seen, with sacrebleu 2.6.0, NumPy 2.4.6 on Python 3.11; 300 sentences, chrF; exact: of all ways to swap what
# differs, the share with a difference as large or larger:
#   0 sentences differ: delta +0.0000, --paired-ar p = 0.0001, --paired-bs p = 0.0010, exact 1.0000
#   1 sentence differs: delta +0.0483, --paired-ar p = 0.0001, --paired-bs p = 0.0919, exact 1.0000
#   2 sentences differ: delta +0.0913, --paired-ar p = 0.0001, --paired-bs p = 0.0869, exact 0.5000
#   3 sentences differ: delta +0.1206, --paired-ar p = 0.0001, --paired-bs p = 0.0519, exact 0.2500
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet sacrebleu==2.6.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import itertools
import logging
import random

from sacrebleu.metrics import CHRF
from sacrebleu.significance import PairedTest

logging.disable()

random.seed(0)
words = "the a cat dog sat ran on under mat tree quickly slowly big small red blue house car went home".split()
references = [random.choices(words, k=12) for _ in range(300)]
base = [[random.choice(words) if random.random() < 0.4 else word for word in line] for line in references]


def text(lines):
    return [" ".join(line) for line in lines]


def score(lines):
    return CHRF().corpus_score(text(lines), [text(references)]).score


def p_value(other, test):
    # What --paired-ar and --paired-bs call.
    systems = [("base", text(base)), ("other", text(other))]
    _, told = PairedTest(systems, {"chrF": CHRF()}, [text(references)], test_type=test)()
    return float(told["chrF2"][1].p_value)


changed = [place for place in range(300) if base[place] != references[place]][:3]
found = []
for number in range(4):
    better = changed[:number]
    other = list(base)
    for place in better:
        wrong = next(at for at in range(12) if base[place][at] != references[place][at])
        other[place] = base[place][:wrong] + [references[place][wrong]] + base[place][wrong + 1 :]
    delta = score(other) - score(base)
    reached = []
    for swapped in itertools.product((False, True), repeat=number):
        one, two = list(base), list(other)
        for place, swap in zip(better, swapped):
            if swap:
                one[place], two[place] = two[place], one[place]
        reached.append(abs(score(two) - score(one)) >= abs(delta) - 1e-9)
    exact = sum(reached) / len(reached)
    found.append((p_value(other, "ar"), p_value(other, "bs"), exact))
    differ = f"{number} sentence differs" if number == 1 else f"{number} sentences differ"
    ar, bs, _ = found[-1]
    print(f"{differ}: delta {delta:+.4f}, --paired-ar p = {ar:.4f}, --paired-bs p = {bs:.4f}, exact {exact:.4f}")
exact = [1, 1, 0.5, 0.25]
if [value for _, _, value in found] != exact or max(value for value, _, _ in found) > 0.001 or found[0][1] > 0.001:
    raise SystemExit("this is no longer what was seen")
PYTHON
