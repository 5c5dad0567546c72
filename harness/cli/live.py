"""Live report: `harness analyze --live` writes the page anew while trials finish, and disturbs no run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import AnalysisError
from analysis.html import Live
from analysis.records.loading import load
from analysis.records.stored_trials import state_of
from analysis.study.flips import answered_examples
from analysis.study.report import report_on
from analysis.words import counted
from harness.atomic_file import atomic_write
from harness.cli.looks import note_look
from harness.cli.page_file import PAGE, folder_of_report, page_of, show
from harness.cli.shared import complain, is_one_study, results_of_again
from harness.records.lock import says_it_runs
from harness.signals import until_ctrl_c

if TYPE_CHECKING:
    from analysis.study.flips import AnsweredExamples
    from analysis.study.report import StudyReport

SECONDS = 2.0
"""Between two looks, at least."""

RELOAD = 10
"""After how many seconds a page loads itself again."""

# The run needs the processors more: a look rests for as long as nine of its kind would take, within bounds.
_REST = 9.0
_LONGEST_REST = 30.0


def follow(
    study: Path | None,
    results: Path,
    *,
    report: Path | None,
    resamples: int,
    in_browser: bool,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Write the pages of studies anew whenever a trial has ended; return whether all of them are complete.

    It ends when every trial has run and no run goes on, or at Ctrl-C. It takes no lock, reads what the run has
    written, and writes the page, and where the page shows verdicts, that somebody has looked at them.

    Parameters
    ----------
    study, results : Path or None, Path
        What `results_of` takes; a study that is not there yet is waited for.
    report : Path or None
        Where to write, as `folder_of_report` takes it.
    resamples : int
        How often the multi-bootstrap resamples.
    in_browser : bool
        Whether to show each page in the browser when it is first written.
    wait : callable
        Is called with the seconds until the next look.

    Raises
    ------
    OSError
        If a page cannot be written at first where `report` names the place. Later, and elsewhere, it is told and tried
        again.
    """
    pages: dict[Path, LivePage] = {}
    told = ""
    with until_ctrl_c():
        for folders, problem in results_of_again(study, results):
            began = time.process_time()
            alone = is_one_study(study, results, folders)
            for folder in folders:
                if folder not in pages:
                    place = folder_of_report(folder, report, alone=alone) / PAGE
                    pages[folder] = LivePage(folder, place, resamples=resamples, must_write=report is not None)
                if pages[folder].renew() and in_browser:
                    show([pages[folder].place])
            if problem and problem != told:
                complain(problem)
            told = problem
            if folders and all(pages[folder].complete for folder in folders):
                return True
            wait(min(max(SECONDS, _REST * (time.process_time() - began)), _LONGEST_REST))
    for page in pages.values():
        page.leave()
    return False


class LivePage:
    """The page of one study, written anew whenever a trial has ended.

    Parameters
    ----------
    folder, place : Path
        The results of the study, and the file to write.
    resamples : int
        How often the multi-bootstrap resamples.
    must_write : bool
        Whether the first page is an error if it cannot be written.
    """

    def __init__(self, folder: Path, place: Path, *, resamples: int, must_write: bool) -> None:
        self.place = place
        self.complete = False
        self._folder = folder
        self._resamples = resamples
        self._must_write = must_write
        self._state: object = None
        self._made: tuple[StudyReport, AnsweredExamples | None] | None = None
        self._told: set[str] = set()

    def renew(self) -> bool:
        """Write the page if something has changed; return whether this was the first time."""
        running = says_it_runs(self._folder)
        state = (running, *_state_of_results(self._folder))
        if state == self._state:
            return False
        first = self._made is None
        try:
            outcomes = load(self._folder)
            report = report_on(outcomes, resamples=self._resamples, withhold=True)
            self.complete = report.n_done == report.n_trials and not running
            examples = None if report.withheld else answered_examples(outcomes, report)
            self._write(report, examples, seconds=0 if self.complete else RELOAD, live=not self.complete)
        except AnalysisError as error:
            self._tell(f"waiting: {error}")
            return False
        except OSError as error:
            if first and self._must_write:
                raise
            self._tell(f"the page was not written: {self.place}: {error.strerror or error}; it is tried again")
            return False
        self._made, self._state, self._told = (report, examples), state, set()
        if not report.withheld and (reason := note_look(self._folder, report)):
            looks = self._folder / "looks.json"
            self._tell(f"this look was not noted: {looks}: {reason}; later tables do not count it")
        trials = f"{report.n_done} of {counted(report.n_trials, 'trial')} are in"
        complain(f"{datetime.now():%H:%M:%S} {report.name}: {trials}: {self.place}")
        return first

    def leave(self) -> None:
        """Write the page once more as one that nobody renews."""
        if self._made is not None and not self.complete and self._folder.is_dir():
            try:
                self._write(*self._made, seconds=0, live=True)
            except OSError as error:
                self._tell(f"the page was not written: {self.place}: {error.strerror or error}")

    def _write(self, report: StudyReport, examples: AnsweredExamples | None, *, seconds: int, live: bool) -> None:
        now = datetime.now().astimezone()
        said = Live(written=f"{now:%Y-%m-%d %H:%M:%S %Z}", seconds=seconds) if live else None
        page = page_of(self._folder, report, examples, live=said)
        with atomic_write(self.place) as stream:
            stream.write(page.encode())

    def _tell(self, message: str) -> None:
        """Say what is wrong, once until it is right again."""
        if message not in self._told:
            complain(message)
        self._told.add(message)


def _state_of_results(folder: Path) -> tuple[object, ...]:
    """Return what changes when a trial ends, or when something else that a report shows is written."""
    files = [folder / name for name in ("study.json", "examples.parquet", "timing.json", "looks.json")]
    # The record is what is written last of a trial.
    files += sorted(folder.glob("trials/*/record.json"))
    return tuple((file, state_of(file)) for file in files)
