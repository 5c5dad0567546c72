from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, special, stats

from analysis.claims.lift import DRAWS, EPOCH_DISCORDANCE, chance_of_selected_gap, epoch_sd, expected_lift

# Harter (1961), Biometrika 48, 151-165, table 1: the expected largest of k standard normal draws.
HARTER = {2: 0.56419, 3: 0.84628, 4: 1.02938, 5: 1.16296, 10: 1.53875}

# So fine a lattice that the draws are as good as normal.
FINE: dict[str, Any] = {"sd": 0.01, "n": 1_000_000}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def largest(epochs: int, scale: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The values of the largest of some rounded normal draws, and their chances."""
    reach = math.ceil(9 * scale)
    values = np.arange(-reach, reach + 1)
    below = special.ndtr((np.arange(-reach - 1, reach + 1) + 0.5) / scale) ** epochs
    return values, np.diff(below)


def exact_gap(sentences: int, epochs: tuple[int, int], scale: float) -> float:
    (values, one), (_, other) = (largest(k, scale) for k in epochs)
    gaps = np.abs(values[:, None] - values)
    return float(np.outer(one, other)[gaps >= abs(sentences)].sum())


def within_error(found: float, chance: float) -> bool:
    return abs(found - chance) <= 4 * math.sqrt(chance * (1 - chance) / DRAWS) + 1e-12


@pytest.mark.parametrize("epochs", HARTER)
def test_the_expected_lift_is_the_expected_largest_of_normal_draws(epochs: int) -> None:
    found = expected_lift(epochs, **FINE, rng=generator())
    assert found.mean / 0.01 == pytest.approx(HARTER[epochs], abs=0.008)
    assert (found.epochs, found.epoch_sd) == (epochs, 0.01)


@pytest.mark.parametrize("epochs", [2, 3, 7, 20])
def test_the_expected_lift_by_integration(epochs: int) -> None:
    expected, _ = integrate.quad(
        lambda x: epochs * x * stats.norm.pdf(x) * special.ndtr(x) ** (epochs - 1), -10, 10, epsabs=1e-10
    )
    assert expected_lift(epochs, **FINE, rng=generator(1)).mean / 0.01 == pytest.approx(expected, abs=0.008)


@pytest.mark.parametrize(("epochs", "scale"), [(2, 0.8), (3, 4.67), (10, 2.0)])
def test_the_expected_lift_in_whole_answers(epochs: int, scale: float) -> None:
    values, chances = largest(epochs, scale)
    found = expected_lift(epochs, sd=scale / 872, n=872, rng=generator(2))
    assert found.mean * 872 == pytest.approx(float(values @ chances), abs=0.008 * scale)


def test_what_95_of_100_lifts_stay_below_for_two_epochs() -> None:
    # Half of the distance of two draws.
    upper = stats.norm.ppf(0.975) / math.sqrt(2)
    assert expected_lift(2, **FINE, rng=generator(3)).upper / 0.01 == pytest.approx(upper, abs=0.02)


def test_what_95_of_100_lifts_stay_below_for_three_epochs() -> None:
    # Three draws less their mean are a normal point in a plane, and the lift is at most x in a triangle around 0 whose
    # sides are x * sqrt(3 / 2) away. Its share, by angle:
    def share(x: float) -> float:
        inside, _ = integrate.quad(lambda t: -math.expm1(-0.75 * x**2 / math.cos(t) ** 2), -math.pi / 3, math.pi / 3)
        return 3 * inside / (2 * math.pi)

    upper = optimize.brentq(lambda x: share(x) - 0.95, 0.1, 5)
    assert expected_lift(3, **FINE, rng=generator(4)).upper / 0.01 == pytest.approx(upper, abs=0.02)


@pytest.mark.parametrize("epochs", [2, 3, 5, 12])
def test_what_95_of_100_lifts_stay_below_by_other_draws(epochs: int) -> None:
    draws = generator(99).normal(size=(epochs, 200_000))
    upper = np.sort(draws.max(axis=0) - draws.sum(axis=0) / epochs)[190_000]
    assert expected_lift(epochs, **FINE, rng=generator(5)).upper / 0.01 == pytest.approx(upper, abs=0.025)


@pytest.mark.parametrize(("epochs", "sd"), [(1, 0.01), (1, 0.3), (4, 0.0)])
def test_without_a_choice_or_without_scatter_there_is_no_lift(epochs: int, sd: float) -> None:
    found = expected_lift(epochs, sd=sd, n=872, rng=generator())
    assert (found.mean, found.upper) == (0, 0)


def test_the_lift_grows_with_the_epochs_and_with_their_scatter() -> None:
    found = [expected_lift(k, sd=0.005, n=872, rng=generator()) for k in (2, 3, 5, 10)]
    assert sorted(one.mean for one in found) == [one.mean for one in found]
    assert all(one.mean < one.upper for one in found)
    doubled = expected_lift(3, sd=0.02, n=1_000_000, rng=generator())
    assert doubled.mean == pytest.approx(2 * expected_lift(3, **FINE, rng=generator()).mean, rel=1e-3)


@pytest.mark.parametrize("epochs", [0, -3])
def test_a_lift_takes_an_epoch(epochs: int) -> None:
    with pytest.raises(ValueError, match="epoch"):
        expected_lift(epochs, sd=0.01, n=872, rng=generator())
    with pytest.raises(ValueError, match="epoch"):
        chance_of_selected_gap(5, (3, epochs), sd=0.01, n=872, rng=generator())


@pytest.mark.parametrize("epochs", [(1, 1), (3, 3), (1, 4), (5, 2)])
@pytest.mark.parametrize("sentences", [0, 1, 4, 9, -9, 14])
def test_the_chance_of_a_selected_gap_over_all_outcomes(epochs: tuple[int, int], sentences: int) -> None:
    found = chance_of_selected_gap(sentences, epochs, sd=4.67 / 872, n=872, rng=generator(6))
    assert within_error(found, exact_gap(sentences, epochs, 4.67))


@pytest.mark.parametrize("sentences", [1, 2, 3])
def test_the_chance_of_a_selected_gap_where_hardly_an_answer_changes(sentences: int) -> None:
    found = chance_of_selected_gap(sentences, (2, 3), sd=0.6 / 50, n=50, rng=generator(7))
    assert within_error(found, exact_gap(sentences, (2, 3), 0.6))


@pytest.mark.parametrize("epochs", [(3, 3), (2, 6)])
def test_the_chance_of_a_selected_gap_by_integration(epochs: tuple[int, int]) -> None:
    # The largest of k draws has the distribution function Phi^k.
    one, other = epochs

    def beyond(x: float, gap: float) -> float:
        apart = 1 - special.ndtr(x + gap) ** other + special.ndtr(x - gap) ** other
        return float(one * stats.norm.pdf(x) * special.ndtr(x) ** (one - 1) * apart)

    for gap in (0.5, 1.0, 2.0):
        expected, _ = integrate.quad(beyond, -9, 9, args=(gap,))
        found = chance_of_selected_gap(round(gap * 10_000), epochs, **FINE, rng=generator(8))
        assert within_error(found, expected)


def test_a_choice_on_one_side_makes_gaps_likelier_and_on_both_sides_rarer() -> None:
    def chance(epochs: tuple[int, int]) -> float:
        return chance_of_selected_gap(8, epochs, sd=4.67 / 872, n=872, rng=generator(9))

    assert chance((3, 1)) > chance((1, 1)) + 0.02
    assert chance((6, 1)) > chance((3, 1)) + 0.02
    assert chance((3, 3)) < chance((1, 1)) - 0.02
    assert chance((3, 1)) == pytest.approx(chance((1, 3)), abs=0.01)


def test_the_sign_of_a_selected_gap_does_not_matter_and_no_gap_is_certain() -> None:
    found = [chance_of_selected_gap(k, (3, 2), sd=0.005, n=872, rng=generator()) for k in (7, -7, 0)]
    assert found[0] == found[1] < 1
    assert found[2] == 1
    assert chance_of_selected_gap(1, (3, 2), sd=0.0, n=872, rng=generator()) == 0


def test_the_same_generator_gives_the_same_answer_and_nothing_global_is_drawn() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    one, same, other = (expected_lift(3, sd=0.005, n=872, rng=generator(seed)) for seed in (1, 1, 2))
    assert one == same != other
    a, b, c = (chance_of_selected_gap(5, (3, 2), sd=0.005, n=872, rng=generator(seed)) for seed in (1, 1, 2))
    assert a == b != c
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index] # noqa: NPY002


def test_a_generator_moves_on() -> None:
    rng = generator()
    assert expected_lift(3, sd=0.005, n=872, rng=rng) != expected_lift(3, sd=0.005, n=872, rng=rng)


def test_the_scatter_of_epochs_is_pooled_within_runs() -> None:
    # Squares 0.0001 + 0.0001 about 0.91, and 0.0004 + 0.0001 + 0.0001 about 0.90; 1 + 2 degrees of freedom.
    sd, source = epoch_sd([[0.90, 0.92], [0.88, 0.91, 0.91]], n=872)
    assert sd == pytest.approx(math.sqrt(0.0008 / 3), rel=1e-12)
    assert source == "as the epochs of the log scatter"
    assert epoch_sd([(0.91, 0.88, 0.91), (0.92, 0.90)], n=50)[0] == pytest.approx(sd, rel=1e-12)


def test_a_run_that_does_not_change_counts_among_runs_that_do() -> None:
    assert epoch_sd([[0.9, 0.9], [0.88, 0.90]], n=872)[0] == pytest.approx(0.01, rel=1e-12)


def test_how_good_the_runs_are_does_not_count_as_scatter() -> None:
    far_apart = epoch_sd([[0.50, 0.52], [0.90, 0.92]], n=872)[0]
    assert far_apart == pytest.approx(math.sqrt(0.0002), rel=1e-12)


def test_a_single_epoch_says_nothing() -> None:
    log = [0.88, 0.90, 0.89]
    assert epoch_sd([log, [0.5], []], n=872) == epoch_sd([log], n=872)


@pytest.mark.parametrize("logs", [[], [[]], [[0.9]], [[0.9], [0.7]], [[0.875, 0.875]]])
@pytest.mark.parametrize("n", [872, 50])
def test_without_scatter_in_a_log_it_is_supposed(logs: list[list[float]], n: int) -> None:
    sd, source = epoch_sd(logs, n=n)
    assert EPOCH_DISCORDANCE == 0.05
    assert sd == pytest.approx(math.sqrt(0.05 / (2 * n)), rel=1e-12)
    assert source == "as if two epochs of a run differed in being right on 5% of the sentences"


@pytest.mark.parametrize("epochs", [2, 3, 7])
def test_a_log_that_does_not_change_has_no_scatter_by_rounding_alone(epochs: int) -> None:
    wrong = [k for k in range(873) if epoch_sd([[k / 872] * epochs], n=872)[1].startswith("as the epochs of the log")]
    assert wrong == []


def test_one_answer_is_scatter_enough() -> None:
    sd, source = epoch_sd([[0.999999, 1.0]], n=1_000_000)
    assert sd == pytest.approx(1e-6 / math.sqrt(2), rel=1e-6)
    assert source == "as the epochs of the log scatter"


def test_what_is_supposed_is_the_scatter_of_epochs_that_differ_on_5_of_100_sentences() -> None:
    rng = generator(10)
    n, draws = 872, 40_000
    differing = rng.binomial(n, 0.05, size=draws)
    gaps = (2 * rng.binomial(differing, 0.5) - differing) / n
    sd, _ = epoch_sd([], n=n)
    # The difference of two epochs has twice the variance of one.
    assert float(gaps.std()) == pytest.approx(math.sqrt(2) * sd, rel=4 / math.sqrt(2 * draws))


def test_what_is_supposed_is_the_scatter_of_epochs_that_flip_answers() -> None:
    # A fifth of the sentences are right with some epochs only, each with a chance of its own.
    rng = generator(11)
    n, draws = 400, 4000
    p = np.concatenate([rng.uniform(0.5, 1.0, size=80), np.ones(320)])
    accuracies = (rng.random((draws, n)) < p).mean(axis=1)
    discordance = float(np.mean(2 * p * (1 - p)))
    sd = epoch_sd([], n=n)[0] * math.sqrt(discordance / 0.05)
    assert float(accuracies.std()) == pytest.approx(sd, rel=4 / math.sqrt(2 * draws))
