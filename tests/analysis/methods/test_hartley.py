from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.methods.hartley import largest_ratio_p_value

# 5% points by the number of mean squares, from 2 on, as published: Pearson and Hartley (1966), table 31.
PUBLISHED = {
    2: (39.0, 87.5, 142, 202, 266, 333, 403, 475, 550, 626, 704),
    4: (9.60, 15.5, 20.6, 25.2, 29.5, 33.6, 37.5, 41.1, 44.6, 48.0, 51.4),
    7: (4.99, 6.94, 8.44, 9.70, 10.8, 11.8, 12.7, 13.5, 14.3, 15.1, 15.8),
    9: (4.03, 5.34, 6.31, 7.11, 7.80, 8.41, 8.95, 9.45, 9.91, 10.3, 10.7),
}


@pytest.mark.parametrize(("df", "points"), PUBLISHED.items())
def test_published_points_have_their_level(df: int, points: tuple[float, ...]) -> None:
    levels = [largest_ratio_p_value(point, df=[df] * k) for k, point in enumerate(points, start=2)]
    # Three printed digits leave this much room.
    assert levels == pytest.approx([0.05] * len(points), abs=0.001)


@pytest.mark.parametrize("df", [1, 2, 5, 30, 200])
@pytest.mark.parametrize("ratio", [1.0, 1.01, 1.5, 4.0, 1000.0])
def test_of_two_mean_squares_it_is_the_two_sided_f_test(ratio: float, df: int) -> None:
    assert largest_ratio_p_value(ratio, df=[df, df]) == pytest.approx(2 * stats.f.sf(ratio, df, df), abs=1e-9)


@pytest.mark.parametrize(("k", "df", "ratio"), [(3, 2, 4.0), (8, 4, 9.0), (50, 1, 1000.0), (12, 20, 4.59)])
def test_simulated_mean_squares_differ_as_often(k: int, df: int, ratio: float) -> None:
    squares = np.random.default_rng(5).chisquare(df, (40_000, k))
    share = np.mean(squares.max(axis=1) >= ratio * squares.min(axis=1))
    assert largest_ratio_p_value(ratio, df=[df] * k) == pytest.approx(share, abs=0.011)


@pytest.mark.parametrize(("ratio", "first", "second"), [(1.0, 2, 5), (4.0, 2, 19), (3.0, 30, 4), (200.0, 1, 9)])
def test_of_two_mean_squares_of_unequal_size_either_may_be_the_larger(ratio: float, first: int, second: int) -> None:
    either = stats.f.sf(ratio, first, second) + stats.f.sf(ratio, second, first)
    assert largest_ratio_p_value(ratio, df=[first, second]) == pytest.approx(either, abs=1e-5)


@pytest.mark.parametrize(("df", "ratio"), [((2, 4, 4), 6.0), ((4, 7, 19), 3.5), ((1, 1, 9, 9), 60.0)])
def test_simulated_mean_squares_of_unequal_size_differ_as_often(df: tuple[int, ...], ratio: float) -> None:
    squares = np.random.default_rng(6).chisquare(df, (40_000, len(df))) / np.array(df)
    share = np.mean(squares.max(axis=1) >= ratio * squares.min(axis=1))
    assert largest_ratio_p_value(ratio, df=df) == pytest.approx(share, abs=0.011)


@pytest.mark.parametrize(("ratio", "df"), [(0.9, [3, 3]), (float("nan"), [3, 3]), (2.0, [3]), (2.0, [3, 0])])
def test_what_cannot_be_is_refused(ratio: float, df: list[int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        largest_ratio_p_value(ratio, df=df)
