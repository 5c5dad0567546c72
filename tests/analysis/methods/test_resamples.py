from __future__ import annotations

import numpy as np
import pytest

from analysis.methods import resamples
from analysis.methods.bootstrap import multi_bootstrap
from analysis.methods.resamples import draw_counts, example_draws, in_form, percentile_limits, tail_size


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


@pytest.mark.parametrize("seeds", [(9, 9), (4, 6)])
def test_right_and_wrong_in_bytes_are_resampled_as_numbers_are(
    rng: np.random.Generator, seeds: tuple[int, int]
) -> None:
    first, second = (rng.random((S, 70)) < 0.8 for S in seeds)
    first[:, 20:] = second[0, 20:] = True
    first, second = first.view(np.int8), second.view(np.int8)
    paired = seeds[0] == seeds[1]
    arms = [first - second] if paired else [first, second]
    whole, floating = in_form(arms, 1.0), in_form([arm.astype(float) for arm in arms], 1.0)
    assert whole.dtype == np.float32
    assert whole.columns is not None
    assert (floating.dtype, floating.columns) == (np.float64, None)
    W, V = [draw_counts(rng, 50, S) for S in seeds[: len(arms)]], draw_counts(rng, 50, 70)
    for one, other in zip(whole.replicates(W, V.astype(np.float32)), floating.replicates(W, V), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-15)


def test_counts_are_the_same_in_every_precision() -> None:
    single, double = (draw_counts(np.random.default_rng(3), 70, 3000, kind) for kind in (np.float32, np.float64))
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double)
    expected = np.random.default_rng(3).integers(0, 3000, size=(70, 3000))
    np.testing.assert_array_equal(double, [np.bincount(row, minlength=3000) for row in expected])
