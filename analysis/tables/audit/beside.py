"""The table of a study's own runs beside published figures."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.published.architectures import same_model
from analysis.published.audit import Audit
from analysis.published.pairs import PairAudit
from analysis.published.published_report import PublishedReport
from analysis.published.rerun import Rerun
from analysis.tables.audit.rows import Row, ends, pairs, table
from analysis.tables.digits import percent, points, points_interval, small_p
from analysis.tables.table import Table


def own(audit: Audit) -> Table | None:
    """Lay out a study's own runs beside the published figures; None without a study."""
    measured = [(report, pair, pair.rerun) for report, pair in pairs(audit) if pair.rerun is not None]
    heads = (
        "Published",
        "Measured",
        "95% interval",
        "Seed SD",
        "Discordant",
        "p of the published",
        "One more run",
        "Runs with p ≤ α",
    )
    studies = ", ".join(dict.fromkeys(one.study for _, _, one in measured))
    return table(
        audit,
        f"Beside own results: {studies}",
        ("Pair", *heads, "Seeds × examples"),
        [(report, _row(pair, one)) for report, pair, one in measured],
        numeric=heads,
        notes=(
            "Measured, with its interval: the crossed t, for new seeds and new examples. Discordant: mean over the "
            "seeds (least to greatest). p of the published: McNemar's exact p of the published gap, if its two models "
            "differed on as many sentences.",
            "One more run: where the gap of one more pair of runs, of one new seed, falls on this test set 95 times in "
            f"100. Runs with p ≤ α: of the pairs of runs here, those with an exact p of at most {audit.alpha:g}.",
            *_unlike([(report.report, one) for report, _, one in measured]),
        ),
    )


def _row(pair: PairAudit, measured: Rerun) -> Row:
    error = (measured.interval[1] - measured.interval[0]) / 4
    mean, least, most = (percent(share, places=1) for share in measured.discordance)
    return (
        pair.name,
        points(pair.gap),
        points(measured.gap, standard_error=error),
        points_interval(measured.interval, standard_error=error),
        points(measured.seed_sd, signed=False),
        f"{mean} ({least} to {most})",
        ends(*map(small_p, measured.p_exact)),
        points_interval(measured.expected_gap, standard_error=error),
        percent(measured.significant, places=0),
        f"{measured.n_seeds} × {measured.n_examples}",
    )


def _unlike(measured: Sequence[tuple[PublishedReport, Rerun]]) -> list[str]:
    """Say where a study trained another model, or has another test set, than the report."""
    notes = []
    for report, own in measured:
        if report.model is not None and not same_model(report.model, own.model):
            notes.append(f"{own.study} trained {own.model}, the report is about {report.model}.")
        if own.n_examples != report.n:
            notes.append(
                f"{own.study} has {own.n_examples} test sentences, the report {report.n}: shares are carried over."
            )
    return list(dict.fromkeys(notes))
