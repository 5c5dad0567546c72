"""Published costs: times and shares as they follow from the figures, and numbers of parameters."""

from __future__ import annotations

from analysis.published.audit import Audit
from analysis.tables.audit.by_report import audit_table, full_name, pairs_of, recomputed, systems_of, yes_or_no
from analysis.tables.digits import exact_count
from analysis.tables.table import UNKNOWN, Column, Table


def cost_table(audit: Audit) -> Table | None:
    """Lay out times and shares of parameters as they follow from the printed figures."""
    rows = [(report, pair.name, figure) for report, pair in pairs_of(audit) for figure in pair.costs]
    rows += [
        (report, system.name, system.share)
        for report, system in systems_of(audit)
        if report.board is None and system.share is not None and system.share.value < 1
    ]
    figures = [figure for _, _, figure in rows]
    return audit_table(
        audit,
        "Cost claims",
        [report for report, _, _ in rows],
        (
            Column("Pair or system", [name for _, name, _ in rows]),
            Column("What", [figure.what for figure in figures]),
            Column("Recomputed", [recomputed(figure) for figure in figures], numeric=True),
            Column("Claimed", [figure.claimed or UNKNOWN for figure in figures], numeric=True),
            Column("Agrees", [UNKNOWN if figure.agrees is None else yes_or_no(figure.agrees) for figure in figures]),
        ),
        notes=("From the printed figures. One timing per arm does not say how much another run's time would differ.",),
    )


def parameter_table(audit: Audit) -> Table | None:
    """Lay out printed numbers of parameters against those of known architectures."""
    rows = [(report, system.name, check) for report, system in systems_of(audit) for check in system.parameters]
    checks = [check for _, _, check in rows]
    return audit_table(
        audit,
        "Parameters",
        [report for report, _, _ in rows],
        (
            Column("System", [name for _, name, _ in rows]),
            Column("Which", [check.what for check in checks]),
            Column("Printed", [check.printed for check in checks], numeric=True),
            Column("By the architecture", [exact_count(check.expected) for check in checks], numeric=True),
            Column("Agrees", [yes_or_no(check.agrees) for check in checks]),
        ),
        notes=(
            "The numbers include the classification head. With an adapter the total has the head twice: peft trains a "
            "copy of it.",
            *(
                f"{full_name(report, system.name)}: not checked: {system.parameters_reason}."
                for report, system in systems_of(audit)
                if system.parameters_reason
            ),
        ),
    )
