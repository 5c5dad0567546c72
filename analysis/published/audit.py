"""Audits of published numbers: what follows from the figures alone, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.errors import AnalysisError
from analysis.jsonable import jsonable
from analysis.problems import near
from analysis.published.boards import Board, judge_board
from analysis.published.claims_file import ClaimsFile
from analysis.published.figure_checks import matrix_rows
from analysis.published.lift import EpochScatter, epoch_scatter
from analysis.published.pairs import PairAudit, judge_pair
from analysis.published.published_report import PublishedReport
from analysis.published.reversals import Reversal, reversals
from analysis.published.systems import SystemAudit, judge_system
from analysis.records.outcomes import Outcomes

MOST_MATRIX_ROWS = 20_000_000
"""Confusion matrices are searched row by row; this many rows, for all systems of a file together, take some seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAudit:
    """What follows from one published table.

    Parameters
    ----------
    report : PublishedReport
        The table.
    scatter : EpochScatter
        How far equally good epochs of a run are assumed to scatter.
    systems : tuple of SystemAudit
    pairs : tuple of PairAudit
        Both in the order of the table.
    board : Board or None
        All systems at once, where the claims say ``pairs: board``.
    """

    report: PublishedReport
    scatter: EpochScatter
    systems: tuple[SystemAudit, ...]
    pairs: tuple[PairAudit, ...]
    board: Board | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What follows from published numbers alone.

    Parameters
    ----------
    title : str
    alpha : float
        The two-sided level.
    reports : tuple of ReportAudit
        In the order of the file.
    reversals : tuple of Reversal
        Pairs whose order is reversed between reports.
    """

    title: str
    alpha: float
    reports: tuple[ReportAudit, ...]
    reversals: tuple[Reversal, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the audit as plain dicts, lists, texts and numbers; NaN becomes None, its reason stays."""
        plain = jsonable(self)
        if not isinstance(plain, dict):
            raise TypeError(f"an audit becomes a dict, got {type(plain).__name__}")
        return plain


def audit(claims: ClaimsFile, *, outcomes: Outcomes | None = None, alpha: float = 0.05) -> Audit:
    """Judge published numbers.

    Parameters
    ----------
    claims : ClaimsFile
        What `read_claims` or `parse_claims_file` returns.
    outcomes : Outcomes or None
        A study that retrains some of the systems: its arms have their names, or those that the file gives as `arm`.
    alpha : float
        Two-sided level, above 0 and at most 0.5.

    Raises
    ------
    AnalysisError
        If the study retrains no pair of the claims, or has fewer than two finished seeds in common for one.

    See Also
    --------
    read_claims, parse_claims_file : The claims.

    Examples
    --------
    >>> from analysis.published.claims_file import parse_claims_file
    >>> result = audit(parse_claims_file({
    ...     "source": "table 2", "n": "872", "systems": {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}},
    ... }))
    >>> pair = result.reports[0].pairs[0]
    >>> pair.overlaps.gap, pair.overlaps.discordance, pair.overlaps.outcome
    ((-18, -18), (18, 222), 'undetermined without predictions')
    """
    if outcomes is not None:
        _require_a_pair(claims, outcomes)
    without = _without_matrices(claims)
    return Audit(
        title=claims.title,
        alpha=alpha,
        reports=tuple(_report(report, outcomes, alpha, without) for report in claims.reports),
        reversals=reversals([report for report in claims.reports if not report.board]),
    )


def _require_a_pair(claims: ClaimsFile, outcomes: Outcomes) -> None:
    pairs = [set(report.arms(pair)) for report in claims.reports for pair in report.pairs]
    if any(arms <= set(outcomes.arms) for arms in pairs):
        return
    others = sorted({arm for arms in pairs for arm in arms} - set(outcomes.arms))
    if not others:
        raise AnalysisError(f"{outcomes.place} cannot be compared: the claims hold no pair of systems")
    hints = [f"{arm!r}" + (f" ({meant[2:]})" if (meant := near(arm, outcomes.arms)) else "") for arm in others]
    raise AnalysisError(
        f"{outcomes.place} retrains no pair of the claims: its arms are {', '.join(outcomes.arms)}; the claims are "
        f"about {', '.join(hints)}; write the arm that retrains a system in the claims file, such as arm: "
        f"{outcomes.arms[-1]}"
    )


def _without_matrices(claims: ClaimsFile) -> dict[tuple[str, str], str]:
    """Return the systems whose confusion matrices would take too long to search, and why; by report and name."""
    without, left = {}, MOST_MATRIX_ROWS
    for report in claims.reports:
        for name, system in report.systems.items():
            rows = matrix_rows(system, report)
            if rows <= left:
                left -= rows
            else:
                without[report.name, name] = (
                    f"it would take {rows:,} rows, and only {left:,} are left of the {MOST_MATRIX_ROWS:,} that an "
                    "audit searches"
                )
    return without


def _report(
    report: PublishedReport, outcomes: Outcomes | None, alpha: float, without: Mapping[tuple[str, str], str]
) -> ReportAudit:
    logs = [[float(f.value) for f in system.log.accuracy] for system in report.systems.values() if system.log]
    scatter = epoch_scatter(logs, n=report.n)
    systems = tuple(
        judge_system(name, system, report, scatter, matrices_reason=without.get((report.name, name), ""))
        for name, system in report.systems.items()
    )
    by_name = {system.name: system for system in systems}
    pairs = tuple(judge_pair(pair, report, by_name, scatter, outcomes, alpha) for pair in report.pairs)
    board = judge_board(report, by_name, alpha=alpha) if report.board else None
    return ReportAudit(report=report, scatter=scatter, systems=systems, pairs=pairs, board=board)
