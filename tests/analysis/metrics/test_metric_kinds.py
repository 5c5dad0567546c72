from __future__ import annotations

from typing import get_args

from analysis.metrics.metric_kinds import METRICS, Metric


def test_a_study_file_may_name_every_metric_and_the_score_that_others_gave() -> None:
    assert list(get_args(Metric)) == [*METRICS, "score"]
    assert [kind.name for kind in METRICS.values()] == list(METRICS)
