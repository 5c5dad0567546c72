"""Own study beside published figures: measured gap, seed SD and discordance."""

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
    """Lay out your own study's trials beside the published figures; None without a study."""
    rows = [(report, pair, pair.rerun) for report, pair in pairs_of(audit) if pair.rerun is not None]
    reruns = [(rerun, (rerun.interval[1] - rerun.interval[0]) / 4) for _, _, rerun in rows]
    studies = ", ".join(dict.fromkeys(rerun.study for rerun, _ in reruns))
    return audit_table(
        audit,
        f"Beside your own results: {studies}",
        [report for report, _, _ in rows],
        (
            Column("Pair", [pair.name for _, pair, _ in rows]),
            Column("Published", [points(pair.gap) for _, pair, _ in rows], numeric=True),
            Column("Measured", [points(rerun.gap, standard_error=error) for rerun, error in reruns], numeric=True),
            Column(
                "95% interval",
                [points_interval(rerun.interval, standard_error=error) for rerun, error in reruns],
                numeric=True,
            ),
            Column("Seed SD", [points(rerun.seed_sd, signed=False) for rerun, _ in reruns], numeric=True),
            Column("Discordant", [_discordance(rerun) for rerun, _ in reruns], numeric=True),
            Column(
                "p of published gap",
                [from_to(*map(precise_p_value, rerun.p_exact)) for rerun, _ in reruns],
                numeric=True,
            ),
            Column(
                "One more pair",
                [points_interval(rerun.expected_gap, standard_error=error) for rerun, error in reruns],
                numeric=True,
            ),
            Column("Pairs with p ≤ α", [percent(rerun.significant, places=0) for rerun, _ in reruns], numeric=True),
            Column("Seeds × examples", [seeds_by_examples(rerun.n_seeds, rerun.n_examples) for rerun, _ in reruns]),
        ),
        notes=(
            "Measured, with its interval: the crossed t of these two arms alone, for new seeds and new examples. "
            "Discordant: mean over the seeds (lowest to highest). p of published gap: McNemar's exact p of the "
            "published gap, if exactly one of its two models were right on as many examples.",
            "One more pair: the range in which the gap of one more pair of trials, with a new seed, falls on this test "
            "set 95 times in 100. Pairs with p ≤ α: the share of the pairs of trials here with an exact p of at most "
            f"{declared(audit.alpha)}.",
            *_unlike([(report.report, rerun) for report, _, rerun in rows]),
        ),
    )


def _discordance(rerun: Rerun) -> str:
    mean, least, most = (percent(share, places=1) for share in rerun.discordance)
    return f"{mean} ({least} to {most})"


def trained(rerun: Rerun) -> str:
    """Say what a study trained: ``trained gpt2``."""
    return f"trained {rerun.model}" if rerun.model else "names no model"


def _unlike(measured: Sequence[tuple[PublishedReport, Rerun]]) -> list[str]:
    """Say where a study trained another model, or has another test set, than the report."""
    notes = []
    for report, rerun in measured:
        if report.model is not None and not same_model(report.model, rerun.model):
            notes.append(f"{rerun.study} {trained(rerun)}; the report is about {report.model}.")
        if rerun.n_examples != report.n:
            notes.append(
                f"{rerun.study} has {rerun.n_examples} test examples, the report {report.n}: shares are carried over."
            )
        if rerun.n_drawn is not None:
            notes.append(
                f"In {rerun.study} each seed drew its own {rerun.n_drawn:,} training examples: its figures are about "
                "new training sets of this size from its pool, as well as new seeds."
            )
    return list(dict.fromkeys(notes))
