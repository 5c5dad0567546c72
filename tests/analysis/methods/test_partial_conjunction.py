from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from analysis.methods.multiplicity import holm
from analysis.methods.partial_conjunction import partial_conjunction


def test_it_is_bonferroni_on_the_largest() -> None:
    """(M - u + 1) times the u-th smallest (Benjamini and Heller 2008), and no smaller than for fewer sets."""
    assert partial_conjunction([0.02, 0.001, 0.3, 0.004]).tolist() == pytest.approx([0.004, 0.012, 0.04, 0.3])
    assert partial_conjunction([0.02, 0.02, 0.02]).tolist() == pytest.approx([0.06, 0.06, 0.06])
    assert partial_conjunction([0.03]).tolist() == [0.03]
    assert partial_conjunction([0.03, np.nan]).tolist() == [0.06, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_number_of_sets_is_that_of_holms_rejections(p_values: list[float]) -> None:
    assert partial_conjunction(p_values) == pytest.approx(np.sort(holm(p_values)))


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.4])
def test_too_many_sets_are_rarely_claimed(correlation: float) -> None:
    """Of three sets one has an effect beyond doubt: "two or more" is wrong, and is claimed in at most alpha."""
    rng = np.random.default_rng(5)
    cov = np.full((2, 2), correlation) + (1 - correlation) * np.eye(2)
    p = ndtr(-rng.multivariate_normal([0, 0], cov, size=5000))
    claimed = [partial_conjunction([1e-9, *both])[1] <= 0.05 for both in p]
    assert np.mean(claimed) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(p))


@pytest.mark.parametrize(("p_values", "message"), [([], "at least one"), ([[0.1]], "one row"), ([1.2], r"got \[1.2\]")])
def test_bad_input_is_named(p_values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        partial_conjunction(p_values)
