"""Table of look designs for `harness plan`: which looks a study may declare, and the trials that it then takes."""

from __future__ import annotations

from analysis.study.look_designs import LookDesigns
from analysis.study.plan import AnalysisPlan
from analysis.study.power import StudyPower
from analysis.tables.digits import Scale, fixed, percent, probability
from analysis.tables.table import Column, Table


def look_design_table(designs: LookDesigns, power: StudyPower, plan: AnalysisPlan) -> Table:
    """Lay out look designs, one row each.

    Parameters
    ----------
    designs : LookDesigns
    power : StudyPower
        What the study can find, from which they come.
    plan : AnalysisPlan
        The study's plan.
    """
    scale, rows = Scale(plan.kind.share), designs.designs
    gap, twice = (scale.planned_gap(times * designs.gap) for times in (1, 2))
    margin = scale.margin(plan.margin)
    if designs.gap == plan.margin:
        gap = margin
    marks = {plan.looks: "declared", designs.advised: "advised" + (", declared" * (designs.advised == plan.looks))}
    notes = [
        "Trials: the mean of all arms together, as harness run --until-decided trains them, where every comparison has "
        f"such a gap, or none. Equal shown: if equal, how often that is shown, within {margin}. The error rate is that "
        "of a study without looks. Simulated; chances are sure to about two points.",
    ]
    if designs.advised:
        notes.append("Advised: the fewest looks that come within 5% of the fewest trials, on average over the columns.")
    elif any(len(one.looks) > 1 and one.looks != plan.looks for one in rows):
        notes.append("None is advised: looks spare less than 5% of the trials.")
    else:
        notes.append("With looks, half as many seeds again would not give this power.")
    if designs.gap != plan.margin:
        notes.append(
            f"No number of seeds that is worth planning finds {margin}, the margin: {gap} is the smallest gap that the "
            f"study's {power.plans[0].plan.n_seeds} seeds find."
        )
    if len(power.plans) > 1:
        notes.append(f"As if every comparison were as hard to decide as {designs.comparison}.")
    return Table(
        title=f"Looks, to find {gap} with {percent(designs.power, places=0)} power and fewer trials",
        columns=(
            Column("Seeds at the looks", [_looks(one.looks) for one in rows]),
            Column("Power", [probability(one.at_gap.shown) for one in rows], numeric=True),
            Column(f"Trials at {gap}", [fixed(one.at_gap.trials, places=0) for one in rows], numeric=True),
            Column(f"At {twice}", [fixed(one.at_twice.trials, places=0) for one in rows], numeric=True),
            Column("If equal", [fixed(one.if_equal.trials, places=0) for one in rows], numeric=True),
            Column("Equal shown", [probability(one.if_equal.shown, exact_zero=False) for one in rows], numeric=True),
            Column("", [marks.get(one.looks, "") for one in rows]),
        ),
        notes=tuple(notes),
        footer="",
    )


def _looks(looks: tuple[int, ...]) -> str:
    return ", ".join(map(str, looks)) if len(looks) > 1 else f"none; {looks[0]} seeds"
