"""Provenance and caveats: their table, and the line under every other table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import declared
from analysis.tables.notes import seed_variance_in_words
from analysis.tables.table import Column, Table
from analysis.words import counted, listed

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


_NAMED_AT_MOST = 4


def provenance_table(report: StudyReport) -> Table:
    """Lay out where the figures come from, and every caveat in full."""
    rows = [("study", report.name), ("plan", _plan(report))]
    if report.model:
        rows.append(("model", report.model))
    rows += [("data", report.data), *_imported(report)]
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


def _imported(report: StudyReport) -> list[tuple[str, str]]:
    """Say which files an imported study was read from, how, and what nobody recorded."""
    if report.imported is None:
        return []
    files, understood = report.imported.files, report.imported.understood
    named = ", ".join(file.path for file in files[:_NAMED_AT_MOST])
    more = f" and {len(files) - _NAMED_AT_MOST} more" if len(files) > _NAMED_AT_MOST else ""
    return [
        *([("imported from", f"{counted(len(files), 'file')}: {named}{more}")] if files else []),
        *([("read as", "; ".join(f"{what}: {source}" for what, source in understood))] if understood else []),
        ("cost", "imported: no cost was recorded"),
    ]


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
        # Whether it was made before anybody saw results, nobody can tell.
        *(["fixed when the runs were imported"] if report.imported is not None else []),
    ]
    return "; ".join(parts)


def footer_line(report: StudyReport) -> str:
    """Return provenance and caveats in one line."""
    origins = {origin.name: origin for origin in report.footer.origins}
    places = [
        listed([value for value, _ in origins[name].values])
        for name in ("engine", "device", "code", "tool")
        if name in origins
    ]
    caveats = list(dict.fromkeys(caveat.short for caveat in report.footer.caveats))
    data = report.data if report.imported is None else f"imported from {report.data}"
    between = " on " if report.imported is None else ", "
    where = "; ".join([f"{report.model}{between}{data}" if report.model else data, *places])
    return f"{report.name}: {where}. Caveats: {'; '.join(caveats) or 'none'}."
