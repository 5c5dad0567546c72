"""Simulated studies: two arms, runs that vary with their seeds, and a truth that is known.

A run is right on an example when a normal score lies above a threshold. The score is made of the example, of what
the arm makes of the example, of the run's seed, and of what is left over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

N_EXAMPLES = 872
# Turns a margin into the probability of the true class; about the slope at which the two agree.
_STEEPNESS = 1.7


@dataclass(frozen=True, kw_only=True)
class Regime:
    """A way in which two arms that are equally good on average can differ.

    Parameters
    ----------
    name : str
        In words, for the tables.
    seed_sd : float
        Standard deviation over seeds of a run's accuracy.
    noisier : float
        How many times larger that is in one arm.
    noisier_arm : int
        Which one: 0 for the first treatment, -1 for the baseline.
    skewed : bool
        Whether the first treatment's seeds are mostly a little lucky and seldom far off (one less an exponential).
    correlation : float
        Of any two arms' seed effects, where the seeds are shared.
    among_treatments : float or None
        The same between treatments, where they share other luck among themselves than with the baseline.
    by_example : float
        Share of the score's variance that is the arm's own on each example.
    left_over : float
        Share that changes from seed to seed and example to example.
    collapse : float
        Share of the first treatment's runs that collapse, with its mean accuracy unchanged.
    collapsed_accuracy : float
        That of a run that collapses.
    accuracy : float
        Mean accuracy of both arms.
    class_shares : tuple of float
        Shares of the classes among the examples.
    """

    name: str
    seed_sd: float = 0.008
    noisier: float = 1.0
    noisier_arm: int = 0
    skewed: bool = False
    correlation: float = 0.0
    among_treatments: float | None = None
    by_example: float = 0.06
    left_over: float = 0.06
    collapse: float = 0.0
    collapsed_accuracy: float = 0.5
    accuracy: float = 0.88
    class_shares: tuple[float, ...] = (0.5, 0.5)

    @property
    def promised(self) -> bool:
        """Whether the crossed test promises its level here: arms alike over seeds, and no run that collapses."""
        alike = self.noisier == 1.0 and self.among_treatments is None and self.correlation >= 0
        return alike and self.collapse == 0.0

    def seed_sds(self, n_arms: int) -> NDArray[np.float64]:
        """Return the standard deviation over seeds of each arm's accuracy; the last arm is the baseline."""
        sds = np.full(n_arms, self.seed_sd)
        sds[self.noisier_arm] *= self.noisier
        return sds

    def seed_correlations(self, n_arms: int) -> NDArray[np.float64]:
        """Return the correlation of every two arms' seed effects."""
        correlations = np.full((n_arms, n_arms), self.correlation)
        if self.among_treatments is not None:
            correlations[:-1, :-1] = self.among_treatments
        np.fill_diagonal(correlations, 1.0)
        return correlations

    def sound_accuracy(self, gap: float) -> float:
        """Return the accuracy of the first treatment's runs that do not collapse, for a mean that is `gap` higher."""
        return (self.accuracy + gap - self.collapsed_accuracy * self.collapse) / (1 - self.collapse)


REGIMES = (
    Regime(name="no seed effect", seed_sd=0.0),
    Regime(name="mild seed effect"),
    Regime(name="strong seed effect", seed_sd=0.018),
    Regime(name="very strong seed effect", seed_sd=0.04),
    Regime(name="arms alike on every example", by_example=0.0),
    Regime(name="arms differ by example", by_example=0.25),
    Regime(name="seeds shared, correlation .5", seed_sd=0.018, correlation=0.5),
    Regime(name="accuracy .60", accuracy=0.60),
    Regime(name="accuracy .97", accuracy=0.97, seed_sd=0.004),
    Regime(name="four classes", class_shares=(0.25, 0.25, 0.25, 0.25)),
    Regime(name="rare class, 5%", class_shares=(0.95, 0.05)),
    Regime(name="one arm three times noisier", seed_sd=0.018, noisier=3.0),
    Regime(name="one arm collapses in a tenth of its runs", collapse=0.1),
)
"""The regimes of docs/calibration.md. In the last two the crossed test promises nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedArm:
    """The runs of one arm.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        True classes.
    n_classes : int
    margins : ndarray, shape (S, N)
        Above 0 where the run is right.
    wrong : ndarray of int, shape (S, N)
        The class that each run says where it is not right.
    """

    labels: NDArray[np.int64]
    n_classes: int
    margins: NDArray[np.float32]
    wrong: NDArray[np.int64]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each run is right on each example."""
        return np.asarray(self.margins > 0)

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """What each run says."""
        return np.where(self.right, self.labels, self.wrong)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Class probabilities, shape (S, N, 2); for two classes only."""
        true = special.expit(_STEEPNESS * self.margins.astype(np.float64))
        first = np.where(self.labels == 0, true, 1 - true)
        return np.stack([first, 1 - first], axis=-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedStudy:
    """Two arms on the same examples, with the same seeds."""

    treatment: SimulatedArm
    baseline: SimulatedArm

    @property
    def right(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each run of the treatment, and of the baseline, is right on each example."""
        return self.treatment.right, self.baseline.right


def draw(
    regime: Regime, n_seeds: int, rng: np.random.Generator, *, gap: float, n_examples: int = N_EXAMPLES
) -> tuple[SimulatedStudy, SimulatedStudy]:
    """Draw one study in which nothing is different, and the same study with a true gap in accuracy.

    Parameters
    ----------
    regime : Regime
    n_seeds : int
        Runs of each arm.
    rng : numpy.random.Generator
    gap : float
        True accuracy of the treatment minus that of the baseline in the second study.
    n_examples : int

    Returns
    -------
    tuple of SimulatedStudy
        With the same examples, seeds and baseline.
    """
    treatment, baseline = _scores(regime, n_seeds, rng, n_arms=2, n_examples=n_examples)
    collapsed = rng.random((n_seeds, 1)) < regime.collapse
    n_classes = len(regime.class_shares)
    labels, (wrong_t, wrong_b) = _labels(regime, rng, (2, n_seeds, n_examples))
    against = SimulatedArm(
        labels=labels,
        n_classes=n_classes,
        margins=baseline + np.float32(special.ndtri(regime.accuracy)),
        wrong=wrong_b,
    )

    def study(true_gap: float) -> SimulatedStudy:
        margins = treatment + _thresholds(regime, collapsed, true_gap)
        arm = SimulatedArm(labels=labels, n_classes=n_classes, margins=margins, wrong=wrong_t)
        return SimulatedStudy(treatment=arm, baseline=against)

    return study(0.0), study(gap)


def draw_arms(
    regime: Regime, n_seeds: int, rng: np.random.Generator, *, gaps: Sequence[float], n_examples: int = N_EXAMPLES
) -> list[NDArray[np.bool_]]:
    """Draw several treatments and the baseline that all of them are compared with.

    Parameters
    ----------
    regime : Regime
        What it says of one arm holds for the first treatment.
    n_seeds : int
        Runs of each arm.
    rng : numpy.random.Generator
    gaps : sequence of float
        True accuracy of each treatment minus that of the baseline.
    n_examples : int

    Returns
    -------
    list of ndarray, shape (S, N)
        Whether each run is right: the treatments, and then the baseline.
    """
    first, *others = _scores(regime, n_seeds, rng, n_arms=len(gaps) + 1, n_examples=n_examples)
    collapsed = rng.random((n_seeds, 1)) < regime.collapse
    right = [first > -_thresholds(regime, collapsed, gaps[0])]
    for score, gap in zip(others, (*gaps[1:], 0.0), strict=True):
        right.append(score > -np.float32(special.ndtri(regime.accuracy + gap)))
    return right


def draw_labelled(regime: Regime, n_seeds: int, rng: np.random.Generator, *, n_arms: int) -> list[SimulatedArm]:
    """Draw equally good arms with the class that each run says; the last is the baseline.

    Parameters
    ----------
    regime : Regime
    n_seeds : int
        Runs of each arm.
    rng : numpy.random.Generator
    n_arms : int
    """
    scores = _scores(regime, n_seeds, rng, n_arms=n_arms, n_examples=N_EXAMPLES)
    labels, wrong = _labels(regime, rng, scores.shape)
    margins = scores + np.float32(special.ndtri(regime.accuracy))
    n_classes = len(regime.class_shares)
    return [
        SimulatedArm(labels=labels, n_classes=n_classes, margins=arm, wrong=says)
        for arm, says in zip(margins, wrong, strict=True)
    ]


def _labels(
    regime: Regime, rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the true classes, and the class that each run says where it is not right."""
    n_classes, n_examples = len(regime.class_shares), shape[-1]
    labels = np.searchsorted(np.cumsum(regime.class_shares), (np.arange(n_examples) + 0.5) / n_examples)
    offset = np.ones(shape, dtype=np.int64) if n_classes == 2 else rng.integers(1, n_classes, shape)
    return labels, (labels + offset) % n_classes


def _thresholds(regime: Regime, collapsed: NDArray[np.bool_], gap: float) -> NDArray[np.float32]:
    fallen, sound = special.ndtri([regime.collapsed_accuracy, regime.sound_accuracy(gap)])
    return np.asarray(np.where(collapsed, fallen, sound), dtype=np.float32)


def seed_shifts(regime: Regime, n_arms: int) -> NDArray[np.float64]:
    """Return the standard deviation of each arm's seed effect, in units of the score."""
    # The density at the threshold turns a small shift of the score into one of accuracy.
    density = math.exp(-(float(special.ndtri(regime.accuracy)) ** 2) / 2) / math.sqrt(2 * math.pi)
    return regime.seed_sds(n_arms) / density


def _scores(
    regime: Regime, n_seeds: int, rng: np.random.Generator, *, n_arms: int, n_examples: int
) -> NDArray[np.float32]:
    """Draw standard normal scores, shape (arms, S, N); the last arm is the baseline."""
    shift = seed_shifts(regime, n_arms)
    g = np.linalg.cholesky(regime.seed_correlations(n_arms)) @ rng.standard_normal((n_arms, n_seeds))
    if regime.skewed:
        g[0] = 1 - rng.standard_exponential(n_seeds)

    def normal(variance: float, *shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(variance))

    score = normal(1 - regime.by_example - regime.left_over, n_examples)
    score = score + normal(regime.by_example, n_arms, 1, n_examples)
    score = score + normal(regime.left_over, n_arms, n_seeds, n_examples)
    score += (shift[:, None] * g).astype(np.float32)[:, :, None]
    # The seed's share widens the score; without this the mean accuracy would fall with it.
    return np.asarray(score / np.sqrt(1 + shift**2).astype(np.float32)[:, None, None], dtype=np.float32)
