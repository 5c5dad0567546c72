"""The crossed test of this project, on which the verdict of a report rests."""

from __future__ import annotations

from exchange import ALPHA, Runs, answer, claim

from analysis import crossed_test


def judge(treatment: Runs, baseline: Runs, *, paired: bool) -> int:
    """Claim what the verdict would."""
    result = crossed_test(treatment, baseline, paired=paired)
    return claim(shown=result.p_value <= ALPHA, gap=result.estimate)


answer("ablation-harness", {"verdict": judge}, pairing=True)
