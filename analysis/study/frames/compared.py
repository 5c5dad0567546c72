"""Columns that several frames of comparisons have: the two arms, the answer, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.study.class_comparisons import ClassComparison
from analysis.study.comparison_result import ComparisonResult
from analysis.study.frames.columns import Column, count, flag, limits, note, number, text
from analysis.study.made_tests import primary_test_name

Compared = Sequence[ComparisonResult] | Sequence[ClassComparison]


def arms_of(rows: Compared) -> tuple[Column, ...]:
    """Return the two arms of each comparison; every gap is that of the treatment minus that of the baseline."""
    return text("treatment", [row.treatment for row in rows]), text("baseline", [row.baseline for row in rows])


def answers(rows: Compared) -> tuple[Column, ...]:
    """Return gap, interval, verdict and p-values of each comparison, what they rest on, and why there are none."""
    results = [row.result for row in rows]
    asked = [row.verdict.asked for row in rows]
    return (
        number("gap", [row.estimate for row in rows]),
        *limits(row.verdict_interval for row in rows),
        number("confidence", [row.verdict_confidence for row in rows]),
        text("verdict", [row.verdict.label for row in rows]),
        flag("differs", [row.verdict.differs if row.verdict.asked else None for row in rows]),
        flag("within_margin", [row.verdict.within_margin if row.verdict.asked else None for row in rows]),
        number("p", [one.p_value if one and ask else None for one, ask in zip(results, asked, strict=True)]),
        number("p_difference", [row.difference_p for row in rows]),
        number("p_equivalence", [row.equivalence_p for row in rows]),
        number("standard_error", [one.standard_error if one else None for one in results]),
        number("df", [one.df if one else None for one in results]),
        *rests_on(rows),
        note("reason", [row.verdict.reason or row.reason for row in rows]),
    )


def rests_on(rows: Compared) -> tuple[Column, ...]:
    """Return the primary test of each comparison, its numbers of seeds and examples, and its population."""
    results = [row.result for row in rows]
    return (
        text("test", [primary_test_name(one) for one in results]),
        text("design", [one.design if one else None for one in results]),
        count("n_arms", [one.n_arms if one else None for one in results]),
        *sizes(rows),
        note("generalizes_to", [one.generalizes_to if one else None for one in results]),
    )


def sizes(rows: Compared) -> tuple[Column, ...]:
    """Return the numbers of seeds, test examples and clusters of each comparison."""
    return (
        count("n_seeds_treatment", [row.n_seeds[0] for row in rows]),
        count("n_seeds_baseline", [row.n_seeds[1] for row in rows]),
        count("n_examples", [row.n_examples for row in rows]),
        count("n_clusters", [row.n_clusters for row in rows]),
    )
