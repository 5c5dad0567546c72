"""The table of a study's own runs beside published figures."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.published.architectures import same_model
from analysis.published.audit import Audit
from analysis.published.published_report import PublishedReport
from analysis.published.rerun import Rerun
from analysis.tables.audit.by_report import audit_table, from_to, pairs_of
from analysis.tables.digits import declared, percent, points, points_interval, precise_p_value
from analysis.tables.table import Column, Table, seeds_by_examples


def own_study_table(audit: Audit) -> Table | None:
    """Lay out a study's own runs beside the published figures; None without a study."""
    rows = [(report, pair, pair.rerun) for report, pair in pairs_of(audit) if pair.rerun is not None]
    runs = [(run, (run.interval[1] - run.interval[0]) / 4) for _, _, run in rows]
    studies = ", ".join(dict.fromkeys(run.study for run, _ in runs))
    return audit_table(
        audit,
        f"Beside own results: {studies}",
        [report for report, _, _ in rows],
        (
            Column("Pair", [pair.name for _, pair, _ in rows]),
            Column("Published", [points(pair.gap) for _, pair, _ in rows], numeric=True),
            Column("Measured", [points(run.gap, standard_error=error) for run, error in runs], numeric=True),
            Column(
                "95% interval",
                [points_interval(run.interval, standard_error=error) for run, error in runs],
                numeric=True,
            ),
            Column("Seed SD", [points(run.seed_sd, signed=False) for run, _ in runs], numeric=True),
            Column("Discordant", [_discordance(run) for run, _ in runs], numeric=True),
            Column(
                "p of the published", [from_to(*map(precise_p_value, run.p_exact)) for run, _ in runs], numeric=True
            ),
            Column(
                "One more run",
                [points_interval(run.expected_gap, standard_error=error) for run, error in runs],
                numeric=True,
            ),
            Column("Runs with p ≤ α", [percent(run.significant, places=0) for run, _ in runs], numeric=True),
            Column("Seeds × examples", [seeds_by_examples(run.n_seeds, run.n_examples) for run, _ in runs]),
        ),
        notes=(
            "Measured, with its interval: the crossed t, for new seeds and new examples. Discordant: mean over the "
            "seeds (least to greatest). p of the published: McNemar's exact p of the published gap, if its two models "
            "differed on as many sentences.",
            "One more run: where the gap of one more pair of runs, of one new seed, falls on this test set 95 times in "
            "100. Runs with p ≤ α: of the pairs of runs here, those with an exact p of at most "
            f"{declared(audit.alpha)}.",
            *_unlike([(report.report, run) for report, _, run in rows]),
        ),
    )


def _discordance(run: Rerun) -> str:
    mean, least, most = (percent(share, places=1) for share in run.discordance)
    return f"{mean} ({least} to {most})"


def _unlike(measured: Sequence[tuple[PublishedReport, Rerun]]) -> list[str]:
    """Say where a study trained another model, or has another test set, than the report."""
    notes = []
    for report, run in measured:
        if report.model is not None and not same_model(report.model, run.model):
            notes.append(f"{run.study} trained {run.model}, the report is about {report.model}.")
        if run.n_examples != report.n:
            notes.append(
                f"{run.study} has {run.n_examples} test sentences, the report {report.n}: shares are carried over."
            )
    return list(dict.fromkeys(notes))
