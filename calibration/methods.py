"""Methods under test: each as one function of a simulated study, so that all of them can be counted alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.methods.bca import bca_interval
from analysis.methods.bootstrap import MultiBootstrapResult, multi_bootstrap
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.methods.label_permutation import label_permutation
from analysis.methods.mcnemar import McNemarResult, mcnemar
from analysis.methods.over_seeds import PairedTResult, paired_t, wilcoxon
from analysis.methods.predictive_values import weighted_generalized_score
from analysis.methods.proportions import newcombe_interval, tango_interval
from analysis.methods.sign_flip import sign_flip
from analysis.metrics.auroc import auroc_scores
from analysis.metrics.calibration_error import brier_scores, log_loss_scores
from analysis.metrics.confusion_metrics import confusion_metric
from analysis.metrics.influence import confusion_scores
from calibration.regimes import SimulatedArm, SimulatedStudy

LEVELS = (0.05, 0.00625)
"""The levels at which rejections are counted: one comparison, and the strictest of eight."""

RESAMPLES = 499

N_SEEDS = (2, 3, 5, 10, 20)
_FROM_THREE = (3, 5, 10, 20)
_FEWER = (3, 5, 10)
# A method for one run of each arm sees the first of them, however many there are.
_ONE_RUN = (5,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a method says about one simulated study.

    Parameters
    ----------
    p_value : float
        NaN where the method refuses.
    interval : Interval
        Its 95% interval; NaN where it has none.
    """

    p_value: float
    interval: Interval = NO_INTERVAL


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method under test.

    Parameters
    ----------
    name : str
        For the tables.
    population : str
        What it generalises to.
    answer : callable
        From a study, and a generator for what is resampled, to an answer.
    resampling : bool
        Whether it resamples, and so is counted on fewer studies.
    two_classes : bool
        Whether it needs the classes to be two.
    seeds : tuple of int
        The numbers of seeds at which it is counted.
    """

    name: str
    population: str
    answer: Callable[[SimulatedStudy, np.random.Generator], Answer]
    resampling: bool = False
    two_classes: bool = False
    seeds: tuple[int, ...] = N_SEEDS


# Several answers read one result, and both studies of a draw share their baseline: what was worked out last is kept.
@lru_cache(maxsize=4)
def _crossed(study: SimulatedStudy) -> CrossedResult:
    treatment, baseline = study.right
    return crossed_test(treatment, baseline, paired=True)


def _by_design(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    result = _crossed(study)
    return Answer(p_value=result.p_value, interval=result.interval())


def _other_design(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=_crossed(study).other_p_value)


def _counts(study: SimulatedStudy) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    treatment, baseline = study.right
    return treatment.sum(axis=1), baseline.sum(axis=1)


def _paired_t(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    treatment, baseline = (right.mean(axis=1) for right in study.right)
    result: PairedTResult = paired_t(treatment, baseline)
    return Answer(p_value=result.p_value, interval=result.interval())


def _wilcoxon(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=wilcoxon(*_counts(study)).p_value)


def _sign_flip(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=sign_flip(*_counts(study), n_examples=len(study.baseline.labels)).p_value)


def _label_permutation(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=label_permutation(*_counts(study), n_examples=len(study.baseline.labels)).p_value)


def _one_run(study: SimulatedStudy) -> McNemarResult:
    treatment, baseline = study.right
    return mcnemar(treatment[0], baseline[0])


def _mcnemar_exact(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=_one_run(study).p_exact)


def _mcnemar_mid(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    return Answer(p_value=_one_run(study).p_mid)


def _excludes_zero(limits: Callable[[float], Interval]) -> Answer:
    """Read an interval as a test: the smallest of the counted levels at which it leaves out 0."""
    at_levels = [(level, limits(1 - level)) for level in LEVELS]
    out = [level for level, (low, high) in at_levels if not low <= 0 <= high]
    return Answer(p_value=min(out, default=1.0), interval=at_levels[0][1])


def _newcombe(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    treatment, baseline = (right[0] for right in study.right)
    table = (
        int(np.count_nonzero(treatment & baseline)),
        int(np.count_nonzero(treatment & ~baseline)),
        int(np.count_nonzero(~treatment & baseline)),
        int(np.count_nonzero(~treatment & ~baseline)),
    )

    def limits(confidence: float) -> Interval:
        interval = newcombe_interval(*table, confidence=confidence)
        return Interval(interval.low, interval.high)

    return _excludes_zero(limits)


def _tango(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    one = _one_run(study)

    def limits(confidence: float) -> Interval:
        interval = tango_interval(one.only_treatment, one.only_baseline, n=one.n, confidence=confidence)
        return Interval(interval.low, interval.high)

    return _excludes_zero(limits)


def _predictive_value(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
    treatment, baseline = study.treatment.predictions[0], study.baseline.predictions[0]
    result = weighted_generalized_score(study.baseline.labels, treatment, baseline, positive=1)
    return Answer(p_value=result.precision.p_value)


@lru_cache(maxsize=4)
def _bootstrapped(study: SimulatedStudy, rng: np.random.Generator) -> MultiBootstrapResult:
    treatment, baseline = study.right
    return multi_bootstrap(treatment, baseline, paired=True, rng=rng, resamples=RESAMPLES)


def _percentile(study: SimulatedStudy, rng: np.random.Generator) -> Answer:
    result = _bootstrapped(study, rng)
    return Answer(p_value=result.p_percentile, interval=result.percentile_interval)


def _studentised(study: SimulatedStudy, rng: np.random.Generator) -> Answer:
    result = _bootstrapped(study, rng)
    return Answer(p_value=result.p_studentised, interval=result.studentised_interval)


def _bca(study: SimulatedStudy, rng: np.random.Generator) -> Answer:
    treatment, baseline = study.right
    d = treatment[0].astype(np.float64) - baseline[0]

    def limits(confidence: float) -> Interval:
        interval = bca_interval(d, rng=rng, resamples=RESAMPLES, confidence=confidence)
        return Interval(interval.low, interval.high)

    return _excludes_zero(limits)


Scoring = Callable[[SimulatedArm], NDArray[np.float64]]


def _by_metric(scoring: Scoring) -> Callable[[SimulatedStudy, np.random.Generator], Answer]:
    scored = lru_cache(maxsize=4)(scoring)

    def answer(study: SimulatedStudy, _rng: np.random.Generator) -> Answer:
        treatment, baseline = scored(study.treatment), scored(study.baseline)
        if not (np.isfinite(treatment[:, 0]).all() and np.isfinite(baseline[:, 0]).all()):
            return Answer(p_value=math.nan)
        return Answer(p_value=crossed_test(treatment, baseline, paired=True).p_value)

    return answer


def _confusion(name: str) -> Callable[[SimulatedStudy, np.random.Generator], Answer]:
    return _by_metric(
        lambda arm: confusion_scores(confusion_metric(name, n_classes=arm.n_classes), arm.labels, arm.predictions)
    )


BOTH, SEEDS, EXAMPLES = "seeds and examples", "seeds", "examples"

METHODS = (
    Method(name="crossed t", population=BOTH, answer=_by_design),
    Method(name="crossed t, other design", population=BOTH, answer=_other_design),
    Method(name="multi-bootstrap, percentile", population=BOTH, answer=_percentile, resampling=True, seeds=_FROM_THREE),
    Method(
        name="multi-bootstrap, studentised", population=BOTH, answer=_studentised, resampling=True, seeds=_FROM_THREE
    ),
    Method(name="paired t", population=SEEDS, answer=_paired_t, seeds=_FROM_THREE),
    Method(name="Wilcoxon", population=SEEDS, answer=_wilcoxon, seeds=_FROM_THREE),
    Method(name="sign-flip", population=SEEDS, answer=_sign_flip, seeds=_FROM_THREE),
    Method(name="label permutation", population=SEEDS, answer=_label_permutation, seeds=_FROM_THREE),
    Method(name="McNemar, exact", population=EXAMPLES, answer=_mcnemar_exact, seeds=_ONE_RUN),
    Method(name="McNemar, mid-p", population=EXAMPLES, answer=_mcnemar_mid, seeds=_ONE_RUN),
    Method(name="Newcombe", population=EXAMPLES, answer=_newcombe, seeds=_ONE_RUN),
    Method(name="Tango", population=EXAMPLES, answer=_tango, seeds=_ONE_RUN),
    Method(name="BCa", population=EXAMPLES, answer=_bca, resampling=True, seeds=_ONE_RUN),
    Method(name="score test of precision", population=EXAMPLES, answer=_predictive_value, seeds=_ONE_RUN),
    Method(name="precision", population=BOTH, answer=_confusion("precision:1"), seeds=_FEWER),
    Method(name="recall", population=BOTH, answer=_confusion("recall:1"), seeds=_FEWER),
    Method(name="F1", population=BOTH, answer=_confusion("f1:1"), seeds=_FEWER),
    Method(name="macro-F1", population=BOTH, answer=_confusion("macro_f1"), seeds=_FEWER),
    Method(name="balanced accuracy", population=BOTH, answer=_confusion("balanced_accuracy"), seeds=_FEWER),
    Method(name="MCC", population=BOTH, answer=_confusion("mcc"), seeds=_FEWER),
    Method(
        name="log loss",
        population=BOTH,
        answer=_by_metric(lambda arm: log_loss_scores(arm.labels, arm.probabilities)),
        two_classes=True,
        seeds=_FEWER,
    ),
    Method(
        name="Brier",
        population=BOTH,
        answer=_by_metric(lambda arm: brier_scores(arm.labels, arm.probabilities)),
        two_classes=True,
        seeds=_FEWER,
    ),
    Method(
        name="AUROC",
        population=BOTH,
        answer=_by_metric(lambda arm: auroc_scores(arm.labels, arm.probabilities[..., 1], positive=1)),
        two_classes=True,
        seeds=_FEWER,
    ),
)
