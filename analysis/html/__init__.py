"""HTML: a study's report as one page that holds everything it shows and asks for nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis import figures, tables
from analysis.html.explorer import explorer_data
from analysis.html.rendering import content, template
from analysis.html.sections import sections_of
from analysis.printable import printable
from analysis.tables.flips import flip_table
from analysis.tables.progress import progress_table
from analysis.tables.provenance import footer_line
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.flips import AnsweredExamples
    from analysis.study.study_report import StudyReport

__all__ = ["Live", "page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a page says of itself that is written anew while trials finish.

    Parameters
    ----------
    written : str
        When it was written, as a reader says it.
    seconds : int
        After how many seconds it loads itself again; 0 where nobody writes it any more.
    """

    written: str
    seconds: int


def page(
    report: StudyReport,
    examples: AnsweredExamples | None,
    texts: Mapping[str, str] | None = None,
    *,
    live: Live | None = None,
) -> str:
    """Return the report as a page of HTML; the same report gives the same text.

    The page loads nothing: styles, figures, the answers to the examples and the script that shows them are inside, and
    a policy in its head forbids everything else.

    Where the verdicts of the report are withheld, it says so, and shows how far each arm is, its trials and their runs.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.report_on` returns.
    examples : AnsweredExamples or None
        What `analysis.study.flips.answered_examples` returns; not shown, and not needed, where verdicts are withheld.
    texts : mapping of str to str or None
        The texts of the examples by their ids, where they are known.
    live : Live or None
        Of a page that is written anew while trials finish.
    """
    script = content("explorer.js")
    read, details, provenance = sections_of(tables.named(report), figures.build(report))
    shown = None if report.withheld else examples
    grows = (live is not None or report.withheld) and report.n_done < report.n_trials
    rendered = template("report.html").render(
        report=report,
        about=_about(report),
        required=list(zip(report.requirements, tables.requirements_in_words(report), strict=True)),
        answers=list(zip(report.comparisons, tables.in_words(report), strict=True)),
        read=read,
        details=details,
        provenance=provenance,
        flips=None if shown is None else flip_table(shown, report),
        explorer=None if shown is None else explorer_data(shown, report, texts),
        progress=progress_table(report, footer_line(report)) if grows else None,
        live=live,
        trials=counted(report.n_trials, "trial"),
        footer=footer_line(report),
        style=content("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    # A name or a text of others may hold what turns a line around.
    return printable(rendered)


def _about(report: StudyReport) -> str:
    """Say in a line what was trained, how often, and on how many examples it was scored."""
    n_runs = {len(arm.seeds) for arm in report.arms}
    runs = " to ".join(str(n) for n in sorted({min(n_runs), max(n_runs)}))
    trained = f"{report.model} on {report.data}" if report.model else report.data
    word = ("seed" if report.paired else "run") + "s" * (n_runs != {1})
    return f"{trained}: {counted(len(report.arms), 'arm')} with {runs} {word}, {report.n_examples:,} test examples"
