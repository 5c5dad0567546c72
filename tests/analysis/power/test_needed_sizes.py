"""The fewest seeds or examples that answer a question."""

from __future__ import annotations

from analysis.methods.components import VarianceComponents
from analysis.methods.interval import NO_INTERVAL
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed
from analysis.power.new_study import PlannedTest


def test_more_arms_need_fewer_seeds() -> None:
    parts = VarianceComponents(
        seed=0.0001,
        example=0.001,
        residual=0.03,
        n_seeds=5,
        n_examples=872,
        seed_df=4,
        seed_sd_interval=NO_INTERVAL,
    )
    size = {"n_examples": 872, "alpha": 0.0125}
    pair, pooled = (seeds_needed(parts, Question(0.03), **size, test=PlannedTest(n_arms=T)) for T in (2, 5))
    assert pair is not None
    assert pooled is not None
    assert pooled < pair
    more, fewer = (
        examples_needed(parts, Question(0.03), n_seeds=5, alpha=0.0125, test=PlannedTest(n_arms=T)) for T in (2, 5)
    )
    assert fewer is not None
    assert more is None or fewer < more
