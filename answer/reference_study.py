"""Reference study: the results of one study under results/reference, its report, and where its runs come from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.records.manifest import Manifest
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial, named_trials
from analysis.study.report import report_on
from analysis.study.study_report import StudyReport

_ENCODERS = {"minilm": "MiniLM, a BERT encoder of 6 layers ([where it is from](real.md#what-it-needs))"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceStudy:
    """One study under results/reference.

    Parameters
    ----------
    outcomes : Outcomes
        Its trials.
    report : StudyReport
        What they say, with the requirements that were asked of it.
    """

    outcomes: Outcomes
    report: StudyReport

    @property
    def name(self) -> str:
        """Its name, which is also that of its folder."""
        return self.outcomes.manifest.name

    @property
    def n_seeds(self) -> int:
        """Seeds that its comparisons use."""
        return len(self.report.seeds)


def judged(outcomes: Outcomes, *, requirements: Sequence[str] = ()) -> ReferenceStudy:
    """Analyse the outcomes of a study, and ask it.

    Parameters
    ----------
    outcomes : Outcomes
    requirements : sequence of str
        What `StudyReport.require` takes.

    Raises
    ------
    AnalysisError
        If the study cannot be analysed, or a requirement cannot be asked.
    """
    return ReferenceStudy(outcomes=outcomes, report=report_on(outcomes).require(*requirements))


def encoder(manifest: Manifest) -> str:
    """Say which model a study trained, and where it is from."""
    return _ENCODERS.get(manifest.model_name, f"`{manifest.model_name}`")


def command(manifest: Manifest, *options: str) -> str:
    """Return the command that trained a study, with its overrides and with options."""
    name = Path(manifest.study_file or f"{manifest.name}.yaml").name
    return shlex.join(["harness", "run", f"studies/{name}", *manifest.overrides, *options])


def commits(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return at which commits of this project trials were trained, shortened."""
    records = [trial.record for trial in trials if trial.record is not None]
    return tuple(sorted({(record.provenance.commit or "unknown")[:8] for record in records}))


def lost(outcomes: Outcomes) -> str:
    """Name the trials that ended without predictions; those that have yet to run are not among them."""
    return named_trials([trial for trial in outcomes.unfinished() if not trial.pending])
