"""Seeds of two kinds that cross, against projections, simulation, and the nine independent seeds that they are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_seeds import crossed_seeds_test


def drawn(
    rng: np.random.Generator, shape: tuple[int, int, int], *, first: float, second: float, example: float = 0.3
) -> NDArray[np.float64]:
    A, B, N = shape
    d = first * rng.normal(size=(A, 1, 1)) + second * rng.normal(size=(1, B, 1)) + example * rng.normal(size=N)
    return np.asarray(d + 0.3 * rng.normal(size=shape))


def by_projection(d: NDArray[np.float64]) -> tuple[float, float]:
    """Variance and degrees of freedom from centring and averaging matrices, as the docstring describes them."""
    center = [np.eye(n) - 1 / n for n in d.shape]
    average = [np.full((n, n), 1 / n) for n in d.shape]

    def square(factors: str) -> float:
        a, b, c = ((center if name in factors else average)[axis] for axis, name in enumerate("abc"))
        effect = np.einsum("ai,bj,ck,ijk->abc", a, b, c, d)
        return float(np.sum(effect**2) / math.prod(d.shape["abc".index(name)] - 1 for name in factors))

    rest = square("abc")
    pairs = {pair: max(square(pair) - rest, 0.0) for pair in ("ab", "ac", "bc")}
    alone = {
        name: max(square(name) - rest - sum(part for pair, part in pairs.items() if name in pair), 0.0)
        for name in "abc"
    }
    parts = {"abc": rest, **pairs, **alone}
    total = sum(parts.values())
    # What seeds of a kind add is counted more often, the fewer they are.
    more = {name: (6.5 / (d.shape["abc".index(name)] - 1)) ** 2.5 * parts[name] for name in "ab"}

    def freedom(more: dict[str, float]) -> float:
        spread = sum(
            (sum(part for inside, part in parts.items() if set(factors) <= set(inside)) + more.get(factors, 0.0)) ** 2
            / math.prod(d.shape["abc".index(name)] - 1 for name in factors)
            for factors in parts
        )
        return (total + sum(more.values())) ** 2 / spread

    return total / d.size, min(freedom({}), freedom(more))


@pytest.mark.parametrize("shape", [(2, 2, 5), (3, 4, 30), (5, 2, 17)])
def test_mean_squares_by_projection(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    for effect in (0.0, 0.5):
        d = drawn(rng, shape, first=effect, second=effect / 2)
        result = crossed_seeds_test(d, np.zeros(shape))
        variance, df = by_projection(d)
        assert result.standard_error == pytest.approx(math.sqrt(variance), rel=1e-10)
        assert result.df == pytest.approx(df, rel=1e-10)
        assert result.estimate == pytest.approx(d.mean())
        assert result.p_value == pytest.approx(2 * stats.t.sf(abs(d.mean()) / math.sqrt(variance), df), rel=1e-9)


def test_the_components_are_those_that_were_put_in(rng: np.random.Generator) -> None:
    results = [
        crossed_seeds_test(drawn(rng, (6, 6, 200), first=0.2, second=0.1), np.zeros((6, 6, 200))) for _ in range(200)
    ]
    assert np.mean([result.first_sd**2 for result in results]) == pytest.approx(0.04, rel=0.2)
    assert np.mean([result.second_sd**2 for result in results]) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    ("shape", "first", "second"),
    [((3, 3, 300), 0.05, 0.05), ((3, 3, 300), 0.05, 0.0), ((2, 5, 300), 0.02, 0.02), ((4, 4, 300), 0.0, 0.0)],
)
def test_it_keeps_its_level(shape: tuple[int, int, int], first: float, second: float) -> None:
    rng = np.random.default_rng(7)
    studies, rejected, as_independent = 600, 0, 0
    runs = shape[0] * shape[1]
    for _ in range(studies):
        d = drawn(rng, shape, first=first, second=second)
        rejected += crossed_seeds_test(d, np.zeros(shape)).p_value <= 0.05
        flat = d.reshape(runs, -1)
        as_independent += crossed_test(flat, np.zeros_like(flat), paired=True).p_value <= 0.05
    assert rejected <= stats.binom.ppf(1 - 1e-3, studies, 0.06)
    if first == 0.05:
        # The same runs taken as so many independent seeds.
        assert as_independent >= 0.15 * studies


@pytest.mark.parametrize(
    ("shape", "sds"),
    [
        ((5, 4, 800), (0.0, 0.0, 0.0)),
        ((5, 4, 800), (0.04, 0.0, 0.0)),
        ((4, 8, 800), (0.0, 0.03, 0.02)),
        ((6, 6, 800), (0.018, 0.018, 0.005)),
    ],
)
def test_its_far_tail_holds(shape: tuple[int, int, int], sds: tuple[float, float, float]) -> None:
    """Mean squares drawn from their own distribution, for normal effects: what a correction over many rows asks for."""
    rng, draws = np.random.default_rng(9), 120_000
    (A, B, N), (first, second, both) = shape, sds
    parts = {"a": first**2, "b": second**2, "ab": both**2, "c": 0.08, "ac": 0.01, "bc": 0.01, "abc": 0.05}
    size = dict(zip("abc", shape, strict=True))
    freedom = {factors: math.prod(size[name] - 1 for name in factors) for factors in parts}
    squares = {}
    for factors, df in freedom.items():
        expected = sum(
            part * math.prod(size[name] for name in "abc" if name not in inside)
            for inside, part in parts.items()
            if set(factors) <= set(inside)
        )
        squares[factors] = expected * rng.chisquare(df, draws) / df
    found = {"abc": squares["abc"]}
    for pair in ("ab", "ac", "bc"):
        found[pair] = np.maximum(squares[pair] - squares["abc"], 0)
    for name in "abc":
        above = squares["abc"] + sum(found[pair] for pair in ("ab", "ac", "bc") if name in pair)
        found[name] = np.maximum(squares[name] - above, 0)
    total = sum(found.values())
    floored = {
        factors: sum(part for inside, part in found.items() if set(factors) <= set(inside)) for factors in freedom
    }
    dfs = []
    for power in (0, 1):
        more = {name: power * (6.5 / freedom[name]) ** 2.5 * found[name] for name in "ab"}
        spread = sum((floored[factors] + more.get(factors, 0)) ** 2 / df for factors, df in freedom.items())
        dfs.append((total + sum(more.values())) ** 2 / spread)
    df = np.minimum(*dfs)
    variance = sum(part / math.prod(size[name] for name in inside) for inside, part in parts.items())
    t = math.sqrt(variance) * rng.normal(size=draws) / np.sqrt(total / (A * B * N))
    p = 2 * stats.t.sf(abs(t), df)
    for level in (0.05, 0.0125, 0.00625, 0.00125):
        most = stats.binom.ppf(0.999, draws, 1.3 * level)
        assert np.count_nonzero(p <= level) <= most, level


def test_shares_add_up_to_the_squared_standard_error(rng: np.random.Generator) -> None:
    results = [
        crossed_seeds_test(drawn(rng, (5, 4, 200), first=0.2, second=0.1), np.zeros((5, 4, 200))) for _ in range(200)
    ]
    for result in results:
        assert sum(result.shares) == pytest.approx(1)
        assert result.shares.first * result.standard_error**2 == pytest.approx(result.first_sd**2 / 5)
        assert result.shares.second * result.standard_error**2 == pytest.approx(result.second_sd**2 / 4)
        assert result.shares.interaction * result.standard_error**2 == pytest.approx(result.interaction_sd**2 / 20)
    # What every pair of seeds draws anew is found again, and none where nothing is.
    noisy = [
        crossed_seeds_test(y + 0.1 * rng.normal(size=(5, 4, 1)), np.zeros((5, 4, 200)))
        for y in (drawn(rng, (5, 4, 200), first=0.0, second=0.0) for _ in range(200))
    ]
    assert np.mean([result.interaction_sd**2 for result in noisy]) == pytest.approx(0.01, rel=0.2)
    assert np.mean([result.interaction_sd**2 for result in results]) < 0.001
    low, high = noisy[0].interval()
    assert low < noisy[0].estimate < high


def test_a_gap_is_found() -> None:
    rng = np.random.default_rng(8)
    count = sum(
        crossed_seeds_test(0.1 + drawn(rng, (4, 4, 300), first=0.02, second=0.02), np.zeros((4, 4, 300))).p_value
        <= 0.05
        for _ in range(100)
    )
    assert count >= 80


def test_swapping_arms_or_kinds_of_seeds_changes_no_p(rng: np.random.Generator) -> None:
    t, b = rng.random((2, 3, 4, 40)) < 0.8
    one, swapped = crossed_seeds_test(t, b), crossed_seeds_test(b, t)
    turned = crossed_seeds_test(t.transpose(1, 0, 2)[::-1], b.transpose(1, 0, 2)[::-1])
    assert swapped.estimate == -one.estimate
    assert swapped.p_value == pytest.approx(one.p_value)
    assert turned.p_value == pytest.approx(one.p_value)
    assert (turned.first_sd, turned.second_sd) == pytest.approx((one.second_sd, one.first_sd))


def test_what_cannot_be_told_is_nan_with_its_reason() -> None:
    y = np.ones((3, 3, 10))
    same = crossed_seeds_test(y, y)
    assert (same.p_value, same.estimate, same.standard_error) == (1.0, 0.0, 0.0)
    constant = crossed_seeds_test(y, 0 * y)
    assert math.isnan(constant.p_value)
    assert constant.estimate == 1.0
    assert "nothing varies" in constant.reason
    for shape in ((1, 3, 10), (3, 1, 10), (3, 3, 1)):
        result = crossed_seeds_test(np.ones(shape), np.zeros(shape))
        assert math.isnan(result.p_value)
        assert "one seed of a kind, or one example" in result.reason


@pytest.mark.parametrize(
    ("treatment", "words"),
    [
        (np.zeros((3, 3)), r"got shapes \(3, 3\) and \(3, 3, 10\)"),
        (np.zeros((3, 4, 10)), r"got shapes \(3, 4, 10\)"),
        (np.full((3, 3, 10), np.nan), "must be finite"),
    ],
)
def test_bad_input_is_named(treatment: NDArray[np.float64], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        crossed_seeds_test(treatment, np.zeros((3, 3, 10)))
