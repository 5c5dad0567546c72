from __future__ import annotations

from analysis.metrics.scores import METRICS
from analysis.study.plan_metrics import OF_PROBABILITIES


def test_the_metrics_that_need_probabilities_are_those_of_the_list() -> None:
    assert [kind.name for kind in METRICS.values() if kind.of_probabilities] == list(OF_PROBABILITIES)
