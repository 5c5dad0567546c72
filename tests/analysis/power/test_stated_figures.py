"""Figures that a person states, against simulated runs and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.methods.arm_scores import as_arm, difference_squares
from analysis.methods.components import VarianceComponents
from analysis.methods.variance import paired_variance
from analysis.power.sizes import standard_error_at
from analysis.power.stated_figures import stated_components


def stated(seed_sd: float, *, n_examples: int = 872) -> VarianceComponents:
    return stated_components(seed_sd=seed_sd, discordance=0.08, rerun_discordance=0.05, n_examples=n_examples)


def scores(rng: np.random.Generator, S: int, lean: np.ndarray, noise: float, seed_effect: float) -> np.ndarray:
    """Right or wrong, for S seeds: an example's own difficulty, a seed's own skill, and chance."""
    latent = lean + seed_effect * rng.standard_normal((S, 1)) + noise * rng.standard_normal((S, lean.size))
    return (latent > 0).astype(float)


@pytest.mark.parametrize(("noise", "seed_effect", "shift"), [(0.4, 0.1, 0.5), (0.6, 0.02, 0.3), (0.3, 0.3, 0.2)])
def test_stated_figures_become_the_components_of_simulated_runs(noise: float, seed_effect: float, shift: float) -> None:
    rng = np.random.default_rng(8)
    S, N = 3000, 250
    lean = 1.3 + rng.standard_normal(N)
    y_t = scores(rng, S, lean, noise, seed_effect)
    y_b = scores(rng, S, lean + shift * rng.standard_normal(N), noise, seed_effect)

    # What a person would look at: the spread of accuracies, and how often two runs differ.
    seed_sd = math.sqrt((y_t.mean(axis=1).var(ddof=1) + y_b.mean(axis=1).var(ddof=1)) / 2)
    # Over all pairs of two seeds.
    p_t, p_b = y_t.mean(axis=0), y_b.mean(axis=0)
    reruns = float(np.mean(p_t * (1 - p_t) + p_b * (1 - p_b))) * S / (S - 1)
    arms = float(np.mean(p_t * (1 - p_b) + p_b * (1 - p_t)))
    result = stated_components(seed_sd=seed_sd, discordance=arms, rerun_discordance=reruns, n_examples=N)
    truth = paired_variance(difference_squares(as_arm(y_t), as_arm(y_b)), 1.0, n_seeds=S).components
    gap = y_t.mean() - y_b.mean()
    assert result.residual == pytest.approx(truth.residual, rel=0.005)
    assert result.seed == pytest.approx(truth.seed, rel=0.12, abs=4e-5)
    assert result.example == pytest.approx(truth.example + gap**2, rel=0.01)


def test_one_run_of_each_arm_varies_by_its_discordance() -> None:
    # At one seed per arm the squared standard error is the discordance over the examples, plus the seeds' own share.
    parts = stated(0.008)
    squared = standard_error_at(parts, n_seeds=1, n_examples=872) ** 2
    assert squared == pytest.approx(2 * 0.008**2 + 0.03 / 872, rel=1e-12)
    quiet = stated(math.sqrt(0.05 / 872 / 2))
    assert quiet.seed == pytest.approx(0, abs=1e-12)
    assert standard_error_at(quiet, n_seeds=1, n_examples=872) == pytest.approx(math.sqrt(0.08 / 872), rel=1e-9)


def test_seeds_that_vary_less_than_chance_have_no_variance_of_their_own() -> None:
    parts = stated(0.001)
    assert (parts.seed, parts.residual) == (0, 0.05)
    all_alike = stated_components(seed_sd=0.0, discordance=0.08, rerun_discordance=0.0, n_examples=100)
    assert (all_alike.seed, all_alike.example, all_alike.residual) == (0, 0.08, 0)
    most = stated_components(seed_sd=0.0999999, discordance=0.08, rerun_discordance=0.02, n_examples=100)
    assert most.seed == pytest.approx(0.02, rel=1e-5)
    assert 0 <= most.residual < 1e-7


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ((0.01, 0.0, 0.0, 872), "discordance must lie above 0"),
        ((0.01, 1.2, 0.05, 872), "discordance must lie above 0"),
        ((0.01, math.nan, 0.05, 872), "discordance must lie above 0"),
        ((0.01, 0.9, 0.6, 872), "rerun_discordance must lie between 0 and 0.5"),
        ((0.01, 0.04, 0.05, 872), "cannot differ on more examples"),
        ((0.01, 0.08, 0.05, 1), "at least two examples"),
        ((-0.01, 0.08, 0.05, 872), "seed_sd must be at least 0"),
        ((0.2, 0.08, 0.05, 872), "seed_sd must be at least 0"),
        ((math.nan, 0.08, 0.05, 872), "seed_sd must be at least 0"),
    ],
)
def test_contradictory_figures_are_refused(figures: tuple[float, float, float, int], message: str) -> None:
    seed_sd, discordance, rerun_discordance, n_examples = figures
    with pytest.raises(ValueError, match=message):
        stated_components(
            seed_sd=seed_sd, discordance=discordance, rerun_discordance=rerun_discordance, n_examples=n_examples
        )
