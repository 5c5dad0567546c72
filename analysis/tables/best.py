"""Best arms: the confidence set in words, and the table of every arm against the best of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import confidence_level
from analysis.tables.notes import grouped_by_reason
from analysis.tables.table import Column, Table, n_test_population, seeds_by_examples
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def _is_the_verdict(report: StudyReport) -> bool:
    """Whether there are two arms only: their verdict answers the same question, and asks for more."""
    return len(report.arms) == 2 and len(report.comparisons) == 1


def best_notes(report: StudyReport) -> list[str]:
    """Say which arms may be the best, with what confidence, and which arms the statement leaves out."""
    best = report.best
    if _is_the_verdict(report):
        return []
    if best.reason:
        return [f"Best arm: no statement ({best.reason})."]
    confidence = confidence_level(report.plan.alpha)
    top = "highest" if report.plan.kind.higher_is_better else "lowest"
    named = [f"{arm} ({top} mean)" if arm in best.top and len(best.in_play) > 1 else arm for arm in best.in_play]
    found = (
        f"with {confidence} confidence it is {'one of ' if len(named) > 1 else ''}{', '.join(named)}"
        if best.ruled_out
        else f"at {confidence} confidence none is ruled out: {', '.join(named)}"
    )
    subject = "Best of the arms that can be judged" if best.not_judged else "Best arm"
    notes = [
        f"{subject}: {found}. It is one-sided and from every pair of arms, so it can rule out an arm whose verdict is "
        "open."
    ]
    if best.not_judged:
        notes.append(
            f"Not judged, and perhaps better than all of these: {', '.join(arm for arm, _ in best.not_judged)}."
        )
    return notes


def best_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out every judged arm against the best of the others; None where there is no confidence set."""
    best, scale = report.best, scale_of(report)
    if best.reason or _is_the_verdict(report):
        return None
    confidence = confidence_level(report.plan.alpha)
    means = {arm.arm: arm.mean for arm in report.arms}
    higher = report.plan.kind.higher_is_better
    outside = "above" if higher else "below"
    judged = {arm.arm: len(arm.seeds) for arm in report.arms if arm.arm in {one.arm for one in best.contenders}}
    fewest, most = min(judged.values()), max(judged.values())
    # Runs that are not paired by seed may be more in one arm than in another, too, and are all used.
    by_look = report.look is not None and fewest < most
    over = f"{best.n_arms} arms" if not by_look else "the arms that have the seeds of a pair"
    pooled = f"pooled over {over}" if best.n_arms > 2 else "of each pair alone"
    n_seeds = " to ".join(map(str, dict.fromkeys((fewest, most))))
    if report.crossing is not None:
        n_seeds = f"{report.crossing[0]} × {report.crossing[1]}"
    size = seeds_by_examples(n_seeds, report.n_examples, report.n_clusters)
    return Table(
        title="Which arm may be the best",
        columns=(
            Column("Arm", [one.arm for one in best.contenders]),
            Column(
                "Mean",
                [scale.score(means[one.arm], standard_error=one.standard_error) for one in best.contenders],
                numeric=True,
            ),
            Column("Best other arm", [one.rival for one in best.contenders]),
            Column(
                "Gap",
                [scale.gap(one.estimate, standard_error=one.standard_error) for one in best.contenders],
                numeric=True,
            ),
            Column(
                f"{confidence} for all",
                [scale.interval(one.interval, standard_error=one.standard_error) for one in best.contenders],
                numeric=True,
            ),
            Column("May be the best", ["yes" if one.in_set else "no" for one in best.contenders]),
            *n_test_population(
                [size] * len(best.contenders),
                ["comparisons with the best"] * len(best.contenders),
                [best.generalizes_to] * len(best.contenders),
            ),
        ),
        notes=(
            "Gap: the arm minus the best of the other arms. The interval is for the true gap to the truly best of "
            f"them. With {confidence} confidence all these intervals hold, and the best arm is among those with a yes.",
            f"An arm may be the best where its interval reaches {outside} 0 (multiple comparisons with the best, Hsu "
            f"1984). The variation over seeds is {pooled}.",
            *(
                ["At a declared look the tests share what the look may spend, by Bonferroni."]
                if report.look is not None
                else []
            ),
            *(_at_their_looks(judged) if by_look else []),
            *grouped_by_reason(best.not_judged),
        ),
        footer=footer,
        detail=True,
    )


def _at_their_looks(n_seeds: Mapping[str, int]) -> list[str]:
    """Say which seeds the gaps rest on where arms have left."""
    arms: dict[int, list[str]] = {}
    for arm, n in sorted(n_seeds.items(), key=lambda one: one[1]):
        arms.setdefault(n, []).append(arm)
    told = "; ".join(f"{', '.join(names)} {counted(n, 'seed')}" for n, names in arms.items())
    return [
        "Every two arms are compared with the seeds that both have, at the level of the last look that both have "
        f"reached, so a gap may differ from that of the means: {told}."
    ]
