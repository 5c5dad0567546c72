from __future__ import annotations

import numpy as np
import pytest

from analysis.methods import resamples
from analysis.methods.bootstrap import multi_bootstrap
from analysis.methods.resamples import draw_counts, example_draws, percentile_limits, tail_size


def test_the_size_of_the_blocks_does_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    y_t, y_b = np.random.default_rng(12).random((2, 5, 40))
    whole = multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(1), resamples=199)
    monkeypatch.setattr(resamples, "_CELLS", 1000)
    monkeypatch.setattr(resamples, "_LEAST_ROWS", 20)
    assert len(list(example_draws(np.random.default_rng(1), 199, 40))) == 8
    parts = multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(1), resamples=199)
    assert parts.p_studentised == whole.p_studentised
    assert parts.bootstrap_se == pytest.approx(whole.bootstrap_se, rel=1e-12)
    assert parts.studentised_interval == pytest.approx(whole.studentised_interval, rel=1e-9)


def test_counts_are_multinomial() -> None:
    counts = draw_counts(np.random.default_rng(1), 20_000, 6)
    assert (counts.sum(axis=1) == 6).all()
    covariance = np.cov(counts.T)
    assert np.diag(covariance) == pytest.approx(np.full(6, 5 / 6), rel=0.05)
    assert covariance[0, 1] == pytest.approx(-1 / 6, abs=0.02)


@pytest.mark.parametrize(
    ("B", "confidence", "tail"), [(39, 0.95, 1), (999, 0.95, 25), (999, 0.99, 5), (10_000, 0.95, 250)]
)
def test_tails_count_the_observed_estimate_in(B: int, confidence: float, tail: int) -> None:
    assert tail_size(B, confidence) == tail


def test_estimates_at_zero_lie_on_both_sides() -> None:
    estimates = np.array([-1.0, 0.0, 1e-15] + [1.0] * 96)
    interval, p_value = percentile_limits(estimates, 0.9, 1e-12)
    assert p_value == pytest.approx(2 * 4 / 100)
    assert interval == (1.0, 1.0)
    assert percentile_limits(-estimates, 0.9, 1e-12) == ((-1.0, -1.0), p_value)
    assert percentile_limits(np.zeros(99), 0.9, 0.0) == ((0.0, 0.0), 1.0)
