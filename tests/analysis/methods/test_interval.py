from __future__ import annotations

import json
import math

import pytest

from analysis import Interval, Posterior, crossed_test
from analysis.jsonable import jsonable
from analysis.methods.interval import NO_INTERVAL

TREATMENT = [[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]
BASELINE = [[1, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]]


def test_an_interval_is_a_frozen_pair() -> None:
    interval = Interval(low=-0.5, high=1.0)
    low, high = interval
    assert (low, high) == (interval.low, interval.high) == (-0.5, 1.0)
    with pytest.raises(AttributeError):
        interval.low = 0.0  # type: ignore[misc]


def test_in_json_an_interval_is_a_list() -> None:
    values = {"interval": Interval(-0.5, math.inf), "none": NO_INTERVAL, "posterior": Posterior(0.25, 0.5, 0.25)}
    assert json.dumps(jsonable(values)) == (
        '{"interval": [-0.5, null], "none": [null, null], "posterior": [0.25, 0.5, 0.25]}'
    )


def test_limits_and_probabilities_have_names() -> None:
    result = crossed_test(TREATMENT, BASELINE, paired=True)
    interval, posterior = result.interval(), result.posterior(0.1)
    assert interval.low < result.estimate < interval.high
    assert posterior.above > posterior.below
    assert sum(posterior) == pytest.approx(1)
    undefined = crossed_test(TREATMENT[:1], BASELINE[:1], paired=True)
    assert all(math.isnan(limit) for limit in (*undefined.interval(), *undefined.posterior(0.1)))
