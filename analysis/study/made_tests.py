"""Tests of a comparison one by one: what each is called, its p-value, and what it speaks about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.methods.crossed import CrossedResult
from analysis.methods.crossed_design import design_of
from analysis.methods.outperforming import OutperformingResult
from analysis.study.comparisons import ComparisonResult

PAIRED = "crossed t, paired seeds"
INDEPENDENT = "crossed t, independent seeds"
TWO_ALONE = "crossed t, two arms alone"
BY_SOURCE = "crossed t, seeds by source"
UNPAIRED = "crossed t, unpaired"
EQUIVALENCE = "equivalence"
MCNEMAR = "McNemar, each seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTest:
    """One test of one comparison. A number that the test does not have is NaN.

    Parameters
    ----------
    pair : ComparisonResult
        The comparison.
    name : str
        What the tables call the test.
    generalizes_to : str
        The population that it speaks about; empty where it could not be made.
    gap : float
        Treatment minus baseline.
    p_value, corrected_p : float
        Before the correction over the comparisons, and after it; only the tests that a verdict rests on are corrected.
    statistic, df : float
        Of a t-test.
    design : str
        The design of a crossed test; else empty.
    seed : int or None
        Of a test about the two models with this seed alone; None for all seeds together.
    percentile_p : float
        What the percentile interval of a bootstrap says, beside the studentised one.
    resamples : int or None
        How often a bootstrap resampled.
    floor : float
        The smallest p-value that a permutation test can give.
    won : OutperformingResult or None
        In how many of the seeds the treatment is better, beside a test over seeds.
    remark : str
        Why there is no p-value, what is unusual, or how it differs from the primary test; else empty.
    """

    pair: ComparisonResult
    name: str
    generalizes_to: str
    gap: float = math.nan
    p_value: float = math.nan
    corrected_p: float = math.nan
    statistic: float = math.nan
    df: float = math.nan
    design: str = ""
    seed: int | None = None
    percentile_p: float = math.nan
    resamples: int | None = None
    floor: float = math.nan
    won: OutperformingResult | None = None
    remark: str = ""


def primary_test_name(result: CrossedResult | None) -> str:
    """Name the primary test by what it does with the seeds; ``none`` where it could not be made."""
    if result is None:
        return "none"
    if not result.paired:
        return UNPAIRED
    if result.n_arms > 2:
        return f"crossed t, pooled over {result.n_arms} arms"
    return {"A": PAIRED, "B": INDEPENDENT, "C": BY_SOURCE}[result.design]


def made_tests(pair: ComparisonResult) -> Iterator[MadeTest]:
    """Give every test of a comparison, the two that its verdict rests on first.

    Parameters
    ----------
    pair : ComparisonResult
        The comparison. Where its primary test could not be made, that is the only one, without numbers.
    """
    result, same, bootstrap = pair.result, pair.equivalence, pair.bootstrap
    name = primary_test_name(result)
    if result is None or same is None:
        yield MadeTest(pair=pair, name=name, generalizes_to="", remark=pair.verdict.reason)
        return
    yield MadeTest(
        pair=pair,
        name=name,
        generalizes_to=result.generalizes_to,
        gap=result.estimate,
        p_value=result.p_value,
        corrected_p=pair.difference_p,
        statistic=result.statistic,
        df=result.df,
        design=result.design,
        remark=result.reason,
    )
    yield MadeTest(
        pair=pair,
        name=EQUIVALENCE,
        generalizes_to=same.generalizes_to,
        gap=result.estimate,
        p_value=same.p_value,
        corrected_p=pair.equivalence_p,
        df=result.df,
        design=result.design,
    )
    if bootstrap is not None:
        if result.paired:
            yield from _without_pooling(pair, result)
        yield MadeTest(
            pair=pair,
            name="multi-bootstrap",
            generalizes_to=bootstrap.generalizes_to,
            gap=bootstrap.estimate,
            p_value=bootstrap.p_studentised,
            percentile_p=bootstrap.p_percentile,
            resamples=bootstrap.resamples,
            remark=bootstrap.reason,
        )
        yield from _over_seeds(pair)
    for seed, test in zip(pair.seeds, pair.mcnemar, strict=False):
        yield MadeTest(
            pair=pair,
            name=MCNEMAR,
            generalizes_to=test.generalizes_to,
            gap=test.estimate,
            p_value=test.p_exact,
            seed=seed,
        )


def _over_seeds(pair: ComparisonResult) -> Iterator[MadeTest]:
    """Give the test by rearranging what was seen: signs of pairs, or runs that are not paired."""
    for name, test in (("sign-flip", pair.sign_flip), ("label permutation", pair.label_permutation)):
        if test is not None:
            yield MadeTest(
                pair=pair,
                name=name,
                generalizes_to=test.generalizes_to,
                gap=test.estimate,
                p_value=test.p_value,
                floor=test.floor,
                won=pair.outperforming,
                remark=test.reason,
            )


def _without_pooling(pair: ComparisonResult, result: CrossedResult) -> Iterator[MadeTest]:
    """Give what the two arms show by themselves, by both designs; few pairs are judged as independent seeds anyway."""
    other = "the other design"
    rows: list[tuple[str, str, float, str]]
    if result.n_arms > 2:
        alone = design_of(n_seeds=min(result.n_seeds))
        as_what = "as paired seeds" if alone == "A" else "as independent seeds"
        rows = [(TWO_ALONE, alone, result.pairwise_p_value, as_what)]
        if alone == "A":
            rows.append((INDEPENDENT, "B", result.other_p_value, other))
    else:
        name, design = (INDEPENDENT, "B") if result.design == "A" else (PAIRED, "A")
        rows = [(name, design, result.other_p_value, other)]
    for name, design, p_value, remark in rows:
        yield MadeTest(
            pair=pair,
            name=name,
            generalizes_to=result.generalizes_to,
            gap=result.estimate,
            p_value=p_value,
            design=design,
            remark=remark,
        )
