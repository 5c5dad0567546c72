from __future__ import annotations

import itertools
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from analysis.published.counts import right_answers
from analysis.published.printed_figures import read_share


def _rounded(right: int, n: int, decimals: int, *, percent: bool, rounding: str) -> str:
    exact = Decimal(right) * (100 if percent else 1) / Decimal(n)
    return f"{exact.quantize(Decimal(1).scaleb(-decimals), rounding=rounding):f}" + ("%" if percent else "")


def _by_python(right: int, n: int, decimals: int, *, percent: bool) -> set[str]:
    share = right / n
    if not percent:
        return {f"{share:.{decimals}f}"}
    return {f"{share:.{decimals}%}", f"{100 * share:.{decimals}f}%", f"{100 * right / n:.{decimals}f}%"}


def _is_tie(right: int, n: int, unit: Fraction) -> bool:
    halves = Fraction(right, n) / (unit / 2)
    return halves.denominator == 1 and halves.numerator % 2 == 1


@pytest.mark.parametrize("percent", [False, True])
@pytest.mark.parametrize("decimals", range(4))
def test_the_counts_are_those_that_round_to_the_figure(decimals: int, percent: bool) -> None:
    unit = Fraction(1, 10**decimals * (100 if percent else 1))
    for n in range(1, 61):
        half: dict[str, set[int]] = {}
        binary: dict[str, set[int]] = {}
        for right in range(n + 1):
            for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN):
                half.setdefault(_rounded(right, n, decimals, percent=percent, rounding=rounding), set()).add(right)
            for text in _by_python(right, n, decimals, percent=percent):
                binary.setdefault(text, set()).add(right)
        for text in half.keys() | binary.keys():
            counts = right_answers(read_share(text), n=n)
            allowed = set(range(counts.low, counts.high + 1))
            rounding_to_it = half.get(text, set()) | binary.get(text, set())
            assert rounding_to_it <= allowed, (text, n)
            for right in allowed - half.get(text, set()):
                assert _is_tie(right, n, unit), (text, n, right)


@pytest.mark.parametrize("decimals", [1, 2])
@pytest.mark.parametrize("percent", [False, True])
def test_a_figure_is_possible_exactly_where_a_count_lies_within_its_rounding(decimals: int, percent: bool) -> None:
    steps = 10**decimals * (100 if percent else 1)
    for n in [*range(1, 21), 50, 60] if percent else range(1, 61):
        for step in range(0, steps + 1, 23 if percent else 1):
            whole, digits = divmod(step, 10**decimals)
            counts = right_answers(read_share(f"{whole}.{digits:0{decimals}d}" + "%" * percent), n=n)
            within = [right for right in range(n + 1) if 2 * abs(right * steps - step * n) <= n]
            assert list(range(counts.low, counts.high + 1)) == within
            assert counts.possible is bool(within)
            assert counts.only == (within[0] if len(within) == 1 else None)


def _strength_of_a_list(n: int, decimals: int) -> float:
    """The share of all figures with so many decimals that no number of right answers gives."""
    figures = [f"{step // 10**decimals}.{step % 10**decimals:0{decimals}d}" for step in range(10**decimals + 1)]
    return sum(not right_answers(read_share(text), n=n).possible for text in figures) / len(figures)


@pytest.mark.parametrize(
    ("decimals", "sizes"), [(1, range(1, 10)), (2, range(1, 100)), (3, [1, 7, 8, 16, 40, 125, 272, 872, 999])]
)
def test_strength_is_the_share_of_figures_that_no_count_gives(decimals: int, sizes: list[int]) -> None:
    figures = 10**decimals + 1
    for n in sizes:
        strength = right_answers(read_share("0." + "0" * decimals), n=n).strength
        listed = _strength_of_a_list(n, decimals)
        # The closed form gives every count one figure, where a tie has two. So it is above, by the ties, of which there
        # are at most n / 2: of two neighbours only one can be a tie.
        ties = sum(_is_tie(right, n, Fraction(1, 10**decimals)) for right in range(n + 1))
        assert strength == pytest.approx(listed + ties / figures, abs=1e-12), n
        assert -1e-12 <= strength - listed <= n / 2 / figures + 1e-12
        assert 0 < strength < 1


@pytest.mark.parametrize(("decimals", "sizes"), [(1, [10, 11, 40, 872]), (2, [100, 101, 872])])
def test_with_more_examples_than_figures_the_check_finds_nothing_out(decimals: int, sizes: list[int]) -> None:
    for n in sizes:
        assert right_answers(read_share("0." + "0" * decimals), n=n).strength == 0
        assert _strength_of_a_list(n, decimals) == 0


def test_strength_goes_by_the_precision_and_not_by_the_figure() -> None:
    for text in ("0.000", "0.883", "1.000", "88.3%", "100.0%"):
        assert right_answers(read_share(text), n=872).strength == pytest.approx(1 - 873 / 1001)
    # Later digits may be noise of a float32, and count for nothing.
    for text in ("0.8830275", "0.8830275229357798"):
        assert right_answers(read_share(text), n=872).strength == pytest.approx(1 - 873 / (10**7 + 1))
    assert right_answers(read_share("90.71%"), n=872, runs=3).strength == pytest.approx(1 - 2617 / 10_001)
    assert right_answers(read_share("1"), n=1).strength == 0


@pytest.mark.parametrize(
    ("text", "n", "below", "above"),
    [
        # The means are of whole numbers, so that what follows the point is a share of the participants. Brown and
        # Heathers (2017): 5.19 of 28, where only 5.18 and 5.21 are possible.
        ("0.19", 28, "0.18", "0.21"),
        # The Economist, 18 June 2016, on their test: 5.93 of 49.
        ("0.93", 49, "0.92", "0.94"),
    ],
)
def test_published_means_that_are_impossible(text: str, n: int, below: str, above: str) -> None:
    counts = right_answers(read_share(text), n=n)
    assert not counts.possible
    assert counts.only is None
    low, high = right_answers(read_share(below), n=n).only, right_answers(read_share(above), n=n).only
    assert low is not None
    assert high == low + 1


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("90.71%", 791, 791),
        ("0.907110", 791, 791),
        ("90.60%", 790, 790),
        ("90.02%", 785, 785),
        ("0.883", 770, 770),
        ("0.862", 752, 752),
        ("0.8830275229357798", 770, 770),
        ("0.905", 789, 789),
        ("0.904", 788, 788),
        ("99.9%", 871, 871),
        ("88%", 763, 771),
        # Rounding reaches beyond 0 and 1, right answers do not.
        ("1", 436, 872),
        ("0", 0, 436),
        ("1.000", 872, 872),
        ("0.000", 0, 0),
    ],
)
def test_right_answers_of_872(text: str, low: int, high: int) -> None:
    counts = right_answers(read_share(text), n=872)
    assert (counts.printed, counts.n, counts.runs) == (text, 872, 1)
    assert (counts.low, counts.high, counts.possible) == (low, high, True)
    assert counts.only == (low if low == high else None)


@pytest.mark.parametrize("text", ["90.70%", "0.9065", "0.9999", "0.0001", "88.304%"])
def test_figures_that_no_count_of_872_gives(text: str) -> None:
    counts = right_answers(read_share(text), n=872)
    assert counts.low == counts.high + 1
    assert not counts.possible
    assert counts.only is None


def test_a_tie_may_have_been_rounded_either_way() -> None:
    # 1 / 8 = 0.125 exactly; Python prints 0.12, half up is 0.13.
    assert [right_answers(read_share(text), n=8).only for text in ("0.12", "0.13", "0.125")] == [1, 1, 1]
    assert not right_answers(read_share("0.11"), n=8).possible
    assert not right_answers(read_share("0.14"), n=8).possible


@pytest.mark.parametrize(("n", "runs"), [(1, 4), (3, 3), (4, 3), (5, 2)])
def test_the_mean_of_runs_is_a_share_of_the_answers_of_all(n: int, runs: int) -> None:
    for decimals in (1, 2, 3):
        sums: dict[str, set[int]] = {}
        for right in itertools.product(range(n + 1), repeat=runs):
            mean = sum((Fraction(hits, n) for hits in right), Fraction(0)) / runs
            whole = (2 * mean * 10**decimals + 1) // 2
            sums.setdefault(f"{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}", set()).add(sum(right))
        for text, expected in sums.items():
            counts = right_answers(read_share(text), n=n, runs=runs)
            allowed = set(range(counts.low, counts.high + 1))
            assert expected <= allowed
            assert all(_is_tie(right, n * runs, Fraction(1, 10**decimals)) for right in allowed - expected)
            of_all = right_answers(read_share(text), n=n * runs)
            assert (counts.low, counts.high, counts.strength) == (of_all.low, of_all.high, of_all.strength)
            assert (counts.n, counts.runs) == (n, runs)


def test_a_mean_over_runs_may_lie_where_no_single_run_can() -> None:
    assert not right_answers(read_share("0.8667"), n=5).possible
    assert right_answers(read_share("0.8667"), n=5, runs=3).only == 13


def test_the_error_rate_leaves_the_other_answers() -> None:
    for n in (7, 40, 60, 872):
        for step in range(0, 1001, 13):
            wrong = right_answers(read_share(f"{step / 10:.1f}%"), n=n)
            right = right_answers(read_share(f"{step / 10:.1f}%").complement(), n=n)
            assert (right.low, right.high) == (n - wrong.high, n - wrong.low)
            assert (right.possible, right.strength) == (wrong.possible, wrong.strength)
    assert right_answers(read_share("11.7%").complement(), n=872).only == 770


@pytest.mark.parametrize(("n", "runs"), [(0, 1), (1, 0), (-5, 1), (5, -1), (-2, -2)])
def test_no_examples_or_no_runs_are_refused(n: int, runs: int) -> None:
    with pytest.raises(ValueError, match=f"got n={n} and runs={runs}"):
        right_answers(read_share("0.5"), n=n, runs=runs)


def test_a_million_examples() -> None:
    counts = right_answers(read_share("0.8830275"), n=10**6)
    assert (counts.low, counts.high) == (883_028, 883_027)
    assert right_answers(read_share("0.883027"), n=10**6).only == 883_027
    assert right_answers(read_share("88.3%"), n=10**6, runs=10).low == 8_825_000
