from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.methods.clopper_pearson import clopper_pearson


@settings(deadline=None, derandomize=True, max_examples=100)
@given(trials=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.999]))
def test_limits_equal_scipy(trials: int, share: float, confidence: float) -> None:
    hits = round(share * trials)
    result = clopper_pearson(hits, trials, tail=(1 - confidence) / 2)
    assert result == pytest.approx(tuple(stats.binomtest(hits, trials).proportion_ci(confidence)), rel=1e-9, abs=1e-12)
    one_sided = stats.binomtest(hits, trials, alternative="less").proportion_ci(confidence)
    assert clopper_pearson(hits, trials, tail=1 - confidence).high == pytest.approx(one_sided.high, rel=1e-9)


def test_half_hits_lie_between_whole_ones() -> None:
    fewer, half, more = (clopper_pearson(hits, 10, tail=0.025) for hits in (3, 3.5, 4))
    assert fewer.low < half.low < more.low < more.high
    assert fewer.high < half.high < more.high
