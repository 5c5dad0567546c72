"""Multi-bootstrap: seeds and examples are resampled together, to see how the gap between two arms moves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.arm_scores import ArmScores, as_arm
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.methods.resamples import (
    Resampled,
    draw_counts,
    example_draws,
    in_form,
    percentile_limits,
    tail_size,
)
from analysis.methods.variance import ROUNDING

_NAN = float("nan")
# Relative rounding of a resample's t statistic, so that ties with the observed one count.
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiBootstrapResult:
    """The outcome of a multi-bootstrap. It generalises to new seeds and new examples of the same kind.

    Parameters
    ----------
    estimate : float
        Treatment minus baseline, in units of the score.
    bootstrap_se : float
        Standard deviation of the resampled estimates.
    percentile_interval : Interval
        Equal tails of the resampled estimates.
    p_percentile : float
        Two-sided: twice the smaller share of resampled estimates on either side of 0, the observed one counted
        in. At most ``1 - confidence`` exactly where the percentile interval leaves out 0.
    studentised_interval : Interval
        The estimate, plus and minus its crossed standard error times a quantile of the resampled |t|.
    p_studentised : float
        Two-sided: share of resamples whose |t| about the estimate is at least the observed |t|, the observed one
        counted in.
    confidence : float
        Of both intervals.
    resamples : int
    n_seeds : tuple of int
        Of the treatment and of the baseline.
    n_examples : int
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why a number above is NaN, or what is unusual; empty if there is nothing to say.
    """

    estimate: float
    bootstrap_se: float
    percentile_interval: Interval
    p_percentile: float
    studentised_interval: Interval
    p_studentised: float
    confidence: float
    resamples: int
    n_seeds: tuple[int, int]
    n_examples: int
    generalizes_to: str = "seeds and examples"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contrast:
    """Two arms with their observed difference, and what is resampled; None where nothing varies."""

    observed: CrossedResult
    size: float
    resampled: Resampled | None


def multi_bootstrap(
    treatment: ArrayLike,
    baseline: ArrayLike,
    *,
    paired: bool,
    rng: np.random.Generator,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> MultiBootstrapResult:
    """Bootstrap the difference of two arms' mean scores over seeds and examples at once.

    Each resample draws seeds and, apart from them, examples. The examples are the same in both arms, and so are
    paired seeds; independent seeds are drawn for each arm.

    Parameters
    ----------
    treatment : array_like, shape (S_t, N)
        Scores of the treatment, one row per seed and one column per example (or a cluster of examples).
    baseline : array_like, shape (S_b, N)
        Scores of the baseline on the same examples in the same order. If `paired`, with the same seeds in the
        same order.
    paired : bool
        Whether row ``s`` of both arms comes from the same seed.
    rng : numpy.random.Generator
        Source of the draws. The same state gives the same result.
    resamples : int
        At least ``2 / (1 - confidence) - 1``, so that each tail holds one.
    confidence : float
        Of both intervals, between 0 and 1, both excluded.

    Returns
    -------
    MultiBootstrapResult
        Generalises to new seeds and new examples. With one seed in an arm, or one example, there is an estimate
        and nothing else. If no score varies at all, p is 1 where the arms agree and NaN where they do not.

    Raises
    ------
    ValueError
        If an array is not two-dimensional and finite, if the shapes do not match, or if `resamples` or
        `confidence` are outside their range.

    See Also
    --------
    bootstrap_study : Several comparisons with the same draws.
    multi_bootstrap_metric : For metrics of the confusion matrix.
    crossed_test : Without resampling.

    Notes
    -----
    The variance of the resampled estimates is known: with the row effects a, the column effects b and the rest e
    of the differences it is ``sum(a^2)/S^2 + sum(b^2)/N^2 + sum(e^2)/(S*N)^2``. Its expectation holds the share of
    the rest up to three times over, and with few seeds the first sum is too small by ``(S-1)/S``: the percentile
    interval is too wide where the rest dominates, and too narrow with a handful of noisy seeds. The studentised
    interval divides each resample by its own crossed standard error, with the formula that `crossed_test` uses
    for these two arms alone (the independent one below eight paired seeds), and repairs most of both. It pools
    nothing: in a study of three arms or more the primary test has another standard error.

    References
    ----------
    Sellam et al. (2022), "The MultiBERTs", ICLR, section 3. Owen (2007), "The pigeonhole bootstrap", Annals of
    Applied Statistics 1, 386-411. Hall (1988), "On symmetric bootstrap confidence intervals", JRSS B 50,
    35-45. Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2 (adding one).

    Examples
    --------
    >>> treatment = [[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]
    >>> baseline = [[1, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]]
    >>> result = multi_bootstrap(treatment, baseline, paired=True, rng=np.random.default_rng(0), resamples=2000)
    >>> low, high = result.percentile_interval
    >>> f"{result.estimate:.3f}, from {low:.2f} to {high:.2f}"
    '0.375, from 0.04 to 0.75'
    """
    tail_size(resamples, confidence)
    contrast = _contrast(treatment, baseline, paired=paired)
    if contrast.resampled is None:
        return _unvarying(contrast, resamples, confidence)
    S_t, S_b = contrast.observed.n_seeds
    W_t = draw_counts(rng, resamples, S_t)
    W_b = W_t if paired else draw_counts(rng, resamples, S_b)
    (result,) = _bootstrap([contrast], [(W_t, W_b)], rng, confidence)
    return result


def bootstrap_study(
    arms: Mapping[str, ArrayLike | ArmScores],
    comparisons: Sequence[tuple[str, str]],
    *,
    paired: bool = True,
    rng: np.random.Generator,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> dict[tuple[str, str], MultiBootstrapResult]:
    """Bootstrap several comparisons of one study with the same draws of seeds and examples.

    Parameters
    ----------
    arms : mapping of str to array_like, shape (S, N)
        Scores by arm; column ``i`` of all arms comes from the same example and, if `paired`, row ``s`` from the same
        seed. Else every arm has as many rows as it has seeds.
    comparisons : sequence of tuple of str
        Treatment and baseline of each comparison.
    paired : bool
        Whether the arms share their seeds. If not, the seeds of each arm are drawn apart.
    rng : numpy.random.Generator
        Source of the draws. The same state gives the same result, and the one that `multi_bootstrap` gives for
        a single comparison.
    resamples : int
        At least ``2 / (1 - confidence) - 1``.
    confidence : float
        Of all intervals, between 0 and 1, both excluded.

    Returns
    -------
    dict of tuple of str to MultiBootstrapResult
        By comparison. Each generalises to new seeds and new examples.

    Raises
    ------
    ValueError
        If a comparison names an arm that is not there, if the arms differ in shape, or for the reasons given at
        `multi_bootstrap`.

    References
    ----------
    Sellam et al. (2022), "The MultiBERTs", ICLR, section 3.
    """
    tail_size(resamples, confidence)
    unknown = sorted({name for pair in comparisons for name in pair} - set(arms))
    if unknown:
        raise ValueError(f"comparisons name arms that are not there: {unknown}; there are {sorted(arms)}")
    scores = {name: as_arm(arms[name]) for pair in comparisons for name in pair}
    shapes = {name: y.shape for name, y in scores.items()}
    if len({shape if paired else shape[1:] for shape in shapes.values()}) > 1:
        raise ValueError(f"all arms need the same {'seeds and ' if paired else ''}examples, got shapes {shapes}")
    contrasts = {pair: _contrast(scores[pair[0]], scores[pair[1]], paired=paired) for pair in comparisons}
    varying = {pair: contrast for pair, contrast in contrasts.items() if contrast.resampled is not None}
    results = {pair: _unvarying(contrast, resamples, confidence) for pair, contrast in contrasts.items()}
    if varying:
        names = dict.fromkeys(name for pair in varying for name in pair)
        if paired:
            drawn = dict.fromkeys(names, draw_counts(rng, resamples, next(iter(shapes.values()))[0]))
        else:
            drawn = {name: draw_counts(rng, resamples, shapes[name][0]) for name in names}
        weights = [(drawn[treatment], drawn[baseline]) for treatment, baseline in varying]
        results.update(zip(varying, _bootstrap(list(varying.values()), weights, rng, confidence), strict=True))
    return results


def _contrast(treatment: ArrayLike | ArmScores, baseline: ArrayLike | ArmScores, *, paired: bool) -> _Contrast:
    arm_t, arm_b = as_arm(treatment), as_arm(baseline)
    observed = crossed_test(arm_t, arm_b, paired=paired)
    size = max(arm_t.size, arm_b.size)
    resampled = None
    if observed.standard_error > 0:
        resampled = in_form([arm_t.y - arm_b.y] if observed.design == "A" else [arm_t.y, arm_b.y], size)
    return _Contrast(observed=observed, size=size, resampled=resampled)


def _bootstrap(
    contrasts: Sequence[_Contrast],
    weights: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    rng: np.random.Generator,
    confidence: float,
) -> list[MultiBootstrapResult]:
    """Resample all contrasts with the same examples; the weights are the counts of both arms' seeds, by contrast."""
    B = len(weights[0][0])
    forms = [contrast.resampled for contrast in contrasts if contrast.resampled is not None]
    # Row 0: resampled less observed difference. Row 1: variance of the resampled difference.
    replicates = np.empty((len(contrasts), 2, B))
    for rows, V in example_draws(rng, B, forms[0].n_examples, np.result_type(*(form.dtype for form in forms)).type):
        for drawn, form, arms in zip(replicates, forms, weights, strict=True):
            drawn[:, rows] = form.replicates([W[rows] for W in arms[: len(form.sources)]], V)
    return [
        _result(contrast, shifts, np.sqrt(variances), confidence)
        for contrast, (shifts, variances) in zip(contrasts, replicates, strict=True)
    ]


def _result(
    contrast: _Contrast, shifts: NDArray[np.float64], errors: NDArray[np.float64], confidence: float
) -> MultiBootstrapResult:
    observed, B = contrast.observed, len(shifts)
    still = int(np.count_nonzero(errors == 0))
    # A resample in which nothing varies has no t. It counts as extreme, which only widens the interval.
    t = np.divide(np.abs(shifts), errors, out=np.full(B, np.inf), where=errors > 0)
    kept = math.ceil(round((B + 1) * confidence, 9))
    half = float(np.partition(t, kept - 1)[kept - 1]) * observed.standard_error
    reasons = [f"nothing varies in {still} of {B} resamples: they count as extreme"] if still else []
    if math.isinf(half):
        reasons.append("too many resamples without variation for a studentised interval")
        half = _NAN
    interval, p_percentile = percentile_limits(observed.estimate + shifts, confidence, ROUNDING * contrast.size)
    extreme = np.count_nonzero(t >= abs(observed.statistic) * (1 - _TIE))
    return MultiBootstrapResult(
        estimate=observed.estimate,
        bootstrap_se=float(shifts.std(ddof=1)),
        percentile_interval=interval,
        p_percentile=p_percentile,
        studentised_interval=Interval(observed.estimate - half, observed.estimate + half),
        p_studentised=float((extreme + 1) / (B + 1)),
        confidence=confidence,
        resamples=B,
        n_seeds=observed.n_seeds,
        n_examples=observed.n_examples,
        reason="; ".join(reasons),
    )


def _unvarying(contrast: _Contrast, resamples: int, confidence: float) -> MultiBootstrapResult:
    observed = contrast.observed
    known = observed.standard_error == 0
    return MultiBootstrapResult(
        estimate=observed.estimate,
        bootstrap_se=0.0 if known else _NAN,
        percentile_interval=NO_INTERVAL,
        p_percentile=observed.p_value,
        studentised_interval=NO_INTERVAL,
        p_studentised=observed.p_value,
        confidence=confidence,
        resamples=resamples,
        n_seeds=observed.n_seeds,
        n_examples=observed.n_examples,
        reason="nothing varies, so there is no interval" if known else observed.reason,
    )
