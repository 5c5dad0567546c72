"""Known failures: studies in which nothing is different, and about which the crossed test promises nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, special

from analysis.methods.crossed import crossed_test
from analysis.metrics.calibration_error import log_loss_scores
from analysis.metrics.confusion_metrics import ConfusionMetric, confusion_metric
from analysis.metrics.influence import confusion_scores
from calibration.counts import Count, Size, streams
from calibration.families import ALPHA, judged
from calibration.regimes import N_EXAMPLES, Regime, draw, draw_arms

FAILURE_SEEDS = (3, 5, 10, 20)

FRAGILE = (
    Regime(name="one arm skewed, the others calm", seed_sd=0.006, noisier=6.0, skewed=True),
    Regime(name="a fifth of one arm's seeds 6 points low", seed_sd=0.004, collapse=0.2, collapsed_accuracy=0.832),
    Regime(name="a tenth of one arm's seeds collapse", collapse=0.1),
)
"""One arm that does badly now and then. The last of them is the collapse that every verdict's footnote is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRates:
    """How often a gap is claimed in one place where the level does not hold.

    Parameters
    ----------
    failure : str
        What is the matter, in words.
    test : str
        How it was judged.
    place : str
        The number of seeds.
    claimed : Count
        Studies with p at most .05 for the comparison that the failure is about.
    """

    failure: str
    test: str
    place: str
    claimed: Count


def count_fragile(regime: Regime, n_seeds: int, size: Size) -> list[FailureRates]:
    """Count one of `FRAGILE` against a calm arm: by pair, and pooled with three calm arms more."""
    rng, _ = streams(4000 + FRAGILE.index(regime), n_seeds)
    pooled, by_pair, in_favour = Count(), Count(), Count()
    for _ in range(size.studies):
        arms = draw_arms(regime, n_seeds, rng, gaps=(0.0,) * 4)
        pooled.add(judged(arms, "pooled")[0].p_value <= ALPHA)
        (alone,) = judged([arms[0], arms[-1]], "by pair")
        by_pair.add(alone.p_value <= ALPHA)
        in_favour.add(alone.p_value <= ALPHA and alone.estimate > 0)
    place = str(n_seeds)
    return [
        FailureRates(failure=regime.name, test="two arms", place=place, claimed=by_pair),
        FailureRates(failure=regime.name, test="two arms, in its favour", place=place, claimed=in_favour),
        FailureRates(failure=regime.name, test="five arms, pooled", place=place, claimed=pooled),
    ]


METRICS = {"precision": "precision:1", "F1": "f1:1", "macro-F1": "macro_f1", "MCC": "mcc"}
PREDICTIONS = (6, 20)
"""How often the arm that seldom says class 1 says it."""

_POSITIVE = 40
_OFTEN = 40
_HIT_SHARE = 0.9


def count_rare_predictions(metric: str, predictions: int, n_seeds: int, size: Size) -> list[FailureRates]:
    """Count a metric whose true value is the same in two arms that say the rare class seldom and often.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    predictions : int
        How often one of the arms says class 1, of 872 examples of which 40 are of this class. The other says it 40
        times.
    n_seeds : int
    size : Size
    """
    rng, _ = streams(4100 + list(METRICS).index(metric), predictions, n_seeds)
    of = confusion_metric(METRICS[metric], n_classes=2)
    right = _HIT_SHARE * predictions
    reached = _value(of, right, predictions)
    right_of_often = optimize.brentq(lambda hits: _value(of, hits, _OFTEN) - reached, 0.01, _OFTEN - 0.01)
    operating_points = [(right, float(predictions)), (right_of_often, float(_OFTEN))]
    labels = (np.arange(N_EXAMPLES) < _POSITIVE).astype(np.int64)
    claimed = Count()
    for _ in range(size.studies):
        arms = _says(operating_points, labels, n_seeds, rng)
        treatment, baseline = (confusion_scores(of, labels, says) for says in arms)
        if np.isfinite(treatment).all() and np.isfinite(baseline).all():
            claimed.add(crossed_test(treatment, baseline, paired=True).p_value <= ALPHA)
    return [FailureRates(failure=metric, test=f"{predictions} predictions", place=str(n_seeds), claimed=claimed)]


def _value(of: ConfusionMetric, hits: float, predictions: float) -> float:
    """Return the metric where so many of the predictions of class 1 are right."""
    negative = N_EXAMPLES - _POSITIVE
    wrong = predictions - hits
    cells = np.array([[negative - wrong, wrong], [_POSITIVE - hits, hits]]) / N_EXAMPLES
    return float(of.value(cells[None])[0])


def _says(
    operating_points: list[tuple[float, float]], labels: NDArray[np.int64], n_seeds: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Draw the classes that arms say, without a seed effect: shapes (S, N)."""
    example = np.sqrt(0.7) * rng.standard_normal(N_EXAMPLES)
    arms = []
    for hits, predictions in operating_points:
        rates = np.where(labels == 1, hits / _POSITIVE, (predictions - hits) / (N_EXAMPLES - _POSITIVE))
        own = np.sqrt(0.15) * rng.standard_normal(N_EXAMPLES)
        left = np.sqrt(0.15) * rng.standard_normal((n_seeds, N_EXAMPLES))
        arms.append((example + own + left < special.ndtri(rates)).astype(np.int64))
    return arms


UNPAIRED = ((3, 20), (2, 10))


def count_unpaired(n_seeds: tuple[int, int], size: Size) -> list[FailureRates]:
    """Count two arms with other seeds, and not as many: the strong seed effect, by independent seeds."""
    few, many = n_seeds
    rng, _ = streams(4200, few, many)
    regime = Regime(name="strong seed effect", seed_sd=0.018)
    claimed = Count()
    for _ in range(size.studies):
        alike, _ = draw(regime, many, rng, gap=0.0)
        treatment, baseline = alike.right
        claimed.add(crossed_test(treatment[:few], baseline, paired=False).p_value <= ALPHA)
    return [
        FailureRates(failure="unpaired seeds", test="independent seeds", place=f"{few} and {many}", claimed=claimed)
    ]


_CALM, _SURE = 1.0, 5.0
"""How steeply two arms' log-odds rise with their score: the second is seldom wrong, and then very sure."""


def count_log_loss(n_seeds: int, size: Size) -> list[FailureRates]:
    """Count the log loss of a calm arm and of one that is too sure of itself, equal on average, on 100 examples."""
    rng, _ = streams(4300, n_seeds)
    regime = Regime(name="mild seed effect")
    middle = float(special.ndtri(regime.accuracy))
    reached = _mean_log_loss(_CALM, middle)
    further = optimize.brentq(lambda shift: _mean_log_loss(_SURE, middle + shift) - reached, -1.0, 6.0)
    claimed = Count()
    for _ in range(size.studies):
        alike, _ = draw(regime, n_seeds, rng, gap=0.0, n_examples=100)
        losses = [
            log_loss_scores(np.zeros(100, dtype=np.int64), _probabilities(steepness, arm.margins + shift))
            for arm, steepness, shift in ((alike.treatment, _SURE, further), (alike.baseline, _CALM, 0.0))
        ]
        claimed.add(crossed_test(*losses, paired=True).p_value <= ALPHA)
    return [FailureRates(failure="log loss, 100 examples", test="unequal tails", place=str(n_seeds), claimed=claimed)]


def _probabilities(steepness: float, margins: NDArray[np.floating]) -> NDArray[np.float64]:
    true = special.expit(steepness * margins.astype(np.float64))
    return np.stack([true, 1 - true], axis=-1)


def _mean_log_loss(steepness: float, middle: float) -> float:
    def density(score: float) -> float:
        return float(np.logaddexp(0, -steepness * score) * np.exp(-((score - middle) ** 2) / 2) / np.sqrt(2 * np.pi))

    return float(integrate.quad(density, middle - 9, middle + 9)[0])


def failure_jobs() -> list[tuple[Callable[..., list[FailureRates]], tuple[object, ...]]]:
    """Return every count of known failures, as a function and what it is called with before the size."""
    jobs: list[tuple[Callable[..., list[FailureRates]], tuple[object, ...]]] = []
    jobs += [(count_fragile, (regime, seeds)) for regime in FRAGILE for seeds in FAILURE_SEEDS]
    jobs += [
        (count_rare_predictions, (metric, predictions, seeds))
        for metric in METRICS
        for predictions in PREDICTIONS
        for seeds in FAILURE_SEEDS[:3]
    ]
    jobs += [(count_unpaired, (pair,)) for pair in UNPAIRED]
    jobs += [(count_log_loss, (seeds,)) for seeds in FAILURE_SEEDS]
    return jobs
