"""Published gaps: the claims of a study file beside the gaps that the study measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.records.manifest import Manifest
from analysis.study.claims_block import Claim
from analysis.study.comparison_result import ComparisonResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedGap:
    """One published gap beside the gap that the study measures.

    Parameters
    ----------
    source : str
        Where the figures come from.
    kind : {"check", "context"}
        ``"check"`` where the claim is about this model, data and number of examples; else ``"context"``.
    treatment, baseline : str
        The arms of the pair; empty where no comparison of the study has both arms of the claim.
    n : int
        The number of test examples that the published figures are computed on.
    printed : tuple of (str, str)
        The two figures as printed, the treatment's first.
    published_gap : float
        Treatment minus baseline; NaN without a pair.
    half_width : float
        How far rounding may have moved that gap, to each side.
    measured_gap : float
    interval : Interval
    verdict : str
        The study's gap with its verdict and the interval that belongs to the verdict, for new seeds and new examples;
        NaN and empty for context and without a pair.
    inside : bool or None
        Whether the published gap, with its rounding, reaches into the interval; None where not checked.
    reading : str
        What both gaps say together, or why this is context.
    """

    source: str
    kind: Literal["check", "context"]
    treatment: str
    baseline: str
    n: int
    printed: tuple[str, str]
    published_gap: float
    half_width: float
    measured_gap: float
    interval: Interval
    verdict: str
    inside: bool | None
    reading: str


def compare_published_gaps(
    claims: Sequence[Claim], manifest: Manifest, comparisons: Sequence[ComparisonResult], *, metric: str
) -> tuple[PublishedGap, ...]:
    """Compare every claim with the comparisons of the study.

    Parameters
    ----------
    claims : sequence of Claim
        The claims of the study.
    manifest : Manifest
        The study, for its model, data and number of test examples.
    comparisons : sequence of ComparisonResult
        The decided comparisons.
    metric : str
        What they compare; the claims are about accuracy.
    """
    gaps = []
    for claim in claims:
        mismatch = _mismatch(claim, manifest)
        if metric != "accuracy":
            compared = metric if manifest.data.score is None else manifest.data.score.name
            mismatch = "; ".join(filter(None, [mismatch, f"about accuracy; this study compares {compared}"]))
        pairs = [pair for pair in comparisons if {pair.treatment, pair.baseline} <= claim.accuracy.keys()]
        gaps += [_gap(claim, pair, mismatch) for pair in pairs]
        if not pairs:
            gaps.append(_without_a_pair(claim))
    return tuple(gaps)


def _mismatch(claim: Claim, manifest: Manifest) -> str:
    data, subset = manifest.data, manifest.study.get("data")
    named = f"{data.path}/{data.name}" if data.name else data.path
    reasons = []
    if claim.model != manifest.model_name:
        here = f"not {manifest.model_name}" if manifest.model_name else "and this study names none (model: in its plan)"
        reasons.append(f"about the model {claim.model}, {here}")
    if claim.data is not None and claim.data not in (data.path, data.name, named):
        reasons.append(f"about the data {claim.data}, not {named}")
    if claim.n != data.n_test:
        reasons.append(f"on {claim.n} test examples, not {data.n_test}")
    if data.n_drawn is not None:
        reasons.append(f"this study trains each seed on {data.n_drawn} examples of its own")
    elif isinstance(subset, dict) and subset.get("train_size") is not None:
        reasons.append(f"this study trains on a subset of {data.n_train} examples")
    if isinstance(subset, dict) and subset.get("test_fraction") is not None:
        reasons.append(f"this study draws its {data.n_test} test examples itself")
    return "; ".join(reasons)


def _gap(claim: Claim, pair: ComparisonResult, mismatch: str) -> PublishedGap:
    treatment, baseline = claim.accuracy[pair.treatment], claim.accuracy[pair.baseline]
    gap, half_width = (
        float(part) for part in (treatment.value - baseline.value, treatment.half_width + baseline.half_width)
    )
    checked = not mismatch and pair.result is not None
    interval = pair.verdict_interval if checked else NO_INTERVAL
    inside = None
    if not math.isnan(interval.low):
        inside = gap + half_width >= interval.low and gap - half_width <= interval.high
    return PublishedGap(
        source=claim.source,
        kind="context" if mismatch else "check",
        treatment=pair.treatment,
        baseline=pair.baseline,
        n=claim.n,
        printed=(treatment.printed, baseline.printed),
        published_gap=gap,
        half_width=half_width,
        measured_gap=pair.estimate if checked else math.nan,
        interval=interval,
        verdict="" if mismatch else pair.verdict.label,
        inside=inside,
        reading=mismatch or _interpretation(pair, gap=gap, half_width=half_width, inside=inside),
    )


def _interpretation(pair: ComparisonResult, *, gap: float, half_width: float, inside: bool | None) -> str:
    verdict = pair.verdict
    where = "" if inside is None else f"; the published gap lies {'inside' if inside else 'outside'} the interval"
    if not verdict.asked:
        return f"cannot be checked: {verdict.reason}"
    if not verdict.decided:
        return f"not settled by this study{where}"
    if not verdict.differs:
        return f"no gap that matters{where}"
    size = ", too small to matter" if verdict.within_margin else ""
    if abs(gap) <= half_width:
        return f"a real gap{size}; as published it has no clear direction{where}"
    direction = "the same" if (gap > 0) == (pair.estimate > 0) else "the opposite"
    return f"a real gap in {direction} direction{size}{where}"


def _without_a_pair(claim: Claim) -> PublishedGap:
    return PublishedGap(
        source=claim.source,
        kind="context",
        treatment="",
        baseline="",
        n=claim.n,
        printed=("", ""),
        published_gap=math.nan,
        half_width=math.nan,
        measured_gap=math.nan,
        interval=NO_INTERVAL,
        verdict="",
        inside=None,
        reading="this study compares no two of its arms",
    )
