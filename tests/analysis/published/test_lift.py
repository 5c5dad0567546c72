from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from scipy import integrate, special, stats

from analysis.published import lift
from analysis.published.lift import DRAWS, EpochScatter, chance_of_selected_gap, epoch_scatter, expected_lift
from analysis.published.seeds import chance_of_gap

# Harter (1961), Biometrika 48, 151-165, table 1: the expected largest of k standard normal draws.
HARTER = {2: 0.56419, 3: 0.84628, 4: 1.02938, 5: 1.16296, 10: 1.53875, 20: 1.86748, 100: 2.50759}

POOLED = "as the epochs of the log do"
SUPPOSED = "as if exactly one of two epochs of a run were right on 5% of the examples"
STILL_LEARNING = " (the log moves by more: its epochs are not equally good)"


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scatter(sd: float, df: float = math.inf) -> EpochScatter:
    return EpochScatter(sd=sd, df=df, source="")


def on_the_lattice(examples: int, epochs: tuple[int, int], scale: float) -> float:
    """Chance of a gap between the largest of some rounded normal draws and that of others; nothing is drawn."""
    reach = math.ceil(9 * scale)
    values = np.arange(-reach, reach + 1)
    edges = (np.arange(-reach - 1, reach + 1) + 0.5) / scale
    one, other = (np.diff(special.ndtr(edges) ** k) for k in epochs)
    return float(np.outer(one, other)[np.abs(values[:, None] - values) >= abs(examples)].sum())


def by_integration(gap: float, epochs: tuple[int, int], df: float) -> float:
    """Chance of a gap of so many SDs; the largest of k draws has the distribution function Phi^k."""
    one, other = epochs
    x = np.linspace(-9, 9, 401)
    density = one * stats.norm.pdf(x) * special.ndtr(x) ** (one - 1)

    def given(far: float) -> float:
        apart = 1 - special.ndtr(x + far) ** other + special.ndtr(x - far) ** other
        return float(integrate.simpson(density * apart, x=x))

    if math.isinf(df):
        return given(gap)
    chance, _ = integrate.quad(lambda c: stats.chi2.pdf(c, df) * given(gap * math.sqrt(c / df)), 0, 80, limit=200)
    return float(chance)


def within_error(estimate: float, chance: float) -> bool:
    return abs(estimate - chance) <= 4 * math.sqrt(chance * (1 - chance) / DRAWS) + 1e-9


@pytest.mark.parametrize("epochs", HARTER)
def test_the_expected_lift_is_the_expected_largest_of_normal_draws(epochs: int) -> None:
    lift = expected_lift(epochs, scatter(0.01), rng=generator())
    assert lift / 0.01 == pytest.approx(HARTER[epochs], abs=0.008)
    # How well the SD is known does not change what is expected.
    assert lift == expected_lift(epochs, scatter(0.01, df=2), rng=generator())


@pytest.mark.parametrize(("epochs", "scale"), [(2, 0.8), (3, 4.67), (10, 2.0)])
def test_the_expected_lift_of_whole_answers_over_the_mean_of_all_epochs(epochs: int, scale: float) -> None:
    right = np.rint(generator(2).normal(785.3, scale, size=(epochs, 200_000)))
    lift = expected_lift(epochs, scatter(scale / 872), rng=generator(3))
    assert lift * 872 == pytest.approx(float((right.max(axis=0) - right.mean(axis=0)).mean()), abs=0.012 * scale)


def test_without_a_choice_or_without_scatter_there_is_no_lift() -> None:
    assert expected_lift(1, scatter(0.01), rng=generator()) == pytest.approx(0, abs=0.04 / math.sqrt(DRAWS))
    assert expected_lift(4, scatter(0.0), rng=generator()) == 0


@pytest.mark.parametrize("epochs", [0, -3])
def test_a_lift_takes_an_epoch(epochs: int) -> None:
    message = f"epochs must be at least 1, got {epochs}"
    with pytest.raises(ValueError, match=message):
        expected_lift(epochs, scatter(0.01), rng=generator())
    for pair in ((3, epochs), (epochs, 3)):
        with pytest.raises(ValueError, match=message):
            chance_of_selected_gap(5, pair, scatter(0.01), n=872, rng=generator())


@pytest.mark.parametrize("epochs", [(1, 1), (3, 3), (1, 4), (5, 2)])
@pytest.mark.parametrize("examples", [0, 1, 4, 9, -9, 14])
def test_the_chance_of_a_selected_gap_over_all_outcomes(epochs: tuple[int, int], examples: int) -> None:
    chance = chance_of_selected_gap(examples, epochs, scatter(4.67 / 872), n=872, rng=generator(6))
    assert within_error(chance, on_the_lattice(examples, epochs, 4.67))


@pytest.mark.parametrize("epochs", [(3, 3), (2, 6)])
@pytest.mark.parametrize("df", [1, 4, 12, math.inf])
def test_the_chance_of_a_selected_gap_by_integration(epochs: tuple[int, int], df: float) -> None:
    for gap in (0.5, 1.0, 2.0, 4.0):
        chance = chance_of_selected_gap(round(gap * 10_000), epochs, scatter(0.01, df), n=1_000_000, rng=generator(8))
        assert within_error(chance, by_integration(gap - 0.00005, epochs, df))


@pytest.mark.parametrize("examples", [1, 5, 12, 30])
@pytest.mark.parametrize("df", [2, 8, math.inf])
def test_without_a_choice_the_chance_is_that_of_two_runs(examples: int, df: float) -> None:
    chance = chance_of_selected_gap(examples, (1, 1), scatter(0.006, df), n=872, rng=generator(7))
    assert within_error(chance, chance_of_gap(examples, n=872, seed_sd=0.006, df=df))


@pytest.mark.parametrize("df", [4, math.inf])
def test_the_sign_of_a_selected_gap_does_not_matter_and_no_gap_is_certain(df: float) -> None:
    chances = [chance_of_selected_gap(k, (3, 2), scatter(0.005, df), n=872, rng=generator()) for k in (7, -7, 0)]
    assert chances[0] == chances[1] < 1
    assert chances[2] == 1
    assert chance_of_selected_gap(1, (3, 2), scatter(0.0, df), n=872, rng=generator()) == 0


@pytest.mark.parametrize("from_logs", [True, False])
def test_a_chance_from_logs_keeps_its_level(from_logs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Three epochs a run, the best of each reported, no scatter of seeds; the logs are the runs' own or other ones.
    monkeypatch.setattr(lift, "DRAWS", 2000)
    # They scatter half as much as is supposed of equally good epochs, so that none is taken for learning still.
    rng, n, studies = generator(10), 640_000, 2000
    right = np.rint(rng.normal(576_000, 60, size=(studies, 4, 3)))
    best = right.max(axis=2)
    logs = right[:, :2] if from_logs else right[:, 2:]
    pooled = [epoch_scatter(two, n=n) for two in (logs / n).tolist()]
    gaps = (best[:, 0] - best[:, 1]).astype(int).tolist()

    def rejected(known: bool) -> int:
        pairs = zip(gaps, [scatter(one.sd) if known else one for one in pooled], strict=True)
        return sum(chance_of_selected_gap(gap, (3, 3), one, n=n, rng=rng) <= 0.05 for gap, one in pairs)

    assert {one.df for one in pooled} == {4}
    rate = rejected(known=False)
    assert special.bdtrc(rate - 1, studies, 0.05) > 1e-4
    # An epoch that is picked for being good makes its own log scatter: there the level is about 0.03.
    assert special.bdtr(rate, studies, 0.025 if from_logs else 0.05) > 1e-4
    if not from_logs:
        assert special.bdtrc(rejected(known=True), studies, 0.07) < 1e-4


def test_the_same_generator_gives_the_same_answer_and_nothing_global_is_drawn() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    one, same, other = (expected_lift(3, scatter(0.005), rng=generator(seed)) for seed in (1, 1, 2))
    assert one == same != other
    a, b, c = (chance_of_selected_gap(5, (3, 2), scatter(0.005, 4), n=872, rng=generator(seed)) for seed in (1, 1, 2))
    assert a == b != c
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index] # noqa: NPY002
    rng = generator()
    assert expected_lift(3, scatter(0.005), rng=rng) != expected_lift(3, scatter(0.005), rng=rng)


@pytest.mark.parametrize(
    ("logs", "variance", "df"),
    [
        # Squares 0.0001 + 0.0001 about 0.91, and 0.0004 + 0.0001 + 0.0001 about 0.90; 1 + 2 degrees of freedom.
        ([[0.90, 0.92], [0.88, 0.91, 0.91]], 0.0008 / 3, 3),
        # A run that does not change counts among runs that do.
        ([[0.9, 0.9], [0.88, 0.90]], 0.0002 / 2, 2),
        # How good the runs are does not count as scatter.
        ([[0.50, 0.52], [0.90, 0.92]], 0.0002, 2),
        # A single epoch says nothing.
        ([[0.90, 0.92], [0.5], []], 0.0002, 1),
        # One answer is scatter enough.
        ([[0.999999, 1.0]], 0.5e-12, 1),
    ],
)
@pytest.mark.parametrize("n", [200, 50])
def test_the_scatter_of_epochs_is_pooled_within_runs(logs: list[list[float]], variance: float, df: int, n: int) -> None:
    result = epoch_scatter(logs, n=n)
    assert result.sd == pytest.approx(math.sqrt(variance), rel=1e-6)
    assert (result.df, result.source) == (df, POOLED)


@pytest.mark.parametrize("logs", [[], [[]], [[0.9]], [[0.9], [0.7]], [[0.875, 0.875]], [[0.9, 0.9], [0.7, 0.7, 0.7]]])
@pytest.mark.parametrize("n", [872, 50])
def test_without_scatter_in_a_log_it_is_supposed(logs: list[list[float]], n: int) -> None:
    result = epoch_scatter(logs, n=n)
    assert result.sd == pytest.approx(math.sqrt(0.05 / (2 * n)), rel=1e-12)
    assert result.df == math.inf
    assert result.source == SUPPOSED


@pytest.mark.parametrize(
    "logs",
    [
        # A model that learns for most of its run, alone or beside logs that hardly move.
        [[0.51, 0.80, 0.90, 0.93]],
        [[0.93, 0.90, 0.80, 0.51]],
        [[0.51, 0.80, 0.90, 0.93], [0.930, 0.931, 0.930, 0.929]],
        [[0.90, 0.92], [0.88, 0.91, 0.91]],
    ],
)
def test_a_model_that_is_still_learning_has_the_scatter_that_is_supposed(logs: list[list[float]]) -> None:
    result = epoch_scatter(logs, n=872)
    assert result.sd == pytest.approx(math.sqrt(0.05 / (2 * 872)), rel=1e-12)
    assert result.df == math.inf
    assert result.source == SUPPOSED + STILL_LEARNING
    # On few examples as much may be chance.
    assert epoch_scatter([[0.90, 0.92], [0.88, 0.91, 0.91]], n=50).df == 3


@pytest.mark.parametrize("lengths", [(2,), (4,), (3, 3, 3), (2, 5, 1)])
@pytest.mark.parametrize("n", [872, 50])
def test_epochs_count_as_equally_good_up_to_the_chi_square_limit(lengths: tuple[int, ...], n: int) -> None:
    df = sum(length - 1 for length in lengths)
    shapes = [np.arange(length) - (length - 1) / 2 for length in lengths]
    squares = sum(float((shape**2).sum()) for shape in shapes)
    limit = math.sqrt(stats.chi2.isf(0.05, df) * 0.05 / (2 * n) / squares)
    for times, same in ((0.01, True), (0.5, True), (0.999, True), (1.001, False), (3.0, False)):
        result = epoch_scatter([(0.7 + times * limit * shape).tolist() for shape in shapes], n=n)
        assert (result.df == df) == same == (result.source == POOLED)
        sd = times * limit * math.sqrt(squares / df) if same else math.sqrt(0.05 / (2 * n))
        assert result.sd == pytest.approx(sd, rel=1e-6)


def test_the_shipped_logs_scatter_as_equally_good_epochs_do() -> None:
    path = Path(__file__).parents[3] / "studies" / "claims" / "distilbert.yaml"
    content = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    logs = [system["log"]["accuracy"] for system in content["systems"].values()]
    assert [len(log) for log in logs] == [3, 3, 3]
    for some, df in [(logs, 6), *(([log], 2) for log in logs)]:
        result = epoch_scatter(some, n=content["n"])
        assert (result.df, result.source) == (df, POOLED)


def test_equally_good_epochs_are_seldom_taken_for_those_of_a_model_that_is_learning() -> None:
    # A tenth of the examples are right with every other epoch: two epochs differ on a twentieth.
    rng, n, draws = generator(12), 4000, 4000
    right = 3500 + rng.binomial(400, 0.5, size=(draws, 2, 3))
    taken = sum(math.isinf(epoch_scatter(logs, n=n).df) for logs in (right / n).tolist())
    assert min(special.bdtr(taken, draws, 0.05), special.bdtrc(taken - 1, draws, 0.05)) > 1e-4


@pytest.mark.parametrize("epochs", [2, 3, 7])
def test_a_log_that_does_not_change_has_no_scatter_by_rounding_alone(epochs: int) -> None:
    assert [k for k in range(873) if epoch_scatter([[k / 872] * epochs], n=872).df < math.inf] == []


def test_what_is_supposed_is_the_scatter_of_epochs_that_flip_answers() -> None:
    # A fifth of the examples are right with some epochs only, each with a chance of its own.
    rng = generator(11)
    n, draws = 400, 4000
    p = np.concatenate([rng.uniform(0.5, 1.0, size=80), np.ones(320)])
    accuracies = (rng.random((draws, n)) < p).mean(axis=1)
    sd = epoch_scatter([], n=n).sd * math.sqrt(float(np.mean(2 * p * (1 - p))) / 0.05)
    assert float(accuracies.std()) == pytest.approx(sd, rel=4 / math.sqrt(2 * draws))
