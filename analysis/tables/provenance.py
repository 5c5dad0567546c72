"""Provenance and caveats: their table, and the line under every other table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import declared
from analysis.tables.notes import seed_variance_in_words
from analysis.tables.table import Column, Table
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def provenance_table(report: StudyReport) -> Table:
    """Lay out where the figures come from, and every caveat in full."""
    rows = [("study", report.name), ("plan", _plan(report)), ("model", report.model), ("data", report.data)]
    if report.sets:
        sets = "; ".join(f"{one.name} ({counted(one.n_examples, 'example')})" for one in report.sets)
        rows.append(("test sets", f"{sets}; every set weighs the same"))
    for origin in report.footer.origins:
        values = [
            value if not origin.mixed else f"{value} ({counted(count, 'trial')})" for value, count in origin.values
        ]
        rows.append((origin.name, "; ".join(values)))
    rows += [("caveat", caveat.text) for caveat in report.footer.caveats]
    return Table(
        title="Provenance and caveats",
        columns=(Column("What", [name for name, _ in rows]), Column("Value", [value for _, value in rows])),
        notes=() if report.footer.caveats else ("No caveats.",),
        footer="",
        detail=True,
    )


def _plan(report: StudyReport) -> str:
    plan = report.plan
    parts = [
        plan.kind.title,
        f"baseline {plan.baseline}",
        f"margin {scale_of(report).margin(plan.margin)}",
        f"alpha {declared(plan.alpha)}",
        "joint Holm step-down" if plan.correction == "holm" else "Benjamini-Hochberg",
        f"seed variance {seed_variance_in_words(plan)}",
        *([f"looks at {', '.join(map(str, plan.looks))} seeds"] if plan.looks else []),
    ]
    return "; ".join(parts)


def footer_line(report: StudyReport) -> str:
    """Return provenance and caveats in one line."""
    origins = {origin.name: origin for origin in report.footer.origins}
    places = [
        " and ".join(value for value, _ in origins[name].values)
        for name in ("engine", "device", "code")
        if name in origins
    ]
    caveats = list(dict.fromkeys(caveat.short for caveat in report.footer.caveats))
    where = "; ".join([f"{report.model} on {report.data}", *places])
    return f"{report.name}: {where}. Caveats: {'; '.join(caveats) or 'none'}."
