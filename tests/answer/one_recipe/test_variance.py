"""The variance of answers: the split of real ones, of a regime by its law, and of a regime made like real ones."""

from __future__ import annotations

import numpy as np
import pytest

from answer.one_recipe.variance import regime_like, simulated_pools, split, split_of
from calibration.normal import variances
from calibration.regimes import REGIMES, Regime, draw_arms

PLAIN = [regime for regime in REGIMES if regime.collapse == 0 and regime.noisier == 1]


@pytest.mark.parametrize("regime", PLAIN[:4] + PLAIN[5:6], ids=lambda regime: regime.name)
def test_the_law_of_a_regime_is_what_its_draws_show(regime: Regime) -> None:
    rng = np.random.default_rng(1)
    drawn = [split(draw_arms(regime, 60, rng, gaps=(0.0,), n_examples=1500)[-1]) for _ in range(12)]
    law = split_of(regime)
    for part in ("accuracy", "example", "left", "discordance"):
        assert np.mean([getattr(one, part) for one in drawn]) == pytest.approx(getattr(law, part), rel=0.05)
    assert np.sqrt(np.mean([one.seed for one in drawn])) == pytest.approx(law.seed_sd, rel=0.1, abs=0.0015)
    assert law.seed + law.example + law.left == pytest.approx(law.accuracy * (1 - law.accuracy))


@pytest.mark.parametrize("regime", PLAIN, ids=lambda regime: regime.name)
def test_what_is_left_is_that_of_the_calibration(regime: Regime) -> None:
    assert split_of(regime).left == pytest.approx(variances(regime)[1], abs=1e-4)
    assert split_of(regime).seed_sd == pytest.approx(regime.seed_sd, rel=0.02)


def test_the_parts_add_up_to_the_scatter_of_runs() -> None:
    (right,) = simulated_pools(PLAIN[2], np.random.default_rng(2), n_seeds=80, n_examples=500, count=1)
    parts = split(right)
    seed, left, _ = parts.sds(500)
    assert seed**2 + left**2 == pytest.approx(right.mean(axis=1).var(ddof=1))
    both = [np.mean(one != other) for one, other in zip(right[:40], right[40:], strict=True)]
    assert parts.discordance == pytest.approx(np.mean(both), rel=0.1)
    assert parts.seed_sd_interval is not None
    assert parts.seed_sd_interval.low < parts.seed_sd < parts.seed_sd_interval.high


def test_a_regime_is_made_like_real_answers() -> None:
    real = split_of(Regime(name="real", accuracy=0.8, seed_sd=0.012, left_over=0.11, by_example=0.0))
    like = regime_like(real)
    assert (like.accuracy, like.by_example) == (0.8, 0.0)
    assert like.left_over == pytest.approx(0.11, abs=1e-3)
    assert split_of(like).seed_sd == pytest.approx(real.seed_sd, rel=0.01)
    assert split_of(like).discordance == pytest.approx(real.discordance, rel=1e-3)
